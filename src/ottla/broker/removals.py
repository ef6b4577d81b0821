"""Files and folders that nobody needs any more, and that leave the disk a little later.

Readers may still be sending from them. What a crash keeps from being removed is found again at the
next start: deleted folders by `LocalReplicas.load`, files by `log.leftovers`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable

import msgspec

from ottla.base.world import Disk
from ottla.log.recovery import remove_folder

log = logging.getLogger(__name__)

RETRY_MS = 60_000
"""How long after a failure of the disk to try again."""


class Removal(msgspec.Struct):
    """What goes at `due_ms` (monotonic)."""

    path: str
    due_ms: int
    is_folder: bool


class Removals:
    """All of one data directory. Removing large files takes a while, so a thread does it."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._waiting: list[Removal] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def add_folder(self, path: str, due_ms: int) -> None:
        """A folder with the files in it."""
        self._waiting.append(Removal(path, due_ms, is_folder=True))

    def add_files(self, paths: Iterable[str], due_ms: int) -> None:
        self._waiting += [Removal(path, due_ms, is_folder=False) for path in paths]

    async def remove_due(self, now_ms: int) -> None:
        """Remove what has waited long enough."""
        due = [removal for removal in self._waiting if removal.due_ms <= now_ms]
        if not due:
            return
        self._waiting = [removal for removal in self._waiting if removal.due_ms > now_ms]
        failed = await asyncio.get_running_loop().run_in_executor(None, self._remove_all, due)
        for removal in failed:
            removal.due_ms = now_ms + RETRY_MS
        self._waiting += failed

    def _remove_all(self, due: list[Removal]) -> list[Removal]:
        """Remove these; those that the disk refused."""
        return [removal for removal in due if not self._remove(removal)]

    def _remove(self, removal: Removal) -> bool:
        try:
            if removal.is_folder:
                remove_folder(self._disk, removal.path)
            else:
                self._disk.unlink(removal.path)
        except FileNotFoundError:
            pass  # its folder was deleted or renamed since, and takes the file with it
        except OSError as error:
            log.warning("cannot remove %s, it will be tried again: %s", removal.path, error)
            return False
        if removal.is_folder:
            log.info("removed a deleted partition", extra={"folder": removal.path})
        return True
