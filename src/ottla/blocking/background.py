"""The event loop that all blocking clients of a process share, on a thread of its own.

It is there while somebody has borrowed it. After a fork the child has no such thread: the child
lets go of the parent's sockets without a word to anybody, and begins anew when it borrows.
"""

from __future__ import annotations

import asyncio
import logging
import os
import selectors
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Final, TypeVar

from ottla.base.errors import UserError
from ottla.blocking.call import Call, Work
from ottla.blocking.errors import BackgroundLostError

_log = logging.getLogger(__name__)

T = TypeVar("T")

THREAD_NAME: Final = "ottla-blocking"
START_S_MAX: Final = 30.0
STOP_S_MAX: Final = 5.0
"""How long the last client to close waits for the thread: a slow lookup of a name may hold it."""

PARK_S_MAX: Final = 1.0
"""How long a fork waits for a loop that is held up by a callback of the program's."""


class Background:
    """A running loop. Every method may be called from any thread, `run` but from its own."""

    def __init__(self) -> None:
        # Not uvloop's: its loops reach into the selector they share with the parent when they are
        # collected in a forked child, and this one's file numbers are known.
        self._selector = selectors.DefaultSelector()
        self.users = 0
        self._is_over = False
        self._calls: set[Call[Any]] = set()
        self._parked: dict[int, threading.Event] = {}
        self._end: asyncio.Event
        begun: Future[asyncio.AbstractEventLoop] = Future()
        self._thread = threading.Thread(
            target=self._main, args=(begun,), name=THREAD_NAME, daemon=True
        )
        self._thread.start()
        self.loop = begun.result(START_S_MAX)

    # -- its thread ------------------------------------------------------------------------------

    def _main(self, begun: Future[asyncio.AbstractEventLoop]) -> None:
        try:
            with asyncio.Runner(
                loop_factory=lambda: asyncio.SelectorEventLoop(self._selector)
            ) as runner:
                try:
                    runner.run(self._until_stopped(begun))
                finally:
                    # Before the runner waits for what is cancelled, which may wait for a caller.
                    for call in list(self._calls):
                        call.cut_off(_lost())
        except BaseException:  # noqa: BLE001 # whatever it was, nobody else can tell it
            _log.exception("the thread behind blocking clients has ended")
        finally:
            self._is_over = True
            for call in list(self._calls):
                call.lose(_lost())

    async def _until_stopped(self, begun: Future[asyncio.AbstractEventLoop]) -> None:
        self._end = asyncio.Event()
        begun.set_result(asyncio.get_running_loop())
        await self._end.wait()

    @property
    def is_over(self) -> bool:
        """Whether nothing can be run here any more."""
        return self._is_over

    @property
    def is_here(self) -> bool:
        """Whether this is its thread, which must never wait."""
        return threading.current_thread() is self._thread

    # -- what it is used for ---------------------------------------------------------------------

    def post(self, function: Callable[[], object]) -> None:
        """Call a function on the loop, soon. Raises BackgroundLostError."""
        try:
            self.loop.call_soon_threadsafe(function)
        except RuntimeError:
            raise _lost() from None

    def begin(self, work: Work[T], *, unclaimed: Callable[[T], object] | None = None) -> Call[T]:
        """Run a coroutine there; `finish` waits for it. For `unclaimed` see `Call`."""
        if self.is_here:
            raise UserError("this would wait for ever: a delivery callback cannot wait")
        call = Call(self.loop, work, unclaimed)
        self._calls.add(call)
        try:
            self.post(call.begin)
            self._check()
        except BaseException as error:
            self._calls.discard(call)
            if not isinstance(error, BackgroundLostError):
                # Interrupted, perhaps after the loop was asked: as where it is waited for.
                call.give_up(error)
            raise
        return call

    def _check(self) -> None:
        """A call that is begun after the thread's end would never be told."""
        if self._is_over:
            raise _lost()

    def finish(self, call: Call[T], *, timeout_s: float | None = None) -> T:
        """Wait for what was begun; see `Call.wait`."""
        try:
            return call.wait(timeout_s)
        finally:
            self._calls.discard(call)

    def run(self, work: Work[T], *, timeout_s: float | None = None) -> T:
        """Run a coroutine there, and wait for it; see `Call.wait`."""
        return self.finish(self.begin(work), timeout_s=timeout_s)

    # -- its end ---------------------------------------------------------------------------------

    def stop(self) -> None:
        """End the loop and the thread; what still runs there is cancelled."""
        # One that ended by itself may still be telling of it.
        with suppress(BackgroundLostError):
            self.post(lambda: self._end.set())
        if not self.is_here:
            self._thread.join(STOP_S_MAX)

    def park(self) -> None:
        """Hold the loop between two callbacks until `go_on`, which the same thread calls.

        Forked in the midst of one it may hold locks (an import's, those of `cached_property`) that
        nobody would ever release in the child.
        """
        if self.is_here or self._is_over:
            return
        parked, go_on = threading.Event(), threading.Event()

        def hold() -> None:
            parked.set()
            go_on.wait()

        self._parked[threading.get_ident()] = go_on
        with suppress(BackgroundLostError):
            self.post(hold)
            parked.wait(PARK_S_MAX)

    def go_on(self) -> None:
        """The fork is done."""
        go_on = self._parked.pop(threading.get_ident(), None)
        if go_on is not None:
            go_on.set()

    def leave(self) -> None:
        """In a forked child: let go of the parent's connections, so that they end with the parent.

        Their numbers stay taken, by nothing at all: objects that nobody may touch still know them.
        """
        null = os.open(os.devnull, os.O_RDWR)
        numbers = {key.fd for key in self._selector.get_map().values()}
        if (own_number := getattr(self._selector, "fileno", None)) is not None:
            numbers.add(own_number())
        for number in numbers:
            os.dup2(null, number, inheritable=False)
        os.close(null)


def _lost() -> BackgroundLostError:
    return BackgroundLostError("the thread behind the client has ended")


class _Process:
    """The loop of this process, while there is one."""

    def __init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        self.lock = threading.Lock()
        self.shared: Background | None = None


_PROCESS: Final = _Process()
_LEFT: Final[list[Background]] = []
"""Loops of parents, kept for ever: to collect what hangs on them would touch it."""


def borrow() -> Background:
    """The loop of this process, begun where there is none; `give_back` it."""
    with _PROCESS.lock:
        if _PROCESS.shared is None or _PROCESS.shared.is_over:
            _PROCESS.shared = Background()
        _PROCESS.shared.users += 1
        return _PROCESS.shared


def give_back(background: Background) -> None:
    """The last one stops it."""
    with _PROCESS.lock:
        background.users -= 1
        if background.users:
            return
        if _PROCESS.shared is background:
            _PROCESS.shared = None
    background.stop()


_PARKED: Final[dict[int, Background]] = {}
"""By the thread that forks."""


def _before_fork() -> None:
    shared = _PROCESS.shared
    if shared is not None:
        _PARKED[threading.get_ident()] = shared
        shared.park()


def _after_fork_in_parent() -> None:
    parked = _PARKED.pop(threading.get_ident(), None)
    if parked is not None:
        parked.go_on()


def _after_fork() -> None:
    """In the child, whose only thread is the one that forked."""
    shared = _PROCESS.shared
    _PROCESS.begin_anew()
    _PARKED.clear()
    if shared is not None:
        _LEFT.append(shared)
        shared.leave()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork
    )
