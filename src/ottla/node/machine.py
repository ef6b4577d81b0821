"""What a node runs on, as one parameter: this machine, or one in the memory of a test."""

from __future__ import annotations

from typing import Protocol

from ottla.base.world import Clock, Disk, Rng
from ottla.broker.cleaning import Cleaner
from ottla.node.cleaner import ProcessCleaner
from ottla.node.process import raise_open_files_limit
from ottla.quorum.locks import Locks, SystemLocks
from ottla.transport.clock import SystemClock, SystemRng
from ottla.transport.connection import FrameHandler
from ottla.transport.disk import LocalDisk
from ottla.transport.listener import Listener, ListenerLimits, ReadMemory


class Machine(Protocol):
    """Made anew for each start of a node, or kept: a node leaves nothing in it."""

    @property
    def clock(self) -> Clock: ...

    @property
    def rng(self) -> Rng: ...

    @property
    def disk(self) -> Disk: ...

    @property
    def locks(self) -> Locks: ...

    def open_files_max(self) -> int:
        """How many files, connections included, may be open."""
        ...

    def listener(
        self,
        name: str,
        handler: FrameHandler,
        memory: ReadMemory,
        limits: ListenerLimits,
    ) -> Listener:
        """A listener that has no address yet."""
        ...

    def cleaner(self, bytes_per_second: float) -> Cleaner:
        """Who compacts."""
        ...


class ThisMachine:
    """The operating system's clocks, disks, sockets and processes."""

    def __init__(self) -> None:
        self.clock: Clock = SystemClock()
        self.rng: Rng = SystemRng()
        self.disk: Disk = LocalDisk()
        self.locks: Locks = SystemLocks()

    def open_files_max(self) -> int:
        """See `Machine`; raises the process's limit as far as it goes."""
        return raise_open_files_limit()

    def listener(
        self,
        name: str,
        handler: FrameHandler,
        memory: ReadMemory,
        limits: ListenerLimits,
    ) -> Listener:
        """See `Machine`."""
        return Listener(name, handler, memory, limits, self.clock)

    def cleaner(self, bytes_per_second: float) -> Cleaner:
        """See `Machine`: a process of its own."""
        return ProcessCleaner(bytes_per_second=bytes_per_second)
