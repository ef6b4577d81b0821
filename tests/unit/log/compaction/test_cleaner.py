"""What compaction keeps, and what it lets go."""

from __future__ import annotations

import pytest

from ottla.log.compaction.cleaner import compact
from ottla.log.compaction.plan import CompactionMemory
from ottla.log.config import LogConfig
from ottla.log.names import log_path
from ottla.log.partition_log import PartitionLog
from ottla.log.scan import DamagedLogError
from ottla.testing.memory_disk import MemoryDisk
from ottla.wire.records.compression import Codec
from ottla.wire.records.header import BatchHeader, TimestampType, patch_placement, read_header
from tests.unit.log.compaction.support import (
    COMPACTED,
    add,
    bases,
    batches,
    compacted,
    content,
    log_of,
    pairs_batch,
    plan,
    records,
)
from tests.unit.log.support import DIRECTORY, NOW_MS, all_batches, new_log, reopened

A, B, C = b"a", b"b", b"c"
RETENTION_MS = COMPACTED.delete_retention_ms


def test_the_latest_value_of_each_key_stays_with_its_offset() -> None:
    disk = MemoryDisk()
    log = log_of(disk, [(A, b"1"), (B, b"1")], [(A, b"2"), (C, b"1")], [(B, b"2")])
    compacted(log, disk)
    assert content(log) == [(2, A, b"2"), (3, C, b"1"), (4, B, b"2")]
    assert log.log_end_offset == 5
    assert log.log_start_offset == 0


def test_the_segment_that_is_written_to_stays_as_it_is() -> None:
    disk = MemoryDisk()
    log = log_of(disk, [(A, b"1")])
    add(log, (A, b"2"), (A, b"3"))
    compacted(log, disk)
    assert content(log) == [(0, A, b"1"), (1, A, b"2"), (2, A, b"3")]


def test_nothing_is_touched_at_or_above_the_given_end() -> None:
    disk = MemoryDisk()
    log = log_of(disk, [(A, b"1"), (A, b"2")], [(A, b"3")], [(A, b"4")])
    result = compacted(log, disk, end_offset=3)
    assert content(log) == [(2, A, b"3"), (3, A, b"4")]
    assert result.first_dirty_offset == 3


def test_records_keep_their_times_and_headers() -> None:
    disk = MemoryDisk()
    log = log_of(disk, [(A, b"1"), (B, b"1"), (C, b"1")], [(A, b"2")])
    before = {record.offset: record for record in records(log)}
    compacted(log, disk)
    assert [before[record.offset] for record in records(log)] == records(log)


def test_a_batch_that_loses_nothing_is_copied_byte_for_byte() -> None:
    disk = MemoryDisk()
    log = log_of(disk, [(A, b"1"), (A, b"2")], [(B, b"1"), (C, b"1")])
    untouched = all_batches(log)[1][1]
    compacted(log, disk)
    assert all_batches(log)[1][1] == untouched


def test_a_segment_that_loses_nothing_is_not_written_anew() -> None:
    disk = MemoryDisk()
    config = LogConfig(cleanup_policy=("compact",), segment_bytes=100)
    log = log_of(disk, [(A, b"1" * 50)], [(B, b"1" * 50)], config=config)
    result = compacted(log, disk)
    assert result.segments == []
    assert result.first_dirty_offset == 2
    assert not [name for name in disk.list_dir(DIRECTORY) if name.endswith(".cleaned")]


@pytest.mark.parametrize("codec", list(Codec))
def test_rewritten_batches_keep_their_codec(codec: Codec) -> None:
    disk = MemoryDisk()
    log = new_log(disk, COMPACTED)
    add(log, (A, b"1" * 100), (B, b"1" * 100), (A, b"2"), codec=codec)
    log.roll(NOW_MS)
    compacted(log, disk)
    assert content(log) == [(1, B, b"1" * 100), (2, A, b"2")]
    assert [header.codec for header in batches(log)] == [codec]


def test_a_batch_keeps_its_first_and_last_offset_and_tells_its_largest_timestamp() -> None:
    disk = MemoryDisk()
    log = log_of(disk, [(A, b"1"), (B, b"1"), (C, b"1")], [(C, b"2"), (A, b"2")])
    compacted(log, disk)
    first = batches(log)[0]
    assert (first.base_offset, first.last_offset, first.record_count) == (0, 2, 1)
    assert first.max_timestamp == NOW_MS + 1


def test_the_brokers_time_stays_the_time_of_the_batch() -> None:
    disk = MemoryDisk()
    config = LogConfig(cleanup_policy=("compact",), timestamp_type=TimestampType.LOG_APPEND_TIME)
    log = log_of(disk, [(A, b"1"), (B, None), (C, b"1")], [(C, b"2"), (A, b"2")], config=config)
    compacted(log, disk)
    assert [record.timestamp for record in records(log)] == [NOW_MS] * 3


def test_records_without_a_key_go_and_are_counted() -> None:
    disk = MemoryDisk()
    log = log_of(disk, [(None, b"1"), (A, b"1")])
    result = compacted(log, disk)
    assert content(log) == [(1, A, b"1")]
    assert result.stats.records_without_key == 1


def test_an_empty_key_is_a_key() -> None:
    disk = MemoryDisk()
    log = log_of(disk, [(b"", b"1"), (b"", b"2")])
    compacted(log, disk)
    assert content(log) == [(1, b"", b"2")]


def test_what_was_compacted_before_gives_way_to_what_came_since() -> None:
    disk = MemoryDisk()
    log = log_of(disk, [(A, b"1"), (B, b"1")], [(B, b"2")])
    first = compacted(log, disk)
    add(log, (A, b"2"))
    log.roll(NOW_MS)
    compacted(log, disk, first_dirty_offset=first.first_dirty_offset)
    assert content(log) == [(2, B, b"2"), (3, A, b"2")]


# --- tombstones ---


def test_a_tombstone_deletes_what_came_before_and_stays_until_its_horizon() -> None:
    disk = MemoryDisk()
    log = log_of(disk, [(A, b"1"), (B, b"1")], [(A, None)])
    compacted(log, disk)
    assert content(log) == [(1, B, b"1"), (2, A, None)]
    assert [header.delete_horizon_ms for header in batches(log)] == [None, NOW_MS + RETENTION_MS]


@pytest.mark.parametrize(("passed_ms", "is_left"), [(-1, True), (0, False)])
def test_a_tombstone_goes_when_its_horizon_has_come(passed_ms: int, is_left: bool) -> None:
    disk = MemoryDisk()
    log = log_of(disk, [(A, None), (B, b"1")])
    compacted(log, disk)
    add(log, (C, b"1"))
    log.roll(NOW_MS)
    compacted(log, disk, first_dirty_offset=2, now_ms=NOW_MS + RETENTION_MS + passed_ms)
    assert ((0, A, None) in content(log)) is is_left
    assert (1, B, b"1") in content(log)


def test_a_horizon_is_set_once() -> None:
    disk = MemoryDisk()
    log = log_of(disk, [(A, None), (B, b"1")])
    compacted(log, disk)
    add(log, (B, b"2"))
    log.roll(NOW_MS)
    compacted(log, disk, first_dirty_offset=2, now_ms=NOW_MS + 1000)
    assert batches(log)[0].delete_horizon_ms == NOW_MS + RETENTION_MS


def test_a_horizon_changes_no_records_time() -> None:
    disk = MemoryDisk()
    log = log_of(disk, [(A, None), (B, b"1"), (C, b"1")], [(C, b"2")])
    compacted(log, disk)
    assert [record.timestamp for record in records(log)][:2] == [NOW_MS, NOW_MS + 1]
    assert batches(log)[0].max_timestamp == NOW_MS + 1


# --- several segments ---


def test_small_segments_become_one() -> None:
    disk = MemoryDisk()
    log = log_of(disk, [(A, b"1")], [(B, b"1")], [(A, b"2")], [(C, b"1")])
    compacted(log, disk)
    assert bases(log) == [0, 4]
    assert [segment.next_offset for segment in log.segments] == [4, 4]


def test_no_segment_grows_beyond_segment_bytes() -> None:
    disk = MemoryDisk()
    config = LogConfig(cleanup_policy=("compact",), segment_bytes=250)
    pairs = [(b"%d" % number, b"v") for number in range(8)]
    log = log_of(disk, *([pair] for pair in pairs), config=config)
    compacted(log, disk)
    sizes = [segment.size_bytes for segment in log.segments]
    assert 1 < len(sizes) < 9
    assert max(sizes) <= 250
    assert [key for _, key, _ in content(log)] == [key for key, _ in pairs]


def test_no_segment_spans_more_offsets_than_its_index_can_tell() -> None:
    disk = MemoryDisk()
    log = new_log(disk, COMPACTED)
    for number, base_offset in enumerate((0, 1 << 30, 1 << 31, 3 << 30)):
        batch = _follower_batch(base_offset, number)
        log.stage_replica(*batch, now_ms=NOW_MS)
        log.commit()
        log.roll(NOW_MS)
    compacted(log, disk)
    assert len(bases(log)) > 2
    assert [offset for offset, _, _ in content(log)] == [0, 1 << 30, 1 << 31, 3 << 30]


def test_the_end_of_a_segment_is_told_by_a_batch_even_when_all_of_it_has_gone() -> None:
    disk = MemoryDisk()
    config = LogConfig(cleanup_policy=("compact",), segment_bytes=100)
    log = log_of(disk, [(A, b"1" * 60)], [(A, b"2" * 60)], config=config)
    compacted(log, disk)
    first, second = batches(log)
    assert (first.record_count, first.last_offset) == (0, 0)
    assert second.record_count == 1


def test_an_empty_batch_at_the_end_is_no_reason_to_write_a_segment_anew() -> None:
    disk = MemoryDisk()
    config = LogConfig(cleanup_policy=("compact",), segment_bytes=100)
    log = log_of(disk, [(A, b"1" * 60)], [(A, b"2" * 60)], config=config)
    compacted(log, disk)
    assert compacted(log, disk).segments == []


# --- memory ---


def test_keys_that_do_not_fit_the_map_are_left_for_the_next_run() -> None:
    disk = MemoryDisk()
    keys = [b"%d" % number for number in range(20)]
    log = log_of(disk, [(key, b"1") for key in keys], [(key, b"2") for key in keys])
    tiny = CompactionMemory(map_bytes=24 * 13, load_factor=0.9)
    first = compacted(log, disk, memory=tiny)
    assert first.first_dirty_offset == 11
    dirty_offset, runs = first.first_dirty_offset, 1
    while dirty_offset < 40:
        dirty_offset = compacted(
            log, disk, first_dirty_offset=dirty_offset, memory=tiny
        ).first_dirty_offset
        runs += 1
    assert runs == 4
    assert content(log) == [(20 + number, key, b"2") for number, key in enumerate(keys)]


# --- damage ---


def test_a_damaged_batch_ends_the_run_and_leaves_nothing() -> None:
    disk = MemoryDisk()
    log = log_of(disk, [(A, b"1")], [(A, b"2")])
    found = plan(log)
    file = disk.open(log_path(DIRECTORY, 1))
    damaged = bytearray(file.read_at(0, file.size))
    damaged[-2] ^= 1
    file.truncate(0)
    file.append([damaged])
    with pytest.raises(DamagedLogError, match="damaged batch at 0"):
        compact(found, disk, throttle=lambda _: None)
    assert not [name for name in disk.list_dir(DIRECTORY) if name.endswith(".cleaned")]


def test_every_byte_that_is_read_or_written_is_told_to_the_throttle() -> None:
    disk = MemoryDisk()
    log = log_of(disk, [(A, b"1"), (B, b"1")], [(A, b"2")])
    told: list[int] = []
    result = compact(plan(log), disk, throttle=told.append)
    stats = result.stats
    assert sum(told) == stats.bytes_indexed + stats.bytes_read + stats.bytes_written


def test_a_compacted_log_is_found_again_after_any_stop() -> None:
    for clean in (True, False):
        disk = MemoryDisk()
        log = log_of(disk, [(A, b"1"), (B, b"1")], [(A, b"2")], [(B, None)])
        add(log, (C, b"1"))
        compacted(log, disk)
        before = content(log)
        log.close()
        opened: PartitionLog = reopened(disk, COMPACTED, clean=clean)
        assert content(opened) == before
        assert opened.log_end_offset == 5


def _follower_batch(base_offset: int, number: int) -> tuple[memoryview, BatchHeader]:
    batch = pairs_batch((b"%d" % number, b"v"))
    patch_placement(batch, 0, base_offset, 0)
    return memoryview(batch), read_header(batch)
