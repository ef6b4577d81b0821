"""What of a log may be compacted, how dirty it is, and the order for it as plain data.

Questions only: nothing here changes anything. A segment is compacted whole or not at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

import msgspec

from ottla.base.limits import KIB, MIB
from ottla.log.aborted_transactions import AbortedTransaction
from ottla.log.config import LogConfig
from ottla.log.partition_producers import PartitionProducers
from ottla.log.scan import walk
from ottla.log.segment import Segment

NEVER_OVERDUE_MS: Final = (1 << 63) - 1
"""`max.compaction.lag.ms` where nobody says otherwise: no reason to look into a file."""


class CompactionMemory(msgspec.Struct, frozen=True, kw_only=True):
    """What one run may take: `log.cleaner.dedupe.buffer.size`, `io.buffer.load.factor` and
    `io.buffer.size`; sizes in bytes. Defaults are Kafka's."""

    map_bytes: int = 128 * MIB
    load_factor: float = 0.9
    io_bytes: int = 512 * KIB


class SourceSegment(msgspec.Struct, frozen=True):
    """A closed segment as the log knows it: offsets [base, next), `size` bytes."""

    base_offset: int
    next_offset: int
    size: int


class CompactionPlan(msgspec.Struct, frozen=True, kw_only=True):
    """An order to `compact`. Plain data: another process carries it out.

    `segments` are all closed ones below `end_offset`, oldest first; those below
    `first_dirty_offset` were compacted before. `producers` are (producer id, last data offset or
    -1, epoch) of those that the log remembers; `aborted` are all transactions with records in the
    segments: the log knows some that are in no file yet. `truncations` tells whether the log was
    cut since.
    """

    directory: str
    truncations: int
    segments: list[SourceSegment]
    first_dirty_offset: int
    end_offset: int
    now_ms: int
    delete_retention_ms: int
    segment_bytes: int
    index_interval_bytes: int
    segment_index_bytes: int
    producers: list[tuple[int, int, int]]
    aborted: list[AbortedTransaction]
    memory: CompactionMemory


class Dirtiness(NamedTuple):
    """How much of a log waits for compaction: closed segments from `first_dirty_offset`, which may
    lie inside of one, to `end_offset`. `is_overdue`: `max.compaction.lag.ms` has passed."""

    first_dirty_offset: int
    end_offset: int
    clean_bytes: int
    dirty_bytes: int
    is_overdue: bool

    @property
    def ratio(self) -> float:
        total = self.clean_bytes + self.dirty_bytes
        return self.dirty_bytes / total if total else 0.0


class Compactable(Protocol):
    """A log, as far as compaction asks."""

    directory: str
    truncations: int
    producers: PartitionProducers

    @property
    def log_start_offset(self) -> int: ...

    @property
    def log_end_offset(self) -> int: ...

    @property
    def config(self) -> LogConfig: ...

    @property
    def closed_segments(self) -> Sequence[Segment]: ...

    def youngest_ms(self, segment: Segment) -> int: ...


def dirtiness(
    log: Compactable, *, first_dirty_offset: int, end_offset: int, now_ms: int
) -> Dirtiness | None:
    """How dirty a log is up to `end_offset`, its last stable offset; None where nothing may go.

    `first_dirty_offset` comes from the checkpoint; one that cannot be of this log counts as its
    start. Raises OSError, DamagedLogError and DamagedIndexError.
    """
    if not log.log_start_offset <= first_dirty_offset <= log.log_end_offset:
        first_dirty_offset = log.log_start_offset
    cleanable = _cleanable(log, first_dirty_offset, end_offset, now_ms)
    dirty = [segment for segment in cleanable if segment.next_offset > first_dirty_offset]
    if not dirty:
        return None
    dirty_bytes = sum(segment.committed_size for segment in dirty)
    return Dirtiness(
        first_dirty_offset,
        dirty[-1].next_offset,
        sum(segment.committed_size for segment in cleanable) - dirty_bytes,
        dirty_bytes,
        is_overdue=_is_overdue(dirty, log.config.compaction_lag_ms_max, now_ms),
    )


def plan_compaction(
    log: Compactable,
    *,
    first_dirty_offset: int,
    end_offset: int,
    now_ms: int,
    memory: CompactionMemory | None = None,
) -> CompactionPlan | None:
    """The order to compact a log; None where nothing is dirty that may be cleaned.

    Asks nothing about ratios: see `dirtiness`, which says what the arguments mean and what is
    raised.
    """
    found = dirtiness(
        log, first_dirty_offset=first_dirty_offset, end_offset=end_offset, now_ms=now_ms
    )
    if found is None:
        return None
    config = log.config
    segments = [
        SourceSegment(segment.base_offset, segment.next_offset, segment.committed_size)
        for segment in log.closed_segments
        if segment.next_offset <= found.end_offset
    ]
    return CompactionPlan(
        directory=log.directory,
        truncations=log.truncations,
        segments=segments,
        first_dirty_offset=found.first_dirty_offset,
        end_offset=found.end_offset,
        now_ms=now_ms,
        delete_retention_ms=config.delete_retention_ms,
        segment_bytes=config.segment_bytes,
        index_interval_bytes=config.index_interval_bytes,
        segment_index_bytes=config.segment_index_bytes,
        producers=_producers(log, found.end_offset),
        aborted=log.producers.aborted.between(segments[0].base_offset, found.end_offset),
        memory=memory or CompactionMemory(),
    )


def _cleanable(
    log: Compactable, first_dirty_offset: int, end_offset: int, now_ms: int
) -> list[Segment]:
    """Closed segments that end at or below `end_offset`, up to the first that is too young."""
    youngest_ms_max = now_ms - log.config.compaction_lag_ms_min
    found: list[Segment] = []
    for segment in log.closed_segments:
        if segment.next_offset > end_offset:
            break
        # What is clean was old enough once; its timestamps may lie in the future all the same.
        is_dirty = segment.next_offset > first_dirty_offset
        if (
            is_dirty
            and log.config.compaction_lag_ms_min
            and log.youngest_ms(segment) > youngest_ms_max
        ):
            break
        found.append(segment)
    return found


def _is_overdue(dirty: list[Segment], lag_ms_max: int, now_ms: int) -> bool:
    if lag_ms_max == NEVER_OVERDUE_MS:
        return False
    begins = (_first_timestamp(segment) for segment in dirty)
    return any(0 < timestamp < now_ms - lag_ms_max for timestamp in begins)


def _first_timestamp(segment: Segment) -> int:
    if segment.first_timestamp >= 0 or not segment.committed_size:
        return segment.first_timestamp
    first = next(walk(segment.log.get(), 0, segment.committed_size))
    return first.header.max_timestamp


def _producers(log: Compactable, end_offset: int) -> list[tuple[int, int, int]]:
    """Those whose last batch lies below `end_offset`, or whose marker may."""
    found = []
    for producer_id, state in log.producers.states:
        last_offset = state.batches[-1].last_offset if state.batches else -1
        if last_offset < end_offset:
            found.append((producer_id, last_offset, state.epoch))
    return found
