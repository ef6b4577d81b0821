import java.lang.reflect.Method;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.AbortTransactionSpec;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.FeatureUpdate;
import org.apache.kafka.clients.admin.FinalizedVersionRange;
import org.apache.kafka.clients.admin.ListConsumerGroupOffsetsSpec;
import org.apache.kafka.clients.admin.ListOffsetsResult.ListOffsetsResultInfo;
import org.apache.kafka.clients.admin.ListShareGroupOffsetsSpec;
import org.apache.kafka.clients.admin.ListStreamsGroupOffsetsSpec;
import org.apache.kafka.clients.admin.MemberToRemove;
import org.apache.kafka.clients.admin.NewPartitionReassignment;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.ProducerState;
import org.apache.kafka.clients.admin.RaftVoterEndpoint;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.RemoveMembersFromConsumerGroupOptions;
import org.apache.kafka.clients.admin.ScramCredentialInfo;
import org.apache.kafka.clients.admin.ScramMechanism;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.admin.TransactionDescription;
import org.apache.kafka.clients.admin.TransactionListing;
import org.apache.kafka.clients.admin.UserScramCredentialDeletion;
import org.apache.kafka.clients.admin.UserScramCredentialUpsertion;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.ElectionType;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicCollection;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionReplica;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.acl.AccessControlEntry;
import org.apache.kafka.common.acl.AclBinding;
import org.apache.kafka.common.acl.AclBindingFilter;
import org.apache.kafka.common.acl.AclOperation;
import org.apache.kafka.common.acl.AclPermissionType;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.quota.ClientQuotaAlteration;
import org.apache.kafka.common.quota.ClientQuotaEntity;
import org.apache.kafka.common.quota.ClientQuotaFilter;
import org.apache.kafka.common.resource.PatternType;
import org.apache.kafka.common.resource.ResourcePattern;
import org.apache.kafka.common.resource.ResourceType;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Every operation of Kafka's Admin client, once at least, against the broker that is named: one line
 * for each, with what it answered as far as two brokers can answer alike, or the error it gave.
 */
public final class AdminOperations {
    private static final String TOPIC = "tried";
    private static final String GROUP = "readers";
    private static final TopicPartition FIRST = new TopicPartition(TOPIC, 0);
    private static final long PATIENCE_SECONDS = 15;
    /** What asks the broker nothing. */
    private static final Set<String> LOCAL = Set.of(
            "close", "metrics", "registerMetricForSubscription", "unregisterMetricFromSubscription");

    private final String bootstrap;
    private final Admin admin;
    private final Set<String> tried = new TreeSet<>();
    private int node;

    private AdminOperations(String bootstrap) {
        this.bootstrap = bootstrap;
        this.admin = Admin.create(Map.of(
                "bootstrap.servers", bootstrap,
                "default.api.timeout.ms", "12000",
                "request.timeout.ms", "6000"));
    }

    public static void main(String[] arguments) throws Exception {
        AdminOperations all = new AdminOperations(arguments[0]);
        try {
            all.cluster();
            all.topics();
            all.configs();
            all.records();
            all.groups();
            all.otherGroups();
            all.transactions();
            all.placement();
            all.security();
            all.quorum();
            all.ending();
        } finally {
            all.admin.close(Duration.ZERO);
        }
        all.checkComplete();
    }

    // -- telling ---------------------------------------------------------------------------------

    private static <T> T wait(KafkaFuture<T> future) throws Exception {
        return future.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    }

    /** Apache Kafka's answers follow its changes a little later. */
    private static void pause() {
        try {
            Thread.sleep(500);
        } catch (InterruptedException interrupted) {
            throw new IllegalStateException(interrupted);
        }
    }

    private void attempt(String name, Callable<Object> operation) {
        attempt(name, "", operation);
    }

    private void attempt(String name, String which, Callable<Object> operation) {
        tried.add(name);
        String told;
        try {
            told = String.valueOf(operation.call());
        } catch (ExecutionException error) {
            told = "! " + error.getCause().getClass().getSimpleName();
        } catch (Exception error) {
            told = "! " + error.getClass().getSimpleName();
        }
        System.out.println(name + (which.isEmpty() ? "" : " " + which) + ": " + told);
    }

    /** Each item's outcome by its name: "done", or the error. */
    private static <K> Map<String, String> outcomes(Map<K, ? extends KafkaFuture<?>> futures)
            throws Exception {
        Map<String, String> told = new TreeMap<>();
        for (Map.Entry<K, ? extends KafkaFuture<?>> each : futures.entrySet()) {
            String outcome = "done";
            try {
                wait(each.getValue());
            } catch (ExecutionException error) {
                outcome = "! " + error.getCause().getClass().getSimpleName();
            }
            told.put(each.getKey().toString(), outcome);
        }
        return told;
    }

    private void checkComplete() {
        Set<String> all = new TreeSet<>();
        for (Method method : Admin.class.getMethods()) {
            all.add(method.getName());
        }
        all.removeAll(tried);
        all.removeAll(LOCAL);
        all.remove("create");
        System.out.println("not tried: " + all);
    }

    // -- cluster and topics ----------------------------------------------------------------------

    private void cluster() {
        attempt("describeCluster", () -> {
            node = wait(admin.describeCluster().nodes()).iterator().next().id();
            boolean isController = wait(admin.describeCluster().controller()).id() == node;
            return "one node, controller " + isController;
        });
        attempt("describeFeatures", () -> {
            Map<String, FinalizedVersionRange> found =
                    wait(admin.describeFeatures().featureMetadata()).finalizedFeatures();
            return new TreeMap<>(found).keySet();
        });
        attempt("clientInstanceId", () -> admin.clientInstanceId(Duration.ofSeconds(3)) != null);
    }

    private void topics() {
        NewTopic tried = new NewTopic(TOPIC, 3, (short) 1).configs(Map.of("retention.ms", "86400000"));
        NewTopic other = new NewTopic("other", Optional.empty(), Optional.empty());
        attempt("createTopics", () -> outcomes(admin.createTopics(List.of(tried, other)).values()));
        attempt("createTopics", "again", () -> outcomes(admin.createTopics(List.of(tried)).values()));
        pause();
        attempt("listTopics", () -> new TreeSet<>(wait(admin.listTopics().names())));
        attempt("describeTopics", () -> {
            TopicDescription found = wait(admin.describeTopics(List.of(TOPIC)).allTopicNames()).get(TOPIC);
            return found.partitions().stream()
                    .map(each -> each.partition() + " replicas " + each.replicas().size()
                            + " in sync " + each.isr().size() + " led " + (each.leader() != null))
                    .toList();
        });
        attempt("describeTopics", "missing", () ->
                outcomes(admin.describeTopics(List.of("missing")).topicNameValues()));
        attempt("createPartitions", () -> outcomes(
                admin.createPartitions(Map.of("other", NewPartitions.increaseTo(2))).values()));
        attempt("createPartitions", "fewer", () -> outcomes(
                admin.createPartitions(Map.of(TOPIC, NewPartitions.increaseTo(1))).values()));
        attempt("deleteTopics", () -> outcomes(
                admin.deleteTopics(List.of("other", "missing")).topicNameValues()));
    }

    // -- configurations --------------------------------------------------------------------------

    private void configs() {
        ConfigResource topic = new ConfigResource(ConfigResource.Type.TOPIC, TOPIC);
        ConfigResource broker = new ConfigResource(ConfigResource.Type.BROKER, String.valueOf(node));
        ConfigResource subscription =
                new ConfigResource(ConfigResource.Type.CLIENT_METRICS, "all-clients");
        ConfigResource group = new ConfigResource(ConfigResource.Type.GROUP, GROUP);
        attempt("incrementalAlterConfigs", () -> outcomes(admin.incrementalAlterConfigs(Map.of(
                topic, List.of(set("segment.ms", "3600000")),
                broker, List.of(set("log.cleaner.backoff.ms", "20000")),
                subscription, List.of(set("interval.ms", "60000"), set("metrics", "*")),
                group, List.of(set("consumer.session.timeout.ms", "50000")))).values())
                .toString().replace("'" + node + "'", "'N'"));
        attempt("incrementalAlterConfigs", "wrong", () -> outcomes(admin.incrementalAlterConfigs(
                Map.of(topic, List.of(set("segment.ms", "soon")))).values()));
        pause();
        attempt("describeConfigs", () -> own(wait(admin.describeConfigs(List.of(topic)).all()).get(topic)));
        attempt("describeConfigs", "broker", () ->
                own(wait(admin.describeConfigs(List.of(broker)).all()).get(broker)));
        attempt("listConfigResources", () -> new TreeSet<>(
                wait(admin.listConfigResources().all()).stream().map(ConfigResource::toString)
                        .map(text -> text.replace("'" + node + "'", "'N'")).toList()));
        attempt("listClientMetricsResources", AdminOperations.this::listSubscriptions);
        attempt("incrementalAlterConfigs", "undone", () -> outcomes(admin.incrementalAlterConfigs(Map.of(
                broker, List.of(delete("log.cleaner.backoff.ms")),
                subscription, List.of(delete("interval.ms"), delete("metrics")),
                group, List.of(delete("consumer.session.timeout.ms")))).values()).size());
    }

    @SuppressWarnings("removal")
    private Object listSubscriptions() throws Exception {
        return wait(admin.listClientMetricsResources().all()).stream()
                .map(each -> each.name()).toList();
    }

    private static AlterConfigOp set(String name, String value) {
        return new AlterConfigOp(new ConfigEntry(name, value), AlterConfigOp.OpType.SET);
    }

    private static AlterConfigOp delete(String name) {
        return new AlterConfigOp(new ConfigEntry(name, null), AlterConfigOp.OpType.DELETE);
    }

    /** What is set on the resource itself, while it runs. */
    private static Object own(Config found) {
        return found.entries().stream()
                .filter(each -> each.source().name().startsWith("DYNAMIC"))
                .map(each -> each.name() + "=" + each.value()).sorted().toList();
    }

    // -- records and offsets ---------------------------------------------------------------------

    private Properties client(String... more) {
        Properties chosen = new Properties();
        chosen.put("bootstrap.servers", bootstrap);
        for (String type : List.of("key", "value")) {
            chosen.put(type + ".serializer", StringSerializer.class.getName());
            chosen.put(type + ".deserializer", StringDeserializer.class.getName());
        }
        for (int at = 0; at < more.length; at += 2) {
            chosen.put(more[at], more[at + 1]);
        }
        return chosen;
    }

    private void records() throws Exception {
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(client())) {
            for (int number = 0; number < 10; number++) {
                producer.send(new ProducerRecord<>(TOPIC, 0, 1000L + number, null, "v" + number)).get();
            }
        }
        attempt("deleteRecords", () ->
                wait(admin.deleteRecords(Map.of(FIRST, RecordsToDelete.beforeOffset(3)))
                        .lowWatermarks().get(FIRST)).lowWatermark());
        attempt("deleteRecords", "too far", () ->
                wait(admin.deleteRecords(Map.of(FIRST, RecordsToDelete.beforeOffset(99)))
                        .lowWatermarks().get(FIRST)).lowWatermark());
        for (Map.Entry<String, OffsetSpec> each : new TreeMap<>(Map.of(
                "earliest", OffsetSpec.earliest(), "latest", OffsetSpec.latest(),
                "largest time", OffsetSpec.maxTimestamp(), "of a time", OffsetSpec.forTimestamp(1005),
                "local", OffsetSpec.earliestLocal(), "tiered", OffsetSpec.latestTiered())).entrySet()) {
            attempt("listOffsets", each.getKey(), () -> {
                ListOffsetsResultInfo found =
                        wait(admin.listOffsets(Map.of(FIRST, each.getValue())).all()).get(FIRST);
                return found.offset() + " at " + found.timestamp() + " of " + found.leaderEpoch();
            });
        }
    }

    // -- groups ----------------------------------------------------------------------------------

    private void groups() throws Exception {
        attempt("alterConsumerGroupOffsets", () -> wait(admin.alterConsumerGroupOffsets(
                "moved", Map.of(FIRST, new OffsetAndMetadata(5, "by hand"))).all()));
        attempt("listConsumerGroupOffsets", () ->
                wait(admin.listConsumerGroupOffsets("moved").partitionsToOffsetAndMetadata()));
        attempt("listConsumerGroupOffsets", "of several", () -> wait(admin.listConsumerGroupOffsets(Map.of(
                "moved", new ListConsumerGroupOffsetsSpec(),
                "nobody", new ListConsumerGroupOffsetsSpec())).all()).toString().length() > 0);
        attempt("deleteConsumerGroupOffsets", () ->
                wait(admin.deleteConsumerGroupOffsets("moved", Set.of(FIRST)).all()));
        // A group without members and positions stays in Kafka until its next sweep; here it is gone.
        attempt("alterConsumerGroupOffsets", "again", () -> wait(admin.alterConsumerGroupOffsets(
                "moved", Map.of(FIRST, new OffsetAndMetadata(6))).all()));
        for (String protocol : List.of("classic", "consumer")) {
            member(protocol);
        }
        attempt("deleteConsumerGroups", () ->
                outcomes(admin.deleteConsumerGroups(List.of("moved", "nobody")).deletedGroups()));
    }

    private void member(String protocol) throws Exception {
        String group = GROUP + "-" + protocol;
        Properties chosen = client(
                ConsumerConfig.GROUP_ID_CONFIG, group, ConsumerConfig.GROUP_PROTOCOL_CONFIG, protocol,
                ConsumerConfig.GROUP_INSTANCE_ID_CONFIG, "one", "client.id", "reader");
        try (KafkaConsumer<String, String> reader = new KafkaConsumer<>(chosen)) {
            reader.subscribe(List.of(TOPIC));
            for (int turn = 0; turn < 100 && reader.assignment().size() < 3; turn++) {
                reader.poll(Duration.ofMillis(100));
            }
            attempt("describeConsumerGroups", protocol, () -> {
                var found = wait(admin.describeConsumerGroups(List.of(group)).all()).get(group);
                var one = found.members().iterator().next();
                return found.groupState() + " " + found.type() + " " + found.partitionAssignor() + " "
                        + one.clientId() + " " + one.groupInstanceId() + " "
                        + new TreeSet<>(one.assignment().topicPartitions().stream()
                                .map(Object::toString).toList());
            });
            attempt("describeClassicGroups", protocol, () -> {
                var found = wait(admin.describeClassicGroups(List.of(group)).all()).get(group);
                return found.state() + " " + found.protocol() + " " + found.members().size();
            });
            attempt("listGroups", protocol, () -> wait(admin.listGroups().all()).stream()
                    .map(each -> each.groupId() + " " + each.type() + " " + each.protocol() + " "
                            + each.groupState()).sorted().toList());
            attempt("listConsumerGroups", protocol, this::listConsumerGroups);
            attempt("deleteConsumerGroups", protocol, () ->
                    outcomes(admin.deleteConsumerGroups(List.of(group)).deletedGroups()));
            attempt("removeMembersFromConsumerGroup", protocol, () ->
                    wait(admin.removeMembersFromConsumerGroup(group,
                            new RemoveMembersFromConsumerGroupOptions(
                                    Set.of(new MemberToRemove("one")))).all()));
        }
    }

    @SuppressWarnings("removal")
    private Object listConsumerGroups() throws Exception {
        return wait(admin.listConsumerGroups().all()).stream()
                .map(each -> each.groupId()).sorted().toList();
    }

    private void otherGroups() {
        Set<TopicPartition> places = Set.of(FIRST);
        Map<TopicPartition, OffsetAndMetadata> offsets = Map.of(FIRST, new OffsetAndMetadata(1));
        List<String> names = List.of("shared");
        attempt("describeShareGroups", () -> outcomes(admin.describeShareGroups(names).describedGroups()));
        attempt("listShareGroupOffsets", () -> wait(admin.listShareGroupOffsets(
                Map.of("shared", new ListShareGroupOffsetsSpec())).all()));
        attempt("alterShareGroupOffsets", () ->
                wait(admin.alterShareGroupOffsets("shared", Map.of(FIRST, 1L)).all()));
        attempt("deleteShareGroupOffsets", () ->
                wait(admin.deleteShareGroupOffsets("shared", Set.of(TOPIC)).all()));
        attempt("deleteShareGroups", () -> outcomes(admin.deleteShareGroups(names).deletedGroups()));
        attempt("describeStreamsGroups", () -> outcomes(admin.describeStreamsGroups(names).describedGroups()));
        attempt("listStreamsGroupOffsets", () -> wait(admin.listStreamsGroupOffsets(
                Map.of("streamed", new ListStreamsGroupOffsetsSpec())).all()));
        attempt("alterStreamsGroupOffsets", () ->
                wait(admin.alterStreamsGroupOffsets("streamed", offsets).all()));
        attempt("deleteStreamsGroupOffsets", () ->
                wait(admin.deleteStreamsGroupOffsets("streamed", places).all()));
        attempt("deleteStreamsGroups", () ->
                outcomes(admin.deleteStreamsGroups(List.of("streamed")).deletedGroups()));
    }

    // -- transactions ----------------------------------------------------------------------------

    private void transactions() {
        TopicPartition place = new TopicPartition(TOPIC, 1);
        KafkaProducer<String, String> producer =
                new KafkaProducer<>(client("transactional.id", "payments"));
        try {
            producer.initTransactions();
            producer.beginTransaction();
            producer.send(new ProducerRecord<>(TOPIC, 1, null, "open")).get();
            attempt("listTransactions", () -> wait(admin.listTransactions().all()).stream()
                    .map(each -> each.transactionalId() + " " + each.state()).toList());
            attempt("describeTransactions", () -> {
                TransactionDescription found =
                        wait(admin.describeTransactions(List.of("payments")).all()).get("payments");
                return found.state() + " " + found.topicPartitions() + " " + found.transactionTimeoutMs();
            });
            attempt("describeTransactions", "unknown", () ->
                    outcomes(Map.of("unknown", admin.describeTransactions(List.of("unknown"))
                            .description("unknown"))));
            attempt("describeProducers", () -> active(place).stream()
                    .map(each -> each.lastSequence() + " "
                            + each.currentTransactionStartOffset()).toList());
            attempt("abortTransaction", "not hanging", () -> {
                ProducerState state = active(place).iterator().next();
                return wait(admin.abortTransaction(new AbortTransactionSpec(
                        place, state.producerId(), (short) state.producerEpoch(),
                        state.coordinatorEpoch().orElse(-1))).all());
            });
            attempt("fenceProducers", () -> outcomes(admin.fenceProducers(List.of("payments")).fencedProducers()));
            pause();
            attempt("forceTerminateTransaction", () ->
                    wait(admin.forceTerminateTransaction("payments").result()));
            attempt("listTransactions", "after", () -> wait(admin.listTransactions().all()).stream()
                    .map(TransactionListing::transactionalId).toList());
        } catch (InterruptedException | ExecutionException error) {
            throw new IllegalStateException(error);
        } finally {
            producer.close(Duration.ZERO);
        }
    }

    private Collection<ProducerState> active(TopicPartition place) throws Exception {
        return wait(admin.describeProducers(List.of(place)).partitionResult(place)).activeProducers();
    }

    // -- where partitions are --------------------------------------------------------------------

    private void placement() {
        attempt("electLeaders", () -> wait(
                admin.electLeaders(ElectionType.PREFERRED, Set.of(FIRST)).partitions())
                .get(FIRST).map(error -> error.getClass().getSimpleName()));
        attempt("electLeaders", "of all", () ->
                wait(admin.electLeaders(ElectionType.PREFERRED, null).partitions()));
        attempt("electLeaders", "unclean, missing", () -> wait(
                admin.electLeaders(ElectionType.UNCLEAN, Set.of(new TopicPartition("missing", 0)))
                        .partitions()).values().stream()
                .map(each -> each.map(error -> error.getClass().getSimpleName())).toList());
        attempt("alterPartitionReassignments", "cancel", () ->
                outcomes(admin.alterPartitionReassignments(Map.of(FIRST, Optional.empty())).values()));
        attempt("alterPartitionReassignments", "unknown node", () -> outcomes(
                admin.alterPartitionReassignments(Map.of(
                        FIRST, Optional.of(new NewPartitionReassignment(List.of(77))))).values()));
        attempt("alterPartitionReassignments", "as it is", () -> outcomes(
                admin.alterPartitionReassignments(Map.of(
                        FIRST, Optional.of(new NewPartitionReassignment(List.of(node))))).values()));
        attempt("listPartitionReassignments", () ->
                wait(admin.listPartitionReassignments().reassignments()));
        TopicPartitionReplica replica = new TopicPartitionReplica(TOPIC, 0, node);
        attempt("describeLogDirs", () -> {
            var found = wait(admin.describeLogDirs(List.of(node)).allDescriptions()).get(node);
            return found.size() + " " + new TreeSet<>(found.values().iterator().next().replicaInfos()
                    .keySet().stream().filter(each -> each.topic().equals(TOPIC))
                    .map(Object::toString).toList());
        });
        attempt("describeReplicaLogDirs", () -> wait(
                admin.describeReplicaLogDirs(List.of(replica)).all()).get(replica)
                .getCurrentReplicaOffsetLag());
        attempt("alterReplicaLogDirs", "missing directory", () -> outcomes(
                admin.alterReplicaLogDirs(Map.of(replica, "/nowhere")).values())
                .toString().replace("brokerId=" + node, "brokerId=N"));
    }

    // -- who may do what, and how much -----------------------------------------------------------

    private void security() {
        AclBinding rule = new AclBinding(
                new ResourcePattern(ResourceType.TOPIC, TOPIC, PatternType.LITERAL),
                new AccessControlEntry("User:ann", "*", AclOperation.READ, AclPermissionType.ALLOW));
        attempt("createAcls", () -> outcomes(admin.createAcls(List.of(rule)).values()));
        attempt("describeAcls", () -> wait(admin.describeAcls(AclBindingFilter.ANY).values()));
        attempt("deleteAcls", () -> wait(admin.deleteAcls(List.of(rule.toFilter())).all()));
        attempt("alterUserScramCredentials", () -> outcomes(admin.alterUserScramCredentials(List.of(
                new UserScramCredentialUpsertion(
                        "ann", new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 8192), "secret"),
                new UserScramCredentialDeletion("nobody", ScramMechanism.SCRAM_SHA_512))).values()));
        pause();
        attempt("describeUserScramCredentials", () ->
                wait(admin.describeUserScramCredentials().all()).values().stream()
                        .map(each -> each.name() + " " + each.credentialInfos()).toList());
        attempt("describeUserScramCredentials", "unknown", () ->
                wait(admin.describeUserScramCredentials(List.of("nobody")).description("nobody")));
        ClientQuotaEntity entity = new ClientQuotaEntity(Map.of(ClientQuotaEntity.CLIENT_ID, "slow"));
        attempt("alterClientQuotas", () -> outcomes(admin.alterClientQuotas(List.of(
                new ClientQuotaAlteration(entity, List.of(
                        new ClientQuotaAlteration.Op("producer_byte_rate", 1e6))))).values()));
        attempt("alterClientQuotas", "wrong", () -> outcomes(admin.alterClientQuotas(List.of(
                new ClientQuotaAlteration(entity, List.of(
                        new ClientQuotaAlteration.Op("no_such_quota", 1.0))))).values()));
        pause();
        attempt("describeClientQuotas", () ->
                wait(admin.describeClientQuotas(ClientQuotaFilter.all()).entities()));
        attempt("createDelegationToken", () -> wait(admin.createDelegationToken().delegationToken()));
        attempt("renewDelegationToken", () ->
                wait(admin.renewDelegationToken(new byte[] {1}).expiryTimestamp()));
        attempt("expireDelegationToken", () ->
                wait(admin.expireDelegationToken(new byte[] {1}).expiryTimestamp()));
        attempt("describeDelegationToken", () ->
                wait(admin.describeDelegationToken().delegationTokens()));
    }

    // -- the quorum ------------------------------------------------------------------------------

    private void quorum() {
        attempt("describeMetadataQuorum", () -> {
            var found = wait(admin.describeMetadataQuorum().quorumInfo());
            return (found.leaderId() == node) + " voters " + found.voters().size() + " observers "
                    + found.observers().size();
        });
        attempt("updateFeatures", () -> outcomes(admin.updateFeatures(Map.of(
                "no.such.feature", new FeatureUpdate((short) 1, FeatureUpdate.UpgradeType.UPGRADE)),
                new org.apache.kafka.clients.admin.UpdateFeaturesOptions()).values()));
        attempt("unregisterBroker", () -> wait(admin.unregisterBroker(77).all()));
        Set<RaftVoterEndpoint> where = Set.of(new RaftVoterEndpoint("CONTROLLER", "localhost", 9999));
        attempt("addRaftVoter", () -> wait(admin.addRaftVoter(77, Uuid.ONE_UUID, where).all()));
        attempt("removeRaftVoter", () -> wait(admin.removeRaftVoter(77, Uuid.ONE_UUID).all()));
    }

    private void ending() {
        attempt("deleteTopics", "by id", () -> {
            Uuid id = wait(admin.describeTopics(List.of(TOPIC)).allTopicNames()).get(TOPIC).topicId();
            List<Uuid> ids = new ArrayList<>(List.of(id));
            return outcomes(admin.deleteTopics(TopicCollection.ofTopicIds(ids)).topicIdValues()).size();
        });
        attempt("listTopics", "without it", () -> wait(admin.listTopics().names()).stream()
                .filter(name -> !name.startsWith("__")).collect(Collectors.toCollection(TreeSet::new)));
    }
}
