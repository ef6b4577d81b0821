"""A bound on open files, however many partitions there are.

A holder keeps its file while it is among the most recently used ones. The hot path only sets a
flag; who has not been used since the last look is let go when another file needs the room (the
"second chance" scheme). Letting go drops a reference and never closes: a slice that is still being
sent keeps its file, which closes itself with its last reference.
"""

from __future__ import annotations

from collections import OrderedDict

from ottla.base.limits import OPEN_FILES_MAX
from ottla.base.world import Disk, File


class OpenFiles:
    """All files that partitions hold open, at most `limit` of them."""

    def __init__(self, disk: Disk, limit: int = OPEN_FILES_MAX) -> None:
        assert limit > 0
        self.disk = disk
        self.limit = limit
        self._holders: OrderedDict[PooledFile, None] = OrderedDict()

    @property
    def count(self) -> int:
        """How many are open now."""
        return len(self._holders)

    def admit(self, holder: PooledFile) -> None:
        """Count a holder that has opened its file, and make room for it first."""
        while len(self._holders) >= self.limit:
            oldest, _ = self._holders.popitem(last=False)
            if oldest.used:
                oldest.used = False
                self._holders[oldest] = None
            else:
                oldest.file = None
        self._holders[holder] = None

    def forget(self, holder: PooledFile) -> None:
        self._holders.pop(holder, None)


class PooledFile:
    """One path whose file may be open or not."""

    __slots__ = ("_files", "file", "path", "used")

    def __init__(self, files: OpenFiles, path: str) -> None:
        self._files = files
        self.path = path
        self.file: File | None = None
        self.used = False

    def get(self) -> File:
        """The open file. Raises OSError, FileNotFoundError where it is missing."""
        file = self.file
        if file is None:
            return self._open(create=False)
        self.used = True
        return file

    def create(self) -> File:
        """The open file, made where it is missing, emptied where something was left in it."""
        file = self.file or self._open(create=True)
        if file.size:
            file.truncate(0)
        return file

    def _open(self, *, create: bool) -> File:
        self._files.admit(self)
        try:
            self.file = self._files.disk.open(self.path, create=create)
        except OSError:
            self._files.forget(self)
            raise
        return self.file

    def release(self) -> None:
        """Let go of the file; whoever else holds it may go on."""
        self._files.forget(self)
        self.file = None
