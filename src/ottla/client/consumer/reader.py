"""Hands out what was fetched: in lists, as columns, one by one.

Nothing waits between taking a record and returning it: whoever is cancelled has taken nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol, TypeVar

from ottla.base.ids import TopicPartition
from ottla.client.consumer.assigned import AssignedPartition
from ottla.client.consumer.errors import ConsumerClosedError
from ottla.client.consumer.fetcher import Fetcher
from ottla.client.consumer.loan import Loan
from ottla.client.consumer.record import ConsumerRecord
from ottla.wire.records.columns import RecordColumns

Taken = TypeVar("Taken", list[ConsumerRecord], dict[TopicPartition, RecordColumns], Loan)


class Turns(Protocol):
    """Whoever has something to do in the reader's own task: a group that shares partitions."""

    @property
    def wants_turn(self) -> bool:
        """Whether there is something now."""
        ...

    async def turn(self, end_s: float | None) -> None:
        """Do it; what may be waited for, until `end_s` at most. Cancelled, it is done later."""
        ...

    def read_began(self) -> None:
        """Somebody reads, and what was handed out before this is done with."""
        ...

    def read_ended(self) -> None:
        """Nobody does any more."""
        ...


class Reader:
    """One task reads at a time. Without a `group` nothing here asks for turns."""

    def __init__(self, fetcher: Fetcher, *, group: Turns | None = None) -> None:
        self._fetcher = fetcher
        self._group = group
        self.current: AssignedPartition | None = None
        """Of which opened records are here: one at most, they take memory."""
        self.is_closed = False
        self._before: dict[TopicPartition, tuple[int, int]] = {}
        self._opened: AssignedPartition | None = None
        self._taken_to: int | None = None
        self.on_interrupt: Callable[[], None] = lambda: None
        """Called when what was lent is to be given back: the next read shall come soon."""
        self.lent_progress: Callable[[], object] = lambda: None
        """Something else whenever a record was handed out of what was lent."""

    def interrupt(self) -> None:
        """Let the next read ask for its turn."""
        self.current = None
        self.on_interrupt()

    # -- reading ---------------------------------------------------------------------------------

    async def poll(self, count: int, timeout_s: float | None) -> list[ConsumerRecord]:
        """The next records, waiting for the first of them; empty when the time is over."""
        return await self._read(lambda: self._take(count), timeout_s)

    async def poll_batch(self, timeout_s: float | None) -> dict[TopicPartition, RecordColumns]:
        """The next piece of each partition, waiting for the first; empty when the time is over."""
        return await self._read(self._take_columns, timeout_s)

    async def lend(self, count: int, timeout_s: float | None) -> Loan:
        """As `poll`, for another thread, which decodes: nothing is handed out before `settle`."""
        return await self._read(lambda: self._lend(count), timeout_s)

    async def _read(self, take: Callable[[], Taken], timeout_s: float | None) -> Taken:
        """What `take` finds, waiting until it finds something, or the time is over."""
        end_s = _end_s(timeout_s)
        await self._begin()
        try:
            while True:
                self.check()
                if self._group is not None and self._group.wants_turn:
                    await self._group.turn(end_s)
                    self.check()
                self._raise_error()
                if taken := take():
                    return taken
                # Looking may have found what is broken: no news would ever come of that.
                self._raise_error()
                if not await self._wait(end_s):
                    return taken
        finally:
            self._end()

    def settle(self, loan: Loan, count: int) -> None:
        """The first `count` records of a loan were handed out."""
        for partition in loan.settle(count):
            if partition is self._fetcher.assigned.get(partition.partition):
                self._to_the_end(partition)

    async def next_record(self) -> ConsumerRecord:
        """Where `current` has none: look for one. Raises StopAsyncIteration at the end."""
        try:
            (record,) = await self._read(lambda: self._take(1), None)
        except ConsumerClosedError:
            if self.is_closed:
                raise StopAsyncIteration from None
            raise
        return record

    def take_from(self, partition: AssignedPartition) -> ConsumerRecord:
        """The next of opened records."""
        record = partition.take_record()
        if not partition.has_rows:
            self.current = self._opened = None
            self._before = {partition.partition: (record.offset, record.leader_epoch)}
            self._to_the_end(partition)
        return record

    async def _begin(self) -> None:
        # Who always finds records must let those who fetch them have their turn.
        await asyncio.sleep(0)
        self.check()
        self._before = {}
        self._opened = None
        if self._group is not None:
            self._group.read_began()

    def _end(self) -> None:
        if self._group is not None:
            self._group.read_ended()

    def check(self) -> None:
        """Raises ConsumerClosedError where nothing is read any more."""
        if self.is_closed:
            raise ConsumerClosedError("the consumer is closed, or was not started")
        if self._fetcher.fatal is not None:
            raise self._fetcher.fatal

    async def _wait(self, end_s: float | None) -> bool:
        """Wait for news; False when the time is over."""
        left_s = None
        if end_s is not None:
            left_s = end_s - asyncio.get_running_loop().time()
            if left_s <= 0:
                return False
        await self._fetcher.news(left_s)
        return True

    # -- what the program has in its hands -------------------------------------------------------

    @property
    def before_last_read(self) -> dict[TopicPartition, tuple[int, int]]:
        """Offset and leader epoch at which the partitions were that the last read took from."""
        opened = self._opened
        if opened is not None and opened.has_rows and opened.offset != self._taken_to:
            # One by one since then, without asking anybody.
            record = opened.last_taken
            return {opened.partition: (record.offset, record.leader_epoch)}
        return self._before

    @property
    def progress(self) -> object:
        """Something else whenever a record was handed out without asking: of `current`, or lent."""
        current = self.current
        offset = None if current is None else current.offset
        return id(current), offset, self.lent_progress()

    # -- taking ----------------------------------------------------------------------------------

    def _raise_error(self) -> None:
        """Before anything is taken: what is raised then takes nothing with it."""
        for partition in self._fetcher.assigned.values():
            if partition.error is not None and not partition.paused:
                self.tell(partition)

    def tell(self, partition: AssignedPartition) -> None:
        """Raise what stands in the way of a partition; after that it is tried again."""
        error, partition.error = partition.error, None
        self._fetcher.wake()
        assert error is not None
        raise error

    def _take(self, count: int) -> list[ConsumerRecord]:
        taken: list[ConsumerRecord] = []
        for partition in self._readable():
            self._note(partition)
            taken += self._take_some(partition, count - len(taken))
            self.current = partition if partition.has_rows else None
            self._opened, self._taken_to = self.current, partition.offset
            if self.current is None:
                self._to_the_end(partition)
            if len(taken) == count or self.current is not None:
                break
        return taken

    def _take_some(self, partition: AssignedPartition, count: int) -> list[ConsumerRecord]:
        """Up to `count`; none where `partition.error` may say why."""
        return partition.take_records(count)

    def _lend(self, count: int) -> Loan:
        loan = Loan()
        for partition in self._readable():
            self._note(partition)
            loan.add(partition, partition.peek_records(count - len(loan.records)))
            if len(loan.records) == count:
                break
        return loan

    def _take_columns(self) -> dict[TopicPartition, RecordColumns]:
        taken: dict[TopicPartition, RecordColumns] = {}
        for partition in self._readable():
            self._note(partition)
            columns = partition.take_columns()
            if columns is not None:
                taken[partition.partition] = columns
            self._to_the_end(partition)
        return taken

    def _note(self, partition: AssignedPartition) -> None:
        if self._group is not None and partition.offset is not None:
            self._before[partition.partition] = (partition.offset, partition.offset_epoch)

    def _readable(self) -> list[AssignedPartition]:
        """Those with something to take; first that of which opened records are here."""
        found = [
            partition
            for partition in self._fetcher.assigned.values()
            if partition.is_buffered and not partition.paused and not partition.is_leaving
        ]
        return sorted(found, key=lambda partition: not partition.has_rows)

    def _to_the_end(self, partition: AssignedPartition) -> None:
        """It had its turn: the others come first next time. What was taken makes room."""
        assigned = self._fetcher.assigned
        assigned[partition.partition] = assigned.pop(partition.partition)
        self._fetcher.wake()


def _end_s(timeout_s: float | None) -> float | None:
    return None if timeout_s is None else asyncio.get_running_loop().time() + timeout_s
