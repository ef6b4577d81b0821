"""The flushes of one partition's log: one at a time, in a thread.

Who asks while one runs shares the next, so the cost of a sync is paid once for all that was
appended before it began (a group commit).
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from ottla.base.ids import Offset
from ottla.log.errors import StorageError
from ottla.log.flush import FlushPlan
from ottla.log.partition_log import PartitionLog


class FlushOwner(Protocol):
    """Who is told what became of a flush."""

    def synced(self, end_offset: Offset) -> None:
        """Everything below `end_offset` is on the disk."""
        ...

    def not_synced(self, error: StorageError) -> None:
        """The flush could not begin; a later one may succeed."""
        ...

    def sync_failed(self, error: StorageError) -> None:
        """Nobody knows what the disk has kept, and nobody ever will."""
        ...


class Flushing:
    """The flushes of one log. Every flush of an open log goes this way: two must never overlap."""

    __slots__ = ("_is_asked", "_is_running", "_log", "_owner", "_waiters")

    def __init__(self, log: PartitionLog, owner: FlushOwner) -> None:
        self._log = log
        self._owner = owner
        self._is_asked = False
        self._is_running = False
        self._waiters: list[asyncio.Future[None]] = []

    @property
    def is_idle(self) -> bool:
        """Whether no flush runs and none is asked for."""
        return not self._is_running and not self._is_asked

    def request(self) -> None:
        """Flush what is committed by the end of this turn of the loop, or a little more."""
        if self._is_asked:
            return
        self._is_asked = True
        if not self._is_running:
            asyncio.get_running_loop().call_soon(self._start)

    async def flush(self) -> None:
        """Flush what is committed now, and wait for it; the owner is told how it went."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        self.request()
        await waiter

    async def settle(self) -> None:
        """Wait until no flush runs and none is asked for."""
        while not self.is_idle:
            await self.flush()

    def _start(self) -> None:
        self._is_asked = False
        waiters, self._waiters = self._waiters, []
        try:
            plan = self._log.plan_flush()
        except StorageError as error:
            self._owner.not_synced(error)
            _release(waiters)
            return
        if plan is None:
            self._owner.synced(self._log.recovery_point)
            _release(waiters)
            return
        self._is_running = True
        running = asyncio.get_running_loop().run_in_executor(None, plan.run)
        running.add_done_callback(lambda run: self._complete(run, plan, waiters))

    def _complete(
        self, run: asyncio.Future[None], plan: FlushPlan, waiters: list[asyncio.Future[None]]
    ) -> None:
        run.result()  # what is no failure of the disk is a bug, and acknowledges nothing
        self._is_running = False
        try:
            self._log.complete_flush(plan)
        except StorageError as error:
            self._owner.sync_failed(error)
        else:
            self._owner.synced(plan.end_offset)
        _release(waiters)
        if self._is_asked:
            self._start()


def _release(waiters: list[asyncio.Future[None]]) -> None:
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(None)
