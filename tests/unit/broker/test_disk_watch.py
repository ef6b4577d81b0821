"""A disk that becomes full, and has room again: who is refused, who goes on."""

from __future__ import annotations

import errno
import gc
from pathlib import Path

import pytest

from ottla.base.errors import ErrorCode
from ottla.base.limits import MIB
from ottla.broker.disk_watch import HEADROOM_BYTES_MAX, PROBE_FILE, probe
from ottla.log.checkpoints import CLEAN_SHUTDOWN
from ottla.testing.memory_disk import MemoryDisk, MemoryFile
from ottla.wire.messages.create_partitions import (
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    CreatePartitionsTopic,
)
from ottla.wire.messages.create_topics import CreateTopicsRequest, CreateTopicsResponse
from ottla.wire.messages.delete_records import (
    DeleteRecordsPartition,
    DeleteRecordsRequest,
    DeleteRecordsResponse,
    DeleteRecordsTopic,
)
from ottla.wire.messages.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from ottla.wire.messages.metadata import MetadataRequest, MetadataRequestTopic, MetadataResponse
from tests.support.cluster import wanted
from tests.support.memory_broker import MemoryBroker
from tests.support.memory_client import Client
from tests.unit.broker.conftest import Connect, StartBroker
from tests.unit.broker.test_log_directories import OK, REFUSED, place_of, read, write

HEADROOM = 4 * MIB
CAPACITY = 16 * MIB
VALUE = b"x" * 500_000


@pytest.fixture
def broker(start_broker: StartBroker) -> MemoryBroker:
    """On a disk of 16 MiB, of which 4 stay free."""
    broker = start_broker(ottla_disk_headroom_bytes=str(HEADROOM))
    broker.disk.capacity_bytes = CAPACITY
    broker.create_topic("orders", retention_bytes="1000000", segment_bytes=str(MIB))
    broker.create_topic("other", file_delete_delay_ms="0")
    return broker


def fill(broker: MemoryBroker, client: Client, topic: str = "orders") -> int:
    """Write until the broker refuses; how many records it has acknowledged."""
    for count in range(100):
        if write(client, topic, VALUE) != OK:
            return count
        broker.loop.advance(200)
    raise AssertionError("the disk never became full")


def test_below_the_headroom_records_are_refused_and_everything_else_goes_on(
    broker: MemoryBroker, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    assert write(client, "other", b"kept") == OK
    count = fill(broker, client)
    free = broker.disk.free_bytes(broker.path)
    assert HEADROOM - 2 * len(VALUE) < free < HEADROOM
    assert write(client, "other", b"refused") == REFUSED
    assert read(client, "other") == (OK, [b"kept"])
    assert broker.partition("orders").log.log_end_offset == count
    gone = DeleteRecordsPartition(partition_index=0, offset=1)
    request = DeleteRecordsRequest(
        topics=[DeleteRecordsTopic(name="other", partitions=[gone])], timeout_ms=1000
    )
    answer = client.ask(request, DeleteRecordsResponse).topics[0].partitions[0]
    assert (answer.error_code, answer.low_watermark) == (OK, 1)
    assert caplog.text.count("a disk is full") == 1


def test_a_deleted_topic_makes_room_and_service_resumes_by_itself(
    broker: MemoryBroker, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    fill(broker, client, "other")
    assert write(client, "orders", b"a") == REFUSED
    broker.delete_topic("other")
    broker.loop.advance(5000)
    assert write(client, "orders", b"a") == OK
    assert "a disk has room again" in caplog.text


def test_retention_makes_room(broker: MemoryBroker, client: Client) -> None:
    fill(broker, client)
    broker.loop.finish(broker.housekeeping.retain())
    broker.loop.advance(70_000)
    assert write(client, "orders", b"a") == OK


def test_a_little_more_room_than_the_headroom_is_wanted_before_it_goes_on(
    broker: MemoryBroker, client: Client
) -> None:
    fill(broker, client)
    broker.disk.capacity_bytes += HEADROOM - broker.disk.free_bytes(broker.path) + 1000
    broker.loop.advance(5000)
    assert write(client, "orders", b"a") == REFUSED
    broker.disk.capacity_bytes += HEADROOM // 4
    broker.loop.advance(5000)
    assert write(client, "orders", b"a") == OK


def test_no_topic_or_partition_is_made_on_a_full_disk(broker: MemoryBroker, client: Client) -> None:
    fill(broker, client)
    created = client.ask(CreateTopicsRequest(topics=[wanted("new", 1, 1)]), CreateTopicsResponse)
    assert created.topics[0].error_code == REFUSED
    assert "full" in (created.topics[0].error_message or "")
    more = CreatePartitionsTopic(name="orders", count=2, assignments=None)
    grown = client.ask(
        CreatePartitionsRequest(topics=[more], timeout_ms=1000, validate_only=False),
        CreatePartitionsResponse,
    )
    assert grown.results[0].error_code == REFUSED
    auto = MetadataRequest(
        topics=[MetadataRequestTopic(name="auto")], allow_auto_topic_creation=True
    )
    told = client.ask(auto, MetadataResponse)
    assert told.topics[0].error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


def test_no_topic_of_coordinators_is_made_on_a_full_disk(
    broker: MemoryBroker, client: Client
) -> None:
    fill(broker, client, "other")
    request = FindCoordinatorRequest(coordinator_keys=["g"])
    refused = client.ask(request, FindCoordinatorResponse).coordinators[0]
    assert refused.error_code == ErrorCode.COORDINATOR_NOT_AVAILABLE
    broker.delete_topic("other")
    broker.loop.advance(5000)
    found = client.ask(request, FindCoordinatorResponse).coordinators[0]
    assert found.error_code == OK


@pytest.mark.parametrize("refused", ["make_dir", "open", "append"])
def test_a_partition_that_found_no_room_is_made_when_there_is_some(
    broker: MemoryBroker, client: Client, refused: str
) -> None:
    """The topic was made before anybody saw that the disk is full."""
    broker.disk.fail(refused, "new-0", errno.ENOSPC)
    broker.create_topic("new")
    broker.loop.advance(5000)
    assert write(client, "new", b"a") == REFUSED
    broker.heal_disk()
    broker.loop.advance(5000)
    assert write(client, "new", b"a") == OK
    assert read(client, "new") == (OK, [b"a"])
    broker.stop()
    assert broker.disk.exists(f"{broker.path}/{CLEAN_SHUTDOWN}")


def test_a_refusal_for_want_of_space_counts_before_anybody_looks(
    broker: MemoryBroker, client: Client
) -> None:
    broker.disk.fail("append", "orders-0/", errno.ENOSPC)
    assert write(client, "orders", b"a") == REFUSED
    assert broker.directory.is_full
    assert write(client, "other", b"a") == REFUSED
    broker.heal_disk()
    assert write(client, "other", b"a") == OK


@pytest.mark.parametrize("refused", ["append", "sync"])
def test_what_a_disk_has_refused_holds_no_file_of_a_log_that_is_deleted(
    broker: MemoryBroker, client: Client, refused: str
) -> None:
    """It would keep its room until Python looks for cycles, which it does but seldom."""
    broker.create_topic("gone", flush_messages="1")
    gc.collect()
    gc.disable()
    try:
        broker.disk.fail(refused, "gone-0/", errno.ENOSPC)
        assert write(client, "gone", b"a") == REFUSED
        assert write(client, "gone", b"a") == REFUSED
        broker.heal_disk()
        broker.delete_topic("gone")
        files = [each for each in gc.get_objects() if isinstance(each, MemoryFile)]
        assert not [file.path for file in files if "gone-0" in file.path]
    finally:
        gc.enable()


def test_a_full_disk_does_not_stop_another(
    start_broker: StartBroker, connect: Connect, tmp_path: Path
) -> None:
    broker = start_broker(log_dirs=f"{tmp_path}/one,{tmp_path}/two")
    broker.create_topic("orders", 2)
    client = connect(broker)
    broker.disk.fail("append", "one/orders-0", errno.ENOSPC)
    assert [write(client, "orders", b"a", index) for index in (0, 1)] == [REFUSED, OK]
    broker.directories.online[0].is_full = True
    broker.create_topic("new", 2)
    assert {place_of(broker, "new", index) for index in (0, 1)} == {"two"}


@pytest.mark.parametrize(
    ("total", "headroom"), [(100 * MIB, 5 * MIB), (1 << 40, HEADROOM_BYTES_MAX)]
)
def test_by_default_a_twentieth_stays_free_or_less_of_a_large_disk(
    start_broker: StartBroker, total: int, headroom: int
) -> None:
    assert start_broker().disk_watch.headroom_of(total) == headroom


def test_a_probe_leaves_nothing_and_tells_of_each_failure() -> None:
    disk = MemoryDisk()
    disk.make_dir("/data")
    probe(disk, "/data")
    assert not disk.exists(f"/data/{PROBE_FILE}")
    for operation in ("list_dir", "open", "append", "sync", "rename", "sync_dir", "read_file"):
        disk.fail_at(1, errno.EIO, operation=operation)
        with pytest.raises(OSError, match="Input/output"):
            probe(disk, "/data")


def test_too_many_open_files_do_not_condemn_a_directory(
    broker: MemoryBroker, client: Client
) -> None:
    broker.disk.fail("open", "", errno.EMFILE)
    broker.directory.suspect(OSError(errno.EIO, "once"))
    broker.loop.advance(2000)
    assert broker.directory.failure is None
    assert broker.lost == []
