"""A machine in memory: what a node runs on that touches no file, socket or process."""

from __future__ import annotations

from ottla.base.world import Clock, Disk, Rng
from ottla.broker.cleaning import Cleaner
from ottla.log.compaction.cleaner import compact
from ottla.log.compaction.plan import CompactionPlan
from ottla.log.compaction.result import CompactionResult
from ottla.quorum.locks import Locks, NotedLock, WholeDirectory
from ottla.testing.memory_disk import MemoryDisk
from ottla.testing.memory_listener import MemoryListener
from ottla.testing.memory_network import MemoryNetwork
from ottla.transport.clock import SystemClock, SystemRng
from ottla.transport.connection import FrameHandler
from ottla.transport.listener import Listener, ListenerLimits, ReadMemory

FOLDER = "/ottla"
"""Of all data, on the disk in memory."""

OPEN_FILES_MAX = 1 << 20
"""Files in memory cost nothing to be open."""


class MemoryMachine:
    """See `node.machine.Machine`. Its disk stays while nodes come and go."""

    def __init__(
        self,
        network: MemoryNetwork,
        *,
        disk: MemoryDisk | None = None,
        clock: Clock | None = None,
        rng: Rng | None = None,
    ) -> None:
        """With the time and the randomness of the system where none is given."""
        self.network = network
        self.clock: Clock = clock or SystemClock()
        self.rng: Rng = rng or SystemRng()
        self.memory = disk or MemoryDisk()
        self.disk: Disk = self.memory
        self.locks: Locks = MemoryLocks(self.memory)

    def open_files_max(self) -> int:
        """See `Machine`."""
        return OPEN_FILES_MAX

    def listener(
        self, name: str, handler: FrameHandler, memory: ReadMemory, limits: ListenerLimits
    ) -> Listener:
        """See `Machine`."""
        return MemoryListener(self.network, name, handler, memory, limits, self.clock)

    def cleaner(self, bytes_per_second: float) -> Cleaner:
        """See `Machine`: at once and on the loop, where a process would take its time."""
        return _InlineCleaner(self.disk)


def memory_machine(
    network: MemoryNetwork,
    *,
    disk: MemoryDisk | None = None,
    clock: Clock | None = None,
    rng: Rng | None = None,
) -> MemoryMachine:
    """A machine that a broker's data fits on."""
    machine = MemoryMachine(network, disk=disk, clock=clock, rng=rng)
    machine.memory.make_dir(FOLDER)
    return machine


class MemoryLocks:
    """Locks on the paths of a disk in memory."""

    def __init__(self, disk: MemoryDisk) -> None:
        self._disk = disk
        self._held: dict[str, object] = {}

    def file(self, path: str) -> NotedLock:
        """See `Locks`."""
        return _MemoryLock(path, self._held, self._disk)

    def directory(self, path: str) -> WholeDirectory:
        """See `Locks`."""
        return _DirectoryLock(path, self._held)


class _DirectoryLock:
    """A name in a table, by which one holder keeps out the others."""

    def __init__(self, path: str, held: dict[str, object]) -> None:
        self.path = path
        self._held = held

    def try_acquire(self) -> bool:
        return self._held.setdefault(self.path, self) is self

    def is_held_by_anyone(self) -> bool:
        return self.path in self._held

    def release(self) -> None:
        if self._held.get(self.path) is self:
            del self._held[self.path]


class _MemoryLock:
    """As `_DirectoryLock`, with a file that says who has it."""

    def __init__(self, path: str, held: dict[str, object], disk: MemoryDisk) -> None:
        self.path = path
        self._lock = _DirectoryLock(path, held)
        self._disk = disk

    def try_acquire(self, note: str) -> bool:
        if not self._lock.try_acquire():
            return False
        file = self._disk.open(self.path, create=True)
        file.truncate(0)
        file.append([note.encode()])
        file.close()
        return True

    def note(self) -> str:
        if not self._disk.exists(self.path):
            return ""
        return self._disk.read_file(self.path).decode()

    def is_held_by_anyone(self) -> bool:
        return self._lock.is_held_by_anyone()

    def release(self) -> None:
        self._lock.release()


class _InlineCleaner:
    """See `broker.cleaning.Cleaner`."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    async def compact(self, plan: CompactionPlan) -> CompactionResult:
        return compact(plan, self._disk, throttle=_no_haste)

    def rest(self) -> None:
        """There is nobody to be sent away."""

    async def close(self) -> None:
        """Nothing is under way between two calls."""


def _no_haste(count: int) -> None:
    """Whoever reads from memory need not be slowed down."""
