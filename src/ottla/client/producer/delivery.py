"""What `send` gives back: the promise of a record's place, shared with the rest of its batch.

A future is only made where somebody waits; a record whose delivery nobody looks at costs none.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Generator
from typing import Any, NamedTuple, TypeVar

from msgspec import Struct

_log = logging.getLogger(__name__)

T = TypeVar("T")


class RecordMetadata(NamedTuple):
    """Where a record is stored; offset -1 with acks=0, or where the cluster no longer knew."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int


class Settling:
    """Something with one outcome that any number may wait for."""

    __slots__ = ("_listeners", "_waiting", "error", "settled")

    def __init__(self) -> None:
        self.settled = False
        self.error: Exception | None = None
        self._waiting: list[asyncio.Future[None]] = []
        self._listeners: list[tuple[Callable[[Delivery], object], Delivery]] = []

    def changed(self) -> asyncio.Future[None]:
        """Done when there is an outcome. Each caller has one of his own and may cancel it."""
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        return waiting

    def listen(self, listener: Callable[[Delivery], object], delivery: Delivery) -> None:
        """Call when settled."""
        self._listeners.append((listener, delivery))

    def settle(self, error: Exception | None = None) -> None:
        """Tell everybody, once."""
        assert not self.settled
        # In this order: another thread may look (`ottla.blocking`).
        self.error = error
        self.settled = True
        self._tell()
        listeners, self._listeners = self._listeners, []
        for listener, delivery in listeners:
            call_listener(listener, delivery)

    def _tell(self) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    def forward(self, index: int) -> tuple[Settling, int] | None:
        """Where a record has gone to that is not here any more."""
        return None

    def onward(self) -> tuple[Settling, ...]:
        """Where all records have gone to that are not here any more."""
        return ()

    def record(self, index: int) -> RecordMetadata:
        """Where the record of this index is stored; after a good outcome."""
        raise NotImplementedError

    def hand_on(self) -> None:
        """The records have gone elsewhere: who waits here waits there."""
        self._tell()
        listeners, self._listeners = self._listeners, []
        for listener, delivery in listeners:
            delivery.add_done_callback(listener)


def call_listener(listener: Callable[[T], object], delivery: T) -> None:
    """A fault in what a user gave us must not stop the sending."""
    try:
        listener(delivery)
    except Exception:  # noqa: BLE001 # whatever it is, it is the user's: it is told and done with
        _log.exception("a delivery callback failed")


class Delivery(Struct, gc=False, eq=False):
    """Await it for the `RecordMetadata`, or for the DeliveryError that it raises.

    Cancelling who waits changes nothing of the delivery.
    """

    # A Struct because one is made for each record; without gc because the only ring it can be part
    # of, through its batch's listeners, is opened when the batch is settled.
    _of: Settling
    _index: int

    def _where(self) -> Settling:
        """What the record is part of now: it may have moved since it was sent."""
        while (onward := self._of.forward(self._index)) is not None:
            self._of, self._index = onward
        return self._of

    def done(self) -> bool:
        """Whether there is an outcome."""
        return self._where().settled

    def result(self) -> RecordMetadata:
        """The outcome. Raises DeliveryError, and asyncio.InvalidStateError before there is one."""
        error = self.exception()
        if error is not None:
            raise error
        return self._of.record(self._index)

    def exception(self) -> Exception | None:
        """Why it failed. Raises asyncio.InvalidStateError before there is an outcome."""
        of = self._where()
        if not of.settled:
            raise asyncio.InvalidStateError("the record is still on its way")
        return of.error

    def add_done_callback(self, listener: Callable[[Delivery], object]) -> None:
        """Call with this delivery at its outcome, inside the loop; at once where it is done."""
        of = self._where()
        if of.settled:
            call_listener(listener, self)
        else:
            of.listen(listener, self)

    def start(self) -> tuple[Settling, int]:
        """What the record was part of at first, for other threads: this follows and moves nothing,
        and nothing else may have been asked of this object."""
        return self._of, self._index

    def where(self) -> tuple[Settling, int]:
        """For the producer: the batch, and the index in it."""
        return self._where(), self._index

    def __await__(self) -> Generator[Any, None, RecordMetadata]:
        while not (of := self._where()).settled:
            yield from of.changed().__await__()
        return self.result()
