"""Reopening: after an orderly stop, after kill -9, and with damaged files."""

from __future__ import annotations

import zlib

import pytest

from ottla.log import names
from ottla.log.config import LogConfig
from ottla.log.errors import StorageError
from ottla.log.partition_log import PartitionLog
from ottla.testing.memory_disk import MemoryDisk
from tests.unit.log.support import (
    DIRECTORY,
    NOW_MS,
    all_batches,
    all_values,
    append,
    new_log,
    read_bytes,
    reopened,
)

CONFIG = LogConfig(segment_bytes=600, index_interval_bytes=150)


def log_of(disk: MemoryDisk, batches: int, *, config: LogConfig = CONFIG) -> PartitionLog:
    log = new_log(disk, config)
    for number in range(batches):
        append(log, b"%d" % number * 9, timestamp=NOW_MS + number, epoch=number // 10)
    return log


def values(count: int) -> list[bytes]:
    return [b"%d" % number * 9 for number in range(count)]


def path_of(disk: MemoryDisk, suffix: str, index: int) -> str:
    found = [name for name in disk.list_dir(DIRECTORY) if name.endswith(suffix)]
    return f"{DIRECTORY}/{found[index]}"


def test_an_orderly_stop_needs_no_reading_of_old_segments() -> None:
    disk = MemoryDisk()
    log_of(disk, 40).close()
    before = disk.operations
    log = reopened(disk, CONFIG, clean=True, recovery_point=40)
    # A folder listing, two small files, a handle per segment, and the tail of the last one.
    assert disk.operations - before < 12 + len(log.segments)
    assert all_values(log) == values(40)
    assert (log.log_end_offset, log.recovery_point, log.last_epoch) == (40, 40, 3)
    assert log.epochs == [(0, 0), (1, 10), (2, 20), (3, 30)]


@pytest.mark.parametrize("clean", [True, False])
def test_writing_goes_on_where_it_ended(clean: bool) -> None:
    disk = MemoryDisk()
    log = log_of(disk, 25)
    log.close()
    log = reopened(disk, CONFIG, clean=clean)
    for number in range(25, 60):
        append(log, b"%d" % number * 9, epoch=3)
    assert all_values(log) == values(60)
    log.close()
    assert all_values(reopened(disk, CONFIG, clean=True)) == values(60)


def test_a_killed_process_loses_nothing_that_it_wrote() -> None:
    disk = MemoryDisk()
    log_of(disk, 40)
    log = reopened(disk, CONFIG, clean=False)
    assert all_values(log) == values(40)
    assert log.epochs == [(0, 0), (1, 10), (2, 20), (3, 30)]


def test_a_torn_tail_is_cut_at_the_last_whole_batch_wherever_it_is_torn() -> None:
    whole = MemoryDisk()
    log_of(whole, 3, config=LogConfig())
    content = whole.read_file(path_of(whole, ".log", -1))
    size = len(content) // 3
    for end in range(len(content)):
        disk = MemoryDisk()
        log_of(disk, 3, config=LogConfig())
        disk.open(path_of(disk, ".log", -1)).truncate(end)
        log = reopened(disk, clean=False)
        assert log.log_end_offset == end // size
        assert all_values(log) == values(end // size)
        assert append(log, b"next") == end // size


TAILS = [bytes(5000), b"\xff" * 300, b"\x00" * 8 + b"\x7f\xff\xff\xff" * 40]


@pytest.mark.parametrize("tail", TAILS)
def test_a_tail_of_nonsense_is_cut(tail: bytes) -> None:
    disk = MemoryDisk()
    log_of(disk, 3)
    disk.open(path_of(disk, ".log", -1)).append([tail])
    assert all_values(reopened(disk, CONFIG, clean=False)) == values(3)


def test_a_flipped_bit_ends_the_log_before_the_damaged_batch() -> None:
    disk = MemoryDisk()
    log_of(disk, 40)
    path = path_of(disk, ".log", 1)
    content = bytearray(disk.read_file(path))
    content[len(content) // 2] ^= 1
    file = disk.open(path)
    file.truncate(0)
    file.append([content])
    log = reopened(disk, CONFIG, clean=False)
    found = all_values(log)
    assert 0 < len(found) < 40
    assert found == values(len(found))
    assert len(log.segments) == 2, "what followed the damage is gone"


def test_what_is_below_the_recovery_point_is_not_read_again() -> None:
    disk = MemoryDisk()
    log = log_of(disk, 20)
    first = disk.read_file(path_of(disk, ".log", 0))
    file = disk.open(path_of(disk, ".log", 0))
    file.truncate(0)
    file.append([bytes(len(first))])  # unreadable, and nobody looks
    base = log.segments[1].base_offset
    log = reopened(disk, CONFIG, clean=False, recovery_point=base)
    assert log.log_end_offset == 20
    with pytest.raises(StorageError):
        all_batches_from(log, 0)
    assert read_bytes(log, base)


def all_batches_from(log: PartitionLog, offset: int) -> None:
    log.read(offset, 1, end_offset=log.log_end_offset, min_one_batch=True)


@pytest.mark.parametrize("suffix", [".index", ".timeindex"])
@pytest.mark.parametrize("damage", ["missing", "cut", "garbage"])
@pytest.mark.parametrize("which", [0, 1, -1])
def test_missing_and_damaged_indexes_are_made_anew(suffix: str, damage: str, which: int) -> None:
    disk = MemoryDisk()
    log_of(disk, 40).close()
    path = path_of(disk, suffix, which)
    good = disk.read_file(path)
    disk.unlink(path)
    if damage == "cut":
        disk.open(path, create=True).append([good[:-3]])
    if damage == "garbage":
        disk.open(path, create=True).append([b"\x81" * len(good)])
    log = reopened(disk, CONFIG, clean=True, recovery_point=40)
    assert_all_is_found(log)
    log.flush()
    log.close()
    assert disk.read_file(path) == good


def assert_all_is_found(log: PartitionLog) -> None:
    """The forty values, by their offsets and by their timestamps."""
    assert all_values(log) == values(40)
    for number in range(40):
        found = log.offset_for_timestamp(NOW_MS + number)
        assert found is not None
        assert found.offset == number


@pytest.mark.parametrize("suffix", [".index", ".timeindex"])
def test_indexes_of_which_only_the_size_has_reached_the_disk_mislead_nobody(suffix: str) -> None:
    disk = MemoryDisk()
    config = LogConfig(segment_bytes=2000, index_interval_bytes=150)
    log_of(disk, 40, config=config).close()
    for name in disk.list_dir(DIRECTORY):
        if name.endswith(suffix):
            file = disk.open(f"{DIRECTORY}/{name}")
            size = file.size
            file.truncate(0)
            file.append([bytes(size)])
    assert_all_is_found(reopened(disk, config, clean=True, recovery_point=40))


@pytest.mark.parametrize("which", [0, 1])
def test_a_time_index_of_a_closed_segment_that_is_empty_is_made_anew(which: int) -> None:
    disk = MemoryDisk()
    log_of(disk, 40).close()
    path = path_of(disk, ".timeindex", which)
    good = disk.read_file(path)
    disk.open(path).truncate(0)
    assert_all_is_found(reopened(disk, CONFIG, clean=True, recovery_point=40))
    assert disk.read_file(path) == good


def test_indexes_longer_than_their_log_are_made_anew() -> None:
    disk, longer = MemoryDisk(), MemoryDisk()
    config = LogConfig(index_interval_bytes=150)
    log_of(disk, 10, config=config).close()
    log_of(longer, 40, config=config).close()
    for suffix in (".index", ".timeindex"):
        file = disk.open(path_of(disk, suffix, 0))
        file.truncate(0)
        file.append([longer.read_file(path_of(longer, suffix, 0))])
    log = reopened(disk, config, clean=True, recovery_point=10)
    assert all_values(log) == values(10)
    assert log.offset_for_timestamp(NOW_MS + 20) is None
    log.close()


def test_epochs_behind_the_log_end_are_forgotten() -> None:
    disk = MemoryDisk()
    log = log_of(disk, 15)
    log.begin_epoch(9)
    assert log.epochs == [(0, 0), (1, 10), (9, 15)]
    assert reopened(disk, CONFIG, clean=False).epochs == [(0, 0), (1, 10)]


@pytest.mark.parametrize("content", [None, b"", b"0\n2\n0 0\n1 1", b"\x00\x00\x00\x00"])
def test_epochs_are_learned_from_the_batches_where_their_file_is_lost(
    content: bytes | None,
) -> None:
    disk = MemoryDisk()
    log_of(disk, 25).close()
    path = f"{DIRECTORY}/{names.LEADER_EPOCHS}"
    disk.unlink(path)
    if content is not None:
        disk.open(path, create=True).append([content])
    log = reopened(disk, CONFIG, clean=True, recovery_point=25)
    assert log.epochs == [(0, 0), (1, 10), (2, 20)]
    log.close()
    assert disk.read_file(path) == b"0\n3\n0 0\n1 10\n2 20\n"


def test_a_hole_between_segments_that_were_not_synced_ends_the_log() -> None:
    disk = MemoryDisk()
    log = log_of(disk, 40)
    second = log.segments[1]
    disk.open(path_of(disk, ".log", 1)).truncate(second.size_bytes // 2)
    log = reopened(disk, CONFIG, clean=False)
    assert len(log.segments) == 2
    assert log.log_end_offset < second.next_offset
    assert all_values(log) == values(log.log_end_offset)


def test_a_lost_segment_in_the_middle_ends_the_log_unless_compaction_makes_holes() -> None:
    for policy, expected in (("delete", 1), ("compact", 2)):
        disk = MemoryDisk()
        config = LogConfig(segment_bytes=600, cleanup_policy=(policy,))
        log = log_of(disk, 18, config=config)
        assert len(log.segments) == 3
        disk.unlink(path_of(disk, ".log", 1))
        assert len(reopened(disk, config, clean=False).segments) == expected


def test_messages_of_old_formats_are_refused_and_not_cut() -> None:
    disk = MemoryDisk()
    log_of(disk, 2)
    # A message of format v1 as brokers of before 0.11 wrote it: magic, time, no key, a value.
    body = b"\x01\x00" + bytes(8) + b"\xff\xff\xff\xff" + b"\x00\x00\x00\x20" + bytes(32)
    message = zlib.crc32(body).to_bytes(4, "big") + body
    old = (2).to_bytes(8, "big") + len(message).to_bytes(4, "big") + message
    path = path_of(disk, ".log", -1)
    disk.open(path).append([old])
    size = len(disk.read_file(path))
    with pytest.raises(StorageError, match="format v1"):
        reopened(disk, CONFIG, clean=False)
    assert len(disk.read_file(path)) == size


def test_a_log_start_above_the_end_begins_anew_there() -> None:
    disk = MemoryDisk()
    log_of(disk, 10)
    log = reopened(disk, CONFIG, clean=False, log_start_offset=30)
    assert (log.log_start_offset, log.log_end_offset) == (30, 30)
    assert append(log, b"next", epoch=1) == 30


def test_an_empty_folder_becomes_an_empty_log() -> None:
    disk = MemoryDisk()
    disk.make_dir(DIRECTORY)
    log = reopened(disk, CONFIG, clean=False, log_start_offset=7)
    assert (log.log_start_offset, log.log_end_offset) == (7, 7)
    assert all_batches(log) == []


def test_opening_and_closing_an_untouched_log_writes_nothing() -> None:
    disk = MemoryDisk()
    log_of(disk, 20).close()
    log = reopened(disk, CONFIG, clean=True, recovery_point=20)
    before = disk.operations
    log.close()
    assert disk.operations == before


@pytest.mark.parametrize("bit", [62, 40, 31])
def test_a_batch_with_an_impossible_offset_ends_the_log(bit: int) -> None:
    """Offsets are not under the CRC: a flipped bit may name one that no index can tell."""
    disk = MemoryDisk()
    log = new_log(disk)
    append(log, b"first")
    append(log, b"second")
    path, size = names.log_path(DIRECTORY, 0), log.segments[0].size_bytes
    content = bytearray(disk.read_file(path))
    content[size // 2 + 7 - bit // 8] ^= 1 << bit % 8
    file = disk.open(path)
    file.truncate(0)
    file.append([content])
    again = reopened(disk, clean=False)
    assert all_values(again) == [b"first"]
    assert again.log_end_offset == 1
