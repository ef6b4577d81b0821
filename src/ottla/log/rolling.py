"""When a log goes on to its next segment. Questions only: nothing here changes anything."""

from __future__ import annotations

from ottla.log.config import LogConfig
from ottla.log.segment import NEVER, OFFSETS_PER_SEGMENT_MAX, Segment
from ottla.wire.records.crc32c import crc32c
from ottla.wire.records.header import BatchHeader


def patience_ms(segment: Segment, config: LogConfig) -> int:
    """How long a segment takes batches: `segment.ms`, less its own part of the jitter.

    Of a compacted log no longer than `max.compaction.lag.ms`: only closed segments are compacted.
    The part follows from the segment's path: spread over partitions, and the same every time.
    """
    segment_ms = config.segment_ms
    if config.is_compacted:
        segment_ms = min(segment_ms, config.compaction_lag_ms_max)
    if not config.segment_jitter_ms:
        return segment_ms
    jitter_ms = crc32c(segment.log.path.encode()) % (config.segment_jitter_ms + 1)
    return max(segment_ms - jitter_ms, 0)


def roll_after(segment: Segment, config: LogConfig) -> int:
    """The last timestamp that the segment takes; its age is counted in the records' own time."""
    if segment.first_timestamp < 0:
        return NEVER
    return segment.first_timestamp + patience_ms(segment, config)


def must_roll(segment: Segment, header: BatchHeader, next_offset: int, config: LogConfig) -> bool:
    """Whether a batch that ends at `next_offset` needs a new segment."""
    if next_offset > segment.offset_limit:
        return True
    return bool(segment.size) and (
        segment.size + header.size > config.segment_bytes
        or header.max_timestamp > roll_after(segment, config)
    )


def next_base(log_end_offset: int, base_offset: int, next_offset: int) -> int:
    """The base offset of the segment that begins with this batch.

    It is the end of the segment before, so that recovery notices a hole between the two; the
    batch's own offset only where relative offsets could not tell the distance.
    """
    is_far = next_offset - log_end_offset > OFFSETS_PER_SEGMENT_MAX
    return base_offset if is_far else log_end_offset
