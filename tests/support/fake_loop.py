"""The little that a connection asks of an event loop, with time and readiness in a test's hands."""

from __future__ import annotations

from collections.abc import Callable


class FakeTimer:
    """What `call_later` gives."""

    def __init__(self, due: float, callback: Callable[[], None]) -> None:
        self._due = due
        self.callback = callback
        self.cancelled = False

    def when(self) -> float:
        return self._due

    def cancel(self) -> None:
        self.cancelled = True


class FakeLoop:
    """Callbacks run when the test says `turn`."""

    def __init__(self) -> None:
        self.soon: list[Callable[[], None]] = []
        self.writers: dict[int, Callable[[], None]] = {}
        self.timers: list[FakeTimer] = []
        self._now = 0.0

    def call_soon(self, callback: Callable[[], None]) -> None:
        self.soon.append(callback)

    def time(self) -> float:
        return self._now

    def call_later(self, seconds: float, callback: Callable[[], None]) -> FakeTimer:
        self.timers.append(FakeTimer(self._now + seconds, callback))
        return self.timers[-1]

    def advance(self, seconds: float) -> None:
        """Let time pass, and call what is due then."""
        self._now += seconds
        due = [timer for timer in self.timers if timer.when() <= self._now]
        self.timers = [timer for timer in self.timers if timer.when() > self._now]
        for timer in due:
            if not timer.cancelled:
                timer.callback()
        self.turn()

    def add_writer(self, fd: int, callback: Callable[[], None]) -> None:
        self.writers[fd] = callback

    def remove_writer(self, fd: int) -> None:
        del self.writers[fd]

    def turn(self) -> None:
        """Call what waits to be called, and everybody who waits for room to write."""
        for callback in list(self.writers.values()):
            callback()
        while self.soon:
            self.soon.pop(0)()
