"""The little that a connection asks of an event loop, with time and readiness in a test's hands."""

from __future__ import annotations

from collections.abc import Callable


class FakeLoop:
    """Callbacks run when the test says `turn`."""

    def __init__(self) -> None:
        self.soon: list[Callable[[], None]] = []
        self.writers: dict[int, Callable[[], None]] = {}

    def call_soon(self, callback: Callable[[], None]) -> None:
        self.soon.append(callback)

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
