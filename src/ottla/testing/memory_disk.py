"""A disk in memory that can fail and crash: the fake of `base.world.Disk`.

What a crash may leave is said in `fault_model`. The topmost folders are of the machine and always
there; every other name comes, changes and goes for good only when its folder is synced.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from ottla.base.world import Buffer, Rng
from ottla.testing.fault_model import (
    Change,
    FileHistory,
    FolderHistory,
    possible_contents,
    possible_names,
)

_ENDLESS_BYTES: Final = 1 << 50
_CHANGING: Final = threading.Lock()
"""Of all files: tests copy whole disks, and a lock cannot be copied."""


class FileNode:
    """One file, whatever its name. What it shares with other disks is copied before it changes.

    One thread may change it while another syncs it.
    """

    __slots__ = ("_changes", "_history", "_synced", "content")

    def __init__(self, content: bytes = b"") -> None:
        self.content: bytes | bytearray = content
        self._synced = content
        self._changes: list[Change] = []
        self._history: FileHistory | None = None

    @property
    def history(self) -> FileHistory:
        with _CHANGING:
            if self._history is None:
                self._history = FileHistory(self._synced, tuple(self._changes))
            return self._history

    def append(self, data: bytes) -> None:
        with _CHANGING:
            self._note(Change(len(self.content), data))
            self.content += data

    def truncate(self, size: int) -> None:
        with _CHANGING:
            content = self._note(Change(size, None))
            del content[size:]
            content += bytes(size - len(content))

    def sync(self) -> None:
        with _CHANGING:
            if self._changes:
                self._synced = bytes(self.content)
                self._changes.clear()
                self._history = None

    def _note(self, change: Change) -> bytearray:
        self._changes.append(change)
        self._history = None
        if not isinstance(self.content, bytearray):
            self.content = bytearray(self.content)
        return self.content


class FolderNode:
    """One folder: `names` as they are now."""

    __slots__ = ("_changes", "_history", "_synced", "names")

    def __init__(self) -> None:
        self.names: dict[str, Node] = {}
        self._synced: Mapping[str, Node] = {}
        self._changes: list[Mapping[str, Node | None]] = []
        self._history: FolderHistory[Node] | None = None

    @property
    def history(self) -> FolderHistory[Node]:
        if self._history is None:
            self._history = FolderHistory(self._synced, tuple(self._changes))
        return self._history

    def change(self, change: Mapping[str, Node | None]) -> None:
        """One step: all of it is seen at once by whoever looks, not by a crash."""
        self._changes.append(change)
        self._history = None
        for name, node in change.items():
            if node is None:
                del self.names[name]
            else:
                self.names[name] = node

    def sync(self) -> None:
        if self._changes:
            self._synced = dict(self.names)
            self._changes.clear()
            self._history = None


Node = FileNode | FolderNode


class Content(NamedTuple):
    """A whole disk at rest: files by path, and folders (parents before what is in them)."""

    files: dict[str, bytes]
    folders: list[str]


class MemoryFile:
    """One handle on a file in memory; dead after a crash."""

    __slots__ = ("_disk", "_life", "_node", "path", "size")

    def __init__(self, disk: MemoryDisk, path: str, node: FileNode) -> None:
        self._disk = disk
        self._node = node
        self._life = disk.life
        self.path = path
        self.size = len(node.content)

    def append(self, buffers: Sequence[Buffer]) -> None:
        self._check_alive()
        data = b"".join(buffers)
        failure = self._disk.failure("append", self.path)
        if failure is not None:
            if self._disk.failed_append_leaves_bytes:
                self._append(data[: len(data) // 2])
            raise failure
        if self._disk.capacity_bytes and len(data) > self._disk.free_bytes(self.path):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self.path)
        self._append(data)

    def _append(self, data: bytes) -> None:
        self._node.append(data)
        self.size = len(self._node.content)
        self._disk.changed("append", self.path)

    def read_at(self, position: int, length: int) -> bytes:
        self._check("read_at")
        return bytes(self._node.content[position : position + length])

    def truncate(self, size: int) -> None:
        self._check("truncate")
        self._node.truncate(size)
        self.size = size
        self._disk.changed("truncate", self.path)

    def sync(self) -> None:
        self._check("sync")
        self._node.sync()
        self._disk.changed("sync", self.path)

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

    def __init__(self, *, capacity_bytes: int = 0, content: Content | None = None) -> None:
        """`content` is what it begins with, all of it synced."""
        self.capacity_bytes = capacity_bytes
        self.failed_append_leaves_bytes = False
        self.operations = 0
        self.modified_at_ms = 0
        self.life = 0
        self.root = FolderNode()
        self._fail_at = 0
        self._fail_errno = 0
        self._fail_operation: str | None = None
        if content is not None:
            self._fill(content)

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

        Without `rng` all of it is lost; with it a part survives, as the fault model has it.
        A killed process needs no call: what it wrote is in the page cache, that is, here.
        """
        content = at_rest(
            self.root,
            names_of=lambda folder: _any_of(possible_names(folder.history), rng),
            content_of=lambda file: _any_content(file.history, rng),
        )
        self.replace(content)

    def replace(self, content: Content) -> None:
        """Hold this instead, all of it synced; every handle dies."""
        self.life += 1
        self.root = FolderNode()
        self._fill(content)

    def settle(self) -> None:
        """Let everything be as on a disk that was synced long ago."""
        _settle(self.root)

    def changed(self, operation: str, path: str) -> None:
        """Something was done; for disks that want to know."""

    # --- Disk ---

    def open(self, path: str, *, create: bool = False) -> MemoryFile:
        self._check("open", path)
        folder, name = self._split(path)
        node = folder.names.get(name)
        if node is None:
            if not create:
                raise _missing(path)
            node = FileNode()
            folder.change({name: node})
            self.changed("create", path)
        return MemoryFile(self, path, _file(node, path))

    def read_file(self, path: str) -> bytes:
        self._check("read_file", path)
        return bytes(_file(self._find(path), path).content)

    def exists(self, path: str) -> bool:
        self._check("exists", path)
        return self._look(path) is not None

    def list_dir(self, path: str) -> list[str]:
        self._check("list_dir", path)
        return sorted(self._folder(path).names)

    def modified_ms(self, path: str) -> int:
        self._check("modified_ms", path)
        self._find(path)
        return self.modified_at_ms

    def make_dir(self, path: str) -> None:
        self._check("make_dir", path)
        if self._make_folders(path):
            self.changed("make_dir", path)

    def make_subdir(self, path: str) -> None:
        self._split(path)
        self.make_dir(path)

    def rename(self, source: str, target: str) -> None:
        self._check("rename", source)
        source_folder, source_name = self._split(source)
        target_folder, target_name = self._split(target)
        node = self._find(source)
        if source_folder is target_folder:
            source_folder.change({source_name: None, target_name: node})
        else:
            source_folder.change({source_name: None})
            target_folder.change({target_name: node})
        self.changed(f"rename to {target} from", source)

    def unlink(self, path: str) -> None:
        self._check("unlink", path)
        _file(self._find(path), path)
        folder, name = self._split(path)
        folder.change({name: None})
        self.changed("unlink", path)

    def remove_dir(self, path: str) -> None:
        self._check("remove_dir", path)
        if self._folder(path).names:
            raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), path)
        folder, name = self._split(path)
        folder.change({name: None})
        self.changed("remove_dir", path)

    def sync_dir(self, path: str) -> None:
        self._check("sync_dir", path)
        self._folder(path).sync()
        self.changed("sync_dir", path)

    def free_bytes(self, path: str) -> int:
        used = sum(len(node.content) for node in _files(self.root))
        return (self.capacity_bytes or _ENDLESS_BYTES) - used

    def total_bytes(self, path: str) -> int:
        return self.capacity_bytes or _ENDLESS_BYTES

    # --- inside ---

    def _check(self, operation: str, path: str) -> None:
        failure = self.failure(operation, path)
        if failure is not None:
            raise failure

    def _look(self, path: str) -> Node | None:
        node: Node | None = self.root
        for name in _parts(path):
            if not isinstance(node, FolderNode):
                return None
            node = node.names.get(name)
        return node

    def _find(self, path: str) -> Node:
        node = self._look(path)
        if node is None:
            raise _missing(path)
        return node

    def _folder(self, path: str) -> FolderNode:
        node = self._find(path)
        if isinstance(node, FolderNode):
            return node
        raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)

    def _split(self, path: str) -> tuple[FolderNode, str]:
        parent, _, name = path.rpartition("/")
        return self._folder(parent), name

    def _make_folders(self, path: str) -> bool:
        """Make what is missing of them; whether anything was."""
        folder = self.root
        made = False
        for name in _parts(path):
            node = folder.names.get(name)
            if node is None:
                made = True
                node = FolderNode()
                folder.change({name: node})
                if folder is self.root:
                    folder.sync()
            if not isinstance(node, FolderNode):
                raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
            folder = node
        return made

    def _fill(self, content: Content) -> None:
        folders = {"": self.root}
        for path in content.folders:
            parent, _, name = path.rpartition("/")
            node = folders[path] = FolderNode()
            folders[parent].names[name] = node
        for path, data in content.files.items():
            parent, _, name = path.rpartition("/")
            folders[parent].names[name] = FileNode(data)
        for folder in folders.values():
            folder._synced = dict(folder.names)


def at_rest(
    root: FolderNode,
    *,
    names_of: Callable[[FolderNode], Mapping[str, Node]],
    content_of: Callable[[FileNode], bytes],
) -> Content:
    """The whole disk, with these names in its folders and this content in its files."""
    content = Content({}, [])
    _put(content, "", names_of(root), names_of, content_of)
    return content


def _put(
    content: Content,
    prefix: str,
    names: Mapping[str, Node],
    names_of: Callable[[FolderNode], Mapping[str, Node]],
    content_of: Callable[[FileNode], bytes],
) -> None:
    for name, node in sorted(names.items()):
        path = f"{prefix}{name}"
        if isinstance(node, FolderNode):
            content.folders.append(path)
            _put(content, f"{path}/", names_of(node), names_of, content_of)
        else:
            content.files[path] = content_of(node)


def _any_of(possible: Sequence[dict[str, Node]], rng: Rng | None) -> dict[str, Node]:
    return possible[0] if rng is None else possible[rng.below(len(possible))]


def _any_content(history: FileHistory, rng: Rng | None) -> bytes:
    if rng is None or history.is_synced:
        return history.synced
    last = history.changes[-1].data
    possible = possible_contents(history, rng.below(len(last)) if last else None)
    return possible[rng.below(len(possible))]


def _files(folder: FolderNode) -> Iterator[FileNode]:
    # A copy: a thread may look while the loop's makes files.
    for node in list(folder.names.values()):
        if isinstance(node, FolderNode):
            yield from _files(node)
        else:
            yield node


def _settle(folder: FolderNode) -> None:
    folder.sync()
    for node in folder.names.values():
        if isinstance(node, FolderNode):
            _settle(node)
        else:
            node.sync()


def _parts(path: str) -> Iterable[str]:
    return (name for name in path.split("/") if name not in ("", "."))


def _file(node: Node, path: str) -> FileNode:
    if isinstance(node, FileNode):
        return node
    raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), path)


def _missing(path: str) -> OSError:
    return OSError(errno.ENOENT, os.strerror(errno.ENOENT), path)
