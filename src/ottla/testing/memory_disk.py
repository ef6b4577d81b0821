"""A disk in memory that can fail and crash: the fake of `base.world.Disk`.

Fault model: a crash keeps what was synced. Of what was not, each file keeps a prefix of the bytes
appended since its last sync (cut anywhere; sometimes extended with zeros), each truncation since
then happened or not, and each name created, renamed or removed since its folder's last sync is as
before or as after. Bytes that were synced never change.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from typing import Final

from ottla.base.limits import KIB
from ottla.base.world import Buffer, Rng

_ENDLESS_BYTES: Final = 1 << 50


class _Inode:
    """The content of one file, whatever its name."""

    __slots__ = ("content", "synced")

    def __init__(self) -> None:
        self.content = bytearray()
        self.synced = b""

    def crash(self, rng: Rng | None) -> None:
        """Fall back to what was synced, and perhaps to a part of what came after it."""
        survivor = bytearray(self.synced)
        if rng is not None and self.content != self.synced:
            survivor = self._partly_written(rng)
        self.content = survivor
        self.synced = bytes(survivor)

    def _partly_written(self, rng: Rng) -> bytearray:
        if not self.content.startswith(self.synced):  # cut or rewritten since the sync
            return bytearray(self.content if rng.below(2) else self.synced)
        unsynced = len(self.content) - len(self.synced)
        survivor = self.content[: len(self.synced) + rng.below(unsynced + 1)]
        if rng.below(4) == 0:  # the size reached the disk, the data did not
            survivor += bytes(rng.below(4 * KIB))
        return survivor


class MemoryFile:
    """One handle on a file in memory; dead after a crash."""

    __slots__ = ("_disk", "_inode", "_life", "path", "size")

    def __init__(self, disk: MemoryDisk, path: str, inode: _Inode) -> None:
        self._disk = disk
        self._inode = inode
        self._life = disk.life
        self.path = path
        self.size = len(inode.content)

    def append(self, buffers: Sequence[Buffer]) -> None:
        self._check_alive()
        data = b"".join(buffers)
        failure = self._disk.failure("append", self.path)
        if failure is not None:
            if self._disk.failed_append_leaves_bytes:
                self._inode.content += data[: len(data) // 2]
                self.size = len(self._inode.content)
            raise failure
        if self._disk.capacity_bytes and len(data) > self._disk.free_bytes(self.path):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self.path)
        self._inode.content += data
        self.size += len(data)

    def read_at(self, position: int, length: int) -> bytes:
        self._check("read_at")
        return bytes(self._inode.content[position : position + length])

    def truncate(self, size: int) -> None:
        self._check("truncate")
        del self._inode.content[size:]
        self._inode.content += bytes(size - len(self._inode.content))
        self.size = size

    def sync(self) -> None:
        self._check("sync")
        self._inode.synced = bytes(self._inode.content)

    def fileno(self) -> int:
        return -1

    def close(self) -> None:
        self._life = -1

    def _check(self, operation: str) -> None:
        self._check_alive()
        failure = self._disk.failure(operation, self.path)
        if failure is not None:
            raise failure

    def _check_alive(self) -> None:
        if self._life != self._disk.life:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF), self.path)


class MemoryDisk:
    """Files and folders in memory.

    `capacity_bytes` is the size of the disk, 0 for one without bounds; appends above it fail with
    ENOSPC. `operations` counts all calls that `fail_at` can hit. Every file was last written at
    `modified_at_ms`: there is no clock in here.
    """

    def __init__(self, *, capacity_bytes: int = 0) -> None:
        self.capacity_bytes = capacity_bytes
        self.failed_append_leaves_bytes = False
        self.operations = 0
        self.modified_at_ms = 0
        self.life = 0
        self._folders: dict[str, dict[str, _Inode]] = {}
        self._synced_folders: dict[str, dict[str, _Inode]] = {}
        self._fail_at = 0
        self._fail_errno = 0
        self._fail_operation: str | None = None

    # --- faults ---

    def fail_at(self, nth: int, error: int, *, operation: str | None = None) -> None:
        """Let the nth call from now (1 is the next) fail with this errno, once.

        With `operation` (a method's name, such as "append" or "sync") only those calls count.
        """
        assert nth > 0
        self._fail_at = nth
        self._fail_errno = error
        self._fail_operation = operation

    def failure(self, operation: str, path: str) -> OSError | None:
        """Count one call; the error it must raise, if it is its turn."""
        self.operations += 1
        if self._fail_at == 0 or self._fail_operation not in (None, operation):
            return None
        self._fail_at -= 1
        if self._fail_at:
            return None
        return OSError(self._fail_errno, os.strerror(self._fail_errno), path)

    def crash(self, rng: Rng | None = None) -> None:
        """Lose power: every handle dies, and what was not synced is lost.

        Without `rng` all of it is lost; with it a part survives (see the module's fault model).
        A killed process needs no call: what it wrote is in the page cache, that is, here.
        """
        self.life += 1
        for path, names in self._folders.items():
            self._folders[path] = _surviving_names(self._synced_folders.get(path, {}), names, rng)
        for names in self._folders.values():
            for inode in names.values():
                inode.crash(rng)
        self._synced_folders = {path: dict(names) for path, names in self._folders.items()}

    # --- Disk ---

    def open(self, path: str, *, create: bool = False) -> MemoryFile:
        self._check("open", path)
        folder, name = self._split(path)
        inode = folder.get(name)
        if inode is None:
            if not create:
                raise _missing(path)
            inode = folder[name] = _Inode()
        return MemoryFile(self, path, inode)

    def read_file(self, path: str) -> bytes:
        self._check("read_file", path)
        folder, name = self._split(path)
        if name not in folder:
            raise _missing(path)
        return bytes(folder[name].content)

    def exists(self, path: str) -> bool:
        self._check("exists", path)
        parent, _, name = path.rpartition("/")
        return path in self._folders or name in self._folders.get(parent, {})

    def list_dir(self, path: str) -> list[str]:
        self._check("list_dir", path)
        folder = self._folder(path)
        prefix = path + "/"
        inner = {
            name[len(prefix) :].partition("/")[0]
            for name in self._folders
            if name.startswith(prefix)
        }
        return sorted(inner | set(folder))

    def modified_ms(self, path: str) -> int:
        self._check("modified_ms", path)
        folder, name = self._split(path)
        if name not in folder:
            raise _missing(path)
        return self.modified_at_ms

    def make_dir(self, path: str) -> None:
        self._check("make_dir", path)
        while path and path not in self._folders:
            self._folders[path] = {}
            path = path.rpartition("/")[0]

    def rename(self, source: str, target: str) -> None:
        self._check("rename", source)
        if source in self._folders:
            self._rename_folder(source, target)
            return
        source_folder, source_name = self._split(source)
        target_folder, target_name = self._split(target)
        if source_name not in source_folder:
            raise _missing(source)
        target_folder[target_name] = source_folder.pop(source_name)

    def unlink(self, path: str) -> None:
        self._check("unlink", path)
        folder, name = self._split(path)
        if name not in folder:
            raise _missing(path)
        del folder[name]

    def remove_dir(self, path: str) -> None:
        self._check("remove_dir", path)
        if self.list_dir(path):
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), path)
        del self._folders[path]

    def sync_dir(self, path: str) -> None:
        self._check("sync_dir", path)
        self._synced_folders[path] = dict(self._folder(path))

    def free_bytes(self, path: str) -> int:
        inodes = {id(inode): inode for names in self._folders.values() for inode in names.values()}
        used = sum(len(inode.content) for inode in inodes.values())
        return (self.capacity_bytes or _ENDLESS_BYTES) - used

    # --- inside ---

    def _check(self, operation: str, path: str) -> None:
        failure = self.failure(operation, path)
        if failure is not None:
            raise failure

    def _folder(self, path: str) -> dict[str, _Inode]:
        folder = self._folders.get(path)
        if folder is None:
            raise _missing(path)
        return folder

    def _split(self, path: str) -> tuple[dict[str, _Inode], str]:
        parent, _, name = path.rpartition("/")
        return self._folder(parent), name

    def _rename_folder(self, source: str, target: str) -> None:
        for folders in (self._folders, self._synced_folders):
            for path in [path for path in folders if f"{path}/".startswith(f"{source}/")]:
                folders[target + path[len(source) :]] = folders.pop(path)


def _missing(path: str) -> OSError:
    return OSError(errno.ENOENT, os.strerror(errno.ENOENT), path)


def _surviving_names(
    synced: dict[str, _Inode], current: dict[str, _Inode], rng: Rng | None
) -> dict[str, _Inode]:
    if rng is None:
        return dict(synced)
    survivors: dict[str, _Inode] = {}
    for name in sorted(synced.keys() | current.keys()):
        before, after = synced.get(name), current.get(name)
        inode = after if rng.below(2) else before
        if inode is not None:
            survivors[name] = inode
    return survivors
