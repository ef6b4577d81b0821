import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Apache Kafka's producer and consumer, told what to do by lines of JSON, answering with such. */
public final class RealClient {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int REQUEST_BYTES_MAX = 8 * 1024 * 1024;
    private static final Duration FIND_PLACE_MAX = Duration.ofSeconds(30);

    private final Map<Integer, KafkaConsumer<byte[], byte[]>> readers = new HashMap<>();
    private int lastReader = 0;

    public static void main(String[] arguments) throws IOException {
        RealClient client = new RealClient();
        BufferedReader lines =
            new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            System.out.println(client.answer(JSON.readTree(line)));
        }
    }

    private ObjectNode answer(JsonNode asked) {
        ObjectNode answer = JSON.createObjectNode();
        try {
            switch (asked.get("do").asText()) {
                case "produce" -> produce(asked);
                case "open" -> answer.put("reader", open(asked));
                case "poll" -> answer.set("records", poll(asked));
                case "close" -> readers.remove(asked.get("reader").asInt()).close();
                default -> throw new IllegalArgumentException("cannot do " + asked.get("do"));
            }
        } catch (Exception error) {
            answer.put("error", error.toString());
        }
        return answer;
    }

    private void produce(JsonNode asked) throws IOException, InterruptedException {
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", asked.get("bootstrap").asText());
        settings.put("compression.type", asked.get("codec").asText());
        settings.put("acks", asked.get("acks").asText());
        settings.put("linger.ms", 10);
        settings.put("max.request.size", REQUEST_BYTES_MAX);
        String topic = asked.get("topic").asText();
        try (KafkaProducer<byte[], byte[]> producer =
                new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer())) {
            List<Future<RecordMetadata>> sent = new ArrayList<>();
            for (JsonNode record : asked.get("records")) {
                sent.add(producer.send(toProduce(topic, record)));
            }
            for (Future<RecordMetadata> acknowledgement : sent) {
                acknowledgement.get();
            }
        } catch (ExecutionException refused) {
            throw new IOException(refused.getCause());
        }
    }

    private static ProducerRecord<byte[], byte[]> toProduce(String topic, JsonNode record)
            throws IOException {
        ProducerRecord<byte[], byte[]> made =
            new ProducerRecord<>(
                topic,
                record.hasNonNull("partition") ? record.get("partition").asInt() : null,
                record.hasNonNull("timestamp_ms") ? record.get("timestamp_ms").asLong() : null,
                bytes(record.get("key")),
                bytes(record.get("value")));
        for (JsonNode header : record.get("headers")) {
            made.headers().add(header.get(0).asText(), bytes(header.get(1)));
        }
        return made;
    }

    private int open(JsonNode asked) {
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", asked.get("bootstrap").asText());
        settings.put("auto.offset.reset", "none");
        settings.put("enable.auto.commit", false);
        settings.put("fetch.max.wait.ms", 100); // its close waits for the last answer
        KafkaConsumer<byte[], byte[]> reader =
            new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer());
        String topic = asked.get("topic").asText();
        List<TopicPartition> places =
            IntStream.range(0, asked.get("partitions").asInt())
                .mapToObj(index -> new TopicPartition(topic, index))
                .collect(Collectors.toList());
        readers.put(++lastReader, reader);
        reader.assign(places);
        seek(reader, places, asked.get("place").asText(), asked.get("number").asLong());
        places.forEach(place -> reader.position(place, FIND_PLACE_MAX));
        return lastReader;
    }

    private static void seek(
            KafkaConsumer<byte[], byte[]> reader,
            List<TopicPartition> places,
            String place,
            long number) {
        switch (place) {
            case "beginning" -> reader.seekToBeginning(places);
            case "end" -> reader.seekToEnd(places);
            case "offset" -> places.forEach(partition -> reader.seek(partition, number));
            case "time" -> seekToTime(reader, places, number);
            default -> throw new IllegalArgumentException("no place " + place);
        }
    }

    private static void seekToTime(
            KafkaConsumer<byte[], byte[]> reader, List<TopicPartition> places, long timestampMs) {
        Map<TopicPartition, Long> asked =
            places.stream().collect(Collectors.toMap(place -> place, place -> timestampMs));
        Map<TopicPartition, OffsetAndTimestamp> found = reader.offsetsForTimes(asked);
        for (TopicPartition place : places) {
            OffsetAndTimestamp offset = found.get(place);
            if (offset == null) {
                reader.seekToEnd(List.of(place));
            } else {
                reader.seek(place, offset.offset());
            }
        }
    }

    private ArrayNode poll(JsonNode asked) {
        ArrayNode records = JSON.createArrayNode();
        KafkaConsumer<byte[], byte[]> reader = readers.get(asked.get("reader").asInt());
        Duration patience = Duration.ofMillis(asked.get("timeout_ms").asLong());
        for (ConsumerRecord<byte[], byte[]> record : reader.poll(patience)) {
            ObjectNode told = records.addObject();
            told.put("partition", record.partition());
            told.put("offset", record.offset());
            told.put("timestamp_ms", record.timestamp());
            told.put("key", record.key());
            told.put("value", record.value());
            ArrayNode headers = told.putArray("headers");
            for (Header header : record.headers()) {
                headers.addArray().add(header.key()).add(header.value());
            }
        }
        return records;
    }

    private static byte[] bytes(JsonNode value) throws IOException {
        return value == null || value.isNull() ? null : value.binaryValue();
    }
}
