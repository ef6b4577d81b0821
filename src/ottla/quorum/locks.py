"""What keeps others out of a data directory: locks on its paths, as whoever made them offers."""

from __future__ import annotations

from typing import Protocol

from ottla.quorum.directory_lock import DirectoryLock
from ottla.quorum.file_lock import FileLock


class Hold(Protocol):
    """A lock that is taken or not; `directory_lock.DirectoryLock` is one."""

    def release(self) -> None:
        """Let go. Fine where it is not held."""
        ...


class WholeDirectory(Hold, Protocol):
    """The lock that Apache Kafka looks at, too."""

    def try_acquire(self) -> bool:
        """Take it; False while another has it. Raises OSError."""
        ...


class NotedLock(Hold, Protocol):
    """A lock that says who has it; `file_lock.FileLock` is one."""

    @property
    def path(self) -> str: ...

    def try_acquire(self, note: str) -> bool:
        """Take it and leave `note`; False while another has it."""
        ...

    def note(self) -> str:
        """What the holder, or the last one, left; empty for nobody yet."""
        ...

    def is_held_by_anyone(self) -> bool:
        """Whether somebody has it, ourselves included."""
        ...


class Locks(Protocol):
    """Makes locks, of which none is held yet."""

    def file(self, path: str) -> NotedLock:
        """The lock on this path."""
        ...

    def directory(self, path: str) -> WholeDirectory:
        """The lock on a whole data directory."""
        ...


class SystemLocks:
    """Those of the operating system, which go with the process that holds them."""

    def file(self, path: str) -> NotedLock:
        """See `Locks`."""
        return FileLock(path)

    def directory(self, path: str) -> WholeDirectory:
        """See `Locks`."""
        return DirectoryLock(path)
