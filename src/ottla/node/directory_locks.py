"""One process for each data directory: locks that go with the process that holds them."""

from __future__ import annotations

import os

from ottla.base.errors import UserError
from ottla.broker.log_directory import LOCK_FILE
from ottla.quorum.locks import Locks, NotedLock


class DirectoryLocks:
    """The data directories that this process holds."""

    def __init__(self, node_id: int, locks: Locks) -> None:
        self._note = f"process {os.getpid()} (node {node_id})"
        self._locks = locks
        self._held: list[NotedLock] = []

    def hold(self, path: str) -> None:
        """Take a data directory. Raises UserError while another process has it, and OSError."""
        lock = self._locks.file(f"{path}/{LOCK_FILE}")
        if not lock.try_acquire(self._note):
            raise UserError(
                f"the data directory {path} is in use by {lock.note() or 'another process'}: "
                "stop that one first, or give this one another directory"
            )
        self._held.append(lock)

    def release(self) -> None:
        """Let go of all of them."""
        while self._held:
            self._held.pop().release()
