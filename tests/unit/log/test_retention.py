"""Which segments go, in what order, and what a crash may make of it."""

from __future__ import annotations

import errno
from collections.abc import Iterator

import pytest

from ottla.log import names
from ottla.log.config import LogConfig
from ottla.log.errors import StorageError
from ottla.log.partition_log import PartitionLog
from ottla.log.retention import Oldest, Reason, Released, why_released
from ottla.testing.crash_states import crash_states
from ottla.testing.memory_disk import MemoryDisk
from ottla.testing.recording_disk import RecordingDisk
from tests.support.watched_disk import WatchedDisk
from tests.unit.log.support import (
    DIRECTORY,
    NOW_MS,
    SeededRng,
    all_values,
    append,
    new_log,
    read_bytes,
    reopened,
)

DAY_MS = 86_400_000
FOREVER = LogConfig(retention_ms=-1)


def reason(
    config: LogConfig,
    *,
    next_offset: int = 10,
    size_bytes: int = 100,
    is_active: bool = False,
    youngest_ms: int = NOW_MS,
    log_start_offset: int = 0,
    high_watermark: int = 10,
    log_size_bytes: int = 500,
) -> Reason | None:
    return why_released(
        Oldest(next_offset, size_bytes, is_active, lambda: youngest_ms),
        config,
        log_start_offset=log_start_offset,
        high_watermark=high_watermark,
        log_size_bytes=log_size_bytes,
        now_ms=NOW_MS,
    )


# -- the decision ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("age_ms", "expected"), [(DAY_MS, None), (DAY_MS + 1, Reason.TIME), (-DAY_MS, None)]
)
def test_a_segment_goes_when_its_youngest_record_is_older_than_the_retention(
    age_ms: int, expected: Reason | None
) -> None:
    assert reason(LogConfig(retention_ms=DAY_MS), youngest_ms=NOW_MS - age_ms) is expected


def test_minus_one_means_that_age_does_not_count() -> None:
    assert reason(FOREVER, youngest_ms=0) is None


@pytest.mark.parametrize(
    ("retention_bytes", "expected"),
    [(400, Reason.SIZE), (401, None), (0, Reason.SIZE), (-1, None)],
)
def test_a_segment_goes_when_the_log_without_it_is_still_large_enough(
    retention_bytes: int, expected: Reason | None
) -> None:
    config = LogConfig(retention_ms=-1, retention_bytes=retention_bytes)
    assert reason(config, size_bytes=100, log_size_bytes=500) is expected


@pytest.mark.parametrize(("log_start_offset", "expected"), [(9, None), (10, Reason.LOG_START)])
def test_a_segment_goes_when_it_lies_whole_below_the_log_start(
    log_start_offset: int, expected: Reason | None
) -> None:
    assert reason(FOREVER, next_offset=10, log_start_offset=log_start_offset) is expected


@pytest.mark.parametrize("policy", [(), ("compact",)])
def test_without_the_delete_policy_only_the_log_start_counts(policy: tuple[str, ...]) -> None:
    config = LogConfig(cleanup_policy=policy, retention_ms=1, retention_bytes=1)
    assert reason(config, youngest_ms=0) is None
    assert reason(config, youngest_ms=0, log_start_offset=10) is Reason.LOG_START


def test_compact_and_delete_together_delete() -> None:
    config = LogConfig(cleanup_policy=("compact", "delete"), retention_ms=1)
    assert reason(config, youngest_ms=0) is Reason.TIME


def test_what_the_high_watermark_has_not_passed_stays() -> None:
    config = LogConfig(retention_ms=1, retention_bytes=0)
    assert reason(config, youngest_ms=0, high_watermark=9) is None


def test_the_active_segment_goes_by_age_or_size_but_never_while_it_is_empty() -> None:
    config = LogConfig(retention_ms=1)
    assert reason(config, is_active=True, youngest_ms=0) is Reason.TIME
    assert reason(config, is_active=True, youngest_ms=0, size_bytes=0) is None
    assert reason(FOREVER, is_active=True, log_start_offset=10) is None


def test_the_age_is_looked_at_only_where_it_decides() -> None:
    def never() -> int:
        raise AssertionError("this costs a read")

    oldest = Oldest(10, 100, is_active=False, youngest_ms=never)
    why_released(
        oldest,
        FOREVER,
        log_start_offset=0,
        high_watermark=10,
        log_size_bytes=500,
        now_ms=NOW_MS,
    )


# -- the log ---------------------------------------------------------------------------------------


def filled(disk: MemoryDisk, config: LogConfig, *, count: int = 5, age_ms: int = 0) -> PartitionLog:
    """A log of `count` segments with one record each, a second apart, the last `age_ms` old."""
    log = new_log(disk, config)
    for number in range(count):
        if number:
            log.roll(NOW_MS)
        timestamp = NOW_MS - age_ms - (count - 1 - number) * 1000
        append(log, b"%d" % number, timestamp=timestamp, epoch=number)
    return log


def released(log: PartitionLog, *, now_ms: int = NOW_MS) -> Iterator[Released]:
    """What goes, one after the other, as housekeeping does it."""
    while (gone := log.release_oldest(log.log_end_offset, now_ms)) is not None:
        yield gone
        log._disk.sync_dir(log.directory)


def files(disk: MemoryDisk, suffix: str) -> list[str]:
    return [name for name in disk.list_dir(DIRECTORY) if name.endswith(suffix)]


def test_old_segments_leave_the_log_at_once_and_the_disk_later() -> None:
    disk = MemoryDisk()
    log = filled(disk, LogConfig(retention_ms=2500))
    gone = list(released(log))
    assert [segment.base_offset for segment in gone] == [0, 1]
    assert {segment.reason for segment in gone} == {Reason.TIME}
    assert log.log_start_offset == 2
    assert all_values(log) == [b"2", b"3", b"4"]
    assert files(disk, ".log") == [f"{number:020d}.log" for number in (2, 3, 4)]
    assert {path for segment in gone for path in segment.paths} >= {
        f"{DIRECTORY}/{number:020d}{suffix}{names.DELETED_SUFFIX}"
        for number in (0, 1)
        for suffix in (".log", ".index", ".timeindex")
    }
    assert all(disk.exists(path) for segment in gone for path in segment.paths)
    assert log.epochs == [(2, 2), (3, 3), (4, 4)]


def test_a_reader_that_holds_a_slice_keeps_it() -> None:
    disk = MemoryDisk()
    log = filled(disk, LogConfig(retention_ms=2500))
    found = log.read(0, 1 << 20, end_offset=5, min_one_batch=True)
    assert found is not None
    before = found.file.read_at(found.position, found.length)
    for segment in released(log):
        for path in segment.paths:
            disk.unlink(path)
    assert found.file.read_at(found.position, found.length) == before


def test_the_log_shrinks_to_the_least_that_is_not_below_its_size() -> None:
    disk = MemoryDisk()
    config = LogConfig(retention_ms=-1)
    log = filled(disk, config)
    size = log.size_bytes // 5
    log.config = LogConfig(retention_ms=-1, retention_bytes=2 * size + 1)
    assert [gone.reason for gone in released(log)] == [Reason.SIZE, Reason.SIZE]
    assert log.size_bytes == 3 * size


def test_the_active_segment_is_rolled_and_goes_when_it_is_old() -> None:
    disk = MemoryDisk()
    log = filled(disk, LogConfig(retention_ms=1000), age_ms=DAY_MS)
    assert len(list(released(log))) == 5
    assert (log.log_start_offset, log.log_end_offset, log.size_bytes) == (5, 5, 0)
    assert len(log.segments) == 1
    append(log, b"next", epoch=4)
    assert all_values(log) == [b"next"]
    log.close()
    assert all_values(reopened(disk, clean=True)) == [b"next"]


def test_without_timestamps_the_files_own_time_counts() -> None:
    disk = MemoryDisk()
    log = new_log(disk, LogConfig(retention_ms=1000))
    append(log, b"timeless", timestamp=-1)
    log.roll(NOW_MS)
    disk.modified_at_ms = NOW_MS - 1000
    assert log.release_oldest(1, NOW_MS) is None
    assert log.release_oldest(1, NOW_MS + 1) is not None


def test_deleted_records_go_with_their_segment() -> None:
    disk = MemoryDisk()
    log = filled(disk, FOREVER)
    log.advance_log_start(3)
    assert [gone.reason for gone in released(log)] == [Reason.LOG_START] * 3
    assert log.log_start_offset == 3


def test_a_batch_that_holds_the_log_start_stays_readable() -> None:
    disk = MemoryDisk()
    log = new_log(disk, FOREVER)
    append(log, b"a", b"b", b"c")
    log.roll(NOW_MS)
    append(log, b"d")
    log.advance_log_start(2)
    assert list(released(log)) == []
    assert read_bytes(log, 2)
    assert all_values(log) == [b"c", b"d"]


def test_a_flush_that_was_planned_before_a_segment_went_still_holds() -> None:
    disk = MemoryDisk()
    log = filled(disk, LogConfig(retention_ms=2500))
    plan = log.plan_flush()
    assert plan is not None
    for segment in released(log):
        for path in segment.paths:
            disk.unlink(path)
    plan.run()
    log.complete_flush(plan)
    assert log.recovery_point == 5


def test_a_segment_whose_log_cannot_be_renamed_stays() -> None:
    disk = WatchedDisk()
    log = filled(disk, LogConfig(retention_ms=2500))
    disk.fail("rename", ".log", errno.EIO)
    with pytest.raises(StorageError):
        log.release_oldest(5, NOW_MS)
    disk.heal()
    assert log.log_start_offset == 0
    assert all_values(log) == [b"0", b"1", b"2", b"3", b"4"]
    assert len(list(released(log))) == 2


def test_indexes_that_cannot_be_renamed_are_removed_at_the_next_opening() -> None:
    disk = WatchedDisk()
    log = filled(disk, LogConfig(retention_ms=2500))
    disk.fail("rename", "index", errno.EIO)
    assert len(list(released(log))) == 2
    disk.heal()
    assert files(disk, ".index")[0] == f"{names.segment_stem(0)}.index"
    log = reopened(disk, clean=False)
    assert files(disk, ".index")[0] == f"{names.segment_stem(2)}.index"
    assert files(disk, names.DELETED_SUFFIX) == []
    assert all_values(log) == [b"2", b"3", b"4"]


# -- crashes ---------------------------------------------------------------------------------------

TWO_GO = LogConfig(retention_ms=2500)
OPERATIONS_MAX = 60


def round_of(log: PartitionLog, disk: MemoryDisk) -> None:
    for segment in list(released(log)):
        for path in segment.paths:
            disk.unlink(path)


def operations_of_a_round() -> int:
    disk = MemoryDisk()
    log = filled(disk, TWO_GO)
    log.flush()
    before = disk.operations
    round_of(log, disk)
    return disk.operations - before


class LostPowerError(Exception):
    """The machine stops here."""


class DyingDisk(MemoryDisk):
    """Every call from the `last`th on is never made."""

    def __init__(self) -> None:
        super().__init__()
        self.last = 1 << 40

    def failure(self, operation: str, path: str) -> OSError | None:
        if self.operations >= self.last:
            raise LostPowerError
        return super().failure(operation, path)


def interrupted_round(nth: int, *, flushed: bool) -> DyingDisk:
    """A disk on which a round of retention stopped before its `nth` call."""
    disk = DyingDisk()
    log = filled(disk, TWO_GO)
    if flushed:
        log.flush()
    disk.last = disk.operations + nth
    with pytest.raises(LostPowerError):
        round_of(log, disk)
    disk.last = 1 << 40
    return disk


def check_reopened(disk: MemoryDisk, *, recovery_point: int, nth: int) -> None:
    """Whatever came back, what retention left is there, in one sequence, and a round ends it."""
    log = reopened(disk, TWO_GO, clean=False, recovery_point=recovery_point)
    values = all_values(log)
    assert values == [b"%d" % number for number in range(5)][-len(values) :], nth
    assert len(values) >= 3, nth
    assert log.log_start_offset == 5 - len(values)
    assert files(disk, names.DELETED_SUFFIX) == []
    round_of(log, disk)
    assert all_values(log) == [b"2", b"3", b"4"]
    append(log, b"more", epoch=4)
    log.close()
    assert all_values(reopened(disk, TWO_GO, clean=True)) == [b"2", b"3", b"4", b"more"]


@pytest.mark.parametrize("flushed", [True, False])
def test_a_process_killed_at_any_call_loses_nothing_that_retention_left(flushed: bool) -> None:
    count = operations_of_a_round()
    assert count < OPERATIONS_MAX
    for nth in range(count):
        disk = interrupted_round(nth, flushed=flushed)
        check_reopened(disk, recovery_point=0, nth=nth)


@pytest.mark.parametrize("seed", range(20))
def test_a_power_loss_at_any_call_loses_nothing_that_was_synced(seed: int) -> None:
    # The checkpoint of recovery points is written seldom: it may say 0 where all was synced.
    for recovery_point in (0, 5):
        for nth in range(operations_of_a_round()):
            disk = interrupted_round(nth, flushed=True)
            disk.crash(SeededRng(seed * 1000 + nth))
            check_reopened(disk, recovery_point=recovery_point, nth=nth)


def test_offsets_go_on_after_a_power_loss_in_which_the_last_segment_with_batches_went() -> None:
    disk = RecordingDisk()
    log = filled(disk, LogConfig(retention_ms=1000), age_ms=DAY_MS)
    log.flush()
    disk.begin()
    list(released(log))
    for state in crash_states(disk.moments, SeededRng(1)):
        again = reopened(state.disk(), FOREVER, clean=False, recovery_point=5)
        assert again.log_end_offset == 5, state.id


def test_a_log_start_checkpoint_that_lags_or_leads_is_fine() -> None:
    for checkpoint in (0, 1, 2, 4):
        disk = MemoryDisk()
        round_of(filled(disk, TWO_GO), disk)
        log = reopened(disk, TWO_GO, clean=False, log_start_offset=checkpoint)
        assert log.log_start_offset == max(checkpoint, 2)
        assert log.log_end_offset == 5
