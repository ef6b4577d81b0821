"""What may be compacted, and how much it needs it."""

from __future__ import annotations

import msgspec
import pytest

from ottla.log.compaction.plan import CompactionPlan, Dirtiness, dirtiness, plan_compaction
from ottla.log.config import LogConfig
from ottla.log.partition_log import PartitionLog
from ottla.testing.memory_disk import MemoryDisk
from tests.unit.log.compaction.support import add, log_of, plan
from tests.unit.log.support import NOW_MS, new_log

A = b"a"
MINUTE = 60_000


def look(
    log: PartitionLog,
    *,
    first_dirty_offset: int = 0,
    end_offset: int = 1 << 40,
    now_ms: int = NOW_MS,
) -> Dirtiness | None:
    return dirtiness(
        log, first_dirty_offset=first_dirty_offset, end_offset=end_offset, now_ms=now_ms
    )


def aged(*ages_ms: int, **settings: float) -> PartitionLog:
    """A closed segment for each age of its record."""
    config = LogConfig(cleanup_policy=("compact",), **settings)  # type: ignore[arg-type]  # by name
    log = new_log(MemoryDisk(), config)
    for age_ms in ages_ms:
        add(log, (A, b"v"), timestamp=NOW_MS - age_ms)
        log.roll(NOW_MS)
    return log


def test_the_active_segment_is_never_part_of_it() -> None:
    log = log_of(MemoryDisk(), [(A, b"1")])
    add(log, (A, b"2"))
    found = look(log)
    assert found is not None
    assert found.end_offset == 1


def test_a_log_of_one_segment_is_left_alone() -> None:
    log = new_log(MemoryDisk())
    add(log, (A, b"2"))
    assert look(log) is None
    assert plan_compaction(log, first_dirty_offset=0, end_offset=9, now_ms=NOW_MS) is None


def test_a_segment_that_reaches_above_the_end_is_not_part_of_it() -> None:
    log = log_of(MemoryDisk(), [(A, b"1")], [(A, b"2"), (A, b"3")], [(A, b"4")])
    found = look(log, end_offset=2)
    assert found is not None
    assert found.end_offset == 1
    assert look(log, end_offset=0) is None


def test_the_ratio_is_that_of_the_bytes_which_were_not_compacted_yet() -> None:
    log = log_of(MemoryDisk(), [(A, b"1")], [(A, b"2")], [(A, b"3")], [(A, b"4")])
    found = look(log, first_dirty_offset=3)
    assert found is not None
    assert found.ratio == 0.25
    assert look(log, first_dirty_offset=4) is None


@pytest.mark.parametrize("checkpoint", [-1, 0, 100])
def test_a_checkpoint_that_cannot_be_of_this_log_counts_as_its_start(checkpoint: int) -> None:
    log = log_of(MemoryDisk(), [(A, b"1"), (A, b"2")], [(A, b"3")])
    log.advance_log_start(1)
    found = look(log, first_dirty_offset=checkpoint)
    assert found is not None
    assert found.first_dirty_offset == 1


def test_what_is_younger_than_the_least_lag_waits_with_all_behind_it() -> None:
    log = aged(3 * MINUTE, MINUTE // 2, 2 * MINUTE, compaction_lag_ms_min=MINUTE)
    found = look(log)
    assert found is not None
    assert found.end_offset == 1
    later = look(log, now_ms=NOW_MS + MINUTE)
    assert later is not None
    assert later.end_offset == 3


@pytest.mark.parametrize(("age_ms", "is_overdue"), [(MINUTE, False), (MINUTE + 1, True)])
def test_what_is_older_than_the_largest_lag_is_overdue(age_ms: int, is_overdue: bool) -> None:
    found = look(aged(1, age_ms, compaction_lag_ms_max=MINUTE))
    assert found is not None
    assert found.is_overdue is is_overdue


def test_clean_segments_are_never_overdue() -> None:
    found = look(aged(2 * MINUTE, 1, compaction_lag_ms_max=MINUTE), first_dirty_offset=1)
    assert found is not None
    assert not found.is_overdue


def test_a_segment_ends_in_time_for_the_largest_lag() -> None:
    log = aged(compaction_lag_ms_max=MINUTE)
    add(log, (A, b"v"))
    log.roll_if_due(NOW_MS)
    assert not log.roll_if_due(NOW_MS + MINUTE - 1)
    assert log.roll_if_due(NOW_MS + MINUTE)


def test_a_plan_is_plain_data_for_another_process() -> None:
    found = plan(log_of(MemoryDisk(), [(A, b"1")], [(A, b"2")]))
    sent = msgspec.msgpack.encode(found)
    assert msgspec.msgpack.decode(sent, type=CompactionPlan) == found


def test_producers_whose_last_batch_lies_behind_the_plan_are_left_out() -> None:
    log = log_of(MemoryDisk(), [(A, b"1")])
    for producer in (7, 8):
        add(log, (A, b"1"), producer_id=producer, producer_epoch=0, base_sequence=0)
        log.roll(NOW_MS)
    assert plan(log, end_offset=2).producers == [(7, 1, 0)]
