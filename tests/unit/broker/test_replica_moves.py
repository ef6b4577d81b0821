"""Replicas that move between data directories: nothing is lost, and nobody has to wait."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import pytest

from ottla.base.errors import ErrorCode
from ottla.broker.replica_folders import FUTURE_SUFFIX
from ottla.wire.messages.alter_replica_log_dirs import (
    AlterReplicaLogDir,
    AlterReplicaLogDirsRequest,
    AlterReplicaLogDirsResponse,
    AlterReplicaLogDirTopic,
)
from ottla.wire.messages.delete_records import (
    DeleteRecordsPartition,
    DeleteRecordsRequest,
    DeleteRecordsResponse,
    DeleteRecordsTopic,
)
from ottla.wire.messages.describe_log_dirs import (
    DescribableLogDirTopic,
    DescribeLogDirsRequest,
    DescribeLogDirsResponse,
)
from ottla.wire.messages.fetch import FetchResponse
from tests.support.cluster import SeededRng
from tests.support.data_requests import BY_NAME, fetch, fetched, partition_at
from tests.support.held_threads import HeldThreads
from tests.support.memory_broker import MemoryBroker
from tests.support.memory_client import Client
from tests.support.records import offsets_of, values_of
from tests.support.watched_disk import WatchedDisk
from tests.unit.broker.conftest import Connect, StartBroker
from tests.unit.broker.test_log_directories import OK, REFUSED, lose, other, place_of, read, write

SEGMENT_BYTES = 1 << 20
VALUE = b"v" * 300_000


@pytest.fixture
def two(start_broker: StartBroker, tmp_path: Path) -> MemoryBroker:
    """A broker with two directories, and `orders`, of several segments, in the first."""
    broker = start_broker(log_dirs=f"{tmp_path}/one,{tmp_path}/two")
    broker.create_topic("orders", segment_bytes=str(SEGMENT_BYTES), file_delete_delay_ms="0")
    return broker


@pytest.fixture
def client(two: MemoryBroker, connect: Connect) -> Client:
    return connect(two)


@pytest.fixture
def threads(two: MemoryBroker, client: Client) -> Iterator[HeldThreads]:
    """Ten records are written, and what threads copy waits for the test."""
    fill(client, 10)
    two.loop.finish(two.disk_watch.stop())
    held = HeldThreads(two.loop)
    yield held
    two.disk.heal()
    held.let_go()


def fill(client: Client, count: int) -> None:
    for number in range(count):
        assert write(client, "orders", b"%d" % number + VALUE) == OK


def values(client: Client) -> list[bytes]:
    """The first bytes of all records, over as many fetches as it takes."""
    return [value[:1] for value in all_of(client) if value is not None]


def all_of(client: Client) -> list[bytes | None]:
    found: list[bytes | None] = []
    offset = 0
    while True:
        request = fetch(("orders", partition_at(0, offset)))
        (answer,) = fetched(client.ask(request, FetchResponse, version=BY_NAME))
        assert answer.error_code == OK
        some = values_of(answer.records)
        if not some:
            return found
        found += some
        offset = offsets_of(answer.records)[-1] + 1


def move(client: Client, path: str, topic: str = "orders") -> int:
    wish = AlterReplicaLogDir(
        path=path, topics=[AlterReplicaLogDirTopic(name=topic, partitions=[0])]
    )
    answer = client.ask(AlterReplicaLogDirsRequest(dirs=[wish]), AlterReplicaLogDirsResponse)
    return answer.results[0].partitions[0].error_code


def described(client: Client) -> list[tuple[str, str, bool]]:
    """(directory, topic, is a copy) of every replica."""
    answer = client.ask(DescribeLogDirsRequest(), DescribeLogDirsResponse)
    return [
        (found.log_dir.rpartition("/")[2], topic.name, partition.is_future_key)
        for found in answer.results
        for topic in found.topics
        for partition in topic.partitions
    ]


def folders(broker: MemoryBroker, path: str) -> list[str]:
    return [name for name in broker.disk.list_dir(path) if name.startswith("orders-0")]


# -- a move ----------------------------------------------------------------------------------------


def test_a_moved_replica_has_all_its_records_and_goes_on(two: MemoryBroker, client: Client) -> None:
    fill(client, 10)
    before = two.partition("orders").log
    assert move(client, other(two)) == OK
    two.loop.advance(2000)
    assert place_of(two, "orders") == "two"
    assert two.partition("orders").log is not before
    assert values(client) == [b"%d" % number for number in range(10)]
    assert write(client, "orders", b"x") == OK
    assert values(client)[-1] == b"x"
    assert folders(two, two.path) == []
    assert folders(two, other(two)) == ["orders-0"]
    assert described(client) == [("two", "orders", False)]
    image = two.broker.metadata.image.topics_by_name["orders"]
    assert image.partitions[0].directory_of(1) == two.directories.online[1].id


def test_producing_goes_on_during_a_move(
    two: MemoryBroker, client: Client, threads: HeldThreads
) -> None:
    assert move(client, other(two)) == OK
    two.loop.settle()
    written = 0
    while place_of(two, "orders") == "one":
        assert write(client, "orders", b"%d" % (written % 10) + b"n" * 20_000) == OK
        written += 1
        threads.run()
    assert written > 3
    threads.let_go()
    found = values(client)
    assert found == [b"%d" % number for number in range(10)] + [
        b"%d" % (number % 10) for number in range(written)
    ]


def test_a_copy_is_described_with_what_it_lacks(
    two: MemoryBroker, client: Client, threads: HeldThreads
) -> None:
    move(client, other(two))
    two.loop.settle()
    assert described_copy(two) == (0, 10)
    for _ in range(3):
        threads.run()
    size, lag = described_copy(two)
    assert size >= SEGMENT_BYTES * 3 // 4
    assert 0 < lag < 10


def described_copy(broker: MemoryBroker) -> tuple[int, int]:
    (moving,) = broker.broker.moves
    return moving.size_bytes, moving.lag


def test_a_deleted_log_start_stays_deleted_after_a_move_and_a_kill(
    two: MemoryBroker, client: Client, connect: Connect
) -> None:
    fill(client, 10)
    gone = DeleteRecordsPartition(partition_index=0, offset=5)
    topic = DeleteRecordsTopic(name="orders", partitions=[gone])
    client.ask(DeleteRecordsRequest(topics=[topic], timeout_ms=1000), DeleteRecordsResponse)
    move(client, other(two))
    two.loop.settle()
    assert place_of(two, "orders") == "two"
    two.stop_uncleanly()
    two.start()
    assert two.partition("orders").log.log_start_offset == 5
    assert two.partition("orders").log.log_end_offset == 10


def test_the_rate_is_bounded(start_broker: StartBroker, connect: Connect, tmp_path: Path) -> None:
    broker = start_broker(
        log_dirs=f"{tmp_path}/one,{tmp_path}/two",
        replica_alter_log_dirs_io_max_bytes_per_second=str(SEGMENT_BYTES // 2),
    )
    broker.create_topic("orders", segment_bytes=str(SEGMENT_BYTES))
    client = connect(broker)
    fill(client, 10)
    move(client, other(broker))
    broker.loop.settle()
    (moving,) = broker.broker.moves
    for _ in range(3):
        broker.loop.advance(500)
    assert moving.copied_bytes <= SEGMENT_BYTES // 2 * 2.5
    for _ in range(20):
        broker.loop.advance(1000)
    assert place_of(broker, "orders") == "two"


def test_retention_during_a_move_takes_from_the_copy_too(
    two: MemoryBroker, client: Client, threads: HeldThreads
) -> None:
    move(client, other(two))
    two.loop.settle()
    for _ in range(4):
        threads.run()
    log = two.partition("orders").log
    log.advance_log_start(5)
    assert log.release_oldest(10, two.clock.now_ms()) is not None
    threads.let_go()
    assert place_of(two, "orders") == "two"
    moved = two.partition("orders").log
    assert moved.log_start_offset == 5
    assert moved.segments[0].base_offset == log.segments[0].base_offset > 0


# -- moves that end otherwise ----------------------------------------------------------------------


def test_a_move_back_ends_it(two: MemoryBroker, client: Client, threads: HeldThreads) -> None:
    move(client, other(two))
    two.loop.settle()
    threads.run()
    assert move(client, two.path) == OK
    assert list(two.broker.moves) == []
    threads.let_go()
    two.loop.advance(2000)
    assert place_of(two, "orders") == "one"
    assert folders(two, other(two)) == []
    assert two.directories.online[1].replica_count == 0


def test_deleting_the_topic_ends_its_move(
    two: MemoryBroker, client: Client, threads: HeldThreads
) -> None:
    move(client, other(two))
    two.loop.settle()
    threads.run()
    two.loop.run_in_executor = threads._run_now  # type: ignore[method-assign]  # the topic's deletion syncs the metadata log
    two.delete_topic("orders")
    threads.let_go()
    two.loop.advance(2000)
    assert folders(two, two.path) == []
    assert folders(two, other(two)) == []
    assert [one.replica_count for one in two.directories.online] == [0, 0]


def test_a_target_that_fails_leaves_the_replica_where_it_was(
    two: MemoryBroker, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    fill(client, 10)
    lose(two, "two")
    assert move(client, other(two)) == REFUSED
    two.loop.advance(1000)
    assert write(client, "orders", b"x") == OK
    assert place_of(two, "orders") == "one"
    assert move(client, other(two)) == REFUSED
    answer = client.ask(DescribeLogDirsRequest(), DescribeLogDirsResponse)
    assert [(one.error_code, len(one.topics)) for one in answer.results] == [(OK, 1), (REFUSED, 0)]
    assert "its partitions are offline" in caplog.text


@pytest.mark.parametrize(
    "operation", ["open", "append", "read_at", "sync", "make_dir", "rename", "sync_dir", "list_dir"]
)
def test_a_move_that_fails_anywhere_loses_nothing(
    two: MemoryBroker, client: Client, connect: Connect, operation: str
) -> None:
    """The nth call fails, for every n until the move succeeds."""
    fill(client, 6)
    for nth in range(1, 200):
        two.disk.fail_at(nth, errno.EIO, operation=operation)
        target = other(two) if place_of(two, "orders") == "one" else two.path
        move(client, target)
        two.loop.settle()
        two.disk.fail_at(10**9, errno.EIO)
        assert values(client) == [b"%d" % number for number in range(6)]
        if place_of(two, "orders") == target.rpartition("/")[2]:
            break
        two.loop.advance(120_000)
    else:
        raise AssertionError("no move ever succeeded")
    two.stop_uncleanly()
    two.start()
    assert values(connect(two)) == [b"%d" % number for number in range(6)]


def test_a_crash_at_any_moment_of_a_move_leaves_all_that_was_acknowledged(
    two: MemoryBroker, connect: Connect
) -> None:
    """After each change of the disk the process is killed, or the power fails, in several ways."""
    two.create_topic("safe", flush_messages="1")
    client = connect(two)
    for number in range(4):
        assert write(client, "safe", b"%d" % number) == OK
    two.loop.advance(1000)
    assert place_of(two, "safe") == "two"
    moments = pictures_of(two.disk)
    assert move(client, two.path, "safe") == OK
    two.loop.advance(1000)
    assert place_of(two, "safe") == "one"
    del two.disk.__dict__["changed"]
    assert len(moments) > 20
    for number, moment in enumerate(moments):
        for loss in ("none", "all", 1, 2, 3):
            restart_on(two, moment, loss)
            found = read(connect(two), "safe")
            assert found == (OK, [b"0", b"1", b"2", b"3"]), f"moment {number}, loss {loss}"


def pictures_of(disk: WatchedDisk) -> list[WatchedDisk]:
    """A copy of the disk after each change from now on."""
    pictures: list[WatchedDisk] = []

    def picture(operation: str, path: str) -> None:
        del disk.__dict__["changed"]
        pictures.append(deepcopy(disk))
        disk.changed = picture  # type: ignore[method-assign]  # this disk alone

    disk.changed = picture  # type: ignore[method-assign]  # this disk alone
    return pictures


def restart_on(broker: MemoryBroker, picture: WatchedDisk, loss: str | int) -> None:
    """Kill the broker, and start it on what was on the disk at another time.

    Of what was not synced then none is lost, or all, or a part by this seed.
    """
    broker.stop_uncleanly()
    broker.disk = deepcopy(picture)
    if loss != "none":
        broker.disk.crash(SeededRng(loss) if isinstance(loss, int) else None)
    broker.start()


# -- wishes ----------------------------------------------------------------------------------------


def test_a_wish_for_a_replica_that_is_not_here_is_kept(two: MemoryBroker, client: Client) -> None:
    assert move(client, other(two), "new") == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    two.create_topic("between")
    two.create_topic("new")
    assert place_of(two, "new") == "two"


def test_a_directory_that_is_not_ours_is_refused(two: MemoryBroker, client: Client) -> None:
    assert move(client, "/elsewhere") == ErrorCode.LOG_DIR_NOT_FOUND
    assert place_of(two, "orders") == "one"


def test_a_topic_whose_name_leaves_no_room_for_a_suffix_cannot_move(
    two: MemoryBroker, client: Client
) -> None:
    name = "n" * 230
    two.create_topic(name)
    assert move(client, other(two), name) == ErrorCode.INVALID_TOPIC_EXCEPTION


def test_a_move_that_a_stop_interrupts_is_begun_anew(
    two: MemoryBroker, client: Client, connect: Connect
) -> None:
    fill(client, 10)
    two.disk.make_dir(f"{other(two)}/orders-0.{'a' * 32}{FUTURE_SUFFIX}")
    two.stop()
    two.start()
    two.loop.advance(2000)
    assert place_of(two, "orders") == "two"
    assert values(connect(two)) == [b"%d" % number for number in range(10)]
    assert folders(two, other(two)) == ["orders-0"]


# -- describing ------------------------------------------------------------------------------------


def test_only_the_partitions_asked_about_are_described(two: MemoryBroker, client: Client) -> None:
    two.create_topic("bills", 2)
    two.loop.settle()
    asked = DescribableLogDirTopic(topic="bills", partitions=[1])
    answer = client.ask(DescribeLogDirsRequest(topics=[asked]), DescribeLogDirsResponse)
    found = [[topic.name for topic in directory.topics] for directory in answer.results]
    assert sorted(map(len, found)) == [0, 1]


def test_the_size_of_replicas_and_the_room_of_disks_are_told(
    two: MemoryBroker, client: Client
) -> None:
    two.disk.capacity_bytes = 1 << 30
    fill(client, 2)
    first, _ = client.ask(DescribeLogDirsRequest(), DescribeLogDirsResponse).results
    assert first.topics[0].partitions[0].partition_size == two.partition("orders").log.size_bytes
    assert (first.total_bytes, first.usable_bytes) == (1 << 30, two.disk.free_bytes(two.path))
    assert not first.is_cordoned


def test_what_fails_after_the_copy_took_over_does_not_take_it_back(
    two: MemoryBroker, client: Client
) -> None:
    fill(client, 3)
    two.disk.fail("rename", "one/orders-0", errno.EACCES)
    move(client, other(two))
    two.loop.settle()
    two.disk.heal()
    assert place_of(two, "orders") == "two"
    assert values(client) == [b"0", b"1", b"2"]
    assert write(client, "orders", b"x") == OK
    two.stop_uncleanly()
    two.start()
    assert place_of(two, "orders") == "two"


def test_a_copy_waits_until_compacted_segments_have_their_names(
    two: MemoryBroker, client: Client
) -> None:
    fill(client, 5)
    two.loop.settle()
    swap = f"{two.folder('orders')}/{0:020d}.index.swap"
    two.disk.open(swap, create=True).close()
    move(client, other(two))
    two.loop.advance(1000)
    assert place_of(two, "orders") == "one"
    two.disk.unlink(swap)
    two.loop.advance(1000)
    two.loop.advance(1000)
    assert place_of(two, "orders") == "two"
    assert values(client) == [b"%d" % number for number in range(5)]
