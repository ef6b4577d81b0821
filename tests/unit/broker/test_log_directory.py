"""Whose a data directory is, how it was left, and what is refused."""

from __future__ import annotations

import errno

import pytest

from ottla.base.errors import UserError
from ottla.base.ids import Offset, TopicPartition
from ottla.broker.log_directory import LogDirectory
from ottla.log.checkpoints import (
    CLEAN_SHUTDOWN,
    LOG_START_OFFSETS,
    META_PROPERTIES,
    RECOVERY_POINTS,
    decode_meta_properties,
)
from ottla.testing.memory_disk import MemoryDisk
from tests.support.cluster import SeededRng

PATH = "/data"
CLUSTER = "MkU3OEVBNTcwNTJENDM2Qg"
ORDERS = TopicPartition("orders", 0)


@pytest.fixture
def disk() -> MemoryDisk:
    return MemoryDisk()


def open_directory(
    disk: MemoryDisk, *, node_id: int = 1, cluster_id: str | None = None
) -> LogDirectory:
    return LogDirectory.open(PATH, disk, SeededRng(), node_id=node_id, cluster_id=cluster_id)


def put(disk: MemoryDisk, name: str, content: bytes) -> None:
    disk.make_dir(PATH)
    file = disk.open(f"{PATH}/{name}", create=True)
    file.truncate(0)
    file.append([content])
    file.close()


def test_a_new_directory_gets_a_cluster_and_an_id_of_its_own(disk: MemoryDisk) -> None:
    directory = open_directory(disk)
    meta = decode_meta_properties(disk.read_file(f"{PATH}/{META_PROPERTIES}"))
    assert meta == directory.meta
    assert (meta.node_id, len(meta.cluster_id), len(meta.directory_id)) == (1, 22, 16)
    assert not directory.was_clean


def test_a_new_directory_takes_the_cluster_id_that_is_given(disk: MemoryDisk) -> None:
    assert open_directory(disk, cluster_id=CLUSTER).meta.cluster_id == CLUSTER


def test_a_directory_keeps_its_ids(disk: MemoryDisk) -> None:
    first = open_directory(disk)
    assert open_directory(disk).meta == first.meta
    assert open_directory(disk, cluster_id=first.meta.cluster_id).meta == first.meta


def test_a_new_directory_is_known_again_after_a_power_loss(disk: MemoryDisk) -> None:
    disk.make_dir("/")
    first = open_directory(disk)
    disk.crash()
    assert open_directory(disk).meta == first.meta


def test_a_first_start_that_was_killed_does_not_spoil_the_directory(disk: MemoryDisk) -> None:
    put(disk, f"{META_PROPERTIES}.tmp", b"node.id=1\ndirec")
    assert open_directory(disk).meta.node_id == 1


def test_the_directory_of_another_node_is_refused_with_what_to_do(disk: MemoryDisk) -> None:
    open_directory(disk, node_id=3)
    with pytest.raises(UserError, match=r"node 3.*--set node\.id=3"):
        open_directory(disk, node_id=1)


def test_the_directory_of_another_cluster_is_refused(disk: MemoryDisk) -> None:
    own = open_directory(disk).meta.cluster_id
    with pytest.raises(UserError, match=f"{own}.*{CLUSTER}"):
        open_directory(disk, cluster_id=CLUSTER)


def test_a_directory_that_holds_something_else_is_refused_untouched(disk: MemoryDisk) -> None:
    put(disk, "thesis.tex", b"...")
    with pytest.raises(UserError, match=r"thesis\.tex.*--data-dir"):
        open_directory(disk)
    assert disk.list_dir(PATH) == ["thesis.tex"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"version=1\nnode.id=1\n",
        b"version=0\nnode.id=1\ncluster.id=x\ndirectory.id=y\n",
        b"version=1\nnode.id=one\ncluster.id=x\ndirectory.id=y\n",
        b"\xff\xfe\x00",
    ],
)
def test_a_description_that_cannot_be_read_is_refused_by_name(
    disk: MemoryDisk, content: bytes
) -> None:
    put(disk, META_PROPERTIES, content)
    with pytest.raises(UserError, match=f"{PATH}/{META_PROPERTIES}"):
        open_directory(disk)


@pytest.mark.parametrize("error", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_a_directory_that_cannot_be_written_is_refused_with_what_to_do(
    disk: MemoryDisk, error: int
) -> None:
    disk.fail_at(1, error)
    with pytest.raises(UserError, match=f"cannot use the data directory {PATH}"):
        open_directory(disk)


def test_the_mark_of_an_orderly_stop_is_for_one_start(disk: MemoryDisk) -> None:
    open_directory(disk).mark_clean(17)
    again = open_directory(disk)
    assert (again.was_clean, again.previous_epoch) == (True, 17)
    again.mark_started()
    assert again.was_clean, "until its logs are open"
    later = open_directory(disk)
    assert (later.was_clean, later.previous_epoch) == (False, -1)


def test_the_mark_survives_a_power_loss_and_so_does_its_removal(disk: MemoryDisk) -> None:
    disk.make_dir("/")
    directory = open_directory(disk)
    directory.mark_clean(17)
    disk.crash()
    again = open_directory(disk)
    assert again.was_clean
    again.mark_started()
    disk.crash()
    assert not open_directory(disk).was_clean


def test_a_mark_that_says_nothing_is_still_a_mark(disk: MemoryDisk) -> None:
    open_directory(disk)
    put(disk, CLEAN_SHUTDOWN, b"")
    again = open_directory(disk)
    assert (again.was_clean, again.previous_epoch) == (True, -1)


def test_offsets_are_read_back(disk: MemoryDisk) -> None:
    directory = open_directory(disk)
    directory.write_recovery_points({ORDERS: Offset(7)})
    directory.write_log_start_offsets({ORDERS: Offset(3)})
    again = open_directory(disk)
    assert again.recovery_points == {ORDERS: 7}
    assert again.log_start_offsets == {ORDERS: 3}


@pytest.mark.parametrize("content", [b"", b"0\n2\norders 0 7\n", b"0\n1\norders 0 12", b"junk\n"])
def test_a_broken_checkpoint_is_passed_over_with_a_warning(
    disk: MemoryDisk, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    open_directory(disk)
    for name in (RECOVERY_POINTS, LOG_START_OFFSETS):
        put(disk, name, content)
    again = open_directory(disk)
    assert (again.recovery_points, again.log_start_offsets) == ({}, {})
    assert "broken checkpoint" in caplog.text


def test_partitions_have_folders_of_their_names(disk: MemoryDisk) -> None:
    assert open_directory(disk).partition_path("my.topic-x", 12) == f"{PATH}/my.topic-x-12"
