"""The world as a parameter: what the cores may ask of the machine, and nothing else.

Cores receive these protocols and never call `open`, `time`, `random` or `uuid4` themselves, so the
same code runs on a real machine and in a simulated one with crashes, lost syncs and full disks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

Buffer = bytes | bytearray | memoryview
WritableBuffer = bytearray | memoryview


class Clock(Protocol):
    """Time, in milliseconds."""

    def now_ms(self) -> int:
        """Wall clock since the Unix epoch; may jump."""
        ...

    def monotonic_ms(self) -> int:
        """Never goes back; only differences mean anything."""
        ...


class Rng(Protocol):
    """Randomness."""

    def below(self, bound: int) -> int:
        """A whole number in `[0, bound)`."""
        ...

    def uuid(self) -> bytes:
        """Sixteen random bytes that form a version 4 uuid."""
        ...


class File(Protocol):
    """One open file that grows at its end. Every failure raises OSError."""

    @property
    def path(self) -> str: ...

    @property
    def size(self) -> int:
        """Length in bytes as this handle knows it: it counts its own appends and truncations."""
        ...

    def append(self, buffers: Sequence[Buffer]) -> None:
        """Write all buffers, in order, at the end.

        On OSError the file is cut back to its earlier size where the disk lets us; where it does
        not, `size` says how long the file really is.
        """
        ...

    def read_at(self, position: int, length: int) -> bytes:
        """Up to `length` bytes; fewer only at the end of the file."""
        ...

    def truncate(self, size: int) -> None: ...

    def sync(self) -> None:
        """Return once all earlier writes would survive a power loss (fdatasync)."""
        ...

    def fileno(self) -> int:
        """The descriptor to `sendfile` from, or -1 where the file lives in memory."""
        ...

    def close(self) -> None: ...


class Disk(Protocol):
    """The one door to files and folders. Every failure raises OSError."""

    def open(self, path: str, *, create: bool = False) -> File:
        """Open for reading and appending; with `create`, make it where it is missing."""
        ...

    def read_file(self, path: str) -> bytes: ...

    def exists(self, path: str) -> bool: ...

    def list_dir(self, path: str) -> list[str]:
        """Names in a folder, sorted."""
        ...

    def modified_ms(self, path: str) -> int:
        """When the file was last written: wall clock, milliseconds since the Unix epoch."""
        ...

    def make_dir(self, path: str) -> None:
        """Make the folder and its parents; fine where it exists."""
        ...

    def make_subdir(self, path: str) -> None:
        """Make the folder, fine where it exists; OSError where its parent does not.

        A data directory whose disk was taken away must not come back on another one, empty.
        """
        ...

    def rename(self, source: str, target: str) -> None:
        """Replace `target`, atomically. Lasting only after `sync_dir` of the parent."""
        ...

    def unlink(self, path: str) -> None: ...

    def remove_dir(self, path: str) -> None:
        """Remove an empty folder."""
        ...

    def sync_dir(self, path: str) -> None:
        """Make renames, creations and removals in this folder survive a power loss."""
        ...

    def free_bytes(self, path: str) -> int:
        """What is left for us on the file system that holds `path`."""
        ...

    def total_bytes(self, path: str) -> int:
        """The size of the file system that holds `path`."""
        ...


def replace_file(disk: Disk, path: str, content: bytes) -> None:
    """Replace a small file so that a crash leaves the old content or the new, never a mixture."""
    temporary = path + ".tmp"
    if disk.exists(temporary):
        disk.unlink(temporary)
    file = disk.open(temporary, create=True)
    try:
        file.append([content])
        file.sync()
    finally:
        file.close()
    disk.rename(temporary, path)
    disk.sync_dir(path.rpartition("/")[0] or ".")


def make_lasting_dir(disk: Disk, path: str) -> None:
    """Make the folder and its parents so that all of them survive a power loss."""
    made = [path]
    while (parent := made[-1].rpartition("/")[0]) and not disk.exists(parent):
        made.append(parent)
    disk.make_dir(path)
    for folder in reversed(made):
        disk.sync_dir(folder.rpartition("/")[0] or ("/" if folder.startswith("/") else "."))
