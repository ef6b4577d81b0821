"""The disks under the data directories: is there room, do they still work.

Each is asked again and again how much is free, the more often the less that is; a thread asks,
since a disk that hangs does not answer. Below the headroom no records are taken, so that what makes
room again can still be written down: deletions, checkpoints, the metadata log.

Where a disk has refused something else, a small file is written, synced and read in the directory.
Where that fails too the directory is given up; otherwise it was a matter of one file.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import Callable
from typing import TypeVar

from ottla.base.limits import MIB
from ottla.base.world import Disk, replace_file
from ottla.broker.log_directories import LogDirectories
from ottla.broker.log_directory import DISK_IS_FULL, LogDirectory
from ottla.broker.replicas import LocalReplicas

log = logging.getLogger(__name__)

HEADROOM_BY_DEFAULT = -1
HEADROOM_BYTES_MAX = 256 * MIB
HEADROOM_SHARE = 20
"""By default a twentieth of a disk stays free, or less of a large one."""
REOPEN_SHARE = 8
"""Room must exceed the headroom by an eighth of it before records are taken again."""
FILL_BYTES_PER_SECOND = 1024 * MIB
"""As fast as a node may write: nobody must use up the headroom between two looks."""
LOOK_SECONDS_MIN, LOOK_SECONDS_MAX = 0.02, 1.0
PROBE_FILE = ".ottla-probe"
PROBE = b"written to see whether this disk works\n"
NOT_THE_DISKS_FAULT = DISK_IS_FULL | {
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
    errno.EINTR,
    errno.EAGAIN,
}
"""What a probe may fail with on a disk that works."""

Result = TypeVar("Result")


class DiskWatch:
    """Watches all directories of a node.

    `node_lost` is called, with the reason, when the node cannot go on: the metadata log's
    directory has failed, or the last one.
    """

    def __init__(
        self,
        directories: LogDirectories,
        replicas: LocalReplicas,
        *,
        headroom_bytes: int,
        node_lost: Callable[[str], None],
    ) -> None:
        self._directories = directories
        self._disk = directories.disk
        self._replicas = replicas
        self._headroom_bytes = headroom_bytes
        self._node_lost = node_lost
        # What the last look has found: free bytes and all bytes of the disk.
        self.seen: dict[LogDirectory, tuple[int, int]] = {}
        # Full ones that the log has told of.
        self._told: set[LogDirectory] = set()
        self._wake = asyncio.Event()
        self._is_stopping = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Watch from now on. A directory raises its alarm when the disk refuses something."""
        for directory in self._directories.watched:
            directory.alarm = self._wake.set
            if directory.is_suspected or directory.is_full:
                self._wake.set()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        self._is_stopping = True
        self._wake.set()
        if self._task is not None:
            await self._task

    async def check(self) -> float:
        """Look at every disk once; after how many seconds to look again."""
        seconds = LOOK_SECONDS_MAX
        for directory in self._directories.watched:
            if self._is_stopping:
                break
            if directory.is_suspected:
                await self._probe(directory)
            if directory.failure is None:
                seconds = min(seconds, await self._look(directory))
        return seconds

    async def _run(self) -> None:
        while not self._is_stopping:
            try:
                seconds = await self.check()
            except Exception:
                # Without this watch nobody would see a disk fill up.
                log.exception("a look at the disks failed, it will be tried again: please report")
                seconds = LOOK_SECONDS_MAX
            try:
                await asyncio.wait_for(self._wake.wait(), seconds)
            except TimeoutError:
                continue
            self._wake.clear()

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(None, work)

    # -- room ------------------------------------------------------------------------------------

    async def _look(self, directory: LogDirectory) -> float:
        path = directory.path
        try:
            free, total = await self._in_thread(
                lambda: (self._disk.free_bytes(path), self._disk.total_bytes(path))
            )
        except OSError as error:
            directory.suspect(error)
            return LOOK_SECONDS_MIN
        self.seen[directory] = free, total
        headroom = self.headroom_of(total)
        self._judge(directory, free, headroom)
        if directory.is_full:
            return LOOK_SECONDS_MAX
        seconds = (free - headroom) / FILL_BYTES_PER_SECOND
        return min(max(seconds, LOOK_SECONDS_MIN), LOOK_SECONDS_MAX)

    def headroom_of(self, total_bytes: int) -> int:
        """What stays free on a disk of this size."""
        if self._headroom_bytes != HEADROOM_BY_DEFAULT:
            return self._headroom_bytes
        return min(HEADROOM_BYTES_MAX, total_bytes // HEADROOM_SHARE)

    def _judge(self, directory: LogDirectory, free: int, headroom: int) -> None:
        enough = headroom + max(headroom // REOPEN_SHARE, 1)
        sizes = {"directory": directory.path, "free_bytes": free, "headroom_bytes": headroom}
        if free < headroom:
            directory.is_full = True
        if directory.is_full and directory not in self._told:
            # Told first and judged at the next look: after a refusal the numbers may say otherwise.
            self._told.add(directory)
            log.error(
                "a disk is full: records for its partitions are refused until there is room; "
                "reads and deletions go on. Delete topics or records, shorten retention, or give "
                "it more disk",
                extra=sizes,
            )
        elif directory.is_full and free >= enough:
            directory.is_full = False
            self._told.discard(directory)
            log.warning("a disk has room again: records are taken", extra=sizes)

    # -- failures --------------------------------------------------------------------------------

    async def _probe(self, directory: LogDirectory) -> None:
        directory.is_suspected = False
        try:
            await self._in_thread(lambda: probe(self._disk, directory.path))
        except OSError as error:
            if error.errno not in NOT_THE_DISKS_FAULT:
                self.give_up(directory, str(error))

    def give_up(self, directory: LogDirectory, reason: str) -> None:
        """The directory is lost: what lies in it goes offline, and the others go on."""
        can_go_on = self._directories.condemn(directory, reason)
        count = self._replicas.directory_failed(directory)
        log.error(
            "a data directory has failed, and its partitions are offline: %s. Repair or replace "
            "the disk, then start this node again",
            reason,
            extra={"directory": directory.path, "partitions": count},
        )
        if not can_go_on:
            which = "the metadata log's" if directory is self._directories.metadata else "the last"
            self._node_lost(
                f"{which} data directory has failed: {directory.path}: {reason}. "
                "Repair or replace the disk, then start again."
            )


def probe(disk: Disk, directory: str) -> None:
    """Write, sync, read and remove a small file. Raises OSError."""
    path = f"{directory}/{PROBE_FILE}"
    disk.list_dir(directory)
    replace_file(disk, path, PROBE)
    found = disk.read_file(path)
    disk.unlink(path)
    if found != PROBE:
        raise OSError(errno.EIO, "the disk does not give back what was written", path)
