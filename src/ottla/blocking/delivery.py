"""What the blocking `send` and `send_batch` give back: promises that threads wait for."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, Protocol, Self

from msgspec import Struct

from ottla.client.producer import BatchDelivery as AsyncioBatchDelivery
from ottla.client.producer import Delivery as AsyncioDelivery
from ottla.client.producer import RecordMetadata, RowsCutOffError, RowsFailedError, StoredRows
from ottla.client.producer.delivery import Settling

_log = logging.getLogger(__name__)


class Loop(Protocol):
    """Where outcomes come about: `hand_over.HandOver`."""

    def watch(self, delivery: Delivery, function: Callable[[], object]) -> None:
        """Call there when the delivery has its outcome; hand its record over at once."""
        ...

    def post(self, function: Callable[[], object]) -> None:
        """Call there, soon."""
        ...

    def check_patient(self) -> None:
        """Raises UserError where waiting would be for ever, ClientForkedError in a child."""
        ...


class Promise:
    """One outcome that any number of threads may wait for, or be called at."""

    __slots__ = ()

    _loop: Loop
    _told: threading.Event | None
    """Made by the first who waits: most are never waited for."""

    def done(self) -> bool:
        """Whether there is an outcome."""
        raise NotImplementedError

    def add_done_callback(self, listener: Callable[[Self], object]) -> None:
        """Call with this at its outcome, in the thread of all blocking clients, which must not be
        made to wait; here and now where there is an outcome already."""
        if self.done():
            tell(listener, self)
        else:
            self._watch(lambda: tell(listener, self))

    def _watch(self, function: Callable[[], object]) -> None:
        """Have this called on the loop at the outcome. Raises ClientForkedError in a child."""
        raise NotImplementedError

    def _wait(self, timeout_s: float | None) -> None:
        self._loop.check_patient()
        told = self._told
        if told is None:
            told = threading.Event()
            self._watch(told.set)
            # Kept only now: whoever asks again waits for it, so there must be somebody who sets it.
            self._told = told  # type: ignore[misc]  # each kind has a place for it
        if not self.done() and not told.wait(timeout_s):
            raise TimeoutError(f"no outcome within {timeout_s:g} s")


class Delivery(Promise, Struct, gc=False, eq=False):
    """Of one record. As a `concurrent.futures.Future`: `result` waits for its place.

    Any thread may ask, at any time. A delivery that nobody looks at costs nothing more.
    """

    # A Struct because one is made for each record; without gc because what it is part of lets go of
    # those who listen when it has its outcome.
    _loop: Loop
    _inner: AsyncioDelivery | None = None
    """None until the loop has taken the record; nothing is asked of it but its `start`."""
    _place: tuple[Settling, int] | None = None
    """What the record is part of, and its number there: one reference, which threads may move on
    beside each other without harm."""
    _error: Exception | None = None
    _told: threading.Event | None = None

    def done(self) -> bool:
        """Whether there is an outcome."""
        return self._error is not None or self._settled() is not None

    def result(self, timeout_s: float | None = None) -> RecordMetadata:
        """Wait for the place of the record. Raises DeliveryError where it was not stored.

        Raises TimeoutError where there is no outcome after `timeout_s`.
        """
        error = self.exception(timeout_s)
        if error is not None:
            raise error
        place = self.place
        assert place is not None
        of, index = place
        return of.record(index)

    def exception(self, timeout_s: float | None = None) -> Exception | None:
        """Wait, and tell why it failed; None where it did not. Raises TimeoutError."""
        settled = self._settled()
        if settled is None and self._error is None:
            self._wait(timeout_s)
            settled = self._settled()
        if self._error is not None:
            return self._error
        assert settled is not None
        return settled.error

    def _settled(self) -> Settling | None:
        """What the record is part of, where that has an outcome."""
        place = self.place
        return place[0] if place is not None and place[0].settled else None

    def _watch(self, function: Callable[[], object]) -> None:
        self._loop.watch(self, function)

    # -- for the loop ----------------------------------------------------------------------------

    @property
    def place(self) -> tuple[Settling, int] | None:
        """What the record is part of now; None before it was taken."""
        place = self._place
        if place is None:
            if self._inner is None:
                return None
            self._place = place = self._inner.start()
        while (onward := place[0].forward(place[1])) is not None:
            self._place = place = onward
        return place

    def taken(self, inner: AsyncioDelivery) -> None:
        """The loop's producer has the record."""
        self._inner = inner

    def fail(self, error: Exception) -> None:
        """The producer does not take the record."""
        self._error = error
        if self._told is not None:
            self._told.set()


class BatchDelivery(Promise):
    """Of the rows of one `send_batch`; `taken` counts those on their way, the first of the call."""

    __slots__ = ("_inner", "_loop", "_told")

    def __init__(self, loop: Loop, inner: AsyncioBatchDelivery) -> None:
        self._loop = loop
        self._inner = inner
        self._told = None

    @property
    def topic(self) -> str:
        """Where the rows go to."""
        return self._inner.topic

    @property
    def taken(self) -> int:
        """Rows on their way."""
        return self._inner.taken

    def done(self) -> bool:
        """Whether every row has its outcome."""
        return self._inner.done()

    def result(self, timeout_s: float | None = None) -> StoredRows:
        """Wait for the places. Raises RowsFailedError; TimeoutError after `timeout_s`."""
        if not self.done():
            self._wait(timeout_s)
        return self._inner.result()

    def exception(self, timeout_s: float | None = None) -> RowsFailedError | None:
        """Wait, and tell why rows failed; None where none did. Raises TimeoutError."""
        if not self.done():
            self._wait(timeout_s)
        return self._inner.exception()

    def _watch(self, function: Callable[[], object]) -> None:
        inner = self._inner
        self._loop.post(lambda: inner.add_done_callback(lambda _: function()))


class BlockingRowsCutOffError(RowsCutOffError):
    """A RowsCutOffError whose `delivery` can be waited for here."""

    delivery: BatchDelivery  # type: ignore[assignment]  # the twin of what the asyncio one has

    def __init__(self, error: RowsCutOffError, loop: Loop) -> None:
        self.args = error.args
        self.delivery = BatchDelivery(loop, error.delivery)


def tell(listener: Callable[[Any], object], promise: Promise) -> None:
    """A fault in what a user gave us must not stop the sending."""
    try:
        listener(promise)
    except BaseException:  # noqa: BLE001 # SystemExit would end the thread behind all clients
        _log.exception("a delivery callback failed")
