"""When the first record was written that somebody has not read yet."""

from __future__ import annotations

from typing import Final

from ottla.base.limits import CONTROL_BATCHES_SKIPPED_MAX
from ottla.broker.partition import Partition
from ottla.log.errors import storage_error
from ottla.log.readable_log import ReadableLog
from ottla.wire.records.header import HEADER_SIZE, BatchHeader, TimestampType, read_header

UNKNOWN: Final = -1
"""Of a record without a time."""

Position = tuple[bytes, int, int]
"""Topic id, partition, offset."""


class RecordTimes:
    """Times of records by their offset; what the last round asked for is not looked up again.

    A group that does not move costs one look at a batch's header, once, and many groups at the
    same offset share it.
    """

    def __init__(self) -> None:
        self._before: dict[Position, int] = {}
        self._now: dict[Position, int] = {}
        self.looked_up = 0

    def begin_round(self) -> None:
        """Whatever is not asked for from here until the next round is forgotten."""
        self._before, self._now = self._now, {}

    def at(self, partition: Partition, offset: int) -> int | None:
        """Of the first record at or behind `offset`; None where none is below the high watermark.

        In milliseconds, UNKNOWN where the record has no time. Raises StorageError,
        OffsetOutOfRangeError.
        """
        # Records may be deleted under a group that stands still: the first that is left counts.
        offset = max(offset, partition.log.log_start_offset)
        position = partition.topic_id, partition.index, offset
        known = self._now.get(position)
        if known is None:
            known = self._before.get(position)
            if known is None:
                self.looked_up += 1
                known = time_of_first_record(partition.log, offset, partition.high_watermark)
            if known is not None:  # otherwise one may come there at any time
                self._now[position] = known
        return known


def time_of_first_record(log: ReadableLog, offset: int, end_offset: int) -> int | None:
    """See `RecordTimes.at`; from the header of its batch alone."""
    for _ in range(CONTROL_BATCHES_SKIPPED_MAX):
        offset = max(offset, log.log_start_offset)
        header = _batch_at(log, offset, end_offset)
        if header is None:
            return None
        if not header.is_control:
            return _time_in(header, offset)
        offset = header.next_offset
    return None


def _batch_at(log: ReadableLog, offset: int, end_offset: int) -> BatchHeader | None:
    found = log.read(offset, HEADER_SIZE, end_offset=end_offset, min_one_batch=True)
    if found is None:
        return None
    try:
        return read_header(found.file.read_at(found.position, HEADER_SIZE))
    except OSError as error:
        raise storage_error("read", log.directory, error) from error


def _time_in(header: BatchHeader, offset: int) -> int:
    """Exact for the first record; the others are taken to be spread evenly over the batch."""
    first, last = header.base_timestamp, header.max_timestamp
    is_append_time = header.timestamp_type is TimestampType.LOG_APPEND_TIME
    if is_append_time or header.delete_horizon_ms is not None or first < 0:
        return last
    skipped = max(offset - header.base_offset, 0)
    if not skipped or last <= first:
        return first
    return first + (last - first) * skipped // header.last_offset_delta
