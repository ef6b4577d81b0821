"""Finding records by time."""

from __future__ import annotations

import pytest

from ottla.log.config import LogConfig
from ottla.log.partition_log import PartitionLog, TimestampedOffset
from ottla.testing.memory_disk import MemoryDisk
from ottla.wire.records.batch import TimestampType, build_batch
from ottla.wire.records.compression import Codec
from ottla.wire.records.record import Record
from tests.unit.log.support import NOW_MS, append, new_log, reopened


def log_at(*timestamps: int, config: LogConfig | None = None) -> PartitionLog:
    """A batch of one record at each time."""
    log = new_log(MemoryDisk(), config or LogConfig(segment_bytes=400, index_interval_bytes=100))
    for timestamp in timestamps:
        append(log, bytes(30), timestamp=timestamp, epoch=2)
    return log


def offset_at(log: PartitionLog, timestamp: int) -> int | None:
    found = log.offset_for_timestamp(timestamp)
    return found.offset if found else None


def test_the_first_record_of_at_least_that_time() -> None:
    log = log_at(*range(1000, 3000, 100))
    assert offset_at(log, 0) == 0
    assert offset_at(log, 1000) == 0
    assert offset_at(log, 1001) == 1
    assert offset_at(log, 2900) == 19
    assert offset_at(log, 2901) is None
    assert log.offset_for_timestamp(1500) == TimestampedOffset(5, 1500, 2)  # type: ignore[arg-type]  # plain numbers


def test_times_out_of_order() -> None:
    log = log_at(50, 900, 20, 300, 40, 1200, 5)
    assert [offset_at(log, time) for time in (10, 60, 901, 1201)] == [0, 1, 5, None]


@pytest.mark.parametrize("codec", Codec)
def test_the_record_inside_a_batch(codec: Codec) -> None:
    log = new_log(MemoryDisk())
    times = [10, 5, 70, 30, 70, 90]
    batch = build_batch([Record(timestamp=time, value=b"v") for time in times], codec=codec)
    log.append(batch, leader_epoch=0, now_ms=NOW_MS)
    assert [offset_at(log, time) for time in (0, 11, 71, 91)] == [0, 2, 5, None]
    log.append(
        build_batch([Record(timestamp=time) for time in (80, 90)]), leader_epoch=0, now_ms=NOW_MS
    )
    newest = log.max_timestamp()
    assert newest is not None
    assert (newest.offset, newest.timestamp) == (5, 90)


def test_what_is_before_the_log_start_is_not_found() -> None:
    log = log_at(*range(1000, 2000, 100))
    log.advance_log_start(4)
    assert offset_at(log, 0) == 4
    assert offset_at(log, 1200) == 4


def test_log_append_time_is_that_of_the_batch() -> None:
    config = LogConfig(timestamp_type=TimestampType.LOG_APPEND_TIME)
    log = new_log(MemoryDisk(), config)
    append(log, b"a", b"b", b"c", timestamp=5)
    assert offset_at(log, NOW_MS) == 0
    assert offset_at(log, NOW_MS + 1) is None
    log.advance_log_start(2)
    assert offset_at(log, NOW_MS) == 2
    newest = log.max_timestamp()
    assert newest is not None
    assert newest.timestamp == NOW_MS


def test_nothing_has_no_time() -> None:
    log = log_at()
    assert log.max_timestamp() is None
    assert offset_at(log, 0) is None
    append(log, b"timeless", timestamp=-1)
    assert log.max_timestamp() is None


@pytest.mark.parametrize("clean", [True, False])
def test_times_are_found_after_reopening(clean: bool) -> None:
    disk = MemoryDisk()
    config = LogConfig(segment_bytes=400, index_interval_bytes=100)
    log = new_log(disk, config)
    times = [1000 + 37 * n % 500 for n in range(60)]
    for time in times:
        append(log, bytes(30), timestamp=time)
    if clean:
        log.close()
    log = reopened(disk, config, clean=clean, recovery_point=60 if clean else 0)
    for wanted in range(990, 1510, 7):
        expected = next((offset for offset, time in enumerate(times) if time >= wanted), None)
        assert offset_at(log, wanted) == expected
    newest = log.max_timestamp()
    assert newest is not None
    assert (newest.offset, newest.timestamp) == (times.index(max(times)), max(times))
