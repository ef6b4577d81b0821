"""A real asyncio loop whose time stands still until a test moves it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from contextvars import Context
from typing import Any, TypeVar

START_MS = 1_795_000_000_000
"""What the wall clock of a test says at first: a day in 2026."""

T = TypeVar("T")


class SteppedClock:
    """Both clocks; only the difference from the start is ever the same in both."""

    def __init__(self) -> None:
        self.elapsed_ms = 0

    def now_ms(self) -> int:
        return START_MS + self.elapsed_ms

    def monotonic_ms(self) -> int:
        return self.elapsed_ms


class SteppedLoop(asyncio.SelectorEventLoop):
    """Runs what is ready and never waits: `advance` makes timers due.

    Work for threads is done at once, in the turn that asks for it.
    """

    def __init__(self, clock: SteppedClock) -> None:
        super().__init__()
        self.clock = clock
        self._scheduled_calls = 0
        self._failures: list[dict[str, Any]] = []
        self.set_exception_handler(lambda _, context: self._failures.append(context))

    def time(self) -> float:
        return self.clock.elapsed_ms / 1000

    def call_soon(  # type: ignore[override]  # asyncio's own is generic in the arguments
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        self._scheduled_calls += 1
        return super().call_soon(callback, *args, context=context)

    def call_at(  # type: ignore[override]  # asyncio's own is generic in the arguments
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        # What is due at this time is left to do, like any callback.
        self._scheduled_calls += when <= self.time()
        return super().call_at(when, callback, *args, context=context)

    def run_in_executor(  # type: ignore[override]  # asyncio's own declares it less exactly
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        done: asyncio.Future[T] = self.create_future()
        try:
            done.set_result(func(*args))
        except OSError as error:
            done.set_exception(error)
        return done

    def settle(self) -> None:
        """Run until nothing is left to do at this time. Raises what a callback has raised."""
        while True:
            super().call_soon(self.stop)
            before = self._scheduled_calls
            self.run_forever()
            self._raise_failure()
            if self._scheduled_calls == before:
                return

    def advance(self, ms: int) -> None:
        """Let time pass, and run what becomes due."""
        self.clock.elapsed_ms += ms
        self.settle()

    def finish(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine that needs no time to its end."""
        task = self.create_task(work)
        self.settle()
        assert task.done(), f"{work!r} still waits"
        return task.result()

    def call(self, function: Callable[[], T]) -> T:
        """Call a function inside the running loop."""

        async def inside() -> T:
            return function()

        return self.finish(inside())

    def _raise_failure(self) -> None:
        if self._failures:
            failure = self._failures.pop(0)
            raise AssertionError(failure["message"]) from failure.get("exception")
