"""A fetch that waits for data: it hangs on its partitions and is woken by appends, never polls."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from ottla.broker.partition import Partition


class FetchWait:
    """One long poll.

    `is_satisfied` looks at the partitions; `answer` is called exactly once: when satisfied, when
    `max_wait_ms` is over, or by `finish`.
    """

    __slots__ = ("_answer", "_is_satisfied", "_partitions", "_timer")

    def __init__(
        self,
        partitions: Sequence[Partition],
        max_wait_ms: int,
        *,
        is_satisfied: Callable[[], bool],
        answer: Callable[[], None],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._partitions = partitions
        self._is_satisfied = is_satisfied
        self._answer: Callable[[], None] | None = answer
        self._timer = loop.call_later(max_wait_ms / 1000, self.finish)
        for partition in partitions:
            partition.waiters.add(self)

    def data_arrived(self) -> None:
        """See `partition.Waiter`."""
        if self._answer is not None and self._is_satisfied():
            self.finish()

    def finish(self) -> None:
        """Answer with what there is."""
        answer = self._answer
        self.cancel()
        if answer is not None:
            answer()

    def cancel(self) -> None:
        """Forget the wait without an answer: the connection is gone."""
        self._answer = None
        self._timer.cancel()
        for partition in self._partitions:
            partition.waiters.discard(self)
