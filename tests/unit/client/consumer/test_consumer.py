"""A consumer against nodes that hold logs: positions, jumps, leaders, sessions, truncations."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from ottla.base.errors import ErrorCode, UserError
from ottla.base.ids import TopicPartition
from ottla.client.consumer import (
    Consumer,
    ConsumerClosedError,
    ConsumerRecord,
    CorruptRecordsError,
    FetchRefusedError,
    LogTruncatedError,
    NoPositionError,
    OffsetOutOfRangeError,
)
from ottla.client.errors import DeadlineError
from ottla.wire.messages.fetch import FetchRequest
from ottla.wire.records.compression import Codec
from ottla.wire.records.control import ControlType
from tests.support.consumer_cluster import OLD, ConsumerCluster
from tests.unit.client.consumer.conftest import MakeCluster

T0 = TopicPartition("t", 0)
T1 = TopicPartition("t", 1)


async def take(consumer: Consumer, count: int) -> list[ConsumerRecord]:
    """So many records, by polling."""
    taken: list[ConsumerRecord] = []
    while len(taken) < count:
        taken += await consumer.poll(count - len(taken), 60)
    return taken


def read(cluster: ConsumerCluster, consumer: Consumer, count: int) -> list[tuple[int, bytes]]:
    records = cluster.run(take(consumer, count))
    return [(record.offset, record.value or b"") for record in records]


def filled(cluster: ConsumerCluster, batches: int = 4, records: int = 5) -> list[tuple[int, bytes]]:
    (log,) = cluster.make("t")
    for number in range(batches):
        log.append(records, timestamp_ms=number * 100)
    return log.values()


def fails(cluster: ConsumerCluster, work: Coroutine[Any, Any, Any], kind: type[Exception]) -> Any:
    with pytest.raises(kind) as caught:
        cluster.run(work)
    return caught.value


# -- where to begin ------------------------------------------------------------------------------


def test_everything_is_read_in_order_from_the_beginning(cluster: ConsumerCluster) -> None:
    expected = filled(cluster)
    consumer = cluster.consumer()
    consumer.assign([T0])
    assert read(cluster, consumer, 20) == expected
    assert cluster.run(consumer.position(T0)) == 20


def test_brokers_of_kafka_2_1_are_read_too(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(versions=OLD)
    expected = filled(cluster)
    consumer = cluster.consumer()
    consumer.assign([T0])
    assert read(cluster, consumer, 20) == expected
    asked = [found for broker in cluster.brokers.values() for found in broker.asked]
    assert {version for request, version in asked if isinstance(request, FetchRequest)} == {10}
    cluster.logs[T0].move(2)
    cluster.tell_leaders()
    cluster.logs[T0].append(2)
    assert [offset for offset, _ in read(cluster, consumer, 2)] == [20, 21]


def test_latest_begins_with_what_is_written_from_now_on(cluster: ConsumerCluster) -> None:
    filled(cluster)
    consumer = cluster.consumer(auto_offset_reset="latest")
    consumer.assign([T0])
    assert cluster.run(consumer.position(T0)) == 20
    assert cluster.run(consumer.poll(timeout_s=2)) == []
    cluster.logs[T0].append(1)
    assert [offset for offset, _ in read(cluster, consumer, 1)] == [20]


def test_without_a_place_to_begin_the_user_is_told_until_one_is_named(
    cluster: ConsumerCluster,
) -> None:
    filled(cluster)
    consumer = cluster.consumer(auto_offset_reset="none")
    consumer.assign([T0])
    for _ in range(2):
        fails(cluster, consumer.poll(timeout_s=5), NoPositionError)
    consumer.seek(T0, 7)
    assert [offset for offset, _ in read(cluster, consumer, 2)] == [7, 8]


def test_out_of_range_begins_where_the_setting_says(cluster: ConsumerCluster) -> None:
    filled(cluster)
    cluster.logs[T0].start = 12
    for reset, offset in (("earliest", 12), ("latest", 20)):
        consumer = cluster.consumer(auto_offset_reset=reset)
        consumer.assign([T0])
        consumer.seek(T0, 3)
        assert cluster.run(consumer.poll(1, 1)) is not None
        assert cluster.run(consumer.position(T0)) in (offset, offset + 1)


def test_out_of_range_is_an_error_without_a_reset_and_the_position_stays(
    cluster: ConsumerCluster,
) -> None:
    filled(cluster)
    consumer = cluster.consumer(auto_offset_reset="none")
    consumer.assign([T0])
    consumer.seek(T0, 99)
    for _ in range(2):
        assert fails(cluster, consumer.poll(), OffsetOutOfRangeError).offset == 99
    assert cluster.run(consumer.position(T0)) == 99


def test_a_time_is_found_and_one_after_all_records_means_the_end(
    cluster: ConsumerCluster,
) -> None:
    filled(cluster)
    consumer = cluster.consumer()
    consumer.assign([T0])
    consumer.seek_to_time(150, T0)
    assert read(cluster, consumer, 1) == [(10, b"10:200")]
    consumer.seek_to_time(301, T0)
    assert cluster.run(consumer.position(T0)) == 20


def test_jumps_go_where_they_say_and_drop_what_was_fetched_before(
    cluster: ConsumerCluster,
) -> None:
    filled(cluster)
    consumer = cluster.consumer()
    consumer.assign([T0])
    assert len(read(cluster, consumer, 3)) == 3
    consumer.seek(T0, 13)
    assert [offset for offset, _ in read(cluster, consumer, 2)] == [13, 14]
    consumer.seek_to_end()
    assert cluster.run(consumer.position(T0)) == 20
    consumer.seek_to_beginning(T0)
    assert [offset for offset, _ in read(cluster, consumer, 1)] == [0]
    with pytest.raises(UserError, match="not assigned"):
        consumer.seek(T1, 0)
    with pytest.raises(ValueError, match="at least 0"):
        consumer.seek(T0, -1)


def test_what_stays_assigned_goes_on_where_it_was(cluster: ConsumerCluster) -> None:
    logs = cluster.make("t", 2)
    for log in logs:
        log.append(10)
    consumer = cluster.consumer()
    consumer.assign([T0])
    assert len(read(cluster, consumer, 4)) == 4
    consumer.assign([T1, T0])
    records = cluster.run(take(consumer, 16))
    assert [r.offset for r in records if r.partition == 0] == list(range(4, 10))
    assert [r.offset for r in records if r.partition == 1] == list(range(10))
    assert consumer.assignment == [T0, T1]


# -- ways of reading -----------------------------------------------------------------------------


def test_records_one_by_one_and_as_columns_go_on_where_the_other_stopped(
    cluster: ConsumerCluster,
) -> None:
    expected = filled(cluster)
    consumer = cluster.consumer()
    consumer.assign([T0])

    async def mixed() -> list[tuple[int, bytes]]:
        found: list[tuple[int, bytes]] = []
        async for record in consumer:
            found.append((record.offset, record.value or b""))
            if len(found) == 3:
                break
        found += [(record.offset, record.value or b"") for record in await consumer.poll(4)]
        while len(found) < 20:
            columns = (await consumer.poll_batch())[T0]
            found += [(row.offset, row.value or b"") for row in columns.to_list()]
        return found

    assert cluster.run(mixed()) == expected
    assert cluster.run(consumer.poll_batch(1)) == {}


def test_a_record_says_all_about_itself(cluster: ConsumerCluster) -> None:
    (log,) = cluster.make("t")
    log.append(1, timestamp_ms=7)
    log.move(2)
    cluster.tell_leaders()
    log.append(1, timestamp_ms=8)
    consumer = cluster.consumer()
    consumer.assign([T0])
    first, second = cluster.run(take(consumer, 2))
    assert (first.topic, first.partition, first.offset, first.timestamp_ms) == ("t", 0, 0, 7)
    assert (first.key, first.value, first.headers) == (None, b"0:7", ())
    assert [first.leader_epoch, second.leader_epoch] == [0, 1]


def test_a_paused_partition_is_not_read_and_goes_on_without_a_gap(
    cluster: ConsumerCluster,
) -> None:
    expected = filled(cluster)
    consumer = cluster.consumer()
    consumer.assign([T0])
    before = read(cluster, consumer, 3)
    consumer.pause(T0)
    assert consumer.paused() == [T0]
    assert cluster.run(consumer.poll(timeout_s=2)) == []
    consumer.resume(T0)
    assert before + read(cluster, consumer, 17) == expected


def test_nobody_is_passed_over_while_others_have_much(cluster: ConsumerCluster) -> None:
    busy, quiet = cluster.make("t", 2)
    for _ in range(200):
        busy.append(50)
    quiet.append(1)
    consumer = cluster.consumer(max_partition_fetch_bytes=2000)
    consumer.assign([T0, T1])
    records = cluster.run(take(consumer, 1500))
    assert any(record.partition == 1 for record in records)


def test_what_is_fetched_ahead_stays_within_the_bound(cluster: ConsumerCluster) -> None:
    logs = cluster.make("t", 6)
    for log in logs:
        for _ in range(100):
            log.append(10)
    batch = max(len(found.data) for found in logs[0].batches)
    consumer = cluster.consumer(buffer_memory=6000, max_partition_fetch_bytes=1500)
    consumer.assign([TopicPartition("t", index) for index in range(6)])
    cluster.loop.advance(0)
    for _ in range(200):
        cluster.loop.advance(10)
    ahead = sum(size for _, size in cluster.sent)
    assert 1500 < ahead <= 6000 + 3 * batch
    assert len(read(cluster, consumer, 6000)) == 6000


def test_paused_partitions_do_not_keep_the_memory_from_the_others(
    make_cluster: MakeCluster,
) -> None:
    cluster = make_cluster(1)
    paused, other = cluster.make("t", 2)
    for log in (paused, other):
        for _ in range(50):
            log.append(10)
    consumer = cluster.consumer(buffer_memory=2000, max_partition_fetch_bytes=2500)
    consumer.assign([T0])
    cluster.run(take(consumer, 1))
    consumer.pause(T0)
    cluster.loop.advance(500)
    consumer.assign([T0, T1])
    assert {record.partition for record in cluster.run(take(consumer, 500))} == {1}
    consumer.resume(T0)
    assert [r.offset for r in cluster.run(take(consumer, 499))] == list(range(1, 500))


def test_committed_records_are_those_of_no_aborted_transaction(cluster: ConsumerCluster) -> None:
    (log,) = cluster.make("t")
    log.append(2, producer_id=1)  # 0, 1: aborted at 4
    log.append(2, producer_id=2)  # 2, 3: committed at 8
    log.end_transaction(1, ControlType.ABORT)
    log.append(1, producer_id=1)  # 5: committed at 7
    log.append(1)  # 6: of no transaction
    log.end_transaction(1, ControlType.COMMIT)
    log.end_transaction(2, ControlType.COMMIT)
    log.append(1, producer_id=2)  # 9: aborted at 10
    log.end_transaction(2, ControlType.ABORT)
    log.append(1)  # 11
    for offset, expected in ((0, [2, 3, 5, 6, 11]), (1, [2, 3, 5, 6, 11]), (5, [5, 6, 11])):
        consumer = cluster.consumer(isolation_level="read_committed")
        consumer.assign([T0])
        consumer.seek(T0, offset)
        assert [found for found, _ in read(cluster, consumer, len(expected))] == expected
        assert cluster.run(consumer.position(T0)) == 12
    consumer = cluster.consumer()
    consumer.assign([T0])
    assert len(read(cluster, consumer, 8)) == 8


# -- what goes wrong -----------------------------------------------------------------------------


@pytest.mark.parametrize("hints", [True, False])
def test_a_leader_that_moves_is_followed(cluster: ConsumerCluster, *, hints: bool) -> None:
    cluster.hints = hints
    filled(cluster)
    consumer = cluster.consumer()
    consumer.assign([T0])
    read(cluster, consumer, 20)
    cluster.logs[T0].move(3)
    cluster.logs[T0].append(1)
    if not hints:
        cluster.tell_leaders()
    assert [offset for offset, _ in read(cluster, consumer, 1)] == [20]


def test_lost_sessions_are_begun_anew(cluster: ConsumerCluster) -> None:
    filled(cluster)
    consumer = cluster.consumer()
    consumer.assign([T0])
    read(cluster, consumer, 20)
    cluster.sessions.clear()
    cluster.logs[T0].append(1)
    assert [offset for offset, _ in read(cluster, consumer, 1)] == [20]
    for session in cluster.sessions[1].values():
        session.epoch += 5
    cluster.logs[T0].append(1)
    assert [offset for offset, _ in read(cluster, consumer, 1)] == [21]
    cluster.run(consumer.close())
    assert not any(cluster.sessions.values()), "a node keeps a session"


def test_a_truncation_goes_back_to_where_the_logs_part(cluster: ConsumerCluster) -> None:
    filled(cluster)
    consumer = cluster.consumer()
    consumer.assign([T0])
    read(cluster, consumer, 20)
    log = cluster.logs[T0]
    log.truncate(2)
    log.append(20, timestamp_ms=9)
    cluster.tell_leaders()
    assert read(cluster, consumer, 20) == log.values()[10:]


def test_a_truncation_is_told_where_nobody_said_how_to_go_on(cluster: ConsumerCluster) -> None:
    filled(cluster)
    consumer = cluster.consumer(auto_offset_reset="none")
    consumer.assign([T0])
    consumer.seek(T0, 0)
    read(cluster, consumer, 20)
    log = cluster.logs[T0]
    log.truncate(2)
    log.append(20, timestamp_ms=9)
    cluster.tell_leaders()
    error = fails(cluster, consumer.poll(), LogTruncatedError)
    assert (error.offset, error.diverging_offset) == (20, 10)
    consumer.seek(T0, error.diverging_offset)
    assert read(cluster, consumer, 20) == log.values()[10:]


def test_a_damaged_batch_is_told_after_all_before_it_and_can_be_passed(
    cluster: ConsumerCluster,
) -> None:
    filled(cluster)
    log = cluster.logs[T0]
    damaged = bytearray(log.batches[2].data)
    damaged[-2] ^= 1  # in the last value
    log.batches[2] = log.batches[2]._replace(data=bytes(damaged))
    consumer = cluster.consumer()
    consumer.assign([T0])
    assert [offset for offset, _ in read(cluster, consumer, 10)] == list(range(10))
    for _ in range(2):
        assert fails(cluster, consumer.poll(), CorruptRecordsError).offset == 10
    assert cluster.run(consumer.position(T0)) == 10
    consumer.seek(T0, 15)
    assert [offset for offset, _ in read(cluster, consumer, 5)] == list(range(15, 20))
    careless = cluster.consumer(check_crcs=False)
    careless.assign([T0])
    assert len(read(cluster, careless, 20)) == 20


def test_what_is_broken_behind_good_batches_is_met_at_once_by_who_takes_a_loan(
    cluster: ConsumerCluster,
) -> None:
    filled(cluster)
    batches = cluster.logs[T0].batches
    broken = bytearray(batches[2].data)
    broken[-2] ^= 1  # in the last value
    batches[2] = batches[2]._replace(data=bytes(broken))
    consumer = cluster.consumer()
    consumer.assign([T0])
    loan = cluster.run(consumer.reader.lend(100, 60))
    assert [record.offset for record in loan.records] == list(range(10))
    consumer.reader.settle(loan, 10)
    assert fails(cluster, consumer.reader.lend(100, 0), CorruptRecordsError).offset == 10


def test_what_is_refused_for_good_is_told_and_tried_again_when_asked(
    cluster: ConsumerCluster,
) -> None:
    filled(cluster)
    consumer = cluster.consumer()
    consumer.assign([T0])
    cluster.refusals = [ErrorCode.NONE, ErrorCode.TOPIC_AUTHORIZATION_FAILED]
    error = fails(cluster, consumer.poll(), FetchRefusedError)
    assert error.code is ErrorCode.TOPIC_AUTHORIZATION_FAILED
    assert len(read(cluster, consumer, 20)) == 20


def test_a_topic_that_is_missing_is_waited_for(cluster: ConsumerCluster) -> None:
    consumer = cluster.consumer(allow_auto_create_topics=False)
    consumer.assign([T0])
    assert cluster.run(consumer.poll(timeout_s=3)) == []
    fails(cluster, consumer.position(T0, timeout_s=1), DeadlineError)
    filled(cluster)
    assert len(read(cluster, consumer, 20)) == 20


def test_large_compressed_batches_are_opened_one_by_one(cluster: ConsumerCluster) -> None:
    (log,) = cluster.make("t")
    for _ in range(3):
        log.append(100_000, codec=Codec.GZIP)
    consumer = cluster.consumer()
    consumer.assign([T0])
    taken = cluster.run(consumer.poll_batch())[T0]
    assert len(taken) == 100_000
    assert [offset for offset, _ in read(cluster, consumer, 2)] == [100_000, 100_001]


# -- ends ----------------------------------------------------------------------------------------


def test_whoever_is_cancelled_at_whatever_step_has_taken_nothing(
    make_cluster: MakeCluster,
) -> None:
    steps = 0
    while True:
        cluster = make_cluster()
        expected = filled(cluster)
        consumer = cluster.consumer()
        consumer.assign([T0])
        polling = cluster.loop.create_task(consumer.poll(5))
        for _ in range(steps):
            cluster.step()
        if polling.done():
            break
        polling.cancel()
        cluster.finish(polling)
        assert polling.cancelled()
        assert read(cluster, consumer, 20) == expected
        steps += 1
    assert steps > 20


def test_closing_ends_who_reads(cluster: ConsumerCluster) -> None:
    cluster.make("t")
    consumer = cluster.consumer()
    consumer.assign([T0])

    async def loop_over() -> int:
        return len([record async for record in consumer])

    looping = cluster.loop.create_task(loop_over())
    polling = cluster.loop.create_task(consumer.poll())
    cluster.loop.advance(1000)
    cluster.run(consumer.close())
    cluster.finish(looping, polling)
    assert looping.result() == 0
    assert isinstance(polling.exception(), ConsumerClosedError)
    with pytest.raises(ConsumerClosedError):
        consumer.assign([T0])


@pytest.mark.parametrize(
    "settings",
    [
        {"group_id": ""},
        {"group_instance_id": "without a group"},
        {"group_protocol": "share"},
        {"group_remote_assignor": "uniform", "group_id": "g"},
        {"partition_assignment_strategy": ["of mine"]},
        {"partition_assignment_strategy": []},
        {"partition_assignment_strategy": "range"},
        {"heartbeat_interval_ms": 45_000},
        {"max_poll_interval_ms": 0},
        {"auto_offset_reset": "newest"},
        {"isolation_level": "serializable"},
        {"fetch_max_bytes": 0},
        {"fetch_max_wait_ms": 30_000},
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        Consumer("localhost:9092", **settings)


def test_a_consumer_that_always_finds_records_lets_others_run(cluster: ConsumerCluster) -> None:
    (log,) = cluster.make("t")
    for _ in range(50):
        log.append(20)
    consumer = cluster.consumer(max_partition_fetch_bytes=3000)
    consumer.assign([T0])
    cluster.network.delay_ms = lambda: 0
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def loop_over() -> None:
        read = 0
        async for _ in consumer:
            read += 1
            if read == 1000:
                return

    task = cluster.loop.create_task(other())
    reading = cluster.loop.create_task(loop_over())
    for _ in range(20_000):
        cluster.step()
        if reading.done():
            break
    task.cancel()
    cluster.step()
    reading.result()
    assert turns > 10
