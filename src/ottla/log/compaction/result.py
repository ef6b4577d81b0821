"""What a run of compaction has made, as plain data."""

from __future__ import annotations

import msgspec

from ottla.log.compaction.plan import SourceSegment


class CleanedSegment(msgspec.Struct, frozen=True, kw_only=True):
    """One segment, written as `.cleaned` files, for one or several that follow each other.

    Its last batch ends where the last batch of the last one does: `log.leftovers` relies on it.
    """

    base_offset: int
    next_offset: int
    size: int
    replaces: list[SourceSegment]
    has_aborted: bool


class CompactionStats(msgspec.Struct, kw_only=True):
    """Counts of one run; bytes are of log files, records are those of the second pass.

    `map_entries` of `map_capacity` keys were found; what did not fit is left for the next run.
    """

    bytes_indexed: int = 0
    records_indexed: int = 0
    bytes_read: int = 0
    bytes_written: int = 0
    records_read: int = 0
    records_kept: int = 0
    records_without_key: int = 0
    batches_rewritten: int = 0
    map_entries: int = 0
    map_capacity: int = 0
    map_bytes: int = 0


class CompactionResult(msgspec.Struct, frozen=True, kw_only=True):
    """`segments` take the place of others, oldest first; what lost nothing stays as it is.

    Below `first_dirty_offset` the log is compacted once they have.
    """

    directory: str
    truncations: int
    segments: list[CleanedSegment]
    first_dirty_offset: int
    stats: CompactionStats
