import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Assignment;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.GroupSubscription;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.Subscription;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.RangeAssignor;
import org.apache.kafka.clients.consumer.RoundRobinAssignor;
import org.apache.kafka.clients.consumer.StickyAssignor;
import org.apache.kafka.common.Cluster;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;

/** Apache Kafka's own assignors: a group on each line of stdin, its assignment on one of stdout. */
public final class AssignorOracle {
    private static final ObjectMapper JSON = new ObjectMapper();

    private AssignorOracle() {}

    private static ConsumerPartitionAssignor named(String name) {
        return switch (name) {
            case "range" -> new RangeAssignor();
            case "roundrobin" -> new RoundRobinAssignor();
            case "sticky" -> new StickyAssignor();
            case "cooperative-sticky" -> new CooperativeStickyAssignor();
            default -> throw new IllegalArgumentException(name);
        };
    }

    private static List<TopicPartition> partitions(JsonNode pairs) {
        List<TopicPartition> found = new ArrayList<>();
        pairs.forEach(pair -> found.add(new TopicPartition(pair.get(0).asText(), pair.get(1).asInt())));
        return found;
    }

    /** A partition is led by the first of its replicas; each rack is a node, and one has none. */
    private static Cluster cluster(JsonNode topics) {
        Map<String, Node> nodes = new HashMap<>();
        Node bare = new Node(0, "bare", 9092);
        List<PartitionInfo> known = new ArrayList<>();
        topics.properties().forEach(topic -> {
            int index = 0;
            for (JsonNode racks : topic.getValue()) {
                List<Node> replicas = new ArrayList<>();
                racks.forEach(rack -> replicas.add(nodes.computeIfAbsent(
                        rack.asText(), name -> new Node(nodes.size() + 1, name, 9092, name))));
                if (replicas.isEmpty()) {
                    replicas.add(bare);
                }
                Node[] array = replicas.toArray(new Node[0]);
                known.add(new PartitionInfo(topic.getKey(), index++, array[0], array, array));
            }
        });
        List<Node> all = new ArrayList<>(nodes.values());
        all.add(bare);
        return new Cluster("oracle", all, known, Set.of(), Set.of());
    }

    private static Subscription subscription(String assignor, JsonNode member) {
        List<String> topics = new ArrayList<>();
        member.get("topics").forEach(topic -> topics.add(topic.asText()));
        JsonNode told = member.get("user_data");
        ByteBuffer userData = told.isNull() ? null : ByteBuffer.wrap(Base64.getDecoder().decode(told.asText()));
        Subscription made = new Subscription(
                topics,
                userData,
                assignor.equals("cooperative-sticky") ? partitions(member.get("owned")) : List.of(),
                member.get("generation").asInt(),
                Optional.ofNullable(member.get("rack").textValue()));
        made.setGroupInstanceId(Optional.ofNullable(member.get("group_instance_id").textValue()));
        return made;
    }

    private static ObjectNode answer(JsonNode asked) {
        String name = asked.get("assignor").asText();
        Map<String, Subscription> members = new HashMap<>();
        asked.get("members").forEach(
                member -> members.put(member.get("member_id").asText(), subscription(name, member)));
        ConsumerPartitionAssignor assignor = named(name);
        Map<String, Assignment> shares =
                assignor.assign(cluster(asked.get("topics")), new GroupSubscription(members)).groupAssignment();
        ObjectNode told = JSON.createObjectNode();
        shares.forEach((member, share) -> {
            ArrayNode pairs = told.putArray(member);
            share.partitions().forEach(
                    partition -> pairs.addArray().add(partition.topic()).add(partition.partition()));
        });
        return told;
    }

    /** What a Java member tells its leader, once it was given these in this generation. */
    @SuppressWarnings("removal") // Applications are not meant to make group metadata; consumers are.
    private static String userData(JsonNode asked) {
        ConsumerPartitionAssignor assignor = named(asked.get("assignor").asText());
        assignor.onAssignment(
                new Assignment(partitions(asked.get("owned"))),
                new ConsumerGroupMetadata("g", asked.get("generation").asInt(), "m", Optional.empty()));
        ByteBuffer told = assignor.subscriptionUserData(Set.of());
        byte[] bytes = new byte[told.remaining()];
        told.get(bytes);
        return Base64.getEncoder().encodeToString(bytes);
    }

    public static void main(String[] arguments) throws IOException {
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            JsonNode asked = JSON.readTree(line);
            System.out.println(asked.has("members") ? answer(asked) : JSON.writeValueAsString(userData(asked)));
        }
    }
}
