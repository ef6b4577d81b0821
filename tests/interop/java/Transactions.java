import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Transactions of Apache Kafka's own producer. */
public final class Transactions {
    private static final int ABORTED_EACH = 5;

    public static void main(String[] arguments) {
        switch (arguments[0]) {
            case "write" -> write(arguments[1], arguments[2], arguments[3], Integer.parseInt(arguments[4]));
            case "pipe" -> pipe(arguments[1], arguments[2], arguments[3], arguments[4]);
            default -> throw new IllegalArgumentException(arguments[0]);
        }
    }

    /** Transactions with a record in each of three partitions; those with an odd number abort. */
    private static void write(String bootstrap, String name, String topic, int count) {
        try (KafkaProducer<byte[], byte[]> producer = producer(bootstrap, name)) {
            producer.initTransactions();
            for (int number = 0; number < count; number++) {
                producer.beginTransaction();
                for (int partition = 0; partition < 3; partition++) {
                    byte[] value = (number + "/" + partition).getBytes();
                    producer.send(new ProducerRecord<>(topic, partition, null, value));
                }
                if (number % 2 == 0) {
                    producer.commitTransaction();
                } else {
                    producer.flush();
                    producer.abortTransaction();
                }
            }
        }
    }

    /** Carry records from one topic to another, positions and all, until the process is killed. */
    private static void pipe(String bootstrap, String name, String source, String target) {
        while (true) {
            try (KafkaProducer<byte[], byte[]> producer = producer(bootstrap, name);
                    KafkaConsumer<byte[], byte[]> consumer = consumer(bootstrap, name)) {
                List<TopicPartition> partitions =
                    IntStream.range(0, 2).mapToObj(index -> new TopicPartition(source, index)).toList();
                consumer.assign(partitions);
                producer.initTransactions();
                carry(producer, consumer, target);
            } catch (KafkaException error) {
                System.err.println("begins anew: " + error);
            }
        }
    }

    private static void carry(
            KafkaProducer<byte[], byte[]> producer,
            KafkaConsumer<byte[], byte[]> consumer,
            String target) {
        for (int number = 1; ; number++) {
            ConsumerRecords<byte[], byte[]> records = consumer.poll(Duration.ofMillis(200));
            if (records.isEmpty()) {
                continue;
            }
            producer.beginTransaction();
            String told = " " + UUID.randomUUID() + " " + records.count();
            Map<TopicPartition, OffsetAndMetadata> positions = new HashMap<>();
            for (ConsumerRecord<byte[], byte[]> record : records) {
                byte[] value = (new String(record.value()) + told).getBytes();
                producer.send(new ProducerRecord<>(target, record.partition(), null, value));
                positions.put(
                    new TopicPartition(record.topic(), record.partition()),
                    new OffsetAndMetadata(record.offset() + 1));
            }
            producer.sendOffsetsToTransaction(positions, consumer.groupMetadata());
            if (number % ABORTED_EACH == 0) {
                producer.abortTransaction();
                throw new KafkaException("aborted on purpose: positions are read again");
            }
            producer.commitTransaction();
        }
    }

    private static KafkaProducer<byte[], byte[]> producer(String bootstrap, String name) {
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", bootstrap);
        settings.put("transactional.id", name);
        settings.put("transaction.timeout.ms", 10_000);
        settings.put("max.block.ms", 30_000);
        settings.put("reconnect.backoff.max.ms", 100);
        return new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer());
    }

    private static KafkaConsumer<byte[], byte[]> consumer(String bootstrap, String name) {
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", bootstrap);
        settings.put("group.id", name);
        settings.put("enable.auto.commit", false);
        settings.put("auto.offset.reset", "earliest");
        settings.put("max.poll.records", 40);
        settings.put("reconnect.backoff.max.ms", 100);
        return new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }
}
