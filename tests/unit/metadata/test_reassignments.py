"""Partitions that move between brokers: begun, changed, cancelled, completed, listed."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from ottla.base.errors import ErrorCode
from ottla.metadata.assignments import UNASSIGNED_DIRECTORY
from ottla.metadata.brokers import decide_fence_broker
from ottla.metadata.decision import Decision
from ottla.metadata.election_rules import election_rules
from ottla.metadata.image import LeaderRecovery, PartitionImage
from ottla.metadata.partition_change import difference
from ottla.metadata.reassignments import (
    completed,
    decide_alter_reassignments,
    ongoing_reassignments,
)
from ottla.wire.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    ReassignablePartition,
    ReassignableTopic,
)
from ottla.wire.messages.list_partition_reassignments import (
    ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsTopics,
)
from tests.support.cluster import Cluster, directory_of, wanted

Wish = tuple[str, int, list[int] | None]
Move = tuple[str, int, list[int], list[int]]
"""Topic, partition, who comes and who goes."""
Replicas = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]


def cluster_of(*partitions: list[int], brokers: int = 4, **configs: str) -> Cluster:
    """The topic "orders" with these replicas."""
    cluster = Cluster(brokers)
    texts = [(name.replace("_", "."), text) for name, text in configs.items()]
    cluster.create(wanted("orders", assignments=enumerate(partitions), configs=texts))
    return cluster


def reassign(cluster: Cluster, *wishes: Wish, may_change_factor: bool = True) -> list[int]:
    """The error of each wish."""
    request = AlterPartitionReassignmentsRequest(
        allow_replication_factor_change=may_change_factor,
        topics=[
            ReassignableTopic(
                name=topic,
                partitions=[ReassignablePartition(partition_index=index, replicas=replicas)],
            )
            for topic, index, replicas in wishes
        ],
    )
    decision = decide_alter_reassignments(cluster.image, request, settings=cluster.settings)
    response = cluster.do(decision)
    assert response.allow_replication_factor_change == may_change_factor
    return [result.error_code for topic in response.responses for result in topic.partitions]


def change(cluster: Cluster, after: PartitionImage) -> None:
    """What a leader would tell of partition 0, or a broker that stopped."""
    topic = cluster.image.topics_by_name["orders"]
    record = difference(topic.topic_id, 0, topic.partitions[0], after)
    assert record is not None
    cluster.do(Decision((record,), None))


def replicas(cluster: Cluster) -> Replicas:
    partition = cluster.partition("orders")
    return partition.replicas, partition.adding, partition.removing


def test_the_replicas_that_a_partition_has_are_no_move() -> None:
    cluster = cluster_of([1, 2])
    before = cluster.image
    assert reassign(cluster, ("orders", 0, [1, 2])) == [ErrorCode.NONE]
    assert cluster.image.topics_by_name == before.topics_by_name


def test_another_order_holds_at_once_and_leaves_the_leader() -> None:
    cluster = cluster_of([1, 2])
    assert reassign(cluster, ("orders", 0, [2, 1])) == [ErrorCode.NONE]
    partition = cluster.partition("orders")
    assert replicas(cluster) == ((2, 1), (), ())
    assert (partition.leader, partition.leader_epoch, partition.isr) == (1, 0, (1, 2))
    assert partition.directories == (directory_of(2), directory_of(1))


def test_a_replica_that_goes_goes_at_once_where_the_others_are_in_sync() -> None:
    cluster = cluster_of([1, 2, 3])
    assert reassign(cluster, ("orders", 0, [1, 2])) == [ErrorCode.NONE]
    partition = cluster.partition("orders")
    assert replicas(cluster) == ((1, 2), (), ())
    assert (partition.isr, partition.leader) == ((1, 2), 1)
    assert partition.leader_epoch == 1  # broker 3 may not pass for a follower of it
    assert partition.directories == (directory_of(1), directory_of(2))


def test_a_leader_that_goes_leaves_the_lead_to_the_next_one() -> None:
    cluster = cluster_of([1, 2])
    reassign(cluster, ("orders", 0, [2]))
    partition = cluster.partition("orders")
    assert (partition.leader, partition.leader_epoch, partition.isr) == (2, 1, (2,))


def test_a_replica_that_comes_is_added_first() -> None:
    cluster = cluster_of([1, 2])
    assert reassign(cluster, ("orders", 0, [3, 2])) == [ErrorCode.NONE]
    partition = cluster.partition("orders")
    assert replicas(cluster) == ((3, 2, 1), (3,), (1,))
    assert (partition.leader, partition.leader_epoch, partition.isr) == (1, 0, (1, 2))
    assert partition.directories == (directory_of(3), directory_of(2), directory_of(1))


def test_a_move_is_complete_once_all_that_stay_are_in_sync() -> None:
    cluster = cluster_of([1, 2])
    reassign(cluster, ("orders", 0, [3, 4]))
    topic = cluster.image.topics_by_name["orders"]
    rules = election_rules(cluster.image, cluster.settings)(topic)
    moving = topic.partitions[0]
    half = replace(moving, isr=(1, 2, 3))
    assert completed(half, rules) is half
    done = completed(replace(moving, isr=(1, 2, 3, 4)), rules)
    assert (done.replicas, done.adding, done.removing) == ((3, 4), (), ())
    assert (done.isr, done.leader) == ((3, 4), 3)
    assert done.directories == (directory_of(3), directory_of(4))


def test_another_wish_takes_the_place_of_the_one_before() -> None:
    cluster = cluster_of([1, 2])
    reassign(cluster, ("orders", 0, [3, 2]))
    reassign(cluster, ("orders", 0, [4, 3]))
    assert replicas(cluster) == ((4, 3, 1, 2), (3, 4), (1, 2))
    reassign(cluster, ("orders", 0, [1, 2]))
    assert replicas(cluster) == ((1, 2), (), ())


def test_what_an_earlier_wish_added_leaves_at_once_unless_it_is_in_sync() -> None:
    cluster = cluster_of([1])
    reassign(cluster, ("orders", 0, [2, 3]))
    change(cluster, replace(cluster.partition("orders"), isr=(1, 3)))
    epoch = cluster.partition("orders").leader_epoch
    reassign(cluster, ("orders", 0, [4]))
    assert replicas(cluster) == ((4, 1, 3), (4,), (1, 3))
    assert cluster.partition("orders").leader_epoch == epoch + 1


def test_wishes_of_one_request_follow_each_other() -> None:
    cluster = cluster_of([1])
    assert reassign(cluster, ("orders", 0, [2]), ("orders", 0, [3]), ("orders", 0, None)) == [0] * 3
    assert replicas(cluster) == ((1,), (), ())


def test_a_cancelled_move_goes_back() -> None:
    cluster = cluster_of([1, 2])
    reassign(cluster, ("orders", 0, [3, 2]))
    assert reassign(cluster, ("orders", 0, None)) == [ErrorCode.NONE]
    partition = cluster.partition("orders")
    assert set(partition.replicas) == {1, 2}
    assert (partition.adding, partition.removing) == ((), ())
    assert (partition.leader, partition.isr) == (1, (1, 2))
    again = reassign(cluster, ("orders", 0, None))
    assert again == [ErrorCode.NO_REASSIGNMENT_IN_PROGRESS]


@pytest.mark.parametrize("is_up", [True, False], ids=["up", "down"])
def test_going_back_without_anybody_in_sync_wants_an_unclean_election(is_up: bool) -> None:
    allowed = cluster_of([1], unclean_leader_election_enable="true")
    forbidden = cluster_of([1])
    for cluster in (allowed, forbidden):
        reassign(cluster, ("orders", 0, [2, 3]))
        only_new = replace(cluster.partition("orders"), isr=(2,), leader=2)
        if not is_up:
            cluster.do(decide_fence_broker(cluster.image, 1, settings=cluster.settings))
        change(cluster, only_new)
    assert reassign(forbidden, ("orders", 0, None)) == [ErrorCode.INVALID_REPLICA_ASSIGNMENT]
    assert replicas(forbidden) == ((2, 3, 1), (2, 3), (1,))
    assert reassign(allowed, ("orders", 0, None)) == [ErrorCode.NONE]
    partition = allowed.partition("orders")
    assert (replicas(allowed), partition.isr) == (((1,), (), ()), (1,))
    if is_up:
        assert partition.leader == 1
        assert partition.leader_recovery == LeaderRecovery.RECOVERING
    else:
        assert partition.leader == -1


def test_what_cannot_be_assigned_is_refused() -> None:
    cluster = cluster_of([1])
    wishes: Sequence[Wish] = [
        ("orders", 0, []),
        ("orders", 0, [9]),
        ("orders", 0, [1, 1]),
        ("orders", 1, [1]),
        ("orders", -1, None),
        ("nosuch", 0, [1]),
    ]
    unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert reassign(cluster, *wishes) == [
        *[ErrorCode.INVALID_REPLICA_ASSIGNMENT] * 3,
        *[unknown] * 3,
    ]


def test_another_number_of_replicas_may_be_forbidden() -> None:
    cluster = cluster_of([1, 2])
    refused = [ErrorCode.INVALID_REPLICATION_FACTOR]
    assert reassign(cluster, ("orders", 0, [1]), may_change_factor=False) == refused
    assert reassign(cluster, ("orders", 0, [3, 4]), may_change_factor=False) == [ErrorCode.NONE]
    # While it moves it has four replicas, and still two that it shall keep.
    assert reassign(cluster, ("orders", 0, [3, 1]), may_change_factor=False) == [ErrorCode.NONE]
    assert reassign(cluster, ("orders", 0, [3]), may_change_factor=False) == refused


def test_a_broker_with_several_directories_chooses_one_itself() -> None:
    cluster = cluster_of([1])
    several = replace(cluster.image.brokers[2], log_directories=(directory_of(2), directory_of(22)))
    cluster.image = replace(cluster.image, brokers={**cluster.image.brokers, 2: several})
    reassign(cluster, ("orders", 0, [1, 2]))
    partition = cluster.partition("orders")
    assert partition.directories == (directory_of(1), UNASSIGNED_DIRECTORY)
    change(cluster, replace(partition, directories=(directory_of(1), directory_of(22))))
    reassign(cluster, ("orders", 0, [2, 3]))
    partition = cluster.partition("orders")
    assert partition.replicas == (2, 3, 1)
    assert partition.directories == (directory_of(22), directory_of(3), directory_of(1))


def test_who_leaves_is_not_eligible_any_more() -> None:
    cluster = cluster_of([1, 2, 3], min_insync_replicas="3")
    change(cluster, replace(cluster.partition("orders"), isr=(1,), elr=(2, 3)))
    reassign(cluster, ("orders", 0, [1]))
    partition = cluster.partition("orders")
    assert (partition.replicas, partition.isr, partition.elr) == ((1,), (1,), ())

    cluster = cluster_of([1, 4], min_insync_replicas="3")
    reassign(cluster, ("orders", 0, [1, 4, 2, 3]))
    eligible = replace(cluster.partition("orders"), isr=(1,), elr=(2, 3, 4), last_known_elr=(2,))
    change(cluster, eligible)
    reassign(cluster, ("orders", 0, [1, 4, 2]))
    assert cluster.partition("orders").elr == (2, 4)
    reassign(cluster, ("orders", 0, None))
    partition = cluster.partition("orders")
    assert (partition.replicas, partition.elr, partition.last_known_elr) == ((1, 4), (4,), ())


def test_moving_partitions_are_listed() -> None:
    cluster = cluster_of([1], [1], [1])

    def listed(*asked: tuple[str, list[int]]) -> list[Move]:
        topics = [
            ListPartitionReassignmentsTopics(name=name, partition_indexes=indexes)
            for name, indexes in asked
        ]
        request = ListPartitionReassignmentsRequest(topics=topics or None)
        return [
            (topic.name, moving.partition_index, moving.adding_replicas, moving.removing_replicas)
            for topic in ongoing_reassignments(cluster.image, request).topics
            for moving in topic.partitions
        ]

    assert listed() == []
    reassign(cluster, ("orders", 0, [2]), ("orders", 2, [1, 3]))
    first: Move = ("orders", 0, [2], [1])
    third: Move = ("orders", 2, [3], [])
    assert listed() == [first, third]
    assert listed(("orders", [2, 1, 7]), ("nosuch", [0])) == [third]
    assert listed(("orders", [1])) == []
