"""Where a group's offsets go when they are reset: pure, from what was looked up."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct


class ToEarliest(NamedTuple):
    """The first record there is."""


class ToLatest(NamedTuple):
    """Behind the last record there is."""


class ToCurrent(NamedTuple):
    """Where the group is; behind the last record where it is nowhere."""


class ToOffset(NamedTuple):
    """This offset, or the next one that there is."""

    offset: int


class ShiftBy(NamedTuple):
    """So many offsets on, or back below 0, from where the group is."""

    by: int


class ToTime(NamedTuple):
    """The first record at or after a time, in milliseconds since 1970; else behind the last."""

    time_ms: int


class ByDuration(NamedTuple):
    """The first record that is no older than so many milliseconds; else behind the last."""

    duration_ms: int


ResetTo = ToEarliest | ToLatest | ToCurrent | ToOffset | ShiftBy | ToTime | ByDuration


class OffsetReset(Struct, frozen=True, kw_only=True):
    """Where one partition goes."""

    offset: int
    before: int | None
    """Where the group is; None for nowhere."""

    @property
    def is_change(self) -> bool:
        """Whether anything would be different."""
        return self.offset != self.before


class PartitionOffsets(Struct, frozen=True, kw_only=True):
    """What was looked up of one partition."""

    earliest: int
    latest: int
    committed: int | None
    at_time: int | None = None
    """Of the first record at or after the time, where one is asked for and there is one."""


def time_of(to: ResetTo, *, now_ms: int) -> int | None:
    """The time to look up; None where the reset asks for none."""
    match to:
        case ToTime(time_ms):
            return time_ms
        case ByDuration(duration_ms):
            return max(0, now_ms - duration_ms)
        case _:
            return None


def reset(to: ResetTo, found: PartitionOffsets) -> OffsetReset:
    """Where a partition goes: never before its first record, nor beyond its end."""
    target = min(max(_target(to, found), found.earliest), found.latest)
    return OffsetReset(offset=target, before=found.committed)


def _target(to: ResetTo, found: PartitionOffsets) -> int:
    current = found.latest if found.committed is None else found.committed
    match to:
        case ToEarliest():
            return found.earliest
        case ToOffset(offset):
            return offset
        case ToCurrent():
            return current
        case ShiftBy(by):
            return current + by
        case ToTime() | ByDuration() if found.at_time is not None:
            return found.at_time
        case _:
            return found.latest
