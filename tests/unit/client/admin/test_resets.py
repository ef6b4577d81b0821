"""Where offsets go when they are reset."""

from __future__ import annotations

import pytest

from ottla.client.admin.offset_resets import (
    ByDuration,
    OffsetReset,
    PartitionOffsets,
    ResetTo,
    ShiftBy,
    ToCurrent,
    ToEarliest,
    ToLatest,
    ToOffset,
    ToTime,
    reset,
    time_of,
)

AT_FIVE = PartitionOffsets(earliest=2, latest=10, committed=5, at_time=7)
NOWHERE = PartitionOffsets(earliest=2, latest=10, committed=None)


@pytest.mark.parametrize(
    ("to", "found", "offset"),
    [
        (ToEarliest(), AT_FIVE, 2),
        (ToLatest(), AT_FIVE, 10),
        (ToCurrent(), AT_FIVE, 5),
        (ToCurrent(), NOWHERE, 10),
        (ToOffset(6), AT_FIVE, 6),
        (ToOffset(0), AT_FIVE, 2),
        (ToOffset(11), AT_FIVE, 10),
        (ShiftBy(3), AT_FIVE, 8),
        (ShiftBy(-4), AT_FIVE, 2),
        (ShiftBy(9), AT_FIVE, 10),
        (ShiftBy(-3), NOWHERE, 7),
        (ToTime(1), AT_FIVE, 7),
        (ToTime(1), NOWHERE, 10),
        (ByDuration(1), AT_FIVE, 7),
    ],
)
def test_a_reset_stays_within_what_is_there(
    to: ResetTo, found: PartitionOffsets, offset: int
) -> None:
    assert reset(to, found) == OffsetReset(offset=offset, before=found.committed)


def test_only_times_and_durations_need_a_lookup() -> None:
    assert time_of(ToTime(70), now_ms=100) == 70
    assert time_of(ByDuration(30), now_ms=100) == 70
    assert time_of(ByDuration(300), now_ms=100) == 0
    assert time_of(ShiftBy(1), now_ms=100) is None


def test_a_reset_that_leads_nowhere_else_is_no_change() -> None:
    assert not reset(ToCurrent(), AT_FIVE).is_change
    assert reset(ToEarliest(), AT_FIVE).is_change
