"""A lock that dies with its holder: `flock` on a file, which says who holds it."""

from __future__ import annotations

import fcntl
import os


class FileLock:
    """One process's hold on a path. The file stays when the lock goes."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._descriptor = -1

    @property
    def held(self) -> bool:
        """Whether we hold it."""
        return self._descriptor >= 0

    def try_acquire(self, note: str) -> bool:
        """Take the lock and leave `note` for others to read; False while another holds it."""
        assert not self.held
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        if not _flock(descriptor, fcntl.LOCK_EX):
            os.close(descriptor)
            return False
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, note.encode(), 0)
        self._descriptor = descriptor
        return True

    def note(self) -> str:
        """What the holder, or the last one, left; empty for nobody yet."""
        try:
            with open(self.path, encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def is_held_by_anyone(self) -> bool:
        """Whether somebody holds it, ourselves included.

        Looking takes a shared lock for a moment, so somebody who tries in it may fail once.
        """
        if self.held:
            return True
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            return not _flock(descriptor, fcntl.LOCK_SH)
        finally:
            os.close(descriptor)

    def release(self) -> None:
        """Let go. Fine where it is not held."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def _flock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
