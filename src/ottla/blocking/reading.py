"""Records on their way from the loop to the thread that reads, and what that thread does beside.

Records come as loans: the thread hands them out by itself, and tells how far it came before it
asks the loop for anything else. So a record costs no hop, and positions never lead.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from operator import length_hint
from typing import Any, TypeVar

from ottla.base.errors import UserError
from ottla.base.ids import TopicPartition
from ottla.blocking.background import Background
from ottla.blocking.call import Call, Work
from ottla.blocking.errors import BackgroundLostError, ConcurrentUseError, WakeupError
from ottla.client.consumer import Consumer, ConsumerClosedError, ConsumerRecord
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
        self._left: list[ConsumerRecord] = []
        """What was stopped: nobody gets these."""
        self.next: Callable[[], ConsumerRecord] = self._rest.__next__

    @property
    def taken(self) -> int:
        """Records that were handed out."""
        while True:
            left = len(self._left)
            rest = length_hint(self._rest)
            # A stop in between has moved some from one to the other: they would count as taken,
            # or twice.
            if len(self._left) == left:
                return len(self._records) - rest - left

    def take(self, count: int) -> list[ConsumerRecord]:
        """Hand out so many, if they are here."""
        return list(islice(self._rest, count))

    def stop(self) -> None:
        """Hand out nothing more."""
        # One step for other threads and for signals' handlers, who may stop and count, too.
        self._left.extend(self._rest)


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
        self._is_recalled = False
        self._is_ended = False
        self.next: Callable[[], ConsumerRecord] = self._hand.next
        """Hands out a record that is lent; raises StopIteration where there is none."""

    # -- reading ---------------------------------------------------------------------------------

    def one(self, background: Background) -> ConsumerRecord:
        """The next record, waited for where none is lent."""
        with self._alone():
            self._raise_if_woken()
            lent_max = self._consumer.options.max_poll_records
            return self._read_some(background, 1, None, lent_max=lent_max)[0]

    def some(
        self, background: Background, count: int, timeout_s: float | None
    ) -> list[ConsumerRecord]:
        """Up to `count`: those that are lent, or else the next, waited for."""
        with self._alone():
            self._raise_if_woken()
            if taken := self._hand.take(count):
                return taken
            return self._read_some(background, count, timeout_s, lent_max=count)

    def _read_some(
        self, background: Background, count: int, timeout_s: float | None, *, lent_max: int
    ) -> list[ConsumerRecord]:
        """Up to `count`, waited for; the rest of what is lent stays in hand."""
        end_s = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            left_s = None if end_s is None else max(end_s - time.monotonic(), 0)
            self._lend(background, lent_max, left_s)
            taken = self._hand.take(count)
            # What was lent and cannot be taken was recalled: it comes again after the group's turn.
            if taken or not self._hand.loan.records:
                return taken

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
            reader.lent_progress = self._progress
            loan = await reader.lend(count, timeout_s)
            # What the group has wanted until now it has got.
            self._is_recalled = False
            return loan

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
        # Looked at only now: who sets one of these then stops what is in hand.
        if self._is_ended:
            self._stop()
            raise _closed()
        if self._is_recalled:
            self._stop()
        if self._is_woken:
            self.next = _nothing

    def _recall(self) -> None:
        """From the loop: the group wants its turn, so the next record comes by a read."""
        self._is_recalled = True
        self._hand.stop()

    def _progress(self) -> object:
        """From the loop: something else whenever a lent record was handed out."""
        hand = self._hand
        return id(hand), hand.taken

    def _wait(
        self,
        background: Background,
        read: Work[T],
        *,
        unclaimed: Callable[[T], object] | None = None,
    ) -> T:
        self._forbid_in_listener()
        try:
            self._read = call = background.begin(self._settled(read), unclaimed=unclaimed)
            if self._is_woken:
                call.interrupt(_woken())
            return self._finish(background, call)
        except WakeupError:
            self._is_woken = False
            raise
        except BackgroundLostError:
            # It may have ended with its last client, which this was.
            if self._is_ended:
                raise _closed() from None
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
        self._is_ended = True
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


def _closed() -> ConsumerClosedError:
    return ConsumerClosedError("the consumer was closed")


def _woken() -> WakeupError:
    return WakeupError("the consumer was woken up")
