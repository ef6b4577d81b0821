from __future__ import annotations

import errno

import pytest

from ottla.log.index_file import DamagedIndexError
from ottla.log.offset_index import OffsetIndex
from ottla.log.open_files import OpenFiles, PooledFile
from ottla.log.time_index import TimeIndex
from ottla.testing.memory_disk import MemoryDisk


def file_on(disk: MemoryDisk, name: str = "d/index") -> PooledFile:
    disk.make_dir("d")
    return PooledFile(OpenFiles(disk), name)


@pytest.mark.parametrize("written", [0, 1, 700, 3000])
def test_lookups_find_the_last_entry_that_is_not_behind(written: int) -> None:
    disk = MemoryDisk()
    index = OffsetIndex(file_on(disk), 1000, fresh=True)
    for number in range(3000):
        if number == written:
            index.write()
        index.add_batch(1000 + number * 3, number * 50)
    assert index.batch_before(999) is None
    for offset in range(1000, 1000 + 9005, 7):
        number = min((offset - 1000) // 3, 2999)
        assert index.batch_before(offset) == (1000 + number * 3, number * 50)
    assert index.last_batch() == (1000 + 2999 * 3, 2999 * 50)
    index.write()
    assert len(disk.read_file("d/index")) == 3000 * 8


def test_the_bytes_are_kafkas() -> None:
    disk = MemoryDisk()
    offsets = OffsetIndex(file_on(disk, "d/o"), 100, fresh=True)
    offsets.add_batch(156, 4159)
    offsets.write()
    assert disk.read_file("d/o").hex() == "000000380000103f"
    times = TimeIndex(file_on(disk, "d/t"), 100, fresh=True)
    times.add_if_later(1_795_249_494_138, 156)
    times.add_if_later(1_795_249_494_138, 160)
    times.write()
    assert disk.read_file("d/t").hex() == "000001a1fd35587a00000038"


def test_a_fresh_index_replaces_what_the_file_held() -> None:
    disk = MemoryDisk()
    file = file_on(disk)
    disk.open("d/index", create=True).append([bytes(800)])
    index = OffsetIndex(file, 0, fresh=True)
    index.add_batch(5, 10)
    assert index.batch_before(9) == (5, 10)
    index.write()
    assert index.entries() == [(5, 10)]
    assert len(disk.read_file("d/index")) == 8


def test_a_missing_and_an_odd_file_are_damaged() -> None:
    disk = MemoryDisk()
    with pytest.raises(DamagedIndexError):
        OffsetIndex(file_on(disk), 0, fresh=False).last_batch()
    disk.open("d/index", create=True).append([bytes(9)])
    with pytest.raises(DamagedIndexError):
        OffsetIndex(file_on(disk), 0, fresh=False).last_batch()


@pytest.mark.parametrize("written", [False, True])
def test_cutting_drops_what_is_behind(written: bool) -> None:
    disk = MemoryDisk()
    offsets = OffsetIndex(file_on(disk, "d/o"), 0, fresh=True)
    times = TimeIndex(file_on(disk, "d/t"), 0, fresh=True)
    for number in range(10):
        offsets.add_batch(number * 10 + 9, number)
        times.add_if_later(number, number * 10 + 9)
    if written:
        offsets.write()
        times.write()
    offsets.keep_before(55)
    times.keep_before(55)
    assert offsets.last_batch() == (49, 4)
    assert times.largest() == (4, 49)
    offsets.add_batch(59, 5)
    offsets.write()
    assert [offset for offset, _ in offsets.entries()] == [9, 19, 29, 39, 49, 59]


def test_letting_go_of_the_least_used_file_first() -> None:
    disk = MemoryDisk()
    disk.make_dir("d")
    files = OpenFiles(disk, limit=3)
    holders = [PooledFile(files, f"d/{number}") for number in range(4)]
    for holder in holders[:3]:
        holder.create()
    holders[0].get()
    holders[3].create()
    assert [holder.file is not None for holder in holders] == [True, False, True, True]
    assert files.count == 3
    holders[1].get()
    assert files.count == 3
    for holder in holders:
        holder.release()
    assert files.count == 0
    with pytest.raises(FileNotFoundError):
        PooledFile(files, "d/missing").get()
    assert files.count == 0


def test_what_a_failed_write_has_left_is_not_taken_for_entries() -> None:
    disk = MemoryDisk()
    disk.failed_append_leaves_bytes = True
    index = OffsetIndex(file_on(disk), 0, fresh=True)
    index.add_batch(1, 10)
    index.write()
    index.add_batch(2, 20)
    index.add_batch(3, 30)
    disk.fail_at(1, errno.ENOSPC, operation="append")
    with pytest.raises(OSError, match="No space"):
        index.write()
    index.write()
    assert index.entries() == [(1, 10), (2, 20), (3, 30)]
    assert len(disk.read_file("d/index")) == 3 * 8
