"""The bytes that partly received frames may hold, over all connections of a loop.

A frame that arrives whole in the shared scratch never needs the budget. A larger one gets buffers
that grow with what has really arrived, so a peer pays in bytes sent for the memory it holds.
When the budget is spent, sockets wait; and when somebody waits, a peer that has stalled inside its
frame loses its connection: one stuck client may not stop the others.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from ottla.base.limits import (
    READ_BUDGET_SHARE_OF_STRANGERS,
    READ_BUFFERS_POOLED_PER_SIZE_MAX,
    READ_STALL_GRACE_MS,
)

SMALLEST_BUFFER_BYTES = 64 * 1024


class Holder(Protocol):
    """A connection, as the budget sees it."""

    last_progress_ms: int

    def evict(self) -> None:
        """Close at once: the peer stalled inside a frame while memory was short."""
        ...

    def budget_available(self) -> None:
        """Ask again: some budget came free."""
        ...


class ReadBudget:
    """Lends buffers of power-of-two sizes, at most `limit_bytes` at a time."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self._strangers_limit_bytes = int(limit_bytes * READ_BUDGET_SHARE_OF_STRANGERS)
        self.lent_bytes = 0
        self._holders: dict[Holder, int] = {}
        self._waiting: deque[Holder] = deque()
        self._pools: dict[int, list[bytearray]] = {}
        self._waking = False

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def lend(self, holder: Holder, size: int, *, proven: bool) -> bytearray | None:
        """A buffer of at least `size` bytes, or None: then `budget_available` is called later.

        A `proven` holder has sent a frame of that size whole before. It waits ahead of strangers,
        who may have come only to stall, and a part of the budget is for the proven alone.
        """
        size_class = buffer_size(size)
        held = self._holders.get(holder, 0)
        others = self.lent_bytes - held
        limit_bytes = self.limit_bytes if proven else self._strangers_limit_bytes
        # A holder alone is always served, so that a frame larger than the budget is not stuck.
        if others and self.lent_bytes + size_class > limit_bytes:
            if proven:
                self._waiting.appendleft(holder)
            else:
                self._waiting.append(holder)
            return None
        self.lent_bytes += size_class
        self._holders[holder] = held + size_class
        pool = self._pools.get(size_class)
        return pool.pop() if pool else bytearray(size_class)

    def give_back(self, holder: Holder, buffer: bytearray) -> None:
        """Return a lent buffer; the holder may not touch it again."""
        size_class = len(buffer)
        self.lent_bytes -= size_class
        held = self._holders[holder] - size_class
        if held:
            self._holders[holder] = held
        else:
            del self._holders[holder]
        pool = self._pools.setdefault(size_class, [])
        if len(pool) < READ_BUFFERS_POOLED_PER_SIZE_MAX:
            pool.append(buffer)
        self._wake_waiting()

    def is_waiting(self, holder: Holder) -> bool:
        return holder in self._waiting

    def forget(self, holder: Holder) -> None:
        """The holder is gone and waits no more."""
        if holder in self._waiting:
            self._waiting.remove(holder)

    def evict_stalled(self, now_ms: int) -> int:
        """While somebody waits, close holders without progress; the number closed.

        Call it whenever a holder starts to wait, and every now and then while one does.
        """
        evicted = 0
        for holder in self._stalled(now_ms):
            if not self._waiting:
                break
            evicted += 1
            holder.evict()
        return evicted

    def _stalled(self, now_ms: int) -> list[Holder]:
        waiting = set(self._waiting)
        reading = [holder for holder in self._holders if holder not in waiting]
        if not reading:
            # Everyone holds half a frame and waits for the rest: the oldest makes room.
            return sorted(self._holders, key=_last_progress_ms)[:1]
        late = [h for h in reading if now_ms - h.last_progress_ms >= READ_STALL_GRACE_MS]
        return sorted(late, key=_last_progress_ms)

    def _wake_waiting(self) -> None:
        """Let those who wait ask again, in order, as long as one gets what it asks for."""
        if self._waking:
            return  # what a woken holder gives back is handed on by the loop that woke it
        self._waking = True
        try:
            while self._waiting:
                holder = self._waiting.popleft()
                holder.budget_available()
                if holder in self._waiting:
                    break
        finally:
            self._waking = False


def _last_progress_ms(holder: Holder) -> int:
    return holder.last_progress_ms


def buffer_size(size: int) -> int:
    """The smallest power of two, from 64 KiB, that holds `size` bytes."""
    return max(SMALLEST_BUFFER_BYTES, 1 << (size - 1).bit_length())
