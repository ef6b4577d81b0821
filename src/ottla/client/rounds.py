"""Demands of many, answered in rounds: one request for all who wait.

A demand is never answered by a round that had begun before it: what that round brings may be older
than the reason for the demand.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Generic, TypeVar

from ottla.client.errors import ClusterClosedError

Want = TypeVar("Want")
Outcome = TypeVar("Outcome")


class Rounds(Generic[Want, Outcome]):
    """At most one round runs; what is wanted meanwhile is collected for the next."""

    def __init__(self, ask: Callable[[frozenset[Want]], Awaitable[Outcome]]) -> None:
        """What `ask` raises, all who wait for that round get."""
        self._ask = ask
        self._wants: set[Want] = set()
        self._next: asyncio.Future[Outcome] | None = None
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    async def demand(self, wants: Iterable[Want]) -> Outcome:
        """What the round brings that begins next. Cancelled, the round goes on for the others."""
        return await asyncio.shield(self.begin(wants))

    def begin(self, wants: Iterable[Want]) -> asyncio.Future[Outcome]:
        """Let a round begin, without waiting; do not cancel what it returns."""
        if self._closed:
            raise ClusterClosedError("the cluster was closed")
        self._wants |= set(wants)
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        return self._next

    async def _run(self) -> None:
        try:
            while self._next is not None:
                wants, outcome = frozenset(self._wants), self._next
                self._wants, self._next = set(), None
                await self._round(wants, outcome)
        finally:
            self._task = None

    async def _round(self, wants: frozenset[Want], outcome: asyncio.Future[Outcome]) -> None:
        try:
            outcome.set_result(await self._ask(wants))
        except Exception as error:  # noqa: BLE001 # a bug too is for those who wait, to be seen
            _fail(outcome, error)
        except asyncio.CancelledError:
            _fail(outcome, ClusterClosedError("the cluster was closed meanwhile"))
            raise

    async def close(self) -> None:
        """End the round that runs; all who wait get ClusterClosedError."""
        self._closed = True
        if self._next is not None:
            _fail(self._next, ClusterClosedError("the cluster was closed meanwhile"))
            self._next = None
        task = self._task
        if task is not None:
            task.cancel()
            await asyncio.wait([task])


def _fail(outcome: asyncio.Future[Outcome], error: Exception) -> None:
    outcome.set_exception(error)
    outcome.exception()  # seen, though everybody who waited may have been cancelled
