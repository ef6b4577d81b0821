"""Writes with acks=all that wait until every in-sync replica has them.

One queue per partition, ordered by offset, because a partition's appends are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from ottla.base.ids import Offset


class PendingAck:
    """One partition's part of a produce request."""

    __slots__ = ("cancelled", "next_offset", "on_committed")

    def __init__(self, next_offset: Offset, on_committed: Callable[[PendingAck], None]) -> None:
        self.next_offset = next_offset
        self.on_committed = on_committed
        self.cancelled = False


class AckQueue:
    """The pending acknowledgements of one partition."""

    __slots__ = ("_pending",)

    def __init__(self) -> None:
        self._pending: deque[PendingAck] = deque()

    def __len__(self) -> int:
        return len(self._pending)

    def add(self, ack: PendingAck) -> None:
        assert not self._pending or ack.next_offset >= self._pending[-1].next_offset
        self._pending.append(ack)

    def release(self, high_watermark: Offset) -> None:
        """Acknowledge all whose records every in-sync replica has now."""
        pending = self._pending
        while pending and pending[0].next_offset <= high_watermark:
            ack = pending.popleft()
            if not ack.cancelled:
                ack.on_committed(ack)

    def drain(self) -> list[PendingAck]:
        """All that still wait, for a leader that steps down; the queue is empty after it."""
        drained = [ack for ack in self._pending if not ack.cancelled]
        self._pending.clear()
        return drained
