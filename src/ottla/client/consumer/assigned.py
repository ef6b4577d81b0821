"""One partition that is read: its position, what was fetched behind it, and what stands in its way.

Pure state. The position is that of the next record to hand out, and moves in the same step in which
a record is handed out: whoever is cancelled before has taken nothing, and lost nothing.
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from itertools import repeat
from typing import NamedTuple

from ottla.base.errors import ProtocolError
from ottla.base.ids import NO_EPOCH, TopicPartition
from ottla.client.backoff import Backoff
from ottla.client.consumer.chunk import Chunk, Run
from ottla.client.consumer.errors import CorruptRecordsError
from ottla.client.consumer.record import ConsumerRecord
from ottla.wire.records.columns import RecordColumns

LATEST = -1
EARLIEST = -2
"""In place of a time, as ListOffsets has them."""


class Stamp(NamedTuple):
    """Who led a log when a position was known to be in it."""

    topic_id: bytes
    leader_epoch: int


class Need(Enum):
    """What is to be done next for a partition."""

    NOTHING = "nothing"
    OFFSET = "look up the offset to begin at"
    CHECK = "check that the log still holds what was read"
    FETCH = "fetch"


class Reset(NamedTuple):
    """Where to begin: a time in milliseconds, LATEST or EARLIEST.

    A time is looked up in two steps: first the end, then the time, so that a record which is
    written between them is not passed over when nothing is as late as that time.
    """

    timestamp: int
    end: int | None = None

    @property
    def asked_timestamp(self) -> int:
        """What to ask for in this step."""
        return LATEST if self.timestamp >= 0 and self.end is None else self.timestamp


class _Rows:
    """Opened records that are handed out one by one."""

    __slots__ = ("at", "columns", "records")

    def __init__(self, records: list[ConsumerRecord], columns: RecordColumns) -> None:
        self.records = records
        self.columns = columns
        self.at = 0


class AssignedPartition:
    """`version` changes with every jump: what was asked before it does not count any more."""

    def __init__(self, partition: TopicPartition, backoff: Backoff) -> None:
        self.partition = partition
        self.offset: int | None = None
        """The next record's; None where it is not known yet."""
        self.offset_epoch: int = NO_EPOCH
        """The leader epoch of the record before it; -1 unknown."""
        self.reset: Reset | None = None
        self.paused = False
        self.error: Exception | None = None
        self.version = 0
        self.asking = False
        """Whether an offset is looked up or checked now."""
        self.retry_at_ms = 0.0
        self.backoff = backoff
        self._checked: Stamp | None = None
        self._held = False
        self._chunks: deque[Chunk] = deque()
        self._buffered = 0
        self._rows: _Rows | None = None

    # -- jumps -----------------------------------------------------------------------------------

    def seek(self, offset: int, leader_epoch: int = NO_EPOCH) -> None:
        """Go on at an offset; the epoch of the record before it lets a truncation be noticed."""
        self._jump()
        self.offset, self.offset_epoch, self.reset = offset, leader_epoch, None
        self._checked = None

    def begin_at(self, reset: Reset) -> None:
        """Go on where a lookup will say."""
        self._jump()
        self.offset, self.offset_epoch, self.reset = None, NO_EPOCH, reset

    def found(self, offset: int, leader_epoch: int, stamp: Stamp) -> None:
        """The lookup, or a check against this leader, says where to go on."""
        self.seek(offset, leader_epoch)
        self._checked = stamp
        self.backoff.reset()

    def checked(self, stamp: Stamp) -> None:
        """The log of this leader holds what was read."""
        self._checked = stamp
        self.asking = False
        self.backoff.reset()

    def _jump(self) -> None:
        self.error = None
        self.retry_at_ms = 0.0
        self.drop_buffer()

    def drop_buffer(self) -> None:
        """Fetch anew from the position; what is on its way does not count."""
        self.version += 1
        self.asking = False
        self._held = False
        self._rows = None
        self._buffered = 0
        self._chunks.clear()

    # -- what is in the way ----------------------------------------------------------------------

    def fail(self, error: Exception) -> None:
        """Tell the user; where something is still to be handed out, after that, if it lasts."""
        if self.is_buffered:
            self._held = True
        else:
            self.error = error

    def retry_later(self, now_ms: float) -> None:
        """Something passing is in the way."""
        self.retry_at_ms = now_ms + self.backoff.next_ms()

    def hold_if_buffered(self) -> bool:
        """Fetch no more until the buffer is empty; whether it is not."""
        self._held = self.is_buffered
        return self._held

    # -- what is next ----------------------------------------------------------------------------

    @property
    def is_buffered(self) -> bool:
        """Whether something fetched is still to be handed out."""
        return bool(self._chunks)

    @property
    def buffered(self) -> int:
        """Bytes of fetched batches that were not opened and taken."""
        return self._buffered

    @property
    def fetch_offset(self) -> int:
        """Where to fetch; only with a position."""
        assert self.offset is not None
        return self._chunks[-1].next_offset if self._chunks else self.offset

    def need(self, stamp: Stamp, *, bytes_max: int) -> Need:
        """What to do, when this leads; whether the time for it has come is not looked at."""
        if self.error is not None or self.asking:
            return Need.NOTHING
        if self.offset is None:
            return Need.NOTHING if self.reset is None else Need.OFFSET
        if stamp != self._checked:
            if self.offset_epoch != NO_EPOCH and stamp.leader_epoch != NO_EPOCH:
                return Need.CHECK
            if self._checked is not None:
                # Nothing read yet, so nothing to compare: what another leader told does not count.
                self.drop_buffer()
            self._checked = stamp
        if self.paused or self._held or self._buffered >= bytes_max:
            return Need.NOTHING
        return Need.FETCH

    # -- records ---------------------------------------------------------------------------------

    def take_fetched(self, chunk: Chunk) -> None:
        """Keep what was fetched from `fetch_offset`."""
        self._chunks.append(chunk)
        self._buffered += chunk.size
        self._held = chunk.damage is not None
        self.backoff.reset()

    def take_records(self, count: int) -> list[ConsumerRecord]:
        """Hand out up to `count`; none where none is here, or where `error` now says why."""
        rows = self._rows or self._open_rows()
        if rows is None:
            return []
        taken = rows.records[rows.at : rows.at + count]
        rows.at += len(taken)
        if rows.at == len(rows.records):
            self._move_behind(rows.columns)
        else:
            self.offset = taken[-1].offset + 1
            self.offset_epoch = taken[-1].leader_epoch
        return taken

    def take_columns(self) -> RecordColumns | None:
        """Hand out the next piece; None where none is here, or where `error` now says why."""
        columns = self._open()
        if columns is not None:
            self._move_behind(columns)
        return columns

    @property
    def has_rows(self) -> bool:
        """Whether opened records are here."""
        return self._rows is not None

    def close_rows(self) -> None:
        """Keep no opened records; they are opened anew when they are taken."""
        self._rows = None

    def _open_rows(self) -> _Rows | None:
        columns = self._open()
        if columns is None:
            return None
        self._rows = _Rows(self._records_of(columns), columns)
        return self._rows

    def _open(self) -> RecordColumns | None:
        """The next piece that has records; what has none is passed over."""
        while self._chunks:
            assert self.offset is not None
            try:
                columns = self._chunks[0].open(self.offset)
            except ProtocolError as error:
                self.drop_buffer()
                self.error = CorruptRecordsError(self.partition, self.offset, error.message)
                return None
            if len(columns):
                return columns
            self._move_behind(columns)
        return None

    def _move_behind(self, columns: RecordColumns) -> None:
        chunk = self._chunks[0]
        self._rows = None
        self._buffered -= columns.size
        chunk.advance(columns)
        if self.offset != columns.next_offset:
            self.offset = columns.next_offset
            self.offset_epoch = chunk.run_of(self.offset - 1).leader_epoch
        if chunk.is_over:
            self._chunks.popleft()
            self._held = self._held and bool(self._chunks)

    def _records_of(self, columns: RecordColumns) -> list[ConsumerRecord]:
        chunk = self._chunks[0]
        run = chunk.run_of(columns.offsets[0])
        if run is chunk.run_of(columns.offsets[-1]):
            return self._records_of_run(columns, run)
        topic, partition = self.partition
        return [
            ConsumerRecord(topic, partition, offset, timestamp, key, value, headers, run[1], run[2])
            for offset, timestamp, key, value, headers in _rows_of(columns)
            for run in (chunk.run_of(offset),)
        ]

    def _records_of_run(self, columns: RecordColumns, run: Run) -> list[ConsumerRecord]:
        topic, partition = self.partition
        return list(
            map(
                ConsumerRecord,
                repeat(topic),
                repeat(partition),
                columns.offsets,
                columns.timestamps,
                columns.keys,
                columns.values,
                columns.headers,
                repeat(run.leader_epoch),
                repeat(run.timestamp_type),
            )
        )


def _rows_of(
    columns: RecordColumns,
) -> zip[tuple[int, int, bytes | None, bytes | None, tuple[tuple[str, bytes | None], ...]]]:
    return zip(
        columns.offsets,
        columns.timestamps,
        columns.keys,
        columns.values,
        columns.headers,
        strict=True,
    )
