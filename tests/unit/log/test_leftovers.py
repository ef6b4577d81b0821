"""What an interrupted change of segments left behind."""

from __future__ import annotations

import pytest

from ottla.log.config import LogConfig
from ottla.log.leftovers import settle
from ottla.log.names import log_path, segment_stem
from ottla.testing.memory_disk import MemoryDisk
from tests.unit.log.support import DIRECTORY, all_values, append, new_log, reopened

COMPACTED = LogConfig(cleanup_policy=("compact",))


def written(disk: MemoryDisk) -> None:
    """Four segments, of the records 0 to 3."""
    log = new_log(disk, COMPACTED)
    for number in range(4):
        if number:
            log.roll(0)
        append(log, b"%d" % number)
    log.close()


def copy(disk: MemoryDisk, source: int, target: str) -> None:
    """Make the segment's log file anew under another name."""
    content = disk.read_file(log_path(DIRECTORY, source))
    disk.open(f"{DIRECTORY}/{target}", create=True).append([content])


def make_swap(disk: MemoryDisk) -> None:
    """Compaction has merged segments 0 to 2 into one that holds the record 2 alone."""
    copy(disk, 2, f"{segment_stem(0)}.log.swap")
    disk.open(f"{DIRECTORY}/{segment_stem(0)}.index.swap", create=True)


def values_after_opening(disk: MemoryDisk, *, clean: bool = False) -> list[bytes | None]:
    return all_values(reopened(disk, COMPACTED, clean=clean))


def leftovers(disk: MemoryDisk) -> list[str]:
    return [
        name
        for name in disk.list_dir(DIRECTORY)
        if name.endswith((".deleted", ".cleaned", ".swap"))
    ]


def test_a_folder_without_leftovers_costs_one_look() -> None:
    disk = MemoryDisk()
    written(disk)
    before = disk.operations
    assert settle(disk, DIRECTORY) == set(disk.list_dir(DIRECTORY))
    assert disk.operations - before == 2  # one of them is this test's


@pytest.mark.parametrize("clean", [True, False])
def test_deleted_files_are_removed(clean: bool) -> None:
    disk = MemoryDisk()
    written(disk)
    disk.rename(log_path(DIRECTORY, 0), log_path(DIRECTORY, 0) + ".deleted")
    assert values_after_opening(disk, clean=clean) == [b"1", b"2", b"3"]
    assert leftovers(disk) == []
    assert not disk.exists(f"{DIRECTORY}/{segment_stem(0)}.index"), "an index without its log"


def test_what_compaction_had_not_finished_is_thrown_away() -> None:
    disk = MemoryDisk()
    written(disk)
    copy(disk, 2, f"{segment_stem(0)}.log.cleaned")
    assert values_after_opening(disk) == [b"0", b"1", b"2", b"3"]
    assert leftovers(disk) == []


@pytest.mark.parametrize("clean", [True, False])
def test_what_compaction_had_finished_takes_its_place(clean: bool) -> None:
    disk = MemoryDisk()
    written(disk)
    make_swap(disk)
    assert values_after_opening(disk, clean=clean) == [b"2", b"3"]
    assert leftovers(disk) == []


def test_a_replacement_is_completed_wherever_it_was_interrupted() -> None:
    disk = MemoryDisk()
    written(disk)
    make_swap(disk)
    disk.unlink(log_path(DIRECTORY, 1))
    assert values_after_opening(disk) == [b"2", b"3"]

    disk = MemoryDisk()
    written(disk)
    make_swap(disk)
    for number in (1, 2):
        disk.unlink(log_path(DIRECTORY, number))
    disk.rename(log_path(DIRECTORY, 0) + ".swap", log_path(DIRECTORY, 0))
    assert values_after_opening(disk) == [b"2", b"3"]
    assert leftovers(disk) == []


def test_a_replacement_by_several_of_which_one_is_not_finished_is_undone() -> None:
    disk = MemoryDisk()
    written(disk)
    copy(disk, 1, f"{segment_stem(1)}.log.swap")
    copy(disk, 0, f"{segment_stem(0)}.log.cleaned")
    assert values_after_opening(disk) == [b"0", b"1", b"2", b"3"]
    assert leftovers(disk) == []


def test_other_files_are_left_alone() -> None:
    disk = MemoryDisk()
    written(disk)
    disk.open(f"{DIRECTORY}/notes.deleted", create=True)
    assert values_after_opening(disk) == [b"0", b"1", b"2", b"3"]
    assert disk.exists(f"{DIRECTORY}/notes.deleted")
