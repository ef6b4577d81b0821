"""Retention in a running broker: rounds, the disk afterwards, checkpoints, deleted topics."""

from __future__ import annotations

import errno

import pytest

from ottla.base.errors import ErrorCode
from ottla.base.ids import TopicPartition
from ottla.log.checkpoints import LOG_START_OFFSETS, decode_offsets
from ottla.wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicState
from ottla.wire.messages.fetch import FetchResponse
from ottla.wire.messages.list_offsets import ListOffsetsResponse
from ottla.wire.messages.produce import ProduceResponse
from tests.support.data_requests import (
    BY_NAME,
    fetch,
    fetched,
    listed,
    offset_at,
    partition_at,
    produce,
)
from tests.support.held_threads import HeldThreads
from tests.support.memory_broker import MemoryBroker
from tests.support.memory_client import Client
from tests.support.records import batch_of, values_of

SECOND, MINUTE, DAY = 1000, 60_000, 86_400_000
FIRST_ROUND = 31 * SECOND
EARLIEST = -2


def fill(client: Client, broker: MemoryBroker, topic: str, ages: list[int]) -> None:
    """A segment for each age of a record, and an empty one behind them."""
    partition = broker.partition(topic)
    for age in ages:
        now_ms = broker.clock.now_ms()
        batch = batch_of(b"%d" % age, timestamp=now_ms - age)
        client.ask(produce((topic, 0, batch)), ProduceResponse, version=BY_NAME)
        partition.log.roll(now_ms)


def files(broker: MemoryBroker, topic: str, suffix: str) -> list[str]:
    names = broker.disk.list_dir(broker.folder(topic))
    return [name for name in names if name.endswith(suffix)]


def checkpoint(broker: MemoryBroker) -> dict[TopicPartition, int]:
    return decode_offsets(broker.disk.read_file(f"{broker.path}/{LOG_START_OFFSETS}"))


def test_a_round_lets_old_segments_go_and_unlinks_them_after_the_delay(
    broker: MemoryBroker, client: Client
) -> None:
    broker.create_topic("logs", retention_ms=str(DAY), file_delete_delay_ms=str(5 * MINUTE))
    fill(client, broker, "logs", [3 * DAY, 2 * DAY, MINUTE])
    broker.loop.advance(FIRST_ROUND)
    assert broker.partition("logs").log.log_start_offset == 2
    assert len(files(broker, "logs", ".log")) == 2
    assert len(files(broker, "logs", ".log.deleted")) == 2
    answer = client.ask(offset_at(("logs", 0, EARLIEST)), ListOffsetsResponse)
    assert listed(answer)[0].offset == 2
    response = client.ask(fetch(("logs", partition_at(0, 0))), FetchResponse, version=BY_NAME)
    assert fetched(response)[0].error_code == ErrorCode.OFFSET_OUT_OF_RANGE
    response = client.ask(fetch(("logs", partition_at(0, 2))), FetchResponse, version=BY_NAME)
    assert values_of(fetched(response)[0].records) == [b"%d" % MINUTE]
    broker.loop.advance(5 * MINUTE)
    broker.loop.advance(2 * SECOND)
    assert files(broker, "logs", ".deleted") == []


def test_the_log_start_is_written_down_soon_and_holds_after_a_kill(
    broker: MemoryBroker, client: Client
) -> None:
    broker.create_topic("logs", retention_ms=str(DAY))
    fill(client, broker, "logs", [3 * DAY, MINUTE])
    broker.loop.advance(FIRST_ROUND)
    broker.loop.advance(2 * SECOND)
    assert checkpoint(broker)[TopicPartition("logs", 0)] == 1
    broker.stop_uncleanly()
    broker.start()
    log = broker.partition("logs").log
    assert (log.log_start_offset, log.log_end_offset) == (1, 2)
    assert files(broker, "logs", ".deleted") == []


def test_rounds_come_in_their_interval(broker: MemoryBroker, client: Client) -> None:
    broker.create_topic("logs", retention_ms=str(2 * MINUTE))
    fill(client, broker, "logs", [0])
    broker.loop.advance(FIRST_ROUND)
    assert broker.partition("logs").log.log_start_offset == 0
    broker.loop.advance(4 * MINUTE)
    assert broker.partition("logs").log.log_start_offset == 0, "its age is no round by itself"
    broker.loop.advance(MINUTE)
    assert broker.partition("logs").log.log_start_offset == 1


def test_one_partition_that_fails_does_not_stop_the_others(
    broker: MemoryBroker, client: Client
) -> None:
    for topic in ("bad", "good"):
        broker.create_topic(topic, retention_ms=str(DAY))
        fill(client, broker, topic, [3 * DAY, MINUTE])
    broker.disk.fail("rename", f"bad-0/{0:020d}.log", errno.EIO)
    broker.loop.advance(FIRST_ROUND)
    broker.disk.heal()
    assert broker.partition("good").log.log_start_offset == 1
    assert broker.partition("bad").log.log_start_offset == 0
    response = client.ask(fetch(("bad", partition_at(0, 0))), FetchResponse, version=BY_NAME)
    assert values_of(fetched(response)[0].records) == [b"%d" % (3 * DAY)]
    broker.loop.advance(5 * MINUTE)
    assert broker.partition("bad").log.log_start_offset == 1


def test_the_next_segment_goes_only_when_the_folder_was_synced(
    broker: MemoryBroker, client: Client
) -> None:
    broker.create_topic("logs", retention_ms=str(DAY))
    fill(client, broker, "logs", [3 * DAY, 2 * DAY])
    log = broker.partition("logs").log
    threads = HeldThreads(broker.loop)
    round_ = broker.loop.create_task(broker.housekeeping.retain())
    broker.loop.settle()
    assert log.log_start_offset == 1
    threads.run()
    assert log.log_start_offset == 2
    threads.let_go()
    broker.loop.settle()
    assert round_.done()


def test_a_topic_that_is_deleted_during_a_round_ends_it_in_peace(
    broker: MemoryBroker, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    broker.create_topic("logs", retention_ms=str(DAY))
    fill(client, broker, "logs", [3 * DAY, 2 * DAY, MINUTE])
    threads = HeldThreads(broker.loop)
    round_ = broker.loop.create_task(broker.housekeeping.retain())
    broker.loop.settle()
    assert threads.waiting
    deletion = broker.loop.create_task(_delete(broker, "logs"))
    while not deletion.done():
        threads.run()
    threads.let_go()
    broker.loop.settle()
    assert round_.done()
    broker.loop.advance(2 * MINUTE)
    assert broker.folders() == []
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def _delete(broker: MemoryBroker, topic: str) -> None:
    request = DeleteTopicsRequest(
        topics=[DeleteTopicState(name=topic, topic_id=bytes(16))], timeout_ms=1000
    )
    await broker.broker.metadata.delete_topics(request, version=6)


def test_folders_of_deleted_topics_go_in_a_thread(broker: MemoryBroker, client: Client) -> None:
    broker.create_topic("logs", file_delete_delay_ms="5000")
    fill(client, broker, "logs", [0])
    broker.delete_topic("logs")
    (folder,) = broker.folders()
    assert folder.endswith("-delete")
    broker.loop.finish(broker.disk_watch.stop())
    threads = HeldThreads(broker.loop)
    broker.loop.advance(6 * SECOND)
    assert threads.waiting == 1
    assert broker.folders() == [folder]
    threads.let_go()
    assert broker.folders() == []


def test_a_folder_that_cannot_be_removed_is_tried_again(
    broker: MemoryBroker, client: Client
) -> None:
    broker.create_topic("logs", file_delete_delay_ms="1000")
    fill(client, broker, "logs", [0])
    broker.disk.fail("unlink", "-delete/", errno.EBUSY)
    broker.delete_topic("logs")
    broker.loop.advance(5 * SECOND)
    assert len(broker.folders()) == 1
    broker.disk.heal()
    broker.loop.advance(2 * MINUTE)
    assert broker.folders() == []


def test_nothing_happens_after_a_stop(broker: MemoryBroker, client: Client) -> None:
    broker.create_topic("logs", retention_ms=str(DAY))
    fill(client, broker, "logs", [3 * DAY, MINUTE])
    broker.stop()
    broker.loop.advance(10 * MINUTE)
    assert len(files(broker, "logs", ".log")) == 3
