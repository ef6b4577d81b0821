"""Elections on request: preferred leaders come back, leaderless partitions get anybody."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from ottla.base.errors import ErrorCode
from ottla.metadata.brokers import decide_fence_broker
from ottla.metadata.decision import Decision
from ottla.metadata.elections import decide_elect_leaders
from ottla.metadata.image import LeaderRecovery
from ottla.metadata.partition_change import difference
from ottla.wire.messages.elect_leaders import ElectLeadersRequest, TopicPartitions
from tests.support.cluster import Cluster, wanted

PREFERRED, UNCLEAN = 0, 1
Told = dict[str, list[tuple[int, int]]]


def cluster_of(partitions: Sequence[list[int]], **configs: str) -> Cluster:
    """Three brokers and the topic "orders" with these replicas."""
    cluster = Cluster(3)
    texts = [(name.replace("_", "."), text) for name, text in configs.items()]
    cluster.create(wanted("orders", assignments=enumerate(partitions), configs=texts))
    return cluster


def fence(cluster: Cluster, node_id: int) -> None:
    cluster.do(decide_fence_broker(cluster.image, node_id, settings=cluster.settings))


def elect(
    cluster: Cluster, asked: Sequence[tuple[str, list[int]]] | None, kind: int = PREFERRED
) -> Told:
    """The partitions and their errors, by topic."""
    topics = [TopicPartitions(topic=name, partitions=indexes) for name, indexes in asked or ()]
    request = ElectLeadersRequest(
        election_type=kind, topic_partitions=None if asked is None else topics
    )
    response = cluster.do(decide_elect_leaders(cluster.image, request, settings=cluster.settings))
    assert response.error_code == ErrorCode.NONE
    return {
        result.topic: [(told.partition_id, told.error_code) for told in result.partition_result]
        for result in response.replica_election_results
    }


def moved_away() -> Cluster:
    """Partition 0 prefers broker 1, which came back and is in sync again, and is led by 2."""
    cluster = cluster_of([[1, 2], [2, 1]])
    fence(cluster, 1)
    cluster.join(1, previous_epoch=cluster.image.brokers[1].epoch)
    back_in_sync(cluster)
    return cluster


def back_in_sync(cluster: Cluster) -> None:
    """As the leader would tell once broker 1 has caught up."""
    topic = cluster.image.topics_by_name["orders"]
    changes = [
        difference(topic.topic_id, index, before, replace(before, isr=before.replicas, elr=()))
        for index, before in enumerate(topic.partitions)
    ]
    cluster.do(Decision(tuple(change for change in changes if change is not None), None))


def test_the_preferred_leader_takes_over_where_it_is_in_sync() -> None:
    cluster = moved_away()
    before = cluster.partition("orders")
    assert (before.leader, before.isr) == (2, (1, 2))
    assert elect(cluster, [("orders", [0, 1])]) == {
        "orders": [(0, ErrorCode.NONE), (1, ErrorCode.ELECTION_NOT_NEEDED)]
    }
    after = cluster.partition("orders")
    assert (after.leader, after.isr, after.leader_epoch) == (1, (1, 2), before.leader_epoch + 1)


def test_of_all_partitions_only_those_that_need_it_are_told() -> None:
    cluster = moved_away()
    assert elect(cluster, None) == {"orders": [(0, ErrorCode.NONE)]}
    assert elect(cluster, None) == {"orders": []}


def test_a_preferred_leader_that_is_down_or_behind_is_not_elected() -> None:
    cluster = cluster_of([[1, 2]])
    fence(cluster, 1)
    refused = {"orders": [(0, ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE)]}
    assert elect(cluster, [("orders", [0])]) == refused
    cluster.join(1)
    assert elect(cluster, [("orders", [0])]) == refused
    assert cluster.partition("orders").leader == 2


def test_a_preferred_leader_that_stops_is_not_elected_although_it_is_in_sync() -> None:
    cluster = moved_away()
    stopping = replace(cluster.image.brokers[1], in_controlled_shutdown=True)
    cluster.image = replace(cluster.image, brokers={**cluster.image.brokers, 1: stopping})
    assert elect(cluster, [("orders", [0])]) == {
        "orders": [(0, ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE)]
    }


def test_what_does_not_exist_is_unknown() -> None:
    cluster = cluster_of([[1]])
    unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert elect(cluster, [("nosuch", [0, 1]), ("orders", [-1, 1])]) == {
        "nosuch": [(0, unknown), (1, unknown)],
        "orders": [(-1, unknown), (1, unknown)],
    }


def test_a_partition_that_is_named_twice_is_elected_once() -> None:
    cluster = moved_away()
    assert elect(cluster, [("orders", [0, 0])]) == {
        "orders": [(0, ErrorCode.NONE), (0, ErrorCode.ELECTION_NOT_NEEDED)]
    }


def test_an_unclean_election_takes_whoever_runs_and_says_so() -> None:
    cluster = cluster_of([[1, 2]], min_insync_replicas="1")
    assert elect(cluster, [("orders", [0])], UNCLEAN) == {
        "orders": [(0, ErrorCode.ELECTION_NOT_NEEDED)]
    }
    fence(cluster, 2)  # broker 1 goes on alone, and broker 2 misses what it writes
    fence(cluster, 1)
    assert cluster.partition("orders").leader == -1
    assert elect(cluster, None, UNCLEAN) == {
        "orders": [(0, ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE)]
    }
    cluster.join(2)
    assert cluster.partition("orders").leader == -1
    assert elect(cluster, None, UNCLEAN) == {"orders": [(0, ErrorCode.NONE)]}
    partition = cluster.partition("orders")
    assert (partition.leader, partition.isr) == (2, (2,))
    assert partition.leader_recovery == LeaderRecovery.RECOVERING


def test_a_preferred_election_never_loses_records() -> None:
    cluster = cluster_of([[2, 1]], min_insync_replicas="1")
    fence(cluster, 2)
    fence(cluster, 1)
    cluster.join(2)
    assert elect(cluster, None) == {"orders": [(0, ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE)]}
    assert cluster.partition("orders").leader == -1


def test_an_election_of_another_type_is_refused_for_each_partition() -> None:
    cluster = cluster_of([[1]])
    request = ElectLeadersRequest(
        election_type=2, topic_partitions=[TopicPartitions(topic="orders", partitions=[0])]
    )
    decision = decide_elect_leaders(cluster.image, request, settings=cluster.settings)
    assert decision.records == ()
    assert decision.reply.error_code == ErrorCode.INVALID_REQUEST
    (result,) = decision.reply.replica_election_results
    assert [told.error_code for told in result.partition_result] == [ErrorCode.INVALID_REQUEST]
