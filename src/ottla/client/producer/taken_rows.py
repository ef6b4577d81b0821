"""What `send_batch` gives back: where its rows are, and what became of them."""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from ottla.base.errors import ErrorCode, UserError
from ottla.client.producer.batch import ProducerBatch
from ottla.client.producer.delivery import Delivery, Settling, call_listener
from ottla.client.producer.errors import DeliveryError


class StoredRange(NamedTuple):
    """Rows of a call that lie one behind the other: `rows[i]` at `offset + i`.

    The offset is -1 with acks=0, or where the cluster no longer knew. Rows are numbers, ascending.
    """

    partition: int
    offset: int
    rows: Sequence[int]


class FailedRange(NamedTuple):
    """Rows of a call that were given up together, and why."""

    partition: int
    error: Exception
    rows: Sequence[int]


class StoredRows:
    """Where the rows of one `send_batch` are stored."""

    __slots__ = ("ranges", "topic")

    def __init__(self, topic: str, ranges: tuple[StoredRange, ...]) -> None:
        self.topic = topic
        self.ranges = ranges
        """In each partition in the order of its offsets."""

    def __len__(self) -> int:
        return sum(len(stored.rows) for stored in self.ranges)

    def place(self, row: int) -> tuple[int, int]:
        """Partition and offset of one row. Raises KeyError for one that is not stored.

        A search, in time that grows with the number of ranges.
        """
        for partition, offset, rows in self.ranges:
            at = bisect_left(rows, row)
            if at < len(rows) and rows[at] == row:
                return partition, offset if offset < 0 else offset + at
        raise KeyError(row)


class RowsFailedError(DeliveryError):
    """Some rows of a `send_batch` have no good outcome; `code` is that of the first of them."""

    def __init__(self, stored: StoredRows, failed: tuple[FailedRange, ...]) -> None:
        first = failed[0].error
        count = sum(len(one.rows) for one in failed)
        UserError.__init__(
            self,
            f"{count} of {count + len(stored)} rows for {stored.topic!r}, the first: {first}",
        )
        self.code = getattr(first, "code", ErrorCode.UNKNOWN_SERVER_ERROR)
        self.stored = stored
        self.failed = failed


class RowsCutOffError(UserError):
    """A `send_batch` ended early: `delivery` is of the rows that were taken, the first ones."""

    def __init__(self, delivery: BatchDelivery, count: int, reason: Exception) -> None:
        super().__init__(
            f"only the first {delivery.taken} of {count} rows for {delivery.topic!r} were taken:"
            f" {reason}"
        )
        self.delivery = delivery


class _Piece(NamedTuple):
    batch: ProducerBatch
    first: int
    """The index of its first record in the batch."""
    rows: Sequence[int]


class BatchDelivery:
    """Await it for the `StoredRows`, or for the RowsFailedError that it raises.

    Cancelling who waits changes nothing of the delivery. `taken` counts the rows that are on their
    way: the first so many of the call.
    """

    __slots__ = ("_pieces", "taken", "topic")

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.taken = 0
        self._pieces: list[_Piece] = []

    def add(self, batch: ProducerBatch, index: int, rows: Sequence[int]) -> None:
        """For the producer."""
        self._pieces.append(_Piece(batch, index, rows))
        self.taken += len(rows)

    def _stretches(self) -> Iterator[_Piece]:
        """The pieces as they are now: batches may have been split."""
        for batch, index, rows in self._pieces:
            start = 0
            for part, first, count in batch.stretches(index, len(rows)):
                yield _Piece(part, first, rows[start : start + count])
                start += count

    def done(self) -> bool:
        """Whether every row has its outcome."""
        return all(piece.batch.settled for piece in self._stretches())

    def exception(self) -> RowsFailedError | None:
        """Why rows failed. Raises asyncio.InvalidStateError before all have their outcome."""
        stored, failed = self._outcome()
        return RowsFailedError(stored, failed) if failed else None

    def result(self) -> StoredRows:
        """The outcome. Raises RowsFailedError, and as `exception`."""
        stored, failed = self._outcome()
        if failed:
            raise RowsFailedError(stored, failed)
        return stored

    def _outcome(self) -> tuple[StoredRows, tuple[FailedRange, ...]]:
        stored: list[StoredRange] = []
        failed: list[FailedRange] = []
        for batch, index, rows in self._stretches():
            partition = batch.partition.partition
            if not batch.settled:
                raise asyncio.InvalidStateError("rows are still on their way")
            if batch.error is not None:
                failed.append(FailedRange(partition, batch.error, rows))
            else:
                offset = batch.base_offset if batch.base_offset < 0 else batch.base_offset + index
                stored.append(StoredRange(partition, offset, rows))
        return StoredRows(self.topic, tuple(stored)), tuple(failed)

    def add_done_callback(self, listener: Callable[[BatchDelivery], object]) -> None:
        """Call when every row has its outcome, inside the loop; at once where all have."""
        self._listen(listener, 0)

    def _listen(self, listener: Callable[[BatchDelivery], object], piece: int) -> None:
        """What stands before this piece has its outcome."""
        for number in range(piece, len(self._pieces)):
            batch, index, rows = self._pieces[number]
            for part, first, _ in batch.stretches(index, len(rows)):
                if not part.settled:
                    part.listen(partial(self._go_on, listener, number), Delivery(part, first))
                    return
        call_listener(listener, self)

    def _go_on(self, listener: Callable[[BatchDelivery], object], piece: int, _: Delivery) -> None:
        self._listen(listener, piece)

    def __await__(self) -> Generator[Any, None, StoredRows]:
        waiting: list[Settling] = [piece.batch for piece in self._pieces]
        while waiting:
            settling = waiting.pop()
            if onward := settling.onward():
                waiting += onward
            elif not settling.settled:
                waiting.append(settling)
                yield from settling.changed().__await__()
        return self.result()
