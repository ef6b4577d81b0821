"""One partition that is read: its position, what was fetched behind it, and what stands in its way.

Pure state. The position is that of the next record to hand out, and moves in the same step in which
a record is handed out: whoever is cancelled before has taken nothing, and lost nothing.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable, Container
from enum import Enum
from itertools import repeat
from typing import Final, NamedTuple

from ottla.base.errors import ProtocolError
from ottla.base.ids import NO_EPOCH, TopicPartition
from ottla.client.backoff import Backoff
from ottla.client.consumer.chunk import Chunk, Run
from ottla.client.consumer.errors import CorruptRecordsError
from ottla.client.consumer.record import ConsumerRecord
from ottla.wire.records.columns import RecordColumns
from ottla.wire.records.record import RecordHeader

LATEST = -1
EARLIEST = -2
"""In place of a time, as ListOffsets has them."""


ROWS_AT_ONCE: Final = 128
ROWS_AT_ONCE_MAX: Final = 512
"""Records that are made at once, at least and at most, while an opened piece has so many."""


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


MakeRecords = Callable[[RecordColumns, int, int], list[ConsumerRecord]]
"""(columns, begin, end) -> the records of these rows."""

_Fields = tuple[
    "array[int]",
    "array[int]",
    list[bytes | None],
    list[bytes | None],
    list[tuple[RecordHeader, ...]],
]
"""Columns of a record's fields from the offset to the headers."""


class LogBounds(NamedTuple):
    """Offsets of a log, as a fetch tells them."""

    start: int
    """-1 where it is not told."""
    stable: int
    """Where what is decided ends; -1 where it is not told."""
    end: int
    """Where what is replicated ends."""

    def readable_end(self, *, is_committed: bool) -> int:
        """Up to where a consumer can read."""
        return self.stable if is_committed and self.stable >= 0 else self.end


class NearReplica(NamedTuple):
    """A node that the leader has named to fetch from, and when to ask the leader again."""

    node_id: int
    until_ms: float


class _Rows:
    """An opened piece that is handed out record by record; a few of them are made at a time.

    Making all at once would take much more memory than the caches hold, and make each slower.
    """

    __slots__ = ("_made", "_make", "at", "columns", "records")

    def __init__(self, columns: RecordColumns, make: MakeRecords) -> None:
        self.columns = columns
        self.records: list[ConsumerRecord] = []
        """The last that were made; those before `at` were handed out."""
        self.at = 0
        self._make = make
        self._made = 0

    @property
    def is_over(self) -> bool:
        """Whether all were handed out."""
        return self.at == len(self.records) and self._made == len(self.columns)

    def peek(self, count: int) -> list[ConsumerRecord]:
        """What `take` would take."""
        lacking = count - (len(self.records) - self.at)
        if lacking > 0 and self._made < len(self.columns):
            begin = self._made
            self._made = min(begin + max(lacking, ROWS_AT_ONCE), len(self.columns))
            # The record handed out last stays: `last_taken` looks at it.
            kept = max(self.at - 1, 0)
            self.records = self.records[kept:] + self._make(self.columns, begin, self._made)
            self.at -= kept
        return self.records[self.at : self.at + count]

    def take(self, count: int) -> list[ConsumerRecord]:
        """The next ones: up to `count`, at least one."""
        taken = self.records[self.at : self.at + count]
        self.at += len(taken)
        while len(taken) < count and self._made < len(self.columns):
            wanted = min(max(count - len(taken), ROWS_AT_ONCE), ROWS_AT_ONCE_MAX)
            begin, self._made = self._made, min(self._made + wanted, len(self.columns))
            self.records = self._make(self.columns, begin, self._made)
            self.at = min(count - len(taken), len(self.records))
            taken += self.records[: self.at]
        return taken


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
        self.awaits_committed = False
        """Whether a group's committed position is looked up; a jump makes it needless."""
        self.is_leaving = False
        """Whether a group takes it back: it keeps its position, and nothing more is read."""
        self.error: Exception | None = None
        self.version = 0
        self.asking = False
        """Whether an offset is looked up or checked now."""
        self.retry_at_ms = 0.0
        self.backoff = backoff
        self.replica: NearReplica | None = None
        """Where to fetch in place of the leader (KIP-392)."""
        self.bounds: LogBounds | None = None
        """What the node that was fetched from last has told."""
        self.records_taken = 0
        self.bytes_fetched = 0
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
        self.replica = None
        self._checked = stamp
        self.backoff.reset()

    def checked(self, stamp: Stamp) -> None:
        """The log of this leader holds what was read; it says anew where to read on."""
        self.replica = None
        self._checked = stamp
        self.asking = False
        self.backoff.reset()

    def _jump(self) -> None:
        self.error = None
        self.awaits_committed = False
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

    # -- nearer replicas -------------------------------------------------------------------------

    def source(self, leader_id: int, nodes: Container[int], now_ms: float) -> int:
        """The node to fetch from: a nearer replica while it is known, else the leader."""
        if self.replica is None:
            return leader_id
        if self.replica.until_ms <= now_ms or self.replica.node_id not in nodes:
            self.replica = None
            return leader_id
        return self.replica.node_id

    def lag(self, *, is_committed: bool) -> int | None:
        """Records, at most, between the position and what can be read; None where unknown."""
        if self.offset is None or self.bounds is None:
            return None
        return max(self.bounds.readable_end(is_committed=is_committed) - self.offset, 0)

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
        if self.error is not None or self.asking or self.is_leaving:
            return Need.NOTHING
        if self.offset is None:
            return Need.NOTHING if self.reset is None else Need.OFFSET
        if stamp != self._checked:
            if self.offset_epoch != NO_EPOCH and stamp.leader_epoch != NO_EPOCH:
                return Need.CHECK
            if self._checked is not None:
                # Nothing read yet, so nothing to compare: what another leader told does not count.
                self.drop_buffer()
                self.replica = None
            self._checked = stamp
        if self.paused or self._held or self._buffered >= bytes_max:
            return Need.NOTHING
        return Need.FETCH

    # -- records ---------------------------------------------------------------------------------

    def take_fetched(self, chunk: Chunk) -> None:
        """Keep what was fetched from `fetch_offset`."""
        self._chunks.append(chunk)
        self._buffered += chunk.size
        self.bytes_fetched += chunk.size
        self._held = chunk.damage is not None
        self.backoff.reset()

    def take_records(self, count: int) -> list[ConsumerRecord]:
        """Hand out up to `count`; none where none is here, or where `error` now says why."""
        rows = self._rows or self._open_rows()
        if rows is None:
            return []
        taken = rows.take(count)
        self.records_taken += len(taken)
        if rows.is_over:
            self._move_behind(rows.columns)
        else:
            self.offset = taken[-1].offset + 1
            self.offset_epoch = taken[-1].leader_epoch
        return taken

    def peek_records(self, count: int) -> list[ConsumerRecord]:
        """What `take_records` would hand out."""
        rows = self._rows or self._open_rows()
        return [] if rows is None else rows.peek(count)

    def take_record(self) -> ConsumerRecord:
        """Hand out one of the opened records; only while `has_rows`."""
        rows = self._rows
        assert rows is not None
        at = rows.at
        if at + 1 < len(rows.records):
            # The common case, without a list for it.
            record = rows.records[at]
            rows.at = at + 1
            self.records_taken += 1
            self.offset = record.offset + 1
            self.offset_epoch = record.leader_epoch
            return record
        (record,) = self.take_records(1)
        return record

    def take_columns(self) -> RecordColumns | None:
        """Hand out the next piece; None where none is here, or where `error` now says why."""
        columns = self._open()
        if columns is not None:
            self.records_taken += len(columns)
            self._move_behind(columns)
        return columns

    @property
    def last_taken(self) -> ConsumerRecord:
        """The record handed out last; only while opened records are here, and one was taken."""
        assert self._rows is not None
        return self._rows.records[self._rows.at - 1]

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
        self._rows = _Rows(columns, self._records_of)
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

    def _records_of(self, columns: RecordColumns, begin: int, end: int) -> list[ConsumerRecord]:
        chunk = self._chunks[0]
        run = chunk.run_of(columns.offsets[begin])
        rows = _rows_of(columns, begin, end)
        if run is chunk.run_of(columns.offsets[end - 1]):
            return self._records_of_run(rows, run)
        topic, partition = self.partition
        return [
            ConsumerRecord(topic, partition, offset, timestamp, key, value, headers, run[1], run[2])
            for offset, timestamp, key, value, headers in zip(*rows, strict=True)
            for run in (chunk.run_of(offset),)
        ]

    def _records_of_run(self, rows: _Fields, run: Run) -> list[ConsumerRecord]:
        topic, partition = self.partition
        return list(
            map(
                ConsumerRecord,
                repeat(topic),
                repeat(partition),
                *rows,
                repeat(run.leader_epoch),
                repeat(run.timestamp_type),
            )
        )


def _rows_of(columns: RecordColumns, begin: int, end: int) -> _Fields:
    return (
        columns.offsets[begin:end],
        columns.timestamps[begin:end],
        columns.keys.to_list(begin, end),
        columns.values.to_list(begin, end),
        columns.headers.to_list(begin, end),
    )
