"""The real disk and the one in memory keep the same contract."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ottla.base.world import Disk, replace_file
from ottla.testing.memory_disk import MemoryDisk
from ottla.transport.disk import LocalDisk


@pytest.fixture(params=["local", "memory"])
def disk(request: pytest.FixtureRequest) -> Disk:
    return LocalDisk() if request.param == "local" else MemoryDisk()


@pytest.fixture
def folder(disk: Disk, tmp_path: Path) -> str:
    path = f"{tmp_path}/data/topic-0"
    disk.make_dir(path)
    return path


def test_appends_follow_each_other_and_are_read_anywhere(disk: Disk, folder: str) -> None:
    file = disk.open(f"{folder}/log", create=True)
    assert (file.size, file.path) == (0, f"{folder}/log")
    file.append([b"one"])
    file.append([b"two", bytearray(b"three"), memoryview(b"four")])
    assert file.size == 15
    assert file.read_at(0, 100) == b"onetwothreefour"
    assert file.read_at(3, 3) == b"two"
    assert file.read_at(15, 10) == b""
    assert file.read_at(99, 10) == b""
    file.close()


def test_more_buffers_than_one_call_takes(disk: Disk, folder: str) -> None:
    file = disk.open(f"{folder}/log", create=True)
    buffers = [bytes([n % 251]) * (n % 7) for n in range(5000)]
    file.append(buffers)
    assert file.size == sum(map(len, buffers))
    assert file.read_at(0, file.size) == b"".join(buffers)
    file.close()


def test_nothing_is_a_fine_append(disk: Disk, folder: str) -> None:
    file = disk.open(f"{folder}/log", create=True)
    file.append([])
    file.append([b"", b""])
    assert file.size == 0
    file.close()


def test_a_second_handle_sees_what_the_first_wrote(disk: Disk, folder: str) -> None:
    first = disk.open(f"{folder}/log", create=True)
    first.append([b"content"])
    second = disk.open(f"{folder}/log")
    assert second.size == 7
    first.append([b" more"])
    assert second.read_at(0, 100) == b"content more"
    first.close()
    second.close()


def test_truncating_cuts_and_extends_with_zeros(disk: Disk, folder: str) -> None:
    file = disk.open(f"{folder}/log", create=True)
    file.append([b"content"])
    file.truncate(3)
    file.append([b"!"])
    assert file.read_at(0, 100) == b"con!"
    file.truncate(6)
    assert file.size == 6
    assert file.read_at(0, 100) == b"con!\0\0"
    file.close()


def test_syncing_works(disk: Disk, folder: str) -> None:
    file = disk.open(f"{folder}/log", create=True)
    file.append([b"content"])
    file.sync()
    disk.sync_dir(folder)
    file.close()


def test_names_come_change_and_go(disk: Disk, folder: str) -> None:
    for name in ("b", "a", "c"):
        disk.open(f"{folder}/{name}", create=True).append([name.encode()])
    assert disk.list_dir(folder) == ["a", "b", "c"]
    disk.rename(f"{folder}/c", f"{folder}/a")
    disk.unlink(f"{folder}/b")
    assert disk.list_dir(folder) == ["a"]
    assert disk.read_file(f"{folder}/a") == b"c"
    assert disk.exists(f"{folder}/a")
    assert not disk.exists(f"{folder}/b")


def test_folders_come_move_and_go(disk: Disk, folder: str) -> None:
    disk.make_dir(folder)
    parent = folder.rpartition("/")[0]
    assert disk.list_dir(parent) == ["topic-0"]
    disk.open(f"{folder}/log", create=True).append([b"x"])
    disk.rename(folder, f"{parent}/gone")
    assert disk.list_dir(parent) == ["gone"]
    assert not disk.exists(folder)
    with pytest.raises(OSError) as refused:  # the errno says which
        disk.remove_dir(f"{parent}/gone")
    assert refused.value.errno == errno.ENOTEMPTY
    disk.unlink(f"{parent}/gone/log")
    disk.remove_dir(f"{parent}/gone")
    assert disk.list_dir(parent) == []


def test_a_folder_in_one_that_is_there_not_in_one_that_is_not(disk: Disk, folder: str) -> None:
    disk.make_subdir(f"{folder}/sub")
    disk.make_subdir(f"{folder}/sub")
    assert disk.list_dir(folder) == ["sub"]
    with pytest.raises(FileNotFoundError):
        disk.make_subdir(f"{folder}/no/sub")


def test_what_is_missing_is_an_error(disk: Disk, folder: str) -> None:
    missing = f"{folder}/missing"
    for attempt in (disk.open, disk.read_file, disk.unlink, disk.list_dir):
        with pytest.raises(FileNotFoundError):
            attempt(missing)
    with pytest.raises(FileNotFoundError):
        disk.rename(missing, f"{folder}/other")
    with pytest.raises(FileNotFoundError):
        disk.open(f"{folder}/no/such/folder", create=True)


def test_a_closed_file_refuses(disk: Disk, folder: str) -> None:
    file = disk.open(f"{folder}/log", create=True)
    file.close()
    file.close()
    with pytest.raises(OSError) as refused:  # the errno says which
        file.append([b"late"])
    assert refused.value.errno == errno.EBADF


def test_a_removed_file_can_still_be_read_by_who_has_it_open(disk: Disk, folder: str) -> None:
    file = disk.open(f"{folder}/log", create=True)
    file.append([b"content"])
    disk.unlink(f"{folder}/log")
    assert file.read_at(0, 7) == b"content"
    file.close()


def test_replacing_a_small_file(disk: Disk, folder: str) -> None:
    for content in (b"first", b"second and longer", b"3"):
        replace_file(disk, f"{folder}/checkpoint", content)
        assert disk.read_file(f"{folder}/checkpoint") == content
    assert disk.list_dir(folder) == ["checkpoint"]


def test_there_is_room(disk: Disk, folder: str) -> None:
    assert disk.free_bytes(folder) > 0


# --- the real disk alone ---


def test_a_descriptor_closes_with_its_last_reference(tmp_path: Path) -> None:
    file = LocalDisk().open(f"{tmp_path}/log", create=True)
    descriptor = file.fileno()
    os.fstat(descriptor)
    del file
    with pytest.raises(OSError) as refused:  # the errno says which
        os.fstat(descriptor)
    assert refused.value.errno == errno.EBADF


def test_a_failed_append_leaves_no_half_of_it(tmp_path: Path) -> None:
    import resource

    file = LocalDisk().open(f"{tmp_path}/log", create=True)
    file.append([b"whole"])
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OSError) as refused:  # the errno says which
            file.append([bytes(600), bytes(600)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert refused.value.errno == errno.EFBIG
    assert file.size == 5
    assert file.read_at(0, 100) == b"whole"
    file.append([b", and more"])
    assert file.read_at(0, 100) == b"whole, and more"


# --- the disk in memory alone ---


class Always:
    """Randomness that takes one side."""

    def __init__(self, *, high: bool) -> None:
        self._high = high

    def below(self, bound: int) -> int:
        return bound - 1 if self._high else 0

    def uuid(self) -> bytes:
        return bytes(16)


def test_a_crash_drops_what_was_not_synced() -> None:
    disk = MemoryDisk()
    disk.make_dir("d")
    kept, lost = disk.open("d/kept", create=True), disk.open("d/lost", create=True)
    disk.sync_dir("d")
    kept.append([b"synced"])
    kept.sync()
    kept.append([b" not synced"])
    lost.append([b"not synced"])
    disk.open("d/unknown", create=True)
    disk.crash()
    assert disk.list_dir("d") == ["kept", "lost"]
    assert disk.read_file("d/kept") == b"synced"
    assert disk.read_file("d/lost") == b""
    with pytest.raises(OSError):  # any use of a handle from before
        kept.append([b"late"])


def test_a_crash_may_keep_a_part_of_what_was_not_synced() -> None:
    disk = MemoryDisk()
    disk.make_dir("d")
    file = disk.open("d/file", create=True)
    file.append([b"synced"])
    file.sync()
    disk.sync_dir("d")
    file.append([b"123456"])
    disk.open("d/new", create=True)
    disk.crash(Always(high=True))
    assert disk.read_file("d/file") == b"synced123456"
    assert disk.list_dir("d") == ["file", "new"]


def test_renames_survive_a_crash_only_once_the_folder_is_synced() -> None:
    disk = MemoryDisk()
    disk.make_dir("d")
    replace_file(disk, "d/file", b"old")
    temporary = disk.open("d/tmp", create=True)
    temporary.append([b"new"])
    temporary.sync()
    disk.rename("d/tmp", "d/file")
    disk.crash()
    assert disk.read_file("d/file") == b"old"


def test_the_nth_call_fails_once() -> None:
    disk = MemoryDisk()
    disk.make_dir("d")
    file = disk.open("d/file", create=True)
    disk.fail_at(2, errno.EIO, operation="append")
    file.append([b"1"])
    file.sync()
    with pytest.raises(OSError) as refused:  # the errno says which
        file.append([b"2"])
    assert refused.value.errno == errno.EIO
    file.append([b"3"])
    assert file.read_at(0, 10) == b"13"


def test_a_full_disk_refuses_appends_until_there_is_room() -> None:
    disk = MemoryDisk(capacity_bytes=10)
    disk.make_dir("d")
    file, other = disk.open("d/file", create=True), disk.open("d/other", create=True)
    other.append([b"12345"])
    with pytest.raises(OSError) as refused:  # the errno says which
        file.append([b"123456"])
    assert refused.value.errno == errno.ENOSPC
    disk.unlink("d/other")
    file.append([b"123456"])
    assert disk.free_bytes("d") == 4
