"""The checkpoint files of all data directories: what of each replica is on the disk, and seen."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ottla.base.ids import Offset, TopicPartition
from ottla.broker.log_directory import LogDirectory
from ottla.broker.partition import Partition
from ottla.broker.replicas import LocalReplicas


class OffsetCheckpoints:
    """Writes them, of one directory after the other; one that refuses keeps none from the others.

    `replicas.log_starts_moved` is set again where a log start could not be written.
    """

    def __init__(self, replicas: LocalReplicas) -> None:
        self._replicas = replicas
        # Two writers of one file would write into each other's.
        self._writing = asyncio.Lock()

    async def write(self) -> None:
        """All of them, in a thread. Raises OSError."""
        await self._in_thread(self.write_now)

    async def write_log_starts(self) -> None:
        """Only the log starts, in a thread. Raises OSError."""
        self._replicas.log_starts_moved = False
        await self._in_thread(lambda: self._in_each(self._write_log_starts))

    def write_now(self) -> None:
        """All of them, here. Raises OSError."""
        self._replicas.log_starts_moved = False
        self._in_each(self._write_all)

    async def _in_thread(self, write: Callable[[], None]) -> None:
        async with self._writing:
            try:
                await asyncio.get_running_loop().run_in_executor(None, write)
            except OSError:
                self._replicas.log_starts_moved = True  # and are still to be written
                raise

    def _in_each(self, write: Callable[[LogDirectory], None]) -> None:
        refused: OSError | None = None
        for directory in self._replicas.directories.online:
            try:
                with directory.checkpoints_lock:
                    write(directory)
            except OSError as error:
                directory.suspect(error)
                refused = error
        if refused is not None:
            raise refused

    def _write_all(self, directory: LogDirectory) -> None:
        here = self._in(directory)
        directory.write_recovery_points(
            {key: partition.log.recovery_point for key, partition in here.items()}
        )
        directory.write_high_watermarks(
            {key: _high_watermark(partition) for key, partition in here.items()}
        )
        self._write_log_starts(directory)

    def _write_log_starts(self, directory: LogDirectory) -> None:
        directory.write_log_start_offsets(
            {key: partition.log.log_start_offset for key, partition in self._in(directory).items()}
        )

    def _in(self, directory: LogDirectory) -> dict[TopicPartition, Partition]:
        return {
            partition.key: partition
            for partition in self._replicas
            if partition.directory is directory
        }


def _high_watermark(partition: Partition) -> Offset:
    leader = partition.leader
    return partition.log.log_start_offset if leader is None else leader.high_watermark
