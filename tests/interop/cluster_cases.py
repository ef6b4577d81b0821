"""Requests about the cluster itself, to compare two brokers by."""

from __future__ import annotations

from typing import Final, NamedTuple

from ottla.base.ids import ZERO_UUID
from ottla.testing.direct_call import ask
from ottla.wire.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    AlterPartitionReassignmentsResponse,
    ReassignablePartition,
    ReassignableTopic,
)
from ottla.wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from ottla.wire.messages.create_topics import (
    CreatableTopic,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from ottla.wire.messages.describe_cluster import DescribeClusterRequest, DescribeClusterResponse
from ottla.wire.messages.describe_quorum import (
    DescribeQuorumRequest,
    DescribeQuorumResponse,
    PartitionData,
    TopicData,
)
from ottla.wire.messages.elect_leaders import (
    ElectLeadersRequest,
    ElectLeadersResponse,
    TopicPartitions,
)
from ottla.wire.messages.list_partition_reassignments import (
    ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsResponse,
    ListPartitionReassignmentsTopics,
)
from ottla.wire.messages.sasl_authenticate import SaslAuthenticateRequest, SaslAuthenticateResponse
from ottla.wire.messages.sasl_handshake import SaslHandshakeRequest, SaslHandshakeResponse
from ottla.wire.messages.unregister_broker import UnregisterBrokerRequest, UnregisterBrokerResponse
from ottla.wire.messages.update_features import (
    FeatureUpdateKey,
    UpdateFeaturesRequest,
    UpdateFeaturesResponse,
)

TOPICS: Final = {"orders": 2, "other": 1}
LOG: Final = "__cluster_metadata"
TXN, GROUP, SHARE = "transaction.version", "group.version", "share.version"
STREAMS, ELR = "streams.version", "eligible.leader.replicas.version"
METADATA, KRAFT = "metadata.version", "kraft.version"
UP, SAFE, UNSAFE = 1, 2, 3

Partitions = tuple[tuple[str, tuple[int, ...]], ...]
"""Topics and partitions of each."""
Wishes = tuple[tuple[str, int, tuple[int, ...] | None], ...]
"""Topic, partition and replicas, None to cancel."""
Levels = tuple[tuple[str, int, int], ...]
"""Feature, level and kind of upgrade."""


class Elect(NamedTuple):
    """ElectLeaders."""

    asked: Partitions | None
    kind: int = 0
    version: int = 2


class Reassign(NamedTuple):
    """AlterPartitionReassignments."""

    wishes: Wishes
    may_change_factor: bool = True
    version: int = 1


class Moving(NamedTuple):
    """ListPartitionReassignments."""

    asked: Partitions | None


class QuorumOf(NamedTuple):
    """DescribeQuorum."""

    asked: Partitions
    version: int = 2


class Update(NamedTuple):
    """UpdateFeatures."""

    levels: Levels
    validate_only: bool = False
    version: int = 2


class Unregister(NamedTuple):
    """UnregisterBroker."""

    node_id: int


class Cluster(NamedTuple):
    """DescribeCluster."""

    endpoint_type: int = 1
    operations: bool = False
    fenced: bool = False
    version: int = 2


class Features(NamedTuple):
    """What ApiVersions tells of them."""

    version: int = 4


class Handshake(NamedTuple):
    """SaslHandshake."""

    version: int = 1


class Authenticate(NamedTuple):
    """SaslAuthenticate."""

    version: int = 2


Question = (
    Elect
    | Reassign
    | Moving
    | QuorumOf
    | Update
    | Unregister
    | Cluster
    | Features
    | Handshake
    | Authenticate
)

QUESTIONS: Final[tuple[Question, ...]] = (
    # leaders
    Elect(None),
    Elect(None, kind=1),
    Elect(None, version=0),
    Elect(None, kind=1, version=1),
    Elect(()),
    Elect((("orders", ()),)),
    Elect((("orders", (0, 1)),)),
    Elect((("orders", (0, 1)),), kind=1),
    Elect((("orders", (0,)),), version=0),
    Elect((("orders", (0, 0)),)),
    Elect((("orders", (0,)), ("orders", (1, 0)))),
    Elect((("orders", (5, -1)),)),
    Elect((("orders", (5,)),), kind=1),
    Elect((("nosuch", (0, 1)), ("orders", (0,)))),
    Elect((("", (0,)),)),
    Elect((("orders", (0,)),), kind=2),
    Elect((("orders", (0,)),), kind=-1),
    Elect(None, kind=7),
    # replicas
    Reassign(()),
    Reassign((("orders", 0, (1,)),)),
    Reassign((("orders", 0, (1,)),), version=0),
    Reassign((("orders", 0, (1,)), ("orders", 0, (1,)))),
    Reassign((("orders", 0, (1,)), ("orders", 1, (3,)))),
    Reassign((("orders", 0, (1,)), ("nosuch", 0, (1,)))),
    Reassign((("orders", 0, (1, 1)),)),
    Reassign((("orders", 0, ()),)),
    Reassign((("orders", 0, (2,)),)),
    Reassign((("orders", 0, (1, 2)),)),
    Reassign((("orders", 0, (-1,)),)),
    Reassign((("orders", 0, None),)),
    Reassign((("orders", 0, None),), version=0),
    Reassign((("orders", 7, (1,)),)),
    Reassign((("orders", 7, None),)),
    Reassign((("orders", -1, (1,)),)),
    Reassign((("nosuch", 0, (1,)),)),
    Reassign((("nosuch", 0, None),)),
    Reassign((("", 0, (1,)),)),
    Reassign((("orders", 0, (1,)),), may_change_factor=False),
    Reassign((("orders", 0, (1, 2)),), may_change_factor=False),
    Reassign((("orders", 0, ()),), may_change_factor=False),
    Moving(None),
    Moving(()),
    Moving((("orders", (0, 1)),)),
    Moving((("orders", (9, -1)),)),
    Moving((("orders", ()),)),
    Moving((("nosuch", (0,)),)),
    # the quorum
    *(QuorumOf(((LOG, (0,)),), version) for version in range(3)),
    QuorumOf(()),
    QuorumOf(((LOG, ()),)),
    QuorumOf(((LOG, (0, 1)),)),
    QuorumOf(((LOG, (0, 0)),)),
    QuorumOf(((LOG, (1,)),)),
    QuorumOf(((LOG, (0,)), (LOG, (0,)))),
    QuorumOf(((LOG, (0,)), ("orders", (0,)))),
    QuorumOf(((LOG, (0,)), ("orders", ()))),
    *(QuorumOf((("orders", (0, 2)),), version) for version in range(3)),
    # features, none of which changes
    *(Features(version) for version in (3, 4)),
    *(Update((), version=version) for version in range(3)),
    *(Update(((TXN, 2, UP),), version=version) for version in range(1, 3)),
    *(Update(((TXN, 99, UP),), version=version) for version in range(1, 3)),
    *(Update(((TXN, 1, UP),), version=version) for version in range(1, 3)),
    *(Update(((TXN, 1, SAFE), ("nosuch", 1, UP)), version=version) for version in range(1, 3)),
    *(Update((("nosuch", level, UP),)) for level in (0, 1)),
    *(Update((("", level, UP),)) for level in (0, 1)),
    *(Update(((TXN, 1, how),)) for how in (-1, 0, 4, 7)),
    *(Update(((TXN, -1, how),)) for how in (UP, SAFE, UNSAFE)),
    *(
        Update(((name, level, how),), validate_only=True)
        for name in (TXN, GROUP, SHARE, STREAMS, ELR)
        for level in (0, 1, 2)
        for how in (UP, SAFE, UNSAFE)
    ),
    *(
        Update(((METADATA, level, how),), validate_only=True)
        for level in (31, 30, 29, 28, 23, 22, 17, 7, 6, 0)
        for how in (UP, SAFE, UNSAFE)
    ),
    *(Update(((KRAFT, 0, how),), validate_only=True) for how in (UP, SAFE, UNSAFE)),
    *(Update(((KRAFT, 1, how),), validate_only=True) for how in (UP, SAFE, UNSAFE)),
    *(Update(((KRAFT, 2, how),), validate_only=True) for how in (UP, SAFE, UNSAFE)),
    Update(((GROUP, 0, UNSAFE), (METADATA, 20, UNSAFE)), validate_only=True),
    # features, that change and come back
    Update(((TXN, 1, SAFE),)),
    Features(),
    Update(((TXN, 2, SAFE),)),
    Update(((TXN, 0, UNSAFE),)),
    Features(),
    Update(((TXN, 1, SAFE),)),
    Update(((TXN, 1, UP),)),
    Update(((TXN, 1, UP), (TXN, 2, UP))),
    Features(),
    Update(((GROUP, 0, SAFE), (SHARE, 0, SAFE), (STREAMS, 0, SAFE), (ELR, 0, SAFE))),
    Features(),
    Update(((GROUP, 1, UP), (SHARE, 1, UP), (STREAMS, 1, UP), (ELR, 1, UP))),
    Features(),
    # brokers
    Unregister(99),
    Unregister(-1),
    *(Cluster(version=version) for version in range(3)),
    *(Cluster(operations=True, version=version) for version in range(3)),
    Cluster(fenced=True),
    *(Cluster(kind, version=version) for kind in (-1, 0, 2, 3) for version in (1, 2)),
    # SASL, of which the listener knows nothing
    *(Handshake(version) for version in range(2)),
    *(Authenticate(version) for version in range(3)),
    # voters move into the log, and nothing takes them out again
    Update(((KRAFT, 1, UP), (TXN, 2, UP))),
    Features(),
    QuorumOf(((LOG, (0,)),)),
    Update(((KRAFT, 1, UP),)),
    *(Update(((KRAFT, 0, how),)) for how in (UP, SAFE, UNSAFE)),
    Features(),
)
# Unregister(1) is not asked: Kafka's broker would go on without leading anything, and not stop in
# order. Ours refuses (tests/unit/broker/test_cluster_apis.py).


class Asked:
    """One broker, and what it answers to all of the above."""

    def __init__(self, bootstrap: str) -> None:
        host, _, port = bootstrap.rpartition(":")
        self._address = host, int(port)
        topics = [
            CreatableTopic(
                name=name, num_partitions=count, replication_factor=1, assignments=[], configs=[]
            )
            for name, count in TOPICS.items()
        ]
        ask(self._address, CreateTopicsRequest(topics=topics), CreateTopicsResponse)

    def answer(self, question: Question) -> object:
        """Codes and facts, without what is each broker's own; "closed" where it hangs up."""
        try:
            return self._answer(question)
        except (TimeoutError, ConnectionError) as error:
            return type(error)

    def _answer(self, question: Question) -> object:
        match question:
            case Elect():
                return self._elect(question)
            case Reassign():
                return self._reassign(question)
            case Moving():
                return self._moving(question)
            case QuorumOf():
                return self._quorum(question)
            case Update():
                return self._update(question)
            case Unregister():
                request = UnregisterBrokerRequest(broker_id=question.node_id)
                return ask(self._address, request, UnregisterBrokerResponse).error_code
            case Cluster():
                return self._cluster(question)
            case Features():
                return self._features(question)
            case Handshake():
                return self._handshake(question)
            case Authenticate():
                return self._authenticate(question)

    def _elect(self, question: Elect) -> object:
        topics = question.asked and [
            TopicPartitions(topic=name, partitions=list(indexes))
            for name, indexes in question.asked
        ]
        request = ElectLeadersRequest(
            election_type=question.kind,
            topic_partitions=None if question.asked is None else topics or [],
        )
        response = ask(self._address, request, ElectLeadersResponse, at_most=question.version)
        results = [
            (
                result.topic,
                [
                    (told.partition_id, told.error_code, told.error_message is None)
                    for told in result.partition_result
                ],
            )
            for result in response.replica_election_results
        ]
        return response.error_code, sorted(results) if question.asked is None else results

    def _reassign(self, question: Reassign) -> object:
        request = AlterPartitionReassignmentsRequest(
            topics=[
                ReassignableTopic(
                    name=name,
                    partitions=[
                        ReassignablePartition(
                            partition_index=index,
                            replicas=None if replicas is None else list(replicas),
                        )
                    ],
                )
                for name, index, replicas in question.wishes
            ],
            allow_replication_factor_change=question.may_change_factor,
        )
        response = ask(
            self._address, request, AlterPartitionReassignmentsResponse, at_most=question.version
        )
        return (
            response.error_code,
            response.allow_replication_factor_change,
            [
                (topic.name, [(told.partition_index, told.error_code) for told in topic.partitions])
                for topic in response.responses
            ],
        )

    def _moving(self, question: Moving) -> object:
        topics = question.asked and [
            ListPartitionReassignmentsTopics(name=name, partition_indexes=list(indexes))
            for name, indexes in question.asked
        ]
        request = ListPartitionReassignmentsRequest(
            topics=None if question.asked is None else topics or []
        )
        response = ask(self._address, request, ListPartitionReassignmentsResponse)
        return response.error_code, [topic.name for topic in response.topics]

    def _quorum(self, question: QuorumOf) -> object:
        request = DescribeQuorumRequest(
            topics=[
                TopicData(
                    topic_name=name,
                    partitions=[PartitionData(partition_index=index) for index in indexes],
                )
                for name, indexes in question.asked
            ]
        )
        response = ask(self._address, request, DescribeQuorumResponse, at_most=question.version)
        states = [
            (
                topic.topic_name,
                state.partition_index,
                state.error_code,
                state.leader_id,
                state.high_watermark > 0,
                [
                    (
                        voter.replica_id,
                        voter.replica_directory_id == ZERO_UUID,
                        voter.log_end_offset >= state.high_watermark,
                        voter.last_fetch_timestamp > 0,
                        voter.last_caught_up_timestamp > 0,
                    )
                    for voter in state.current_voters
                ],
                state.observers,
            )
            for topic in response.topics
            for state in topic.partitions
        ]
        nodes = [
            (node.node_id, [bool(point.host and point.port) for point in node.listeners])
            for node in response.nodes
        ]
        return response.error_code, states, nodes

    def _update(self, question: Update) -> object:
        keys = [
            FeatureUpdateKey(feature=name, max_version_level=level, upgrade_type=how)
            for name, level, how in question.levels
        ]
        request = UpdateFeaturesRequest(feature_updates=keys, validate_only=question.validate_only)
        response = ask(self._address, request, UpdateFeaturesResponse, at_most=question.version)
        return (
            response.error_code,
            response.error_message is None,
            [(told.feature, told.error_code) for told in response.results],
        )

    def _cluster(self, question: Cluster) -> object:
        request = DescribeClusterRequest(
            endpoint_type=question.endpoint_type,
            include_cluster_authorized_operations=question.operations,
            include_fenced_brokers=question.fenced,
        )
        response = ask(self._address, request, DescribeClusterResponse, at_most=question.version)
        return (
            response.error_code,
            response.error_message is None,
            response.endpoint_type,
            len(response.cluster_id),
            response.controller_id,
            [(each.broker_id, each.rack, each.is_fenced) for each in response.brokers],
            response.cluster_authorized_operations,
        )

    def _features(self, question: Features) -> object:
        response = self.api_versions(question.version)
        supported = [
            (each.name, each.min_version, each.max_version) for each in response.supported_features
        ]
        finalized = [
            (each.name, each.min_version_level, each.max_version_level)
            for each in response.finalized_features
        ]
        return (
            response.error_code,
            sorted(supported),
            sorted(finalized),
            response.zk_migration_ready,
        )

    def api_versions(self, version: int) -> ApiVersionsResponse:
        request = ApiVersionsRequest(client_software_name="test", client_software_version="1")
        return ask(self._address, request, ApiVersionsResponse, at_most=version)

    def _handshake(self, question: Handshake) -> object:
        response = ask(
            self._address,
            SaslHandshakeRequest(mechanism="PLAIN"),
            SaslHandshakeResponse,
            at_most=question.version,
        )
        return response.error_code, response.mechanisms

    def _authenticate(self, question: Authenticate) -> object:
        response = ask(
            self._address,
            SaslAuthenticateRequest(auth_bytes=b"\0user\0secret"),
            SaslAuthenticateResponse,
            at_most=question.version,
        )
        return response.error_code, response.auth_bytes, response.session_lifetime_ms
