"""When to look at which group again; a deadline that moves away costs nothing."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import Final

from ottla.base.effects import NEVER

_STALE_MAX: Final = 100


class Deadlines:
    """At most one deadline for each key, the soonest that was asked for.

    A heartbeat moves a session's end away thousands of times a second. Nobody tells of that here:
    the old deadline comes, the group finds nothing due and says when to look again.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[int, str]] = []
        self._due_ms: dict[str, int] = {}

    @property
    def next_ms(self) -> int:
        """The soonest of all; NEVER."""
        heap = self._heap
        while heap and self._due_ms.get(heap[0][1]) != heap[0][0]:
            heappop(heap)
        return heap[0][0] if heap else NEVER

    def at(self, key: str, due_ms: int) -> None:
        """Look at `key` at `due_ms` or sooner."""
        if due_ms < self._due_ms.get(key, NEVER):
            self._due_ms[key] = due_ms
            heappush(self._heap, (due_ms, key))

    def take_due(self, now_ms: int) -> list[str]:
        """The keys whose deadline has come; they have none then."""
        due = []
        while self.next_ms <= now_ms:
            _, key = heappop(self._heap)
            del self._due_ms[key]
            due.append(key)
        return due

    def forget(self, key: str) -> None:
        """It has no deadline any more."""
        self._due_ms.pop(key, None)
        # Groups that come and go would leave their deadlines here until those pass.
        if len(self._heap) > 2 * len(self._due_ms) + _STALE_MAX:
            self._heap = [(due_ms, key) for key, due_ms in self._due_ms.items()]
            heapify(self._heap)
