"""Threads that begin when the test says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

from tests.support.stepped_loop import SteppedLoop


class HeldThreads:
    """Work that a loop gives to threads waits here; `waiting` counts it."""

    def __init__(self, loop: SteppedLoop) -> None:
        self._loop = loop
        self._run_now = loop.run_in_executor
        self._held: list[tuple[Callable[..., Any], tuple[Any, ...], asyncio.Future[Any]]] = []
        loop.run_in_executor = self._hold  # type: ignore[method-assign]  # this one loop only

    @property
    def waiting(self) -> int:
        return len(self._held)

    def _hold(
        self, executor: Executor | None, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        done: asyncio.Future[Any] = self._loop.create_future()
        self._held.append((func, args, done))
        return done

    def run(self) -> None:
        """Let everything that waits now run, and the loop see it."""
        held, self._held = self._held, []
        for func, args, done in held:
            done.set_result(func(*args))
        self._loop.settle()

    def let_go(self) -> None:
        """From here on work is done at once again."""
        self._loop.run_in_executor = self._run_now  # type: ignore[method-assign]  # as it was
        self.run()
