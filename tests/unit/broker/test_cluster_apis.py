"""What a cluster tells of itself and lets be changed: leaders, replicas, quorum, features."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Final

import pytest

from ottla.base.errors import ErrorCode
from ottla.base.ids import ZERO_UUID
from ottla.base.limits import PARTITIONS_NAMED_PER_REQUEST_MAX
from ottla.metadata.decision import Decision
from ottla.wire.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    AlterPartitionReassignmentsResponse,
    ReassignablePartition,
    ReassignableTopic,
)
from ottla.wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from ottla.wire.messages.consumer_group_describe import (
    ConsumerGroupDescribeRequest,
    ConsumerGroupDescribeResponse,
)
from ottla.wire.messages.consumer_group_heartbeat import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
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
from ottla.wire.payloads.metadata import PartitionChangeRecord
from tests.support.memory_broker import MemoryBroker
from tests.support.memory_client import Client
from tests.unit.broker.conftest import Connect, StartBroker

GROUP: Final = "group.version"
UP, SAFE = 1, 2


@pytest.fixture
def with_another(make_broker: StartBroker) -> MemoryBroker:
    """A running broker whose cluster knows another one, that does not run."""
    broker = make_broker()
    broker.add_broker(2, [("PLAINTEXT", "elsewhere", 9092)], up=False)
    return broker.start()


# -- leaders ---------------------------------------------------------------------------------------


def elect(client: Client, topic: str, *indexes: int, kind: int = 0) -> list[int]:
    asked = [TopicPartitions(topic=topic, partitions=list(indexes))]
    request = ElectLeadersRequest(election_type=kind, topic_partitions=asked)
    response = client.ask(request, ElectLeadersResponse, version=2)
    (result,) = response.replica_election_results
    assert all(told.error_message for told in result.partition_result if told.error_code)
    return [told.error_code for told in result.partition_result]


def test_where_the_only_replica_leads_no_election_is_needed(
    broker: MemoryBroker, client: Client
) -> None:
    broker.create_topic("orders")
    for kind in (0, 1):
        assert elect(client, "orders", 0, 1, kind=kind) == [
            ErrorCode.ELECTION_NOT_NEEDED,
            ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        ]


@pytest.mark.parametrize("version", range(3))
def test_a_leader_that_cannot_be_written_down_is_not_elected(
    with_another: MemoryBroker, connect: Connect, version: int
) -> None:
    client = connect(with_another)
    with_another.create_topic("orders")
    topic = with_another.broker.metadata.image.topics_by_name["orders"]
    led_elsewhere = PartitionChangeRecord(
        partition_id=0, topic_id=topic.topic_id, replicas=[1, 2], isr=[1, 2], leader=2
    )
    with_another.loop.finish(
        with_another.broker.metadata.decided(lambda _: Decision((led_elsewhere,), None))
    )
    with_another.disk.fail("append", "__cluster_metadata-0", errno.ENOSPC)
    asked = [TopicPartitions(topic="orders", partitions=[0])]
    request = ElectLeadersRequest(topic_partitions=asked)
    response = client.ask(request, ElectLeadersResponse, version=version)
    refused = ErrorCode.KAFKA_STORAGE_ERROR
    assert response.error_code == (refused if version >= 1 else ErrorCode.NONE)
    (result,) = response.replica_election_results
    assert [told.error_code for told in result.partition_result] == [refused]
    with_another.heal_disk()
    assert elect(client, "orders", 0) == [ErrorCode.NONE]


def test_a_disk_that_takes_no_records_keeps_leaders_and_replicas(
    with_another: MemoryBroker, connect: Connect
) -> None:
    client = connect(with_another)
    with_another.create_topic("orders")
    with_another.disk.fail("append", "__cluster_metadata-0", errno.ENOSPC)
    response = reassigned(client, "orders", [1, 2])
    assert response.error_code == ErrorCode.KAFKA_STORAGE_ERROR
    assert response.responses == []
    assert update(client, (GROUP, 0, SAFE)).error_code == ErrorCode.KAFKA_STORAGE_ERROR
    assert unregister(client, 2) == ErrorCode.KAFKA_STORAGE_ERROR


# -- replicas --------------------------------------------------------------------------------------


def reassigned(
    client: Client, topic: str, replicas: list[int] | None
) -> AlterPartitionReassignmentsResponse:
    wanted = ReassignablePartition(partition_index=0, replicas=replicas)
    request = AlterPartitionReassignmentsRequest(
        topics=[ReassignableTopic(name=topic, partitions=[wanted])]
    )
    return client.ask(request, AlterPartitionReassignmentsResponse, version=1)


def reassign(client: Client, topic: str, replicas: list[int] | None) -> int:
    (told,) = reassigned(client, topic, replicas).responses
    return told.partitions[0].error_code


def moving(client: Client) -> Mapping[str, tuple[list[int], list[int], list[int]]]:
    """Replicas, those that come and those that go, of partition 0 of each topic that moves."""
    response = client.ask(
        ListPartitionReassignmentsRequest(), ListPartitionReassignmentsResponse, version=0
    )
    found = {}
    for topic in response.topics:
        (partition,) = topic.partitions
        found[topic.name] = (
            partition.replicas,
            partition.adding_replicas,
            partition.removing_replicas,
        )
    return found


def test_one_node_moves_nothing(broker: MemoryBroker, client: Client) -> None:
    broker.create_topic("orders")
    assert reassign(client, "orders", [1]) == ErrorCode.NONE
    assert reassign(client, "orders", [2]) == ErrorCode.INVALID_REPLICA_ASSIGNMENT
    assert reassign(client, "orders", None) == ErrorCode.NO_REASSIGNMENT_IN_PROGRESS
    assert moving(client) == {}


def test_a_move_to_a_broker_that_is_down_waits_survives_a_start_and_is_cancelled(
    with_another: MemoryBroker, connect: Connect
) -> None:
    with_another.create_topic("orders")
    client = connect(with_another)
    assert reassign(client, "orders", [2]) == ErrorCode.NONE
    expected = {"orders": ([2, 1], [2], [1])}
    assert moving(client) == expected
    assert elect(client, "orders", 0) == [ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE]
    with_another.stop()
    client = connect(with_another.start())
    assert moving(client) == expected
    assert reassign(client, "orders", None) == ErrorCode.NONE
    assert moving(client) == {}
    assert elect(client, "orders", 0) == [ErrorCode.ELECTION_NOT_NEEDED]


# -- the quorum ------------------------------------------------------------------------------------


def quorum(
    client: Client, *asked: tuple[str, list[int]], version: int = 2
) -> DescribeQuorumResponse:
    topics = [
        TopicData(
            topic_name=name, partitions=[PartitionData(partition_index=index) for index in indexes]
        )
        for name, indexes in asked
    ]
    request = DescribeQuorumRequest(topics=topics)
    return client.ask(request, DescribeQuorumResponse, version=version)


@pytest.mark.parametrize("version", range(3))
def test_this_node_is_the_quorum(broker: MemoryBroker, client: Client, version: int) -> None:
    response = quorum(client, ("__cluster_metadata", [0]), version=version)
    assert response.error_code == ErrorCode.NONE
    (state,) = response.topics[0].partitions
    end = broker.broker.metadata.image.next_offset
    assert (state.error_code, state.leader_id, state.leader_epoch) == (ErrorCode.NONE, 1, 1)
    assert (state.high_watermark, state.observers) == (end, [])
    (voter,) = state.current_voters
    assert (voter.replica_id, voter.log_end_offset) == (1, end)
    assert voter.replica_directory_id == ZERO_UUID
    now_ms = broker.clock.now_ms() if version >= 1 else -1
    assert (voter.last_fetch_timestamp, voter.last_caught_up_timestamp) == (now_ms, now_ms)
    nodes = {
        node.node_id: [(point.name, point.host, point.port) for point in node.listeners]
        for node in response.nodes
    }
    assert nodes == ({} if version < 2 else {1: [("PLAINTEXT", "127.0.0.1", 9092)]})


@pytest.mark.parametrize(
    "asked",
    [
        [("orders", [0])],
        [("__cluster_metadata", [1])],
        [("__cluster_metadata", [0, 1])],
        [("__cluster_metadata", [0]), ("__cluster_metadata", [0])],
        [("__cluster_metadata", [0]), ("orders", [])],
    ],
    ids=str,
)
def test_nothing_else_has_a_quorum(client: Client, asked: list[tuple[str, list[int]]]) -> None:
    response = quorum(client, *asked)
    assert (response.error_code, response.nodes) == (ErrorCode.NONE, [])
    assert [
        (topic.topic_name, [partition.partition_index for partition in topic.partitions])
        for topic in response.topics
    ] == asked
    codes = {partition.error_code for topic in response.topics for partition in topic.partitions}
    assert codes == {ErrorCode.UNKNOWN_TOPIC_OR_PARTITION}


# -- features --------------------------------------------------------------------------------------


def update(client: Client, *wishes: tuple[str, int, int]) -> UpdateFeaturesResponse:
    keys = [
        FeatureUpdateKey(feature=name, max_version_level=level, upgrade_type=how)
        for name, level, how in wishes
    ]
    request = UpdateFeaturesRequest(feature_updates=keys)
    return client.ask(request, UpdateFeaturesResponse, version=2)


def levels(client: Client) -> tuple[int, Mapping[str, int]]:
    """The epoch of the levels, and what ApiVersions tells of them."""
    request = ApiVersionsRequest(client_software_name="test", client_software_version="1")
    response = client.ask(request, ApiVersionsResponse, version=4)
    return response.finalized_features_epoch, {
        feature.name: feature.max_version_level for feature in response.finalized_features
    }


def knows_consumer_protocol(client: Client) -> bool:
    """Whatever else the answers are: nobody coordinates groups here yet."""
    heartbeat = ConsumerGroupHeartbeatRequest(
        group_id="group",
        member_id="member",
        member_epoch=0,
        rebalance_timeout_ms=1000,
        subscribed_topic_names=["orders"],
        topic_partitions=[],
    )
    beat = client.ask(heartbeat, ConsumerGroupHeartbeatResponse, version=1)
    describe = ConsumerGroupDescribeRequest(group_ids=["group"])
    (group,) = client.ask(describe, ConsumerGroupDescribeResponse, version=1).groups
    unsupported = {told.error_code == ErrorCode.UNSUPPORTED_VERSION for told in (beat, group)}
    assert len(unsupported) == 1
    return unsupported == {False}


def test_the_consumer_protocol_goes_off_and_on_with_its_feature(
    broker: MemoryBroker, client: Client, connect: Connect
) -> None:
    assert knows_consumer_protocol(client)
    epoch, before = levels(client)
    assert before[GROUP] == 1
    assert "kraft.version" not in before  # level 0: no voters in the log
    assert update(client, (GROUP, 0, SAFE)).error_code == ErrorCode.NONE
    assert levels(client)[0] > epoch
    assert levels(client)[1] == {name: level for name, level in before.items() if name != GROUP}
    assert not knows_consumer_protocol(client)
    broker.stop()
    client = connect(broker.start())
    assert not knows_consumer_protocol(client)
    assert update(client, (GROUP, 1, UP)).error_code == ErrorCode.NONE
    assert knows_consumer_protocol(client)
    assert levels(client)[1] == before


def test_voters_move_into_the_log_once_and_stay_there(
    broker: MemoryBroker, client: Client, connect: Connect
) -> None:
    epoch, _ = levels(client)
    both = ("kraft.version", 1, UP), ("transaction.version", 1, SAFE)
    assert update(client, *both).error_code == ErrorCode.NONE
    after = levels(client)
    assert after[0] == epoch + 3  # two records of the quorum's, one of the metadata's
    assert (after[1]["kraft.version"], after[1]["transaction.version"]) == (1, 1)
    assert update(client, ("kraft.version", 1, UP)).error_code == ErrorCode.NONE
    assert levels(client) == after
    broker.stop()
    client = connect(broker.start())
    assert levels(client)[1] == after[1]
    (state,) = quorum(client, ("__cluster_metadata", [0])).topics[0].partitions
    (voter,) = state.current_voters
    assert voter.replica_directory_id == broker.directory.id
    broker.create_topic("orders")
    refused = update(client, ("kraft.version", 0, SAFE))
    assert refused.error_code == ErrorCode.INVALID_UPDATE_VERSION


def test_voters_that_cannot_be_written_down_do_not_move(
    broker: MemoryBroker, client: Client
) -> None:
    _, before = levels(client)
    broker.disk.fail("append", "__cluster_metadata-0", errno.ENOSPC)
    response = update(client, ("kraft.version", 1, UP))
    assert response.error_code == ErrorCode.KAFKA_STORAGE_ERROR
    assert levels(client)[1] == before


def test_a_level_that_is_refused_is_told_with_its_reason(client: Client) -> None:
    _, before = levels(client)
    response = update(client, (GROUP, 0, SAFE), ("metadata.version", 29, SAFE))
    assert response.error_code == ErrorCode.INVALID_UPDATE_VERSION
    assert "metadata.version" in (response.error_message or "")
    assert levels(client)[1] == before


# -- brokers ---------------------------------------------------------------------------------------


def unregister(client: Client, node_id: int) -> int:
    request = UnregisterBrokerRequest(broker_id=node_id)
    response = client.ask(request, UnregisterBrokerResponse, version=0)
    assert (response.error_message is None) == (response.error_code == ErrorCode.NONE)
    return response.error_code


def node_ids(client: Client) -> list[int]:
    request = DescribeClusterRequest(
        include_cluster_authorized_operations=False, include_fenced_brokers=True
    )
    response = client.ask(request, DescribeClusterResponse, version=2)
    return [each.broker_id for each in response.brokers]


def test_a_broker_that_is_gone_for_good_is_forgotten(
    with_another: MemoryBroker, connect: Connect
) -> None:
    client = connect(with_another)
    assert node_ids(client) == [2, 1]
    assert unregister(client, 2) == ErrorCode.NONE
    assert node_ids(client) == [1]
    assert unregister(client, 2) == ErrorCode.BROKER_ID_NOT_REGISTERED


def test_a_broker_that_runs_is_not_forgotten(broker: MemoryBroker, client: Client) -> None:
    broker.create_topic("orders")
    assert unregister(client, 1) == ErrorCode.INVALID_REQUEST
    assert node_ids(client) == [1]
    assert elect(client, "orders", 0) == [ErrorCode.ELECTION_NOT_NEEDED]


# -- SASL ------------------------------------------------------------------------------------------


def test_a_listener_without_sasl_refuses_to_be_asked_for_it(client: Client) -> None:
    for version in (0, 1):
        handshake = client.ask(
            SaslHandshakeRequest(mechanism="PLAIN"), SaslHandshakeResponse, version=version
        )
        assert (handshake.error_code, handshake.mechanisms) == (ErrorCode.ILLEGAL_SASL_STATE, [])
    for version in (0, 1, 2):
        answer = client.ask(
            SaslAuthenticateRequest(auth_bytes=b"\0user\0secret"),
            SaslAuthenticateResponse,
            version=version,
        )
        assert (answer.error_code, answer.auth_bytes) == (ErrorCode.ILLEGAL_SASL_STATE, b"")
        assert "PLAINTEXT" in (answer.error_message or "")
    assert levels(client)  # the connection goes on


# -- too much at once ------------------------------------------------------------------------------


def test_a_request_that_names_too_many_partitions_is_refused_whole(
    broker: MemoryBroker, connect: Connect
) -> None:
    many = [0] * (PARTITIONS_NAMED_PER_REQUEST_MAX + 1)
    log_indexes = [PartitionData(partition_index=index) for index in many]
    wishes = [ReassignablePartition(partition_index=index) for index in many]
    of_topic = ListPartitionReassignmentsTopics(name="orders", partition_indexes=many)
    for request in (
        ElectLeadersRequest(topic_partitions=[TopicPartitions(topic="orders", partitions=many)]),
        AlterPartitionReassignmentsRequest(
            topics=[ReassignableTopic(name="orders", partitions=wishes)]
        ),
        ListPartitionReassignmentsRequest(topics=[of_topic]),
        DescribeQuorumRequest(topics=[TopicData(topic_name="orders", partitions=log_indexes)]),
    ):
        client = connect(broker)
        client.send(request)
        assert client.answers() == []
        assert client.is_closed
