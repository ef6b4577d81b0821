"""Writes with acks=all that wait until every in-sync replica has them.

One queue per partition, ordered by offset, because a partition's appends are.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable

from ottla.base.errors import ErrorCode
from ottla.base.ids import Offset


class PendingAck:
    """One partition's part of a produce request.

    `on_settled` is called once: with NONE when every in-sync replica has the records, or with the
    reason why nobody will ever know it here. Never once it is `cancelled`.
    """

    __slots__ = ("cancelled", "next_offset", "on_settled")

    def __init__(
        self, next_offset: Offset, on_settled: Callable[[PendingAck, ErrorCode], None]
    ) -> None:
        self.next_offset = next_offset
        self.on_settled = on_settled
        self.cancelled = False


def _end(ack: PendingAck) -> Offset:
    return ack.next_offset


class AckQueue:
    """The pending acknowledgements of one partition."""

    __slots__ = ("_pending",)

    def __init__(self) -> None:
        self._pending: deque[PendingAck] = deque()

    def __len__(self) -> int:
        return len(self._pending)

    def add(self, ack: PendingAck) -> None:
        """Behind all that end before it: a batch that was sent twice waits beside the first."""
        pending = self._pending
        if not pending or ack.next_offset >= pending[-1].next_offset:
            pending.append(ack)
        else:
            pending.insert(bisect_right(pending, ack.next_offset, key=_end), ack)

    def release(self, high_watermark: Offset) -> None:
        """Acknowledge all whose records every in-sync replica has now."""
        pending = self._pending
        while pending and pending[0].next_offset <= high_watermark:
            ack = pending.popleft()
            if not ack.cancelled:
                ack.on_settled(ack, ErrorCode.NONE)

    def fail(self, error: ErrorCode) -> None:
        """Refuse all that still wait: this node leads no more, or has lost the log."""
        pending, self._pending = self._pending, deque()
        for ack in pending:
            if not ack.cancelled:
                ack.on_settled(ack, error)
