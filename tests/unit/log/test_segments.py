"""Rolling, cutting, moving the log start, and what is kept in memory."""

from __future__ import annotations

import pytest

from ottla.base import limits
from ottla.log import names
from ottla.log.config import LogConfig
from ottla.log.errors import OffsetOutOfRangeError, StorageError
from ottla.log.open_files import OpenFiles
from ottla.log.partition_log import PartitionLog
from ottla.log.segments import IDLE_HOT_BATCHES_MAX
from ottla.testing.memory_disk import MemoryDisk
from tests.unit.log.support import (
    DIRECTORY,
    NOW_MS,
    TOPIC_ID,
    all_batches,
    all_values,
    append,
    batch_of,
    new_log,
    reopened,
    stage,
)

SMALL = LogConfig(segment_bytes=300)
HOUR_MS = 3_600_000


def bases(log: PartitionLog) -> list[int]:
    return [segment.base_offset for segment in log.segments]


# --- rolling ---


def test_a_segment_never_exceeds_its_size() -> None:
    log = new_log(MemoryDisk(), SMALL)
    for _ in range(12):
        append(log, bytes(50))
    assert bases(log) == [0, 2, 4, 6, 8, 10]
    assert all(segment.size_bytes <= 300 for segment in log.segments)
    assert len(all_batches(log)) == 12


def test_one_commit_may_reach_several_segments() -> None:
    log = new_log(MemoryDisk(), SMALL)
    for _ in range(7):
        stage(log, bytes(50))
    assert bases(log) == [0]
    log.commit()
    assert bases(log) == [0, 2, 4, 6]
    assert len(all_batches(log)) == 7


def test_a_batch_larger_than_a_segment_has_one_of_its_own() -> None:
    log = new_log(MemoryDisk(), SMALL)
    for size in (10, 1000, 10):
        append(log, bytes(size))
    assert bases(log) == [0, 1, 2]


def test_a_segment_ends_when_its_records_are_older_than_segment_ms() -> None:
    log = new_log(MemoryDisk(), LogConfig(segment_ms=HOUR_MS))
    append(log, b"first", timestamp=NOW_MS)
    append(log, b"just in time", timestamp=NOW_MS + HOUR_MS)
    append(log, b"too late", timestamp=NOW_MS + HOUR_MS + 1)
    append(log, b"of before", timestamp=NOW_MS - HOUR_MS)
    assert bases(log) == [0, 2]


def test_records_without_timestamps_never_end_a_segment() -> None:
    log = new_log(MemoryDisk(), LogConfig(segment_ms=1))
    for _ in range(5):
        append(log, b"timeless", timestamp=-1)
    assert bases(log) == [0]


def test_jitter_shortens_segment_ms_by_up_to_its_size() -> None:
    log = new_log(MemoryDisk(), LogConfig(segment_ms=HOUR_MS, segment_jitter_ms=HOUR_MS))
    append(log, b"first", timestamp=NOW_MS)
    append(log, b"late", timestamp=NOW_MS + HOUR_MS)
    assert len(bases(log)) == 2


def test_a_quiet_segment_ends_by_the_clock() -> None:
    log = new_log(MemoryDisk(), LogConfig(segment_ms=HOUR_MS))
    assert not log.roll_if_due(NOW_MS + 2 * HOUR_MS)
    append(log, b"first")
    assert not log.roll_if_due(NOW_MS + HOUR_MS - 1)
    assert log.roll_if_due(NOW_MS + HOUR_MS)
    assert bases(log) == [0, 1]
    assert not log.roll_if_due(NOW_MS + 9 * HOUR_MS)
    append(log, b"second")
    assert all_values(log) == [b"first", b"second"]


def test_old_timestamps_do_not_end_a_segment_by_the_clock() -> None:
    log = new_log(MemoryDisk(), LogConfig(segment_ms=HOUR_MS))
    append(log, b"of last year", timestamp=NOW_MS - 365 * 24 * HOUR_MS)
    assert not log.roll_if_due(NOW_MS + 1)


def test_a_full_index_ends_its_segment() -> None:
    log = new_log(MemoryDisk(), LogConfig(index_interval_bytes=0, segment_index_bytes=80))
    for _ in range(30):
        append(log, b"value")
    assert bases(log) == [0, 11, 22]
    log.close()


def test_more_offsets_than_an_index_can_tell_need_a_new_segment() -> None:
    log = new_log(MemoryDisk(), LogConfig(index_interval_bytes=0))
    for base_offset in (0, 1, 2**31 - 1, 2**31, 2**40, 2**40 + 1):
        batch = batch_of(b"value")
        batch[:8] = base_offset.to_bytes(8, "big")
        from ottla.wire.records.batch import read_header

        log.stage_replica(memoryview(batch), read_header(batch), NOW_MS)
        log.commit()
    assert bases(log) == [0, 2**31, 2**40]
    assert [header.base_offset for header, _ in all_batches(log)] == [
        0, 1, 2**31 - 1, 2**31, 2**40, 2**40 + 1,
    ]  # fmt: skip


def test_new_settings_hold_from_the_next_batch_on() -> None:
    log = new_log(MemoryDisk())
    for _ in range(4):
        append(log, bytes(50))
    log.config = SMALL
    append(log, bytes(50))
    assert bases(log) == [0, 4]
    log.config = LogConfig(segment_ms=5)
    append(log, b"later", timestamp=NOW_MS + 6)
    assert bases(log) == [0, 4, 5]


# --- cutting ---


def test_truncating_drops_whole_batches() -> None:
    for target, end in ((31, 31), (35, 31), (99, 31), (100, 100), (30, 11), (11, 11), (10, 10)):
        log = new_log(MemoryDisk(), start=10)
        for count in (1, 20, 69):
            append(log, *[b"v"] * count)
        log.truncate_to(target)
        assert log.log_end_offset == end
        assert [header.next_offset for header, _ in all_batches(log)] == [
            offset for offset in (11, 31, 100) if offset <= end
        ]


def test_truncating_reaches_back_over_segments_and_epochs() -> None:
    disk = MemoryDisk()
    log = new_log(disk, SMALL)
    for number in range(12):
        append(log, b"%d" % number * 40, epoch=number // 3)
    log.flush()
    log.truncate_to(5)
    assert bases(log) == [0, 2, 4] or bases(log) == [0, 2]
    assert (log.log_end_offset, log.recovery_point, log.last_epoch) == (5, 5, 1)
    assert log.epochs == [(0, 0), (1, 3)]
    assert append(log, b"anew", epoch=7) == 5
    assert all_values(log)[-1] == b"anew"
    disk.crash()
    log = reopened(disk, SMALL, clean=False, recovery_point=5)
    assert all_values(log) == [b"%d" % number * 40 for number in range(5)]


def test_truncating_everything_begins_anew() -> None:
    log = new_log(MemoryDisk(), SMALL, start=100)
    for _ in range(5):
        append(log, bytes(50))
    log.truncate_to(40)
    assert (log.log_start_offset, log.log_end_offset, log.epochs) == (40, 40, [])
    assert append(log, b"next") == 40


def test_a_log_can_begin_anew_far_ahead() -> None:
    disk = MemoryDisk()
    log = new_log(disk, SMALL)
    for _ in range(5):
        append(log, bytes(50))
    log.reset_to(1000)
    assert (log.log_start_offset, log.log_end_offset) == (1000, 1000)
    assert append(log, b"next") == 1000
    log.close()
    assert bases(reopened(disk, SMALL, clean=True)) == [1000]


def test_a_failed_truncation_closes_the_log_for_appends() -> None:
    import errno

    disk = MemoryDisk()
    log = new_log(disk)
    append(log, b"a")
    append(log, b"b")
    disk.fail_at(1, errno.EIO, operation="truncate")
    with pytest.raises(StorageError):
        log.truncate_to(1)
    with pytest.raises(StorageError):
        append(log, b"c")


# --- the log start ---


def test_the_log_start_moves_forward_only() -> None:
    log = new_log(MemoryDisk())
    for number in range(6):
        append(log, b"%d" % number, epoch=number // 2)
    log.advance_log_start(3)
    log.advance_log_start(1)
    assert log.log_start_offset == 3
    assert log.epochs == [(1, 3), (2, 4)]
    assert all_values(log) == [b"3", b"4", b"5"]
    with pytest.raises(OffsetOutOfRangeError):
        log.advance_log_start(7)
    log.advance_log_start(6)
    assert all_batches(log) == []


# --- memory and open files ---


def test_the_hot_index_is_bounded() -> None:
    log = new_log(MemoryDisk())
    batch = bytes(batch_of(b"v"))
    for _ in range(limits.HOT_INDEX_BATCHES_MAX * 2):
        log.append(batch, leader_epoch=0, now_ms=NOW_MS)
    hot = log._segments.active._hot_nexts
    assert limits.HOT_INDEX_BATCHES_MAX <= len(hot) <= limits.HOT_INDEX_BATCHES_MAX * 5 // 4
    end = log.log_end_offset
    for offset in (0, 1, end // 2, end - len(hot) - 1, end - len(hot), end - 1):
        found = log.read(offset, 1, end_offset=end, min_one_batch=True)
        assert found is not None
        assert found.base_offset == offset


def test_an_idle_partition_keeps_little() -> None:
    log = new_log(MemoryDisk())
    for _ in range(1000):
        append(log, b"v")
    log.roll_if_due(NOW_MS)
    assert len(log._segments.active._hot_nexts) == 1000
    log.roll_if_due(NOW_MS)
    assert len(log._segments.active._hot_nexts) == IDLE_HOT_BATCHES_MAX
    assert len(all_batches(log)) == 1000


def test_many_partitions_share_a_bound_on_open_files() -> None:
    disk = MemoryDisk()
    disk.make_dir("data")
    files = OpenFiles(disk, limit=8)
    logs = [
        PartitionLog.create(f"data/t-{n}", TOPIC_ID, SMALL, disk=disk, files=files)
        for n in range(20)
    ]
    for _ in range(6):
        for log in logs:
            append(log, bytes(50))
            assert 0 < files.count <= 8
    assert all(len(all_batches(log)) == 6 for log in logs)
    for log in logs:
        log.close()
    assert files.count == 0


def test_the_files_of_a_segment_are_named_after_its_first_offset() -> None:
    disk = MemoryDisk()
    log = new_log(disk, SMALL)
    for _ in range(3):
        append(log, bytes(50))
    log.close()
    assert disk.list_dir(DIRECTORY) == [
        "00000000000000000000.index",
        "00000000000000000000.log",
        "00000000000000000000.timeindex",
        "00000000000000000002.index",
        "00000000000000000002.log",
        "00000000000000000002.snapshot",
        "00000000000000000002.timeindex",
        "00000000000000000003.snapshot",
        names.LEADER_EPOCHS,
        names.PARTITION_METADATA,
    ]
