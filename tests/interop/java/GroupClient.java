import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.UnknownMemberIdException;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * One member of a group, as group_member.py is one of the Python libraries: it reads, commits, tells
 * everything on stdout as lines of JSON, and leaves in order when its stdin ends.
 */
public final class GroupClient {
    private static final Duration TURN = Duration.ofMillis(100);

    private final Map<String, String> settings;
    private final KafkaConsumer<String, String> consumer;

    private GroupClient(Map<String, String> settings) {
        this.settings = settings;
        this.consumer = new KafkaConsumer<>(properties(settings));
    }

    private static Properties properties(Map<String, String> settings) {
        Properties chosen = new Properties();
        chosen.put("bootstrap.servers", settings.get("bootstrap"));
        chosen.put("client.id", settings.get("name"));
        chosen.put("group.id", settings.get("group"));
        chosen.put("group.protocol", settings.get("protocol"));
        chosen.put("auto.offset.reset", "earliest");
        chosen.put("enable.auto.commit", "false");
        chosen.put("reconnect.backoff.ms", "100");
        chosen.put("reconnect.backoff.max.ms", "100");
        chosen.put("key.deserializer", StringDeserializer.class.getName());
        chosen.put("value.deserializer", StringDeserializer.class.getName());
        if (settings.get("protocol").equals("classic")) {
            chosen.put("session.timeout.ms", settings.get("session_ms"));
            chosen.put("heartbeat.interval.ms", settings.get("heartbeat_ms"));
            String assignor = settings.get("strategy").equals("range") ? "Range" : "CooperativeSticky";
            String name = "org.apache.kafka.clients.consumer." + assignor + "Assignor";
            chosen.put("partition.assignment.strategy", name);
        }
        if (settings.containsKey("instance")) {
            chosen.put("group.instance.id", settings.get("instance"));
        }
        return chosen;
    }

    // -- telling ---------------------------------------------------------------------------------

    private static synchronized void tell(String did, String facts) {
        // System.nanoTime is the same clock as Python's time.monotonic, of all processes.
        double at = System.nanoTime() / 1e9;
        System.out.printf(
                java.util.Locale.ROOT, "{\"at\":%.9f,\"did\":\"%s\"%s}%n", at, did, facts);
        System.out.flush();
    }

    private static String quoted(Object value) {
        String text = String.valueOf(value).replace("\\", "\\\\").replace("\"", "\\\"");
        return '"' + text.replaceAll("\\p{Cntrl}", " ") + '"';
    }

    private void tellOwned(String did, Collection<TopicPartition> places) {
        String numbers = places.stream().map(place -> String.valueOf(place.partition()))
                .collect(Collectors.joining(","));
        tell(did, ",\"partitions\":[" + numbers + "],\"generation\":"
                + consumer.groupMetadata().generationId()
                + ",\"member_id\":" + quoted(consumer.groupMetadata().memberId()));
    }

    private final class Listener implements ConsumerRebalanceListener {
        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> places) {
            tellOwned("assigned", places);
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> places) {
            tellOwned("revoked", places);
        }

        @Override
        public void onPartitionsLost(Collection<TopicPartition> places) {
            tellOwned("lost", places);
        }
    }

    // -- reading ---------------------------------------------------------------------------------

    private void turn() {
        List<long[]> ranges = new ArrayList<>();
        for (ConsumerRecord<String, String> record : poll()) {
            long expected = record.offset() * Long.parseLong(settings.get("partitions"))
                    + record.partition();
            if (!record.value().equals(String.valueOf(expected))) {
                throw new IllegalStateException(record + " should be " + expected);
            }
            add(ranges, record.partition(), record.offset());
        }
        if (!ranges.isEmpty()) {
            tell("read", ",\"ranges\":" + ranges.stream()
                    .map(each -> "[" + each[0] + "," + each[1] + "," + each[2] + "]").toList());
            commit(ranges);
        }
    }

    private Iterable<ConsumerRecord<String, String>> poll() {
        try {
            return consumer.poll(TURN);
        } catch (UnknownMemberIdException asleep) {
            // Woken while it asked where to begin; the next poll finds that it has to join again.
            return List.of();
        }
    }

    private static void add(List<long[]> ranges, int partition, long offset) {
        long[] last = ranges.isEmpty() ? null : ranges.get(ranges.size() - 1);
        if (last != null && last[0] == partition && last[2] == offset) {
            last[2] = offset + 1;
        } else {
            ranges.add(new long[] {partition, offset, offset + 1});
        }
    }

    private void commit(List<long[]> ranges) {
        Map<TopicPartition, OffsetAndMetadata> offsets = new LinkedHashMap<>();
        for (long[] range : ranges) {
            TopicPartition place = new TopicPartition(settings.get("topic"), (int) range[0]);
            offsets.put(place, new OffsetAndMetadata(range[2]));
        }
        String told = offsets.entrySet().stream()
                .map(each -> "\"" + each.getKey().partition() + "\":" + each.getValue().offset())
                .collect(Collectors.joining(",", ",\"offsets\":{", "}"));
        tell("committing", told);
        try {
            consumer.commitSync(offsets);
            tell("committed", told);
        } catch (KafkaException refused) {
            tell("refused", told + ",\"error\":" + quoted(refused.getClass().getSimpleName()));
        }
    }

    private void live(AtomicBoolean ends) {
        consumer.subscribe(List.of(settings.get("topic")), new Listener());
        while (!ends.get()) {
            turn();
        }
        consumer.close();
        tell("closed", "");
    }

    private static void awaitEnd(AtomicBoolean ends) {
        try {
            while (System.in.read() >= 0) {
                // Nothing is said to a member; only the end counts.
            }
        } catch (IOException gone) {
            // An end as well.
        }
        ends.set(true);
    }

    /** Wants settings as name=value. */
    public static void main(String[] words) {
        Map<String, String> settings = new HashMap<>();
        for (String word : words) {
            String[] parts = word.split("=", 2);
            settings.put(parts[0], parts[1]);
        }
        AtomicBoolean ends = new AtomicBoolean();
        Thread listens = new Thread(() -> awaitEnd(ends));
        listens.setDaemon(true);
        listens.start();
        try {
            new GroupClient(settings).live(ends);
        } catch (RuntimeException error) {
            String what = error.getClass().getSimpleName() + ": " + error.getMessage();
            tell("failed", ",\"error\":" + quoted(what));
            throw error;
        }
    }
}
