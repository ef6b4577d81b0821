"""Retention: one look through all partitions for segments that may go (`log.retention` decides)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

from ottla.base.world import Clock, Disk
from ottla.broker.partition import Partition
from ottla.broker.replicas import LocalReplicas
from ottla.log.errors import StorageError
from ottla.log.retention import Released

log = logging.getLogger(__name__)


class Retention:
    """Lets segments go, one at a time, so that the loop is never held for long."""

    def __init__(self, replicas: LocalReplicas, disk: Disk, clock: Clock) -> None:
        self._replicas = replicas
        self._disk = disk
        self._clock = clock
        # Folders from which a segment has gone that a crash might still bring back. It must not
        # come back alone, with a hole behind it, so the folder is synced before the next one goes.
        self._unsynced: set[str] = set()

    async def round(self, is_stopping: Callable[[], bool]) -> None:
        """Look at every partition once; ends early when the broker stops."""
        for partition in self._replicas:
            if is_stopping():
                return
            if partition.leader is None or partition.offline_reason is not None:
                continue
            try:
                await self._apply(partition, is_stopping)
            except (OSError, StorageError) as error:
                partition.directory.suspect(error)
                log.error(  # noqa: TRY400 # the cause is in the message; the next round tries again
                    "a segment could not be let go: %s", error, extra={"partition": str(partition)}
                )
            # Looking at a cold log costs a read: the loop serves the others in between.
            await asyncio.sleep(0)

    async def _apply(self, partition: Partition, is_stopping: Callable[[], bool]) -> None:
        """Let all segments of one partition go that are due."""
        while not is_stopping() and partition.leader is not None:
            if partition.log.directory in self._unsynced:
                await self._sync_folder(partition.log.directory)
                if partition.offline_reason is not None:  # deleted in the meantime
                    return
            released = partition.log.release_oldest(partition.high_watermark, self._clock.now_ms())
            if released is None:
                return
            self._unsynced.add(partition.log.directory)
            self._replicas.log_starts_moved = True
            delay_ms = partition.log.config.file_delete_delay_ms
            self._replicas.removals.add_files(released.paths, self._clock.monotonic_ms() + delay_ms)
            _tell(partition, released)

    async def _sync_folder(self, path: str) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(FileNotFoundError):  # the partition was deleted in the meantime
            await loop.run_in_executor(None, self._disk.sync_dir, path)
        self._unsynced.discard(path)


def _tell(partition: Partition, released: Released) -> None:
    log.info(
        "a segment goes: %s",
        released.reason.value,
        extra={
            "partition": str(partition),
            "base_offset": released.base_offset,
            "next_offset": released.next_offset,
            "bytes": released.size_bytes,
        },
    )
