import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.errors.FencedInstanceIdException;
import org.apache.kafka.common.errors.RebalanceInProgressException;
import org.apache.kafka.common.serialization.StringDeserializer;

/** Consumers of one group: three share a topic, one resumes where they stopped, one is fenced. */
public final class GroupClient {
    private static final Duration TURN = Duration.ofMillis(100);
    private static final long PATIENCE_MS = 30_000;

    private static KafkaConsumer<String, String> consumer(
            String bootstrap, String topic, String group, String instance) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", bootstrap);
        settings.put("group.id", group);
        settings.put("auto.offset.reset", "earliest");
        settings.put("enable.auto.commit", "false");
        settings.put("session.timeout.ms", "6000");
        settings.put("heartbeat.interval.ms", "300");
        settings.put("key.deserializer", StringDeserializer.class.getName());
        settings.put("value.deserializer", StringDeserializer.class.getName());
        if (instance != null) {
            settings.put("group.instance.id", instance);
        }
        KafkaConsumer<String, String> made = new KafkaConsumer<>(settings);
        made.subscribe(List.of(topic));
        return made;
    }

    private static void share(String bootstrap, String topic, int count) throws Exception {
        Set<String> values = ConcurrentHashMap.newKeySet();
        AtomicBoolean ends = new AtomicBoolean();
        List<Thread> threads = new ArrayList<>();
        for (int number = 0; number < 3; number++) {
            Thread thread = new Thread(() -> {
                try (KafkaConsumer<String, String> member = consumer(bootstrap, topic, "java", null)) {
                    while (!ends.get()) {
                        for (ConsumerRecord<String, String> record : member.poll(TURN)) {
                            values.add(record.value());
                        }
                        try {
                            member.commitSync();
                        } catch (CommitFailedException | RebalanceInProgressException again) {
                            // Whoever gets the partitions reads them once more.
                        }
                    }
                }
            });
            thread.start();
            threads.add(thread);
        }
        long deadline = System.currentTimeMillis() + PATIENCE_MS;
        while (values.size() < count && System.currentTimeMillis() < deadline) {
            Thread.sleep(20);
        }
        Thread.sleep(500);
        ends.set(true);
        for (Thread thread : threads) {
            thread.join();
        }
        System.out.println("read " + values.size() + " of " + count);
    }

    private static void resume(String bootstrap, String topic) {
        try (KafkaConsumer<String, String> member = consumer(bootstrap, topic, "java", null)) {
            long deadline = System.currentTimeMillis() + PATIENCE_MS;
            int read = 0;
            while (member.assignment().isEmpty() && System.currentTimeMillis() < deadline) {
                read += member.poll(TURN).count();
            }
            for (int turn = 0; turn < 5; turn++) {
                read += member.poll(TURN).count();
            }
            boolean owns = !member.assignment().isEmpty();
            System.out.println(owns && read == 0 ? "resumed at the end" : "read again: " + read);
        }
    }

    private static void fence(String bootstrap, String topic) {
        try (KafkaConsumer<String, String> first = consumer(bootstrap, topic, "static", "one");
                KafkaConsumer<String, String> second = consumer(bootstrap, topic, "static", "one")) {
            long deadline = System.currentTimeMillis() + PATIENCE_MS;
            while (first.assignment().isEmpty() && System.currentTimeMillis() < deadline) {
                first.poll(TURN);
            }
            try {
                while (System.currentTimeMillis() < deadline) {
                    second.poll(TURN);
                    first.poll(TURN);
                }
                System.out.println("two of one name live side by side");
            } catch (FencedInstanceIdException told) {
                System.out.println("fenced");
            }
        }
    }

    /** Wants: bootstrap, topic, how many records it has. */
    public static void main(String[] words) throws Exception {
        share(words[0], words[1], Integer.parseInt(words[2]));
        resume(words[0], words[1]);
        fence(words[0], words[1]);
    }
}
