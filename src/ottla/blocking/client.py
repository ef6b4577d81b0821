"""What blocking clients have in common: they borrow the loop, and they come to an end."""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import threading
import time
import warnings
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import Context
from types import TracebackType
from typing import Any, Final, NoReturn, Protocol, Self, TypeVar
from weakref import WeakSet

from ottla.base.errors import ProtocolError, UserError
from ottla.blocking.background import Background, borrow, give_back
from ottla.blocking.call import Work
from ottla.blocking.errors import ClientForkedError

_log = logging.getLogger(__name__)

T = TypeVar("T")

FORGOTTEN_S_MAX: Final = 30.0
"""How long a client that was never closed and is forgotten has for what it still has to do."""

EXIT_S_MAX: Final = 5.0
"""How long the clients that nobody closed hold back the end of the program, all together."""

_OF_WHICH_IN_ORDER: Final = 0.8
"""The rest is for letting go."""


class Runner(Protocol):
    """Runs a coroutine on the loop, and waits for it."""

    def __call__(self, work: Work[T], /) -> T:
        """Raises what the coroutine raises."""
        ...


class BlockingClient:
    """Not begun, begun, closed, or the parent's: a fork leaves clients behind.

    Closed by the end of a `with` block, by `close`, or in haste when it is forgotten.
    """

    def __init__(self) -> None:
        self._background: Background | None = None
        self._life = threading.RLock()
        self._is_closed = False
        self._forked: ClientForkedError | None = None

    # -- what each client says -------------------------------------------------------------------

    def _end(self, timeout_s: float | None) -> Callable[[], Coroutine[Any, Any, None]]:
        """What closes the asyncio client; it knows nothing of this object, which may be gone."""
        raise NotImplementedError

    def _not_open(self) -> UserError:
        raise NotImplementedError

    def _left_behind(self, error: UserError) -> None:
        """This is a forked child now; what is asked of this object raises the error."""

    # -- life ------------------------------------------------------------------------------------

    def _begin(self, start: Work[None]) -> None:
        with self._life:
            if self._forked is not None:
                raise self._forked
            if self._background is not None or self._is_closed:
                raise UserError("a client is started once")
            self._background = background = borrow()
        try:
            background.run(start)
        except BaseException:
            self._is_closed = True
            give_back(background)
            raise
        _OPEN.add(self)

    def _finish(self, timeout_s: float | None, *, patience_s: float | None = None) -> None:
        """Close once; whoever comes later waits for nothing."""
        with self._life:
            if self._is_closed or self._forked is not None:
                return
            self._is_closed = True
            background = self._background
        if background is None:
            return
        _OPEN.discard(self)
        try:
            if not background.is_over:
                self._run_end(background, self._end(timeout_s), patience_s)
        finally:
            give_back(background)

    def _run_end(self, background: Background, end: Work[None], patience_s: float | None) -> None:
        background.run(end, timeout_s=patience_s)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def start(self) -> None:
        """Begin; `with` does it."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go; the end of the `with` block does it."""
        raise NotImplementedError

    def __del__(self) -> None:
        background = getattr(self, "_background", None)
        if background is None or self._is_closed or self._forked is not None:
            return
        warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self, stacklevel=2)
        self._is_closed = True
        _abandon(background, self._end(FORGOTTEN_S_MAX))

    def __getstate__(self) -> NoReturn:
        raise TypeError(f"a {type(self).__name__} stays in its process: make one in the other")

    # -- use -------------------------------------------------------------------------------------

    def _here(self) -> Background:
        """The loop of an open client. Raises ClientForkedError, and what `_not_open` says."""
        if self._forked is not None:
            raise self._forked
        if self._background is None or self._is_closed:
            raise self._not_open()
        return self._background

    def _run(self, work: Work[T]) -> T:
        return self._here().run(work)

    def _fork(self) -> None:
        self._forked = ClientForkedError(
            f"this {type(self).__name__} was made before the process was forked: make another"
        )
        self._left_behind(self._forked)


_OPEN: WeakSet[BlockingClient] = WeakSet()


def _abandon(background: Background, end: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Close what nobody holds any more, and wait for nothing: any thread may collect it."""

    async def close() -> None:
        try:
            await end()
        except (UserError, ProtocolError) as error:
            _log.info("a forgotten client was closed", extra={"reason": str(error)})
        finally:
            give_back(background)

    def begin() -> None:
        # Whoever collects it may be inside a call of another client: that has no part in this.
        task = background.loop.create_task(close(), context=Context())
        _FORGOTTEN[task] = background
        task.add_done_callback(_FORGOTTEN.pop)

    try:
        background.post(begin)
    except UserError:
        give_back(background)


_FORGOTTEN: dict[asyncio.Task[None], Background] = {}
"""Clients that nobody holds any more, while they are closed."""


def _after_fork() -> None:
    """In the child: no client of the parent is of use here."""
    for client in list(_OPEN):
        client._fork()
    _OPEN.clear()
    _LEFT.update(_FORGOTTEN)
    _FORGOTTEN.clear()


_LEFT: dict[asyncio.Task[None], Background] = {}
"""Of the parent's. Kept, as the loop on which they are."""


def _at_exit() -> None:
    """The program ends: what is still open is closed, in a moment."""
    open_clients = list(_OPEN)
    end_s = time.monotonic() + EXIT_S_MAX
    for count, client in enumerate(open_clients):
        warnings.warn(f"unclosed {client!r} at exit", ResourceWarning, source=client, stacklevel=1)
        # What one does not need is the others'.
        share_s = max(end_s - time.monotonic(), 0) / (len(open_clients) - count)
        try:
            client._finish(share_s * _OF_WHICH_IN_ORDER, patience_s=share_s)
        except Exception as error:  # noqa: BLE001 # nothing may hold back the end of a program
            _log.warning("a client was not closed in order", extra={"reason": str(error)})
    for task, background in list(_FORGOTTEN.items()):
        with suppress(UserError):
            background.run(_ended(task), timeout_s=max(end_s - time.monotonic(), 0))


def _ended(task: asyncio.Task[None]) -> Work[None]:
    async def ended() -> None:
        await asyncio.wait([task])

    return ended


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
