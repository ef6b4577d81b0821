"""What answers do to a partition, without a loop."""

from __future__ import annotations

from ottla.base.errors import ErrorCode
from ottla.base.ids import TopicPartition
from ottla.client.backoff import Backoff
from ottla.client.consumer.assigned import AssignedPartition, NearReplica, Stamp
from ottla.client.consumer.options import ConsumerOptions
from ottla.client.consumer.plan import Task
from ottla.client.consumer.verdicts import fetched, redirected
from ottla.wire.messages.fetch import PartitionData
from ottla.wire.records.batch import build_batch, patch_placement
from ottla.wire.records.record import Record
from tests.support.cluster import SeededRng

STAMP = Stamp(bytes(16), 1)
OPTIONS = ConsumerOptions()


def batch(base_offset: int, *values: bytes) -> bytes:
    data = bytearray(build_batch([Record(n, 0, None, value) for n, value in enumerate(values)]))
    patch_placement(data, 0, base_offset, 1)
    return bytes(data)


def at(offset: int) -> AssignedPartition:
    partition = AssignedPartition(TopicPartition("t", 0), Backoff(100, 100, SeededRng()))
    partition.seek(offset)
    return partition


def task_of(partition: AssignedPartition, *, is_leader: bool = True) -> Task:
    return Task(partition, STAMP, partition.version, is_leader)


def answer(code: int = 0, **fields: object) -> PartitionData:
    return PartitionData(
        partition_index=0,
        error_code=code,
        high_watermark=9,
        last_stable_offset=7,
        records=batch(5, b"a", b"b"),
        **fields,  # type: ignore[arg-type]  # of one call each
    )


def test_what_was_asked_before_a_jump_to_the_same_offset_is_not_kept() -> None:
    partition = at(5)
    asked = task_of(partition)
    partition.seek(5)
    fetched(asked, 5, answer(), OPTIONS, 0)
    assert not partition.is_buffered
    fetched(task_of(partition), 5, answer(), OPTIONS, 0)
    assert partition.is_buffered


def test_what_was_asked_at_another_offset_is_not_kept() -> None:
    partition = at(5)
    asked = task_of(partition)
    fetched(asked, 5, answer(), OPTIONS, 0)
    buffered = partition.buffered
    fetched(asked, 5, answer(), OPTIONS, 0)
    assert partition.buffered == buffered
    assert [record.offset for record in partition.take_records(10)] == [5, 6]
    assert partition.take_records(10) == []


def test_the_lag_is_that_to_what_can_be_read() -> None:
    partition = at(5)
    assert partition.lag(is_committed=False) is None
    fetched(task_of(partition), 5, answer(), OPTIONS, 0)
    assert partition.lag(is_committed=False) == 4
    assert partition.lag(is_committed=True) == 2
    partition.take_records(1)
    assert partition.lag(is_committed=False) == 3
    partition.seek(100)
    assert partition.lag(is_committed=False) == 0


def test_no_error_of_a_nearer_replica_moves_or_fails_a_partition() -> None:
    for code in (
        ErrorCode.OFFSET_OUT_OF_RANGE,
        ErrorCode.NOT_LEADER_OR_FOLLOWER,
        ErrorCode.CORRUPT_MESSAGE,
        ErrorCode.TOPIC_AUTHORIZATION_FAILED,
    ):
        partition = at(5)
        partition.replica = NearReplica(2, 1000)
        is_stale = fetched(task_of(partition, is_leader=False), 5, answer(code), OPTIONS, 0)
        left: tuple[object, ...] = (partition.offset, partition.error, partition.replica)
        assert left == (5, None, None)
        assert is_stale == (code != ErrorCode.OFFSET_OUT_OF_RANGE)
        assert partition.retry_at_ms > 0


def test_a_replica_named_twice_is_not_kept_for_longer() -> None:
    partition = at(5)
    for now_ms in (0, 500):
        data = answer(preferred_read_replica=2)
        assert redirected(task_of(partition), data, now_ms, for_ms=1000, is_known=True)
    assert partition.replica == NearReplica(2, 1000)
    assert partition.source(1, {1, 2}, 999) == 2
    assert partition.source(1, {1, 2}, 1000) == 1


def test_a_replica_that_is_gone_is_not_asked() -> None:
    partition = at(5)
    partition.replica = NearReplica(2, 1000)
    assert partition.source(1, {1}, 0) == 1
    assert partition.source(1, {1, 2}, 0) == 1


def test_only_leaders_name_replicas() -> None:
    partition = at(5)
    data = answer(preferred_read_replica=2)
    asked = task_of(partition, is_leader=False)
    assert not redirected(asked, data, 0, for_ms=1000, is_known=True)
    assert partition.replica is None
