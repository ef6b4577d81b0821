"""A disk in memory that counts what is done to each file, and fails where a test says."""

from __future__ import annotations

import os
from typing import NamedTuple

from ottla.testing.memory_disk import MemoryDisk


class Fault(NamedTuple):
    """Calls of `operation` on paths that contain `part` fail."""

    operation: str
    part: str
    error: int


class WatchedDisk(MemoryDisk):
    """`calls` holds (operation, path) of everything since `forget`."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, str]] = []
        self.faults: list[Fault] = []

    def fail(self, operation: str, part: str, error: int) -> None:
        """Let these calls fail until `heal`."""
        self.faults.append(Fault(operation, part, error))

    def heal(self) -> None:
        self.faults.clear()

    def forget(self) -> None:
        """Count from here."""
        self.calls.clear()

    def count(self, operation: str, part: str) -> int:
        """Calls of an operation on paths that contain `part`."""
        return sum(done == operation and part in path for done, path in self.calls)

    def failure(self, operation: str, path: str) -> OSError | None:
        self.calls.append((operation, path))
        for fault in self.faults:
            if fault.operation == operation and fault.part in path:
                return OSError(fault.error, os.strerror(fault.error), path)
        return super().failure(operation, path)
