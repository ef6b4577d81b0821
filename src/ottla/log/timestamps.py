"""Finding records by time: index to a batch, then the records inside that one batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ottla.base.ids import LeaderEpoch, Offset
from ottla.log.scan import Placed
from ottla.log.segment import Segment
from ottla.wire.records.header import TimestampType
from ottla.wire.records.record import Record, iter_records


class TimestampedOffset(NamedTuple):
    """A record found by time, and the epoch it was written in."""

    offset: Offset
    timestamp: int
    leader_epoch: LeaderEpoch


def first_from(
    segments: Sequence[Segment], timestamp: int, first_offset: int
) -> TimestampedOffset | None:
    """The first record at `first_offset` or behind it whose timestamp is at least `timestamp`."""
    for segment in segments:
        if segment.next_offset <= first_offset or segment.largest_timestamp()[0] < timestamp:
            continue
        for placed in segment.batches_from_timestamp(timestamp):
            header = placed.header
            if header.max_timestamp < timestamp or header.next_offset <= first_offset:
                continue
            for record in _records(segment, placed):
                if record.timestamp >= timestamp and record.offset >= first_offset:
                    return _found(record, placed)
    return None


def largest(segments: Sequence[Segment]) -> TimestampedOffset | None:
    """The first record that has the largest timestamp of all; None where none has any."""
    segment = max(segments, key=lambda candidate: candidate.largest_timestamp()[0])
    timestamp, last_offset = segment.largest_timestamp()
    if timestamp < 0:
        return None
    for placed in segment.batches_from_timestamp(timestamp):
        if placed.header.last_offset == last_offset:
            for record in _records(segment, placed):
                if record.timestamp == timestamp:
                    return _found(record, placed)
            # The producer's header promises a timestamp that none of its records has.
            return TimestampedOffset(
                Offset(last_offset), timestamp, LeaderEpoch(placed.header.partition_leader_epoch)
            )
    return None


def _records(segment: Segment, placed: Placed) -> Iterator[Record]:
    header = placed.header
    if header.timestamp_type is TimestampType.LOG_APPEND_TIME and header.record_count:
        # All records carry the same time: the first is as good as any, and none need be opened.
        yield Record(offset=header.base_offset, timestamp=header.max_timestamp)
    yield from iter_records(segment.log.get().read_at(placed.position, header.size))


def _found(record: Record, placed: Placed) -> TimestampedOffset:
    return TimestampedOffset(
        Offset(record.offset),
        record.timestamp,
        LeaderEpoch(placed.header.partition_leader_epoch),
    )
