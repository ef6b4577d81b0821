"""A disk in memory, used by two threads: one appends, the other syncs."""

from __future__ import annotations

import threading

from ottla.testing.fault_model import Change
from ottla.testing.memory_disk import FileNode


class Interrupted(bytearray):
    """Content to which another thread wants to append while it is copied."""

    def __init__(self, node: FileNode) -> None:
        super().__init__(b"a")
        self.appending = threading.Thread(target=node.append, args=(b"b",))

    def __bytes__(self) -> bytes:
        copied = bytes(memoryview(self))
        self.appending.start()
        self.appending.join(0.05)
        return copied


def test_what_is_appended_while_a_file_is_synced_is_not_taken_for_synced() -> None:
    node = FileNode()
    node.append(b"a")
    content = node.content = Interrupted(node)
    node.sync()
    content.appending.join()
    assert node.content == b"ab"
    assert node.history.synced == b"a"
    assert node.history.changes == (Change(1, b"b"),)
