"""Records on their way from the loop to the thread that reads, and what that thread does beside.

Records come as loans: the thread hands them out by itself, and tells how far it came before it
asks the loop for anything else. So a record costs no hop, and positions never lead.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from operator import length_hint
from typing import Any, TypeVar

from ottla.base.errors import UserError
from ottla.base.ids import TopicPartition
from ottla.blocking.background import Background
from ottla.blocking.call import Call, Work
from ottla.blocking.errors import ConcurrentUseError, WakeupError
from ottla.client.consumer import Consumer, ConsumerRecord
from ottla.client.consumer.loan import Loan
from ottla.client.consumer.record_decoding import decoder_of
from ottla.wire.records.columns import RecordColumns

T = TypeVar("T")


class _Hand:
    """What was lent: taken from in the reader's thread, stopped and counted from any."""

    def __init__(self, loan: Loan, records: list[ConsumerRecord] | None = None) -> None:
        """`records` are those of the loan, decoded, as far as they can be."""
        self.loan = loan
        self._records = loan.records if records is None else records
        # Each step of a list's iterator is one step for other threads: no record is taken twice.
        self._rest = iter(self._records)
        self._stopped_at: int | None = None
        self.next: Callable[[], ConsumerRecord] = self._rest.__next__

    @property
    def taken(self) -> int:
        """Records that were handed out."""
        if self._stopped_at is not None:
            return self._stopped_at
        return len(self._records) - length_hint(self._rest)

    def take(self, count: int) -> list[ConsumerRecord]:
        """Hand out so many, if they are here."""
        return list(islice(self._rest, count))

    def stop(self) -> None:
        """Hand out nothing more."""
        if self._stopped_at is None:
            self._stopped_at = len(self._records) - len(list(self._rest))


class Reading:
    """Of one consumer; by one thread at a time, but for `wakeup` and `end`."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        self._decoder = decoder_of(consumer.options)
        self._hand = _Hand(Loan())
        self._use = threading.RLock()
        self._calls: dict[int, Call[Any]] = {}
        """By thread: those that may want something of their caller."""
        self._read: Call[Any] | None = None
        self._is_woken = False
        self.next: Callable[[], ConsumerRecord] = self._hand.next
        """Hands out a record that is lent; raises StopIteration where there is none."""

    # -- reading ---------------------------------------------------------------------------------

    def one(self, background: Background) -> ConsumerRecord:
        """The next record, waited for where none is lent."""
        while True:
            with self._alone():
                self._raise_if_woken()
                self._lend(background, self._consumer.options.max_poll_records, None)
                with suppress(StopIteration):
                    return self.next()

    def some(
        self, background: Background, count: int, timeout_s: float | None
    ) -> list[ConsumerRecord]:
        """Up to `count`: those that are lent, or else the next, waited for."""
        with self._alone():
            self._raise_if_woken()
            if taken := self._hand.take(count):
                return taken
            self._lend(background, count, timeout_s)
            return self._hand.take(count)

    def columns(
        self, background: Background, timeout_s: float | None
    ) -> dict[TopicPartition, RecordColumns]:
        """The next pieces; what is lent is given back."""

        async def read() -> dict[TopicPartition, RecordColumns]:
            return await self._consumer.poll_batch(timeout_s)

        with self._alone():
            self._raise_if_woken()
            self._stop()
            return self._wait(background, read, unclaimed=self._rewind)

    def _lend(self, background: Background, count: int, timeout_s: float | None) -> None:
        async def read() -> Loan:
            reader = self._consumer.reader
            reader.on_interrupt = self._recall
            return await reader.lend(count, timeout_s)

        self._stop()
        self._hold(self._wait(background, read))

    def _hold(self, loan: Loan) -> None:
        """Have it in hand. Raises what the first record cannot be decoded for."""
        records = loan.records
        if self._decoder is not None:
            records, error = self._decoder.decode(records)
            if error is not None and not records:
                raise error
        self._hand = hand = _Hand(loan, records)
        self.next = hand.next
        if self._is_woken:
            self.next = _nothing

    def _recall(self) -> None:
        """From the loop: the group wants its turn, so the next record comes by a read."""
        self._hand.stop()

    def _wait(
        self,
        background: Background,
        read: Work[T],
        *,
        unclaimed: Callable[[T], object] | None = None,
    ) -> T:
        self._forbid_in_listener()
        call = background.begin(self._settled(read), unclaimed=unclaimed)
        self._read = call
        if self._is_woken:
            call.interrupt(_woken())
        try:
            return self._finish(background, call)
        except WakeupError:
            self._is_woken = False
            raise
        finally:
            self._read = None

    def _rewind(self, taken: dict[TopicPartition, RecordColumns]) -> None:
        """Interrupted at the last moment: nobody has these."""
        for partition, columns in taken.items():
            with suppress(UserError):  # it is not assigned any more
                self._consumer.seek(partition, columns.offsets[0])

    def _forbid_in_listener(self) -> None:
        if self._nesting() is not None:
            raise UserError("a rebalance listener cannot read")

    # -- waking ----------------------------------------------------------------------------------

    def wakeup(self) -> None:
        """The read that waits, or else the next, raises WakeupError."""
        self._is_woken = True
        self.next = _nothing
        read = self._read
        if read is not None:
            read.interrupt(_woken())

    def _raise_if_woken(self) -> None:
        if self._is_woken:
            self._is_woken = False
            self.next = self._hand.next
            raise _woken()

    # -- everything else -------------------------------------------------------------------------

    def run(
        self, background: Callable[[], Background], work: Work[T], *, keeps_loan: bool = False
    ) -> T:
        """Run on the loop, where the positions are those of what was handed out.

        Without `keeps_loan`, records that are lent come anew from where the positions are then.
        """
        nesting = self._nesting()
        if nesting is not None:
            result: T = nesting.nested(work)
            return result
        with self._alone():
            if not keeps_loan:
                self._stop()
            here = background()
            return self._finish(here, here.begin(self._settled(work)))

    def end(self, background: Background, work: Work[None], timeout_s: float | None) -> None:
        """Run the last work on the loop, from any thread."""
        self._finish(background, background.begin(work), timeout_s=timeout_s)

    def last_settled(self, work: Work[None]) -> Work[None]:
        """Hand out nothing more. The work, to be run where the positions are known."""
        self._stop()
        hand, consumer = self._hand, self._consumer

        async def main() -> None:
            with suppress(UserError):  # it was closed, or has failed: no position is of use
                consumer.reader.settle(hand.loan, hand.taken)
            await work()

        return main

    def _settled(self, work: Work[T]) -> Work[T]:
        hand = self._hand

        async def main() -> T:
            self._consumer.reader.settle(hand.loan, hand.taken)
            return await work()

        return main

    def _stop(self) -> None:
        self.next = _nothing
        self._hand.stop()

    def _nesting(self) -> Call[Any] | None:
        """The call in which this thread is, when that asks it to do something."""
        call = self._calls.get(threading.get_ident())
        return call if call is not None and call.is_in_job else None

    def _finish(
        self, background: Background, call: Call[T], *, timeout_s: float | None = None
    ) -> T:
        thread = threading.get_ident()
        before = self._calls.get(thread)
        self._calls[thread] = call
        try:
            return background.finish(call, timeout_s=timeout_s)
        finally:
            del self._calls[thread]
            if before is not None:
                self._calls[thread] = before

    @contextmanager
    def _alone(self) -> Iterator[None]:
        if not self._use.acquire(blocking=False):
            raise ConcurrentUseError(
                "another thread is inside a call of this consumer; one at a time may use it"
            )
        try:
            yield
        finally:
            self._use.release()


def _nothing() -> ConsumerRecord:
    raise StopIteration


def _woken() -> WakeupError:
    return WakeupError("the consumer was woken up")
