"""Records on their way from any thread to the loop, many at a time.

Waking the loop costs more than sending a record, and a loop that is woken for one record takes the
GIL from whoever would have sent the next. So it is woken once, and then looks by itself, after a
pause, until it finds nothing. Who waits for an outcome makes it look at once.

No lock is taken by both sides: a signal handler may interrupt a sender, and flush.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from ottla.base.errors import UserError
from ottla.base.limits import BLOCKING_HANDED_BYTES_MAX, BLOCKING_TURN_RECORDS
from ottla.blocking.background import Background
from ottla.blocking.delivery import Delivery, tell
from ottla.client.producer import BufferFullError, Producer
from ottla.client.producer import Delivery as AsyncioDelivery

_log = logging.getLogger(__name__)

PAUSE_S: Final = 0.001
"""Between two looks while records come."""

Arguments = tuple[
    str, bytes | None, bytes | None, int | None, int, Sequence[tuple[str, bytes | None]]
]
"""What `Producer.send` takes, in its order."""

Handed = tuple[Delivery, Callable[[Delivery], object] | None, int, Arguments]
"""Whom to tell, what to call at the outcome, what it counts for, and the record."""


class HandOver:
    """From many senders to one producer."""

    def __init__(self, background: Background, producer: Producer) -> None:
        self._background = background
        self._producer = producer
        self._records: deque[Handed] = deque()
        self._senders = threading.RLock()
        self._waiting: deque[threading.Event] = deque()
        self._error: Exception | None = None
        self._forked: UserError | None = None
        # Ever, in bytes and in records. Senders count what goes in, the loop what comes out.
        self._bytes_in = self._bytes_out = 0
        self._count_in = self._count_out = 0
        self._is_awake = False
        self.is_refused = False
        """Whether the producer refused a record: perhaps it takes no more at all."""
        # Of the loop alone:
        self._next_look: asyncio.Handle | None = None
        self._putting: asyncio.Task[None] | None = None
        self._watched: list[tuple[Delivery, Callable[[], object]]] = []

    # -- senders ---------------------------------------------------------------------------------

    def put(self, record: Handed, timeout_s: float) -> None:
        """Hand over one record, waiting for room.

        Raises BufferFullError after `timeout_s`, at once on the loop, and what `close` was given.
        """
        with self._senders:
            # As `_put`, without a call: this is done for every record.
            is_taken = self._bytes_in - self._bytes_out < BLOCKING_HANDED_BYTES_MAX
            if is_taken:
                self._bytes_in += record[2]
                self._count_in += 1
                self._records.append(record)
        if not is_taken:
            self._put_later(record, timeout_s)
        elif self._error is not None:
            self._fail_rest(self._error)
        elif not self._is_awake:
            self._is_awake = True
            self._background.post(self._look)

    def _put(self, record: Handed) -> bool:
        with self._senders:
            if self._bytes_in - self._bytes_out >= BLOCKING_HANDED_BYTES_MAX:
                return False
            self._bytes_in += record[2]
            self._count_in += 1
            self._records.append(record)
        if self._error is not None:
            # Nobody may have looked since: what comes after the end is told so by who brings it.
            self._fail_rest(self._error)
        return True

    def _put_later(self, record: Handed, timeout_s: float) -> None:
        end_s = time.monotonic() + timeout_s
        while True:
            room = threading.Event()
            self._waiting.append(room)
            if self._error is not None:
                raise self._error
            if self._put(record):
                break
            left_s = end_s - time.monotonic()
            if left_s <= 0 or self._background.is_here:
                raise BufferFullError(f"no room has come within {timeout_s:g} s")
            self._background.post(self._look)
            room.wait(left_s)
        self._background.post(self._look)

    def watch(self, delivery: Delivery, function: Callable[[], object]) -> None:
        """Call on the loop when the delivery has its outcome; the record waits no longer here."""
        self.post(lambda: self._watch_now(delivery, function))

    def post(self, function: Callable[[], object]) -> None:
        """Call on the loop, soon. Raises ClientForkedError, BackgroundLostError."""
        if self._forked is not None:
            raise self._forked
        self._background.post(function)

    def check_patient(self) -> None:
        """Raises UserError where waiting would be for ever: on the loop, and in a forked child."""
        if self._forked is not None:
            raise self._forked
        if self._background.is_here:
            raise UserError("a delivery callback cannot wait")

    def leave(self, error: UserError) -> None:
        """In a forked child: nothing here has an outcome any more."""
        self._forked = error

    # -- the loop --------------------------------------------------------------------------------

    def _watch_now(self, delivery: Delivery, function: Callable[[], object]) -> None:
        if delivery.place is None:
            self._look()
        self._watch(delivery, function)

    def _watch(self, delivery: Delivery, function: Callable[[], object]) -> None:
        place = delivery.place
        if place is not None:
            AsyncioDelivery(*place).add_done_callback(lambda _: function())
        elif delivery.done():
            function()
        else:
            self._watched.append((delivery, function))

    def _look(self) -> None:
        """Take what is there; look again until nothing is."""
        if self._next_look is not None:
            self._next_look.cancel()
            self._next_look = None
        if self._putting is not None:
            return
        if self._error is not None:
            self._fail_rest(self._error)
            return
        count = self._take()
        if count:
            self._tell_senders()
        if self._watched:
            self._watch_again()
        if self._putting is None:
            self._look_again(count)

    def _look_again(self, count: int) -> None:
        loop = self._background.loop
        if count == BLOCKING_TURN_RECORDS:
            self._next_look = loop.call_soon(self._look)
        elif count:
            self._next_look = loop.call_later(PAUSE_S, self._look)
        else:
            self._is_awake = False
            # Who handed over between the look and this has woken nobody.
            if self._records:
                self._is_awake = True
                self._next_look = loop.call_soon(self._look)

    def _take(self) -> int:
        records, send = self._records, self._producer.send
        count = size = 0
        while records and count < BLOCKING_TURN_RECORDS:
            record = records.popleft()
            try:
                inner = send(*record[3])
            except BufferFullError:
                records.appendleft(record)
                self._putting = self._background.loop.create_task(self._put_first())
                break
            except Exception as error:  # noqa: BLE001 # it is the record's outcome
                self._fail(record, error)
            else:
                record[0].taken(inner)
                if record[1] is not None:
                    self._listen(record[0], record[1])
            count += 1
            size += record[2]
        self._bytes_out += size
        self._count_out += count
        return count

    def _listen(self, delivery: Delivery, on_delivery: Callable[[Delivery], object]) -> None:
        self._watch(delivery, lambda: tell(on_delivery, delivery))

    def _fail(self, record: Handed, error: Exception) -> None:
        self.is_refused = True
        delivery, on_delivery = record[0], record[1]
        delivery.fail(error)
        if on_delivery is not None:
            tell(on_delivery, delivery)

    async def _put_first(self) -> None:
        """The producer's buffer is full: the others stand behind the first that waits for it."""
        while self._records and self._error is None:
            record = self._records.popleft()
            try:
                topic, value, key, partition, timestamp_ms, headers = record[3]
                inner = await self._producer.put(
                    topic,
                    value,
                    key,
                    partition=partition,
                    timestamp_ms=timestamp_ms,
                    headers=headers,
                )
            except BufferFullError:
                self._records.appendleft(record)
                await asyncio.sleep(PAUSE_S)
                continue
            except asyncio.CancelledError:
                self._records.appendleft(record)
                raise
            except Exception as error:  # noqa: BLE001 # it is the record's outcome
                self._fail(record, error)
            else:
                record[0].taken(inner)
                if record[1] is not None:
                    self._listen(record[0], record[1])
            self._bytes_out += record[2]
            self._count_out += 1
            self._tell_senders()
            break
        self._putting = None
        self._look()

    def _watch_again(self) -> None:
        watched, self._watched = self._watched, []
        for delivery, function in watched:
            self._watch(delivery, function)

    def _tell_senders(self) -> None:
        while self._waiting:
            self._waiting.popleft().set()

    async def handed_over(self) -> None:
        """Until the producer has all that was handed over before this."""
        goal = self._count_in
        while self._count_out < goal:
            self._look()
            if self._putting is not None:
                await asyncio.wait([self._putting])
            else:
                await asyncio.sleep(0)

    # -- the end ---------------------------------------------------------------------------------

    async def close(self, timeout_s: float | None, error: Exception) -> None:
        """Hand over what is here, for up to `timeout_s`; the rest has this outcome."""
        try:
            async with asyncio.timeout(timeout_s):
                await self.handed_over()
        except TimeoutError:
            _log.warning("records are dropped that a closed producer has not taken")
        finally:
            await self._stop(error)

    async def _stop(self, error: Exception) -> None:
        self._error = error
        if self._putting is not None:
            self._putting.cancel()
            await asyncio.wait([self._putting])
            self._putting = None
        if self._next_look is not None:
            self._next_look.cancel()
        self._fail_rest(error)
        self._tell_senders()
        self._watch_again()

    def _fail_rest(self, error: Exception) -> None:
        while self._records:
            try:
                record = self._records.popleft()
            except IndexError:  # another thread does the same
                return
            self._count_out += 1
            self._fail(record, error)
