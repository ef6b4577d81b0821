"""The loop of `consume`: reads batches, chooses, prints, and knows when it is over."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import BinaryIO, Final, Protocol

from ottla.base.ids import TopicPartition
from ottla.cli.rate import Rate
from ottla.cli.records.choosing import Choice, rows_before
from ottla.cli.records.printing import Printer
from ottla.wire.records.columns import RecordColumns

_POLL_S: Final = 0.25


def write_whole(out: BinaryIO, data: bytes) -> None:
    """Also where nothing buffers (PYTHONUNBUFFERED), and a file takes what it likes."""
    left = memoryview(data)
    while left:
        left = left[out.write(left) :]


class Reads(Protocol):
    """What the loop needs of a consumer."""

    def poll_batch(self, timeout_s: float | None = None) -> dict[TopicPartition, RecordColumns]: ...

    def position(self, partition: tuple[str, int], *, timeout_s: float | None = None) -> int: ...


class Ends:
    """Where each partition ends; without any there is no end."""

    def __init__(self, ends: dict[TopicPartition, int] | None = None) -> None:
        self.ends = {} if ends is None else ends
        self._is_bounded = ends is not None
        self._open = set(self.ends)

    def set(self, ends: dict[TopicPartition, int]) -> None:
        """Other partitions than before."""
        self.ends = ends
        self._open = set(ends)

    def forget(self, partitions: Sequence[TopicPartition]) -> None:
        """They are others': where reading is in them, nobody here knows."""
        for partition in partitions:
            self.ends.pop(partition, None)
        self._open.difference_update(partitions)

    def reached(self, partition: TopicPartition, next_offset: int) -> None:
        """Reading is so far."""
        if partition in self._open and next_offset >= self.ends[partition]:
            self._open.discard(partition)

    @property
    def open(self) -> Sequence[TopicPartition]:
        """Those that are not at their end."""
        return sorted(self._open)

    @property
    def is_over(self) -> bool:
        """Whether all are at their end."""
        return self._is_bounded and bool(self.ends) and not self._open


class Keeper:
    """Keeps positions somewhere as records are printed; this one nowhere."""

    def printed(self, partition: TopicPartition, next_offset: int) -> None:
        """All before this offset is on its way out."""

    def flushed(self) -> None:
        """What was printed has left."""

    def close(self) -> None:
        """The end."""


class Reading:
    """One run; `run` returns when nothing more is to be printed."""

    def __init__(
        self,
        consumer: Reads,
        out: BinaryIO,
        *,
        printer: Printer,
        choice: Choice,
        ends: Ends,
        rate: Rate,
        keeper: Keeper,
        count: int | None = None,
        idle_ms: int | None = None,
    ) -> None:
        self._consumer = consumer
        self._out = out
        self._printer = printer
        self._choice = choice
        self._ends = ends
        self._rate = rate
        self._keeper = keeper
        self._left = count
        self._idle_s = None if idle_ms is None else idle_ms / 1000

    def run(self) -> None:
        """Raises what the consumer raises, and BrokenPipeError."""
        last_s = time.monotonic()
        while not self._is_over:
            batches = self._consumer.poll_batch(timeout_s=_POLL_S)
            for partition, columns in batches.items():
                self._take(partition, columns)
                if self._left == 0:
                    break
            if batches:
                self._out.flush()
                last_s = time.monotonic()
            else:
                self._look_at_positions()
            self._keeper.flushed()
            self._rate.add(0, 0)
            if self._idle_s is not None and time.monotonic() - last_s > self._idle_s:
                return

    @property
    def _is_over(self) -> bool:
        return self._left == 0 or self._ends.is_over

    def _take(self, partition: TopicPartition, columns: RecordColumns) -> None:
        whole = rows_before(columns.offsets, self._ends.ends.get(partition))
        rows = self._choice.rows(columns, whole)
        next_offset = columns.next_offset
        if self._left is not None and len(rows) >= self._left:
            rows = rows[: self._left]
            next_offset = columns.offsets[rows[-1]] + 1
        if rows:
            data = self._printer.print(partition, columns, rows)
            write_whole(self._out, data)
            self._rate.add(len(rows), len(data))
        if self._left is not None:
            self._left -= len(rows)
        self._keeper.printed(partition, next_offset)
        self._ends.reached(partition, next_offset)

    def _look_at_positions(self) -> None:
        """Behind the last record may lie what nobody hands out: the marks of transactions."""
        for partition in self._ends.open:
            self._ends.reached(partition, self._consumer.position(partition))
