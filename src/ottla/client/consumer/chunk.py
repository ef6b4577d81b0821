"""What one fetch brought of one partition: looked through once, opened piece by piece.

Looking through reads headers only. Where the batches lead, which of them do not count, and where
they are damaged is known then; records are opened when somebody takes them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from operator import attrgetter
from typing import NamedTuple

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.ids import NO_EPOCH
from ottla.base.limits import CONSUMER_OPENED_BYTES_MAX, DECOMPRESSED_BYTES_MAX
from ottla.base.world import Buffer
from ottla.client.consumer.aborted import AbortedTransactions
from ottla.wire.messages.fetch import AbortedTransaction
from ottla.wire.records.columns import RecordColumns, open_records
from ottla.wire.records.header import BatchHeader, TimestampType, check_crc, iter_batches


class Run(NamedTuple):
    """Batches of one leader epoch and one kind of time, from this offset on."""

    base_offset: int
    leader_epoch: int
    timestamp_type: TimestampType


class Chunk:
    """Batches from `from_offset` up to `next_offset`; `damage` is what follows them."""

    def __init__(
        self,
        records: Buffer,
        *,
        from_offset: int,
        aborted: Sequence[AbortedTransaction] = (),
        with_crc: bool = True,
    ) -> None:
        self.runs: list[Run] = []
        self.next_offset = from_offset
        self._with_crc = with_crc
        self._dropped: set[int] = set()
        self._data = memoryview(records)
        self._at = 0
        end, self.damage = self._look_through(AbortedTransactions(aborted))
        if self.damage is None and self.next_offset == from_offset:
            self.damage = self._nothing(end)
        self._data = self._data[:end]

    def _look_through(self, aborted: AbortedTransactions) -> tuple[int, ProtocolError | None]:
        """Learn runs, offsets and what is dropped; where the good batches end, and why there."""
        end = 0
        try:
            for header, batch in iter_batches(self._data):
                self._note(header, batch, aborted)
                end += header.size
        except ProtocolError as error:
            return end, error
        return end, None

    def _note(self, header: BatchHeader, batch: memoryview, aborted: AbortedTransactions) -> None:
        if header.last_offset_delta < 0:
            raise ProtocolError(ErrorCode.CORRUPT_MESSAGE, "a batch ends before it begins")
        if header.is_control and self._with_crc:
            check_crc(batch, 0, header.size)
        if aborted.drops(header, batch):
            self._dropped.add(header.base_offset)
        run = Run(header.base_offset, header.partition_leader_epoch, header.timestamp_type)
        if not self.runs or self.runs[-1][1:] != run[1:]:
            self.runs.append(run)
        self.next_offset = max(self.next_offset, header.next_offset)

    def _nothing(self, end: int) -> ProtocolError:
        """Reading would stand still for ever without anybody being told."""
        if end:
            return ProtocolError(ErrorCode.CORRUPT_MESSAGE, "the batches lie before the position")
        return ProtocolError(ErrorCode.MESSAGE_TOO_LARGE, "the node sends no whole batch")

    @property
    def size(self) -> int:
        """Bytes of the batches that are still to be opened."""
        return len(self._data) - self._at

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to open, nor to complain about."""
        return self.damage is None and not self.size

    def open(self, from_offset: int) -> RecordColumns:
        """The next records, not more than a bounded piece; the same again until `advance`.

        Raises ProtocolError where the next batch is damaged.
        """
        if not self.size:
            assert self.damage is not None, "what is over is not opened"
            raise self.damage
        rest = self._data[self._at :]
        try:
            return self._open(rest, from_offset, CONSUMER_OPENED_BYTES_MAX)
        except ProtocolError:
            # A single batch may be larger than a piece.
            _, batch = next(iter_batches(rest))
            return self._open(batch, from_offset, DECOMPRESSED_BYTES_MAX)

    def _open(self, data: memoryview, from_offset: int, limit: int) -> RecordColumns:
        return open_records(
            data,
            from_offset=from_offset,
            skip=self._is_dropped if self._dropped else None,
            check_crc=self._with_crc,
            limit=limit,
        )

    def _is_dropped(self, header: BatchHeader, _batch: memoryview) -> bool:
        return header.base_offset in self._dropped

    def advance(self, columns: RecordColumns) -> None:
        """What `open` returned was taken."""
        self._at += columns.size

    def run_of(self, offset: int) -> Run:
        """Of the batch that holds an offset, or of the last one before it."""
        at = bisect_left(self.runs, offset + 1, key=attrgetter("base_offset"))
        return self.runs[max(at - 1, 0)] if self.runs else Run(offset, NO_EPOCH, TimestampType(0))
