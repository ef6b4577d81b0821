"""An event loop on a thread of its own, for tests that have no loop, or one of their own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Final, TypeVar

from ottla.transport.loop import run

T = TypeVar("T")

ANSWER_SECONDS_MAX: Final = 60.0
"""How long a caller waits for the loop: starting a broker over much data takes seconds."""


class LoopThread:
    """Runs from its making until `stop`. A daemon: a program that ends takes it along."""

    def __init__(self, name: str) -> None:
        self._begun: Future[asyncio.AbstractEventLoop] = Future()
        self._end: asyncio.Event
        self._thread = threading.Thread(target=lambda: run(self._main()), name=name, daemon=True)
        self._thread.start()
        self.loop = self._begun.result(ANSWER_SECONDS_MAX)

    @property
    def ident(self) -> int | None:
        """The thread's number, as logging tells it."""
        return self._thread.ident

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine there, and wait for it; what it raises is raised here."""
        waiting = asyncio.run_coroutine_threadsafe(main, self.loop)
        try:
            return waiting.result(ANSWER_SECONDS_MAX)
        except BaseException:
            waiting.cancel()
            raise

    def call(self, function: Callable[[], T]) -> T:
        """Call a function there."""

        async def main() -> T:
            return function()

        return self.run(main())

    def stop(self) -> None:
        """End the loop and the thread; what still runs there is cancelled."""
        self.loop.call_soon_threadsafe(self._end.set)
        self._thread.join(ANSWER_SECONDS_MAX)

    async def _main(self) -> None:
        self._end = asyncio.Event()
        self._begun.set_result(asyncio.get_running_loop())
        await self._end.wait()
