"""One look at all partitions: what to ask of whom."""

from __future__ import annotations

from ottla.base.errors import ErrorCode
from ottla.base.ids import TopicPartition
from ottla.client.backoff import Backoff
from ottla.client.consumer.assigned import (
    EARLIEST,
    AssignedPartition,
    NearReplica,
    Reset,
    Stamp,
)
from ottla.client.consumer.chunk import Chunk
from ottla.client.consumer.options import ConsumerOptions
from ottla.client.consumer.plan import NEVER, Plan, look_at, share_of, targets
from ottla.client.metadata import ClusterMetadata
from ottla.wire.messages.metadata import (
    MetadataResponse,
    MetadataResponseBroker,
    MetadataResponsePartition,
    MetadataResponseTopic,
)
from tests.support.cluster import SeededRng
from tests.unit.client.consumer.test_chunk import batch

EARLY = ConsumerOptions(auto_offset_reset="earliest")
TOPIC_ID = bytes([7]) * 16


def metadata(leaders: list[int], *, epoch: int = 1, code: int = 0) -> ClusterMetadata:
    """Nodes 1 to 3; topic `t` led as said, -1 for nobody."""
    made = ClusterMetadata()
    partitions = [
        MetadataResponsePartition(
            partition_index=index,
            leader_id=leader,
            leader_epoch=epoch,
            replica_nodes=[1, 2, 3],
            isr_nodes=[1, 2, 3],
        )
        for index, leader in enumerate(leaders)
    ]
    made.take(
        MetadataResponse(
            brokers=[MetadataResponseBroker(node_id=n, host="h", port=n) for n in (1, 2, 3)],
            topics=[
                MetadataResponseTopic(
                    error_code=code, name="t", topic_id=TOPIC_ID, partitions=partitions
                )
            ],
        )
    )
    return made


def partition(index: int = 0, offset: int | None = None) -> AssignedPartition:
    made = AssignedPartition(TopicPartition("t", index), Backoff(100, 100, SeededRng()))
    if offset is not None:
        made.seek(offset)
    return made


def look(
    *partitions: AssignedPartition,
    known: ClusterMetadata | None = None,
    options: ConsumerOptions = EARLY,
    now_ms: float = 0,
) -> Plan:
    return look_at(partitions, known or metadata([1, 2, 3]), options, now_ms)


def asked(plan: Plan, node_id: int) -> tuple[int, int, int]:
    node = plan.nodes[node_id]
    return len(node.offsets), len(node.checks), len(node.fetches)


def test_each_leader_is_asked_for_its_own() -> None:
    plan = look(partition(0, 5), partition(1, 6), partition(2, 7))
    assert {node: asked(plan, node) for node in plan.nodes} == {
        1: (0, 0, 1),
        2: (0, 0, 1),
        3: (0, 0, 1),
    }
    (target,) = targets(plan.nodes[2].fetches, EARLY).values()
    assert (target.topic_id, target.leader_epoch, target.offset) == (TOPIC_ID, 1, 6)


def test_without_a_position_an_offset_is_looked_up_where_the_setting_says() -> None:
    one = partition()
    assert asked(look(one), 1) == (1, 0, 0)
    assert one.reset == Reset(EARLIEST)
    other = partition()
    plan = look(other, options=ConsumerOptions(auto_offset_reset="none"))
    assert asked(plan, 1) == (0, 0, 0)
    assert other.error is not None


def test_what_has_no_leader_is_asked_of_the_metadata() -> None:
    plan = look(partition(0, 5), known=metadata([-1]))
    assert (plan.nodes, plan.leaderless, plan.again_at_ms) == ({}, {"t"}, NEVER)


def test_a_topic_that_is_refused_for_good_is_an_error_of_its_partitions() -> None:
    one = partition(0, 5)
    look(one, known=metadata([], code=ErrorCode.TOPIC_AUTHORIZATION_FAILED))
    assert "TOPIC_AUTHORIZATION_FAILED" in str(one.error)


def test_what_failed_is_asked_again_when_its_time_has_come() -> None:
    one, other = partition(0, 5), partition(1, 5)
    one.retry_at_ms, other.retry_at_ms = 80, 50
    plan = look(one, other, now_ms=10)
    assert (asked(plan, 1), asked(plan, 2), plan.again_at_ms) == ((0, 0, 0), (0, 0, 0), 50)
    assert asked(look(one, other, now_ms=80), 1) == (0, 0, 1)


def test_what_has_enough_here_is_not_fetched_and_counts() -> None:
    one = partition(0, 0)
    data = batch(0, 10)
    one.take_fetched(Chunk(data, from_offset=0))
    small = ConsumerOptions(max_partition_fetch_bytes=len(data), auto_offset_reset="earliest")
    plan = look(one, options=small)
    assert asked(plan, 1) == (0, 0, 0)
    assert plan.nodes[1].buffered == len(data)
    assert asked(look(one), 1) == (0, 0, 1)


def test_a_new_epoch_is_checked_and_what_was_fetched_before_is_dropped() -> None:
    one = partition()
    one.found(0, 1, Stamp(TOPIC_ID, 1))
    one.take_fetched(Chunk(batch(0, 10, epoch=1), from_offset=0))
    one.take_records(3)
    version = one.version
    plan = look(one, known=metadata([1], epoch=2))
    assert asked(plan, 1) == (0, 1, 0)
    assert not one.is_buffered
    assert one.version != version
    assert one.offset == 3


def test_a_partition_whose_last_epoch_is_unknown_is_not_checked_but_read_anew() -> None:
    one = partition()
    one.found(0, -1, Stamp(TOPIC_ID, 1))
    one.take_fetched(Chunk(batch(0, 10, epoch=1), from_offset=0))
    assert asked(look(one, known=metadata([1], epoch=2)), 1) == (0, 0, 1)
    assert not one.is_buffered


def test_a_nearer_replica_is_fetched_from_and_the_leader_asked_all_else() -> None:
    one, other = partition(0, 5), partition(1)
    one.replica = other.replica = NearReplica(3, 100)
    plan = look(one, other)
    assert asked(plan, 3) == (0, 0, 1)
    assert asked(plan, 2) == (1, 0, 0)
    assert [task.is_leader for task in plan.nodes[3].fetches] == [False]
    assert asked(look(one, now_ms=100), 1) == (0, 0, 1)


def test_what_is_buffered_counts_where_it_comes_from() -> None:
    one = partition(0, 0)
    one.take_fetched(Chunk(batch(0, 10), from_offset=0))
    one.replica = NearReplica(3, 100)
    plan = look(one)
    assert set(plan.nodes) == {3}
    assert plan.nodes[3].buffered == one.buffered > 0


def test_paused_ones_are_not_fetched() -> None:
    one = partition(0, 5)
    one.paused = True
    assert asked(look(one), 1) == (0, 0, 0)


def test_nodes_share_the_memory_equally() -> None:
    options = ConsumerOptions(buffer_memory=300)
    assert share_of(Plan(), options) == 300
    assert share_of(look(partition(0, 5), partition(1, 5)), options) == 150


def test_a_new_leader_says_anew_from_where_to_read() -> None:
    for read_epoch in (-1, 1):
        one = partition()
        one.found(5, read_epoch, Stamp(TOPIC_ID, 1))
        one.replica = NearReplica(3, 100)
        known = metadata([1], epoch=2)
        plan = look(one, known=known)
        for task in plan.nodes[1].checks:
            one.checked(task.stamp)
        plan = look(one, known=known)
        assert asked(plan, 1) == (0, 0, 1)
