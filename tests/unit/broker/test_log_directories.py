"""Several data directories: where replicas go, what a lost one takes with it, what stays."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from ottla.base.errors import ErrorCode, UserError
from ottla.base.ids import TopicPartition
from ottla.broker.disk_watch import LOOK_SECONDS_MAX
from ottla.broker.log_directories import LogDirectories
from ottla.log.checkpoints import CLEAN_SHUTDOWN, META_PROPERTIES, RECOVERY_POINTS, decode_offsets
from ottla.quorum.embedded import FOLDER
from ottla.settings.broker import BrokerSettings
from ottla.testing.memory_disk import MemoryDisk
from ottla.wire.messages.fetch import FetchResponse
from ottla.wire.messages.produce import ProduceResponse
from tests.support.cluster import SeededRng
from tests.support.data_requests import BY_NAME, fetch, fetched, partition_at, produce, produced
from tests.support.memory_broker import MemoryBroker
from tests.support.memory_client import Client
from tests.support.records import batch_of, values_of
from tests.unit.broker.conftest import Connect, StartBroker

OK, REFUSED = ErrorCode.NONE, ErrorCode.KAFKA_STORAGE_ERROR
LOG = "00000000000000000000.log"


@pytest.fixture
def two(start_broker: StartBroker, tmp_path: Path) -> MemoryBroker:
    """A broker with two directories, `one` and `two`."""
    return start_broker(log_dirs=f"{tmp_path}/one,{tmp_path}/two")


def name_of(path: str) -> str:
    return path.rpartition("/")[2]


def place_of(broker: MemoryBroker, topic: str, index: int = 0) -> str:
    return name_of(broker.partition(topic, index).directory.path)


def other(broker: MemoryBroker, name: str = "two") -> str:
    """The path of a directory, by its name."""
    return f"{broker.path.rpartition('/')[0]}/{name}"


def write(client: Client, topic: str, value: bytes, index: int = 0, acks: int = -1) -> int:
    request = produce((topic, index, batch_of(value)), acks=acks)
    return produced(client.ask(request, ProduceResponse, version=BY_NAME))[0].error_code


def read(client: Client, topic: str, index: int = 0) -> tuple[int, list[bytes | None]]:
    request = fetch((topic, partition_at(index, 0)))
    (answer,) = fetched(client.ask(request, FetchResponse, version=BY_NAME))
    return answer.error_code, values_of(answer.records)


def lose(broker: MemoryBroker, name: str) -> None:
    """From now on the disk of a directory refuses everything."""
    operations = (
        "open append read_at sync list_dir read_file exists rename make_dir sync_dir unlink"
    )
    for operation in operations.split():
        broker.disk.fail(operation, f"/{name}", errno.EIO)


# -- placing ---------------------------------------------------------------------------------------


def test_new_partitions_go_where_the_fewest_are(two: MemoryBroker) -> None:
    two.create_topic("orders", 5)
    two.loop.settle()
    places = [place_of(two, "orders", index) for index in range(5)]
    assert places == ["one", "two", "one", "two", "one"]
    two.delete_topic("orders")
    two.create_topic("bills", 1)
    assert place_of(two, "bills") == "one"


def test_a_directory_that_is_gone_does_not_come_back_empty_with_a_new_partition(
    two: MemoryBroker,
) -> None:
    two.disk.rename(other(two, "two"), other(two, "unmounted"))
    two.create_topic("orders", 2)
    two.loop.settle()
    assert not two.disk.exists(other(two, "two"))
    two.loop.advance(int(LOOK_SECONDS_MAX * 1000))
    assert [name_of(each.path) for each in two.directories.online] == ["one"]


def test_each_directory_has_its_own_id_mark_and_checkpoints(two: MemoryBroker) -> None:
    two.create_topic("orders", 2)
    two.loop.settle()
    two.stop()
    first, second = two.directories.online
    assert first.meta.cluster_id == second.meta.cluster_id
    assert first.id != second.id
    for index, directory in enumerate((first, second)):
        assert two.disk.exists(f"{directory.path}/{CLEAN_SHUTDOWN}")
        written = decode_offsets(two.disk.read_file(f"{directory.path}/{RECOVERY_POINTS}"))
        assert set(written) == {TopicPartition("orders", index)}


def test_replicas_stay_where_they_are_over_a_restart(two: MemoryBroker, connect: Connect) -> None:
    two.create_topic("orders", 4)
    client = connect(two)
    for index in range(4):
        assert write(client, "orders", b"%d" % index, index) == OK
    before = [place_of(two, "orders", index) for index in range(4)]
    two.stop()
    two.start()
    assert [place_of(two, "orders", index) for index in range(4)] == before
    again = connect(two)
    assert [read(again, "orders", index) for index in range(4)] == [
        (OK, [b"%d" % index]) for index in range(4)
    ]


def test_the_metadata_is_told_where_each_replica_lies(two: MemoryBroker) -> None:
    two.create_topic("orders", 2)
    two.loop.advance(1000)
    image = two.broker.metadata.image.topics_by_name["orders"]
    assert [partition.directory_of(1) for partition in image.partitions] == [
        directory.id for directory in two.directories.online
    ]
    assert two.broker.replicas.unrecorded == {}


# -- failing ---------------------------------------------------------------------------------------


def test_a_failed_directory_takes_only_its_own_partitions_offline(
    two: MemoryBroker, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    two.create_topic("orders", 2)
    client = connect(two)
    assert [write(client, "orders", b"a", index) for index in (0, 1)] == [OK, OK]
    lose(two, "two")
    assert write(client, "orders", b"lost", 1) == REFUSED
    two.loop.advance(1000)
    assert [write(client, "orders", b"b", index) for index in (0, 1)] == [OK, REFUSED]
    assert read(client, "orders", 0) == (OK, [b"a", b"b"])
    assert read(client, "orders", 1) == (REFUSED, [])
    assert "Repair or replace the disk" in caplog.text
    assert two.lost == []
    two.create_topic("new", 3)
    assert {place_of(two, "new", index) for index in range(3)} == {"one"}


def test_one_bad_file_on_a_disk_that_works_does_not_condemn_its_neighbours(
    two: MemoryBroker, connect: Connect
) -> None:
    two.create_topic("orders", 4)
    client = connect(two)
    for index in range(4):
        write(client, "orders", b"a", index)
    two.disk.fail("sync", "two/orders-1/", errno.EIO)
    two.loop.advance(61_000)
    answers = [write(client, "orders", b"b", index) for index in range(4)]
    assert answers == [OK, REFUSED, OK, OK]
    assert len(two.directories.online) == 2


@pytest.mark.parametrize("acks", [1, -1])
def test_a_failed_sync_is_final_whatever_later_syncs_say(
    start_broker: StartBroker, connect: Connect, acks: int
) -> None:
    broker = start_broker()
    broker.create_topic("safe", flush_messages="1")
    client = connect(broker)
    assert write(client, "safe", b"a", acks=acks) == OK
    broker.disk.fail_at(1, errno.EIO, operation="sync")
    assert write(client, "safe", b"b", acks=acks) == REFUSED
    assert write(client, "safe", b"c", acks=acks) == REFUSED
    broker.loop.advance(120_000)
    assert write(client, "safe", b"d", acks=acks) == REFUSED
    assert read(client, "safe") == (REFUSED, [])


def test_the_node_stops_where_the_metadata_logs_directory_fails(
    two: MemoryBroker, connect: Connect
) -> None:
    two.create_topic("orders")
    lose(two, "one")
    assert write(connect(two), "orders", b"a") == REFUSED
    two.loop.advance(1000)
    assert len(two.lost) == 1
    assert two.path in two.lost[0]


def test_the_node_stops_where_the_last_directory_fails(
    start_broker: StartBroker, connect: Connect, tmp_path: Path
) -> None:
    broker = start_broker(log_dirs=f"{tmp_path}/two", metadata_log_dir=f"{tmp_path}/one")
    broker.create_topic("orders")
    assert place_of(broker, "orders") == "two"
    lose(broker, "two")
    assert write(connect(broker), "orders", b"a") == REFUSED
    broker.loop.advance(1000)
    assert "the last data directory has failed" in broker.lost[0]


# -- starting with less ----------------------------------------------------------------------------


@pytest.mark.parametrize("is_recorded", [True, False])
def test_a_start_without_one_directory_serves_the_rest_and_makes_nothing_anew(
    two: MemoryBroker, connect: Connect, caplog: pytest.LogCaptureFixture, is_recorded: bool
) -> None:
    two.create_topic("orders", 2)
    client = connect(two)
    for index in (0, 1):
        write(client, "orders", b"a", index)
    if is_recorded:
        two.loop.advance(1000)
    two.stop()
    lose(two, "two")
    two.start()
    again = connect(two)
    assert write(again, "orders", b"b", 0) == OK
    assert write(again, "orders", b"b", 1) == REFUSED
    assert "Repair the disk and start again" in caplog.text
    two.create_topic("new", 2)
    assert {place_of(two, "new", index) for index in (0, 1)} == {"one"}
    two.stop()
    two.disk.heal()
    two.start()
    last = connect(two)
    assert read(last, "orders", 0) == (OK, [b"a", b"b"])
    assert read(last, "orders", 1) == (OK, [b"a"])


def test_a_topic_that_was_deleted_while_its_directory_was_away_leaves_a_stray(
    two: MemoryBroker, connect: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    two.create_topic("orders", 2)
    two.create_topic("bills", 2)
    write(connect(two), "bills", b"a", 1)
    two.loop.advance(1000)
    two.stop()
    lose(two, "two")
    two.start()
    two.delete_topic("orders")
    two.stop()
    two.disk.heal()
    two.disk.make_dir(other(two, "two/photos-2026"))
    two.start()
    folders = two.disk.list_dir(other(two, "two"))
    (stray,) = [name for name in folders if name.startswith("orders-")]
    assert stray.endswith("-stray")
    assert "may be removed" in caplog.text
    assert read(connect(two), "bills", 1) == (OK, [b"a"])
    assert {"bills-1", "photos-2026"} <= set(folders)
    assert two.disk.exists(f"{two.path}/{FOLDER}")
    two.stop()
    two.start()
    assert stray in two.disk.list_dir(other(two, "two"))


def test_a_partition_of_a_directory_that_is_not_named_any_more_is_not_begun_anew(
    two: MemoryBroker, connect: Connect
) -> None:
    two.create_topic("orders", 2)
    write(connect(two), "orders", b"a", 1)
    two.loop.advance(1000)
    two.stop()
    both = two.settings
    two.settings = BrokerSettings({"log.dirs": two.path})
    two.start()
    assert write(connect(two), "orders", b"b", 1) == REFUSED
    two.stop()
    two.settings = both
    two.start()
    assert read(connect(two), "orders", 1) == (OK, [b"a"])


def test_of_two_folders_of_one_partition_the_longer_is_used_and_the_other_kept(
    two: MemoryBroker, connect: Connect
) -> None:
    two.create_topic("orders", 1)
    client = connect(two)
    write(client, "orders", b"a")
    two.stop()
    copy_folder(two.disk, f"{two.path}/orders-0", f"{other(two)}/orders-0")
    two.start()
    write(connect(two), "orders", b"b")
    assert place_of(two, "orders") == "one"
    two.stop()
    copy_folder(two.disk, f"{two.path}/orders-0", f"{other(two)}/orders-0")
    longer = two.disk.open(f"{two.path}/orders-0/{LOG}")
    longer.truncate(longer.size // 2)
    two.disk.unlink(f"{two.path}/{CLEAN_SHUTDOWN}")
    two.start()
    assert place_of(two, "orders") == "two"
    assert read(connect(two), "orders") == (OK, [b"a", b"b"])
    kept = [name for name in two.disk.list_dir(two.path) if name.endswith("-stray")]
    assert len(kept) == 1


def copy_folder(disk: MemoryDisk, source: str, target: str) -> None:
    disk.make_dir(target)
    for name in disk.list_dir(source):
        file = disk.open(f"{target}/{name}", create=True)
        file.truncate(0)
        file.append([disk.read_file(f"{source}/{name}")])
        file.sync()


# -- what does not belong together -----------------------------------------------------------------


def opened(disk: MemoryDisk, dirs: str, **settings: str) -> LogDirectories:
    texts = {name.replace("_", "."): text for name, text in settings.items()}
    return LogDirectories.open(
        BrokerSettings({"log.dirs": dirs, **texts}), disk, SeededRng(), hold=lambda path: None
    )


def test_a_new_directory_beside_old_ones_takes_their_cluster() -> None:
    disk = MemoryDisk()
    first = opened(disk, "/a")
    assert opened(disk, "/a,/b").online[1].meta.cluster_id == first.cluster_id


def test_directories_in_another_order_keep_the_metadata_log() -> None:
    disk = MemoryDisk()
    opened(disk, "/a")
    with pytest.raises(UserError, match=r"metadata\.log\.dir"):
        opened(disk, "/b,/a")
    assert not disk.exists(f"/b/{META_PROPERTIES}")
    found = opened(disk, "/b,/a", metadata_log_dir="/a")
    assert (found.metadata.path, [one.path for one in found.online]) == ("/a", ["/b", "/a"])


def test_directories_of_two_clusters_are_refused() -> None:
    disk = MemoryDisk()
    opened(disk, "/a")
    LogDirectories.open(
        BrokerSettings({"log.dirs": "/b"}), disk, SeededRng(2), hold=lambda path: None
    )
    with pytest.raises(UserError, match="belongs to the cluster"):
        opened(disk, "/a,/b")


def test_a_copy_of_a_directory_is_refused() -> None:
    disk = MemoryDisk()
    opened(disk, "/a")
    copy_folder(disk, "/a", "/b")
    with pytest.raises(UserError, match=r"same directory\.id"):
        opened(disk, "/a,/b")


def test_a_directory_named_twice_is_refused() -> None:
    with pytest.raises(UserError, match="twice"):
        opened(MemoryDisk(), "/a,/b/../a")


def test_the_metadata_logs_directory_must_work() -> None:
    disk = MemoryDisk()
    opened(disk, "/a,/b")
    disk.fail_at(1, errno.EIO, operation="read_file")
    with pytest.raises(UserError, match="cannot use the data directory /a"):
        opened(disk, "/a,/b")


def test_the_folder_of_the_metadata_log_is_in_the_first_directory(two: MemoryBroker) -> None:
    assert two.disk.exists(f"{two.path}/{FOLDER}")
    assert not two.disk.exists(f"{other(two)}/{FOLDER}")
