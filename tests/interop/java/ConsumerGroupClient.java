import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.common.errors.InvalidRegularExpression;
import org.apache.kafka.common.serialization.StringDeserializer;

/** Consumers of group.protocol=consumer: three share a topic, one leaves, one resumes. */
public final class ConsumerGroupClient {
    private static final Duration TURN = Duration.ofMillis(100);
    private static final long PATIENCE_MS = 30_000;

    private static final class Member {
        final AtomicBoolean ends = new AtomicBoolean();
        volatile int owned;
        final Thread thread;

        Member(String bootstrap, String topic, Set<String> values) {
            thread = new Thread(() -> {
                try (KafkaConsumer<String, String> consumer = consumer(bootstrap)) {
                    consumer.subscribe(List.of(topic));
                    while (!ends.get()) {
                        for (ConsumerRecord<String, String> record : consumer.poll(TURN)) {
                            values.add(record.value());
                        }
                        consumer.commitSync();
                        owned = consumer.assignment().size();
                    }
                }
            });
            thread.start();
        }

        void stop() throws InterruptedException {
            ends.set(true);
            thread.join();
        }
    }

    private static KafkaConsumer<String, String> consumer(String bootstrap) {
        Properties settings = new Properties();
        settings.put("bootstrap.servers", bootstrap);
        settings.put("group.id", "java");
        settings.put("group.protocol", "consumer");
        settings.put("auto.offset.reset", "earliest");
        settings.put("enable.auto.commit", "false");
        settings.put("key.deserializer", StringDeserializer.class.getName());
        settings.put("value.deserializer", StringDeserializer.class.getName());
        return new KafkaConsumer<>(settings);
    }

    private static boolean waitFor(java.util.function.BooleanSupplier holds) throws Exception {
        long deadline = System.currentTimeMillis() + PATIENCE_MS;
        while (!holds.getAsBoolean() && System.currentTimeMillis() < deadline) {
            Thread.sleep(20);
        }
        return holds.getAsBoolean();
    }

    private static boolean evenly(List<Member> members, int partitions) {
        return members.stream().allMatch(member -> member.owned == partitions / members.size());
    }

    private static void share(String bootstrap, String topic, int count) throws Exception {
        Set<String> values = ConcurrentHashMap.newKeySet();
        List<Member> members = new ArrayList<>();
        for (int number = 0; number < 3; number++) {
            members.add(new Member(bootstrap, topic, values));
        }
        if (waitFor(() -> evenly(members, 60) && values.size() == count)) {
            System.out.println("read " + values.size() + " of " + count + " with 3 members");
        }
        members.remove(0).stop();
        if (waitFor(() -> evenly(members, 60))) {
            System.out.println("the others took over");
        }
        for (Member member : members) {
            member.stop();
        }
    }

    private static void resume(String bootstrap, String topic) {
        try (KafkaConsumer<String, String> member = consumer(bootstrap)) {
            member.subscribe(new SubscriptionPattern("num[b-z]ers"));
            int read = 0;
            long deadline = System.currentTimeMillis() + PATIENCE_MS;
            while (member.assignment().size() < 60 && System.currentTimeMillis() < deadline) {
                read += member.poll(TURN).count();
            }
            for (int turn = 0; turn < 5; turn++) {
                read += member.poll(TURN).count();
            }
            System.out.println("owns " + member.assignment().size() + ", read " + read + " more");
            if (read == 0 && member.assignment().size() == 60) {
                System.out.println("resumed at the end");
            }
        }
    }

    private static void refuse(String bootstrap) {
        try (KafkaConsumer<String, String> member = consumer(bootstrap)) {
            member.subscribe(new SubscriptionPattern("(unclosed"));
            long deadline = System.currentTimeMillis() + PATIENCE_MS;
            while (System.currentTimeMillis() < deadline) {
                member.poll(TURN);
            }
        } catch (InvalidRegularExpression expected) {
            System.out.println("refused expression: " + expected.getMessage());
        }
    }

    public static void main(String[] words) throws Exception {
        share(words[0], words[1], Integer.parseInt(words[2]));
        resume(words[0], words[1]);
        refuse(words[0]);
    }
}
