"""The real disk: `base.world.Disk` on system calls.

A file closes itself when its last reference goes, so whoever still sends from it may finish.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from typing import Final

from ottla.base.world import Buffer

_BUFFERS_PER_CALL: Final = os.sysconf("SC_IOV_MAX")
_FILE_MODE: Final = 0o644
_FOLDER_MODE: Final = 0o755

if sys.platform == "darwin":
    import fcntl

    def _sync_data(descriptor: int) -> None:
        # fsync on macOS leaves the data in the drive's own cache; some file systems refuse more.
        try:
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
        except OSError:
            os.fsync(descriptor)
else:
    _sync_data = os.fdatasync


class LocalFile:
    """One open file. Closing it twice is fine; using it after that raises OSError (EBADF)."""

    __slots__ = ("_descriptor", "path", "size")

    def __init__(self, path: str, descriptor: int) -> None:
        self._descriptor = descriptor
        self.path = path
        self.size = os.fstat(descriptor).st_size

    def append(self, buffers: Sequence[Buffer]) -> None:
        """See `File.append`. A short write is continued until all is written."""
        start = self.size
        try:
            if len(buffers) == 1:
                length = len(buffers[0])
                written = os.write(self._descriptor, buffers[0])
            else:
                length = sum(map(len, buffers))
                written = os.writev(self._descriptor, buffers[:_BUFFERS_PER_CALL])
            if written != length:
                self._write_rest(buffers, written)
        except OSError:
            self._cut_back(start)
            raise
        self.size = start + length

    def _write_rest(self, buffers: Sequence[Buffer], written: int) -> None:
        """Write what follows the first `written` bytes."""
        rest = [memoryview(buffer) for buffer in buffers]
        first = 0
        while True:
            while first < len(rest) and written >= len(rest[first]):
                written -= len(rest[first])
                first += 1
            if first == len(rest):
                return
            rest[first] = rest[first][written:]
            written = os.writev(self._descriptor, rest[first : first + _BUFFERS_PER_CALL])

    def _cut_back(self, size: int) -> None:
        """After a failed append: no half batch may stay, or `size` must own up to it."""
        try:
            os.ftruncate(self._descriptor, size)
        except OSError:
            self.size = _size_of(self._descriptor, fallback=size)

    def read_at(self, position: int, length: int) -> bytes:
        data = os.pread(self._descriptor, length, position)
        if len(data) == length or not data:
            return data
        parts = [data]  # short reads happen above 2 GiB and on signals; at the end comes b""
        missing = length - len(data)
        while missing and (
            data := os.pread(self._descriptor, missing, position + length - missing)
        ):
            parts.append(data)
            missing -= len(data)
        return b"".join(parts)

    def truncate(self, size: int) -> None:
        os.ftruncate(self._descriptor, size)
        self.size = size

    def sync(self) -> None:
        _sync_data(self._descriptor)

    def fileno(self) -> int:
        return self._descriptor

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __del__(self) -> None:
        self.close()


def _size_of(descriptor: int, *, fallback: int) -> int:
    try:
        return os.fstat(descriptor).st_size
    except OSError:
        return fallback


class LocalDisk:
    """Files and folders of this machine."""

    def open(self, path: str, *, create: bool = False) -> LocalFile:
        flags = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | (os.O_CREAT if create else 0)
        return LocalFile(path, os.open(path, flags, _FILE_MODE))

    def read_file(self, path: str) -> bytes:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                return file.read()
        finally:
            os.close(descriptor)

    def exists(self, path: str) -> bool:
        return os.path.lexists(path)

    def list_dir(self, path: str) -> list[str]:
        return sorted(os.listdir(path))

    def modified_ms(self, path: str) -> int:
        return os.stat(path).st_mtime_ns // 1_000_000

    def make_dir(self, path: str) -> None:
        os.makedirs(path, _FOLDER_MODE, exist_ok=True)

    def make_subdir(self, path: str) -> None:
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, _FOLDER_MODE)

    def rename(self, source: str, target: str) -> None:
        os.replace(source, target)

    def unlink(self, path: str) -> None:
        os.unlink(path)

    def remove_dir(self, path: str) -> None:
        os.rmdir(path)

    def sync_dir(self, path: str) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def free_bytes(self, path: str) -> int:
        found = os.statvfs(path)
        return found.f_bavail * found.f_frsize

    def total_bytes(self, path: str) -> int:
        found = os.statvfs(path)
        return found.f_blocks * found.f_frsize
