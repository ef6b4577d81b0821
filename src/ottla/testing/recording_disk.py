"""A disk in memory that remembers every moment: what was done, and what a crash there may leave."""

from __future__ import annotations

from typing import NamedTuple

from ottla.testing.fault_model import FileHistory, FolderHistory
from ottla.testing.memory_disk import Content, FileNode, FolderNode, MemoryDisk, Node


class Moment(NamedTuple):
    """The disk after one step.

    `step` tells it in words. `promised` is what the disk's owner had promised by then: whatever it
    had put into `RecordingDisk.promised`. Histories are of all that is found under any name.
    """

    number: int
    step: str
    promised: object
    root: FolderNode
    files: dict[FileNode, FileHistory]
    folders: dict[FolderNode, FolderHistory[Node]]


class RecordingDisk(MemoryDisk):
    """`moments` has the beginning and the disk after every step that changed it.

    Pictures share what has not changed, so that a moment costs microseconds.
    """

    def __init__(self, *, content: Content | None = None) -> None:
        super().__init__(content=content)
        self.promised: object = None
        self.moments: list[Moment] = []

    def begin(self) -> None:
        """Forget what was, and record from here; everything so far is taken for synced."""
        self.settle()
        self.moments.clear()
        self._record("begin")

    def changed(self, operation: str, path: str) -> None:
        if self.moments:
            self._record(f"{operation} {path}")

    def restore(self, content: Content) -> None:
        """Go on in this state, as after a crash: every handle dies."""
        self.replace(content)
        self.note("restored")

    def note(self, what: str) -> None:
        """A moment at which the disk stayed as it was and something was promised."""
        if self.moments:
            self._record(what)

    def _record(self, step: str) -> None:
        files: dict[FileNode, FileHistory] = {}
        folders: dict[FolderNode, FolderHistory[Node]] = {}
        waiting = [self.root]
        while waiting:
            folder = waiting.pop()
            history = folders[folder] = folder.history
            nodes = list(history.synced.values())
            for change in history.changes:
                nodes += [node for node in change.values() if node is not None]
            for node in nodes:
                if isinstance(node, FileNode):
                    files[node] = node.history
                elif node not in folders:
                    waiting.append(node)
        self.moments.append(
            Moment(len(self.moments), step, self.promised, self.root, files, folders)
        )
