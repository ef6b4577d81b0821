"""What a broker does by itself: checkpoints, flushes, segments that end, a disk that fails."""

from __future__ import annotations

import errno
from collections.abc import Mapping

import pytest

from ottla.base.errors import ErrorCode
from ottla.base.ids import TopicPartition
from ottla.base.limits import HOUSEKEEPING_PAUSE_MS_MIN
from ottla.log.checkpoints import (
    CLEAN_SHUTDOWN,
    HIGH_WATERMARKS,
    LOG_START_OFFSETS,
    RECOVERY_POINTS,
    decode_clean_shutdown,
    decode_offsets,
)
from ottla.wire.messages.fetch import FetchResponse
from ottla.wire.messages.produce import ProduceResponse
from tests.support.data_requests import BY_NAME, fetch, fetched, partition_at, produce, produced
from tests.support.memory_broker import MemoryBroker
from tests.support.memory_client import Client
from tests.support.records import batch_of, values_of
from tests.unit.broker.conftest import Connect, StartBroker

CHECKPOINT_MS = 60_000
LOG = "00000000000000000000.log"


def write(client: Client, topic: str, *values: bytes, index: int = 0) -> int:
    """The error of a write."""
    request = produce((topic, index, batch_of(*values)))
    return produced(client.ask(request, ProduceResponse, version=BY_NAME))[0].error_code


def read(client: Client, topic: str) -> tuple[int, list[bytes | None]]:
    (answer,) = fetched(
        client.ask(fetch((topic, partition_at(0, 0))), FetchResponse, version=BY_NAME)
    )
    return answer.error_code, values_of(answer.records)


def checkpoint(broker: MemoryBroker, name: str) -> Mapping[TopicPartition, int]:
    return decode_offsets(broker.disk.read_file(f"{broker.path}/{name}"))


def let_pass(broker: MemoryBroker, ms: int) -> None:
    """Time passes second by second, as housekeeping looks."""
    for _ in range(0, ms, 1000):
        broker.loop.advance(1000)


# -- checkpoints -----------------------------------------------------------------------------------


def test_checkpoints_come_by_themselves_and_say_what_is_on_the_disk(
    broker: MemoryBroker, client: Client
) -> None:
    broker.create_topic("orders", 2)
    write(client, "orders", b"a", b"b")
    broker.disk.forget()
    let_pass(broker, CHECKPOINT_MS + 1000)
    assert broker.disk.count("sync", f"orders-0/{LOG}") == 1
    expected = {TopicPartition("orders", 0): 2, TopicPartition("orders", 1): 0}
    assert checkpoint(broker, RECOVERY_POINTS) == expected
    assert checkpoint(broker, HIGH_WATERMARKS) == expected
    assert set(checkpoint(broker, LOG_START_OFFSETS).values()) <= {0}


def test_a_log_that_did_not_change_is_not_synced_again(
    broker: MemoryBroker, client: Client
) -> None:
    broker.create_topic("orders")
    write(client, "orders", b"a")
    let_pass(broker, CHECKPOINT_MS + 1000)
    broker.disk.forget()
    let_pass(broker, CHECKPOINT_MS + 1000)
    assert broker.disk.count("sync", f"orders-0/{LOG}") == 0


def test_a_log_start_that_moved_is_written_down(broker: MemoryBroker, client: Client) -> None:
    broker.create_topic("orders")
    write(client, "orders", b"a")
    write(client, "orders", b"b")
    broker.in_loop(broker.partition("orders").log.advance_log_start, 1)
    let_pass(broker, CHECKPOINT_MS + 1000)
    assert checkpoint(broker, LOG_START_OFFSETS)[TopicPartition("orders", 0)] == 1
    broker.stop_uncleanly()
    broker.start()
    assert broker.partition("orders").log.log_start_offset == 1


def test_an_orderly_stop_flushes_checkpoints_and_leaves_its_mark(
    broker: MemoryBroker, client: Client
) -> None:
    broker.create_topic("orders")
    write(client, "orders", b"a")
    epoch = broker.broker.metadata.broker_epoch
    broker.stop()
    assert checkpoint(broker, RECOVERY_POINTS) == {TopicPartition("orders", 0): 1}
    mark = broker.disk.read_file(f"{broker.path}/{CLEAN_SHUTDOWN}")
    assert decode_clean_shutdown(mark) == epoch


def test_what_was_flushed_by_an_orderly_stop_survives_a_power_loss(
    broker: MemoryBroker, client: Client, connect: Connect
) -> None:
    broker.create_topic("orders")
    write(client, "orders", b"a", b"b")
    broker.stop()
    broker.disk.crash()
    assert read(connect(broker.start()), "orders") == (ErrorCode.NONE, [b"a", b"b"])


# -- segments and flushes that a topic asks for ----------------------------------------------------


def test_a_segment_ends_by_its_age_although_nothing_is_written(
    broker: MemoryBroker, client: Client
) -> None:
    broker.create_topic("orders", segment_ms="5000")
    write(client, "orders", b"a")
    let_pass(broker, 10_000)
    assert [segment.base_offset for segment in broker.partition("orders").log.segments] == [0, 1]
    assert read(client, "orders") == (ErrorCode.NONE, [b"a"])


def test_a_segment_that_cannot_end_is_tried_again_and_the_others_go_on(
    broker: MemoryBroker, client: Client
) -> None:
    for topic in ("first", "second"):
        broker.create_topic(topic, segment_ms="5000")
        write(client, topic, b"a")
    broker.disk.fail("open", "first-0/00000000000000000001", errno.EIO)
    let_pass(broker, 10_000)
    assert len(broker.partition("first").log.segments) == 1
    assert len(broker.partition("second").log.segments) == 2
    broker.disk.heal()
    let_pass(broker, 10_000)
    assert len(broker.partition("first").log.segments) == 2


def test_a_topic_is_synced_after_flush_ms(broker: MemoryBroker, client: Client) -> None:
    broker.create_topic("orders", flush_ms="3000")
    write(client, "orders", b"a")
    broker.disk.forget()
    let_pass(broker, 6000)
    assert broker.disk.count("sync", f"orders-0/{LOG}") == 1
    assert broker.partition("orders").log.recovery_point == 1


# -- a disk that fails -----------------------------------------------------------------------------


@pytest.fixture
def broken(broker: MemoryBroker, client: Client) -> MemoryBroker:
    """A broker with two topics, of which the log of "broken" could not be synced."""
    for topic in ("broken", "sound"):
        broker.create_topic(topic)
        write(client, topic, b"a")
    broker.disk.fail("sync", f"broken-0/{LOG}", errno.EIO)
    let_pass(broker, CHECKPOINT_MS + 1000)
    broker.disk.heal()
    return broker


def test_a_sync_that_fails_takes_its_partition_offline_for_good(
    broken: MemoryBroker, client: Client
) -> None:
    assert broken.partition("broken").offline_reason is not None
    assert write(client, "broken", b"b") == ErrorCode.KAFKA_STORAGE_ERROR
    assert read(client, "broken")[0] == ErrorCode.KAFKA_STORAGE_ERROR


def test_the_other_partitions_go_on_and_are_still_looked_after(
    broken: MemoryBroker, client: Client
) -> None:
    assert write(client, "sound", b"b") == ErrorCode.NONE
    assert read(client, "sound") == (ErrorCode.NONE, [b"a", b"b"])
    let_pass(broken, CHECKPOINT_MS + 1000)
    assert checkpoint(broken, RECOVERY_POINTS)[TopicPartition("sound", 0)] == 2


def test_a_stop_with_a_partition_offline_leaves_no_clean_mark(broken: MemoryBroker) -> None:
    broken.stop()
    assert not broken.disk.exists(f"{broken.path}/{CLEAN_SHUTDOWN}")
    assert checkpoint(broken, RECOVERY_POINTS)[TopicPartition("broken", 0)] == 0


def test_a_restart_checks_the_log_and_brings_the_partition_back(
    broken: MemoryBroker, connect: Connect
) -> None:
    broken.stop()
    client = connect(broken.start())
    assert read(client, "broken") == (ErrorCode.NONE, [b"a"])
    assert write(client, "broken", b"b") == ErrorCode.NONE


def test_a_partition_that_could_not_be_opened_leaves_no_clean_mark(
    broker: MemoryBroker, client: Client, connect: Connect
) -> None:
    for topic in ("broken", "sound"):
        broker.create_topic(topic)
        write(client, topic, b"a")
    broker.stop_uncleanly()
    broker.disk.fail("open", f"broken-0/{LOG}", errno.EIO)
    client = connect(broker.start())
    assert write(client, "broken", b"b") == ErrorCode.KAFKA_STORAGE_ERROR
    assert write(client, "sound", b"b") == ErrorCode.NONE
    broker.disk.heal()
    broker.stop()
    assert not broker.disk.exists(f"{broker.path}/{CLEAN_SHUTDOWN}")
    assert read(connect(broker.start()), "broken") == (ErrorCode.NONE, [b"a"])


def test_a_checkpoint_that_cannot_be_written_is_tried_again(
    broker: MemoryBroker, client: Client
) -> None:
    broker.create_topic("orders")
    write(client, "orders", b"a")
    broker.disk.fail("rename", RECOVERY_POINTS, errno.ENOSPC)
    let_pass(broker, CHECKPOINT_MS + 1000)
    broker.disk.heal()
    let_pass(broker, CHECKPOINT_MS)
    assert checkpoint(broker, RECOVERY_POINTS) == {TopicPartition("orders", 0): 1}


def test_a_folder_that_cannot_be_removed_is_tried_again(
    broker: MemoryBroker, client: Client
) -> None:
    broker.create_topic("orders", file_delete_delay_ms="0")
    broker.disk.fail("unlink", "orders-0", errno.EIO)
    broker.delete_topic("orders")
    let_pass(broker, 2000)
    assert len(broker.folders()) == 1
    broker.disk.heal()
    let_pass(broker, 3 * CHECKPOINT_MS)
    assert broker.folders() == []


# -- the metadata log ------------------------------------------------------------------------------


def test_a_long_metadata_log_is_replaced_by_a_snapshot_that_a_start_reads(
    start_broker: StartBroker, connect: Connect
) -> None:
    broker = start_broker(metadata_log_max_record_bytes_between_snapshots="5000")
    for number in range(100):
        broker.create_topic(f"topic-{number}")
    assert broker.loop.finish(broker.quorum.latest_snapshot()) is None
    let_pass(broker, 2000)
    assert broker.loop.finish(broker.quorum.latest_snapshot()) is not None
    broker.create_topic("after")
    broker.stop_uncleanly()
    client = connect(broker.start())
    assert len(broker.broker.metadata.image.topics_by_name) == 101
    assert write(client, "topic-99", b"a") == ErrorCode.NONE


def test_a_snapshot_that_cannot_be_written_does_not_stop_the_rest(
    start_broker: StartBroker, connect: Connect
) -> None:
    broker = start_broker(metadata_log_max_record_bytes_between_snapshots="1")
    client = connect(broker)
    broker.create_topic("orders", flush_ms="1000")
    write(client, "orders", b"a")
    broker.disk.fail("open", ".checkpoint", errno.ENOSPC)
    let_pass(broker, 5000)
    assert broker.partition("orders").log.recovery_point == 1
    broker.disk.heal()
    let_pass(broker, 3000)
    assert broker.loop.finish(broker.quorum.latest_snapshot()) is not None


# -- names that are used again ---------------------------------------------------------------------


@pytest.fixture
def renewed(broker: MemoryBroker, client: Client) -> MemoryBroker:
    """A topic "orders" in the place of an older one, whose checkpoints are still there."""
    broker.create_topic("orders")
    for value in (b"1", b"2", b"3", b"4"):
        write(client, "orders", value)
    broker.in_loop(broker.partition("orders").log.advance_log_start, 2)
    let_pass(broker, CHECKPOINT_MS + 1000)
    key = TopicPartition("orders", 0)
    assert checkpoint(broker, RECOVERY_POINTS)[key] == 4
    assert checkpoint(broker, LOG_START_OFFSETS)[key] == 2
    broker.delete_topic("orders")
    broker.create_topic("orders")
    for value in (b"a", b"b", b"c"):
        assert write(client, "orders", value) == ErrorCode.NONE
    return broker


def test_a_new_topic_does_not_begin_where_an_old_one_of_its_name_began(
    renewed: MemoryBroker, connect: Connect
) -> None:
    renewed.stop_uncleanly()
    assert read(connect(renewed.start()), "orders") == (ErrorCode.NONE, [b"a", b"b", b"c"])


def test_a_new_topic_is_checked_although_an_old_one_of_its_name_was_on_the_disk(
    renewed: MemoryBroker, connect: Connect
) -> None:
    renewed.stop_uncleanly()
    damage(renewed, f"{renewed.path}/orders-0/{LOG}")
    assert read(connect(renewed.start()), "orders") == (ErrorCode.NONE, [])


def test_a_name_that_is_used_again_after_a_restart_inherits_nothing_either(
    broker: MemoryBroker, client: Client, connect: Connect
) -> None:
    broker.create_topic("orders")
    for value in (b"1", b"2", b"3"):
        write(client, "orders", value)
    broker.in_loop(broker.partition("orders").log.advance_log_start, 2)
    let_pass(broker, CHECKPOINT_MS + 1000)
    broker.delete_topic("orders")
    broker.stop_uncleanly()
    client = connect(broker.start())
    broker.create_topic("orders")
    for value in (b"a", b"b", b"c"):
        write(client, "orders", value)
    broker.stop_uncleanly()
    assert read(connect(broker.start()), "orders") == (ErrorCode.NONE, [b"a", b"b", b"c"])


def damage(broker: MemoryBroker, path: str) -> None:
    """Turn a bit in the first batch of a log."""
    content = bytearray(broker.disk.read_file(path))
    content[65] ^= 1
    file = broker.disk.open(path)
    file.truncate(0)
    file.append([content])
    file.close()


# -- pauses ----------------------------------------------------------------------------------------


def test_work_without_a_pause_leaves_the_loop_time_and_ends_with_the_broker(
    broker: MemoryBroker,
) -> None:
    rounds: list[int] = []

    async def work() -> None:
        rounds.append(broker.clock.now_ms())
        assert len(rounds) < 100, "nothing else gets the loop"

    repeated = broker.loop.create_task(broker.housekeeping._every(0, work))
    broker.loop.advance(HOUSEKEEPING_PAUSE_MS_MIN - 1)
    assert rounds == []
    for count in (1, 2):
        broker.loop.advance(HOUSEKEEPING_PAUSE_MS_MIN)
        assert len(rounds) == count
    broker.stop()
    assert repeated.done()


def test_partitions_are_opened_again_after_a_failure_nobody_foresaw(
    broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(limit: int) -> bool:
        raise RuntimeError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr(broker.broker.replicas, "open_some", fail)
        with pytest.raises(AssertionError, match="_open_some"):
            broker.in_loop(broker.housekeeping._open_soon)
    broker.create_topic("orders", 3)
    assert len(broker.broker.replicas) == 3
