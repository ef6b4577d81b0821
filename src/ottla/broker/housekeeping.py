"""What a broker does by itself, now and then: flush, checkpoint, roll, remove, snapshot.

File system calls that may take long run in a thread; they release the GIL.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from ottla.base.ids import Offset, TopicPartition
from ottla.base.world import Clock
from ottla.broker.log_directory import LogDirectory
from ottla.broker.metadata_service import MetadataService
from ottla.broker.partition import Partition
from ottla.broker.replicas import LocalReplicas
from ottla.log.errors import StorageError
from ottla.metadata.image import MetadataDelta, MetadataImage
from ottla.quorum.contract import QuorumError

log = logging.getLogger(__name__)

OPENED_PER_TURN = 2
"""Partitions whose files are made in one turn of the loop."""
TICK_SECONDS = 1.0
"""How often to look for folders to remove, logs to flush and segments to roll."""


class Housekeeping:
    """The periodic work of one broker."""

    def __init__(
        self,
        replicas: LocalReplicas,
        directory: LogDirectory,
        metadata: MetadataService,
        clock: Clock,
        *,
        checkpoint_interval_ms: int,
        metadata_bytes_between_snapshots: int,
    ) -> None:
        self._replicas = replicas
        self._directory = directory
        self._clock = clock
        self._metadata = metadata
        self._checkpoint_interval_ms = checkpoint_interval_ms
        self._metadata_bytes_between_snapshots = metadata_bytes_between_snapshots
        self._tasks: list[asyncio.Task[None]] = []
        self._opening: asyncio.Handle | None = None

    def start(self) -> None:
        self._open_some()
        self._tasks = [
            asyncio.create_task(_every(TICK_SECONDS, self.tick)),
            asyncio.create_task(_every(self._checkpoint_interval_ms / 1000, self.checkpoint)),
        ]

    async def stop(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def follow(self, image: MetadataImage, delta: MetadataDelta) -> None:
        """The metadata changed: do what it asks of this node, and open new partitions soon."""
        self._replicas.apply(image, delta, self._clock.monotonic_ms())
        if self._opening is None:
            self._opening = asyncio.get_running_loop().call_soon(self._open_some)

    def _open_some(self) -> None:
        """A few in each turn of the loop, so that requests go on between them."""
        loop = asyncio.get_running_loop()
        more = self._replicas.open_some(OPENED_PER_TURN)
        self._opening = loop.call_soon(self._open_some) if more else None

    async def tick(self) -> None:
        """Remove deleted folders, roll segments that are old enough, flush what asks for it."""
        self._replicas.remove_due_folders(self._clock.monotonic_ms())
        now_ms = self._clock.now_ms()
        for partition in self._replicas:
            await self._tend(partition, now_ms)
        await self._metadata.snapshot_if_due(self._metadata_bytes_between_snapshots, now_ms)

    async def _tend(self, partition: Partition, now_ms: int) -> None:
        if partition.offline_reason is not None:
            return
        try:
            partition.log.roll_if_due(now_ms)
        except StorageError as error:
            # The disk may recover; until then the partition goes on with its old segment.
            log.error("a segment could not be closed, it will be tried again: %s", error.message)  # noqa: TRY400 # told in words
        if partition.log.needs_flush(now_ms):
            await self._flush(partition)

    async def checkpoint(self) -> None:
        """Write down what is on the disk, so that a crash costs little checking."""
        for partition in self._replicas:
            if partition.offline_reason is None:
                await self._flush(partition)
        self.write_checkpoints()

    def write_checkpoints(self) -> None:
        """The three checkpoint files of the data directory."""
        partitions = [(_key(partition), partition) for partition in self._replicas]
        self._directory.write_recovery_points(
            {key: partition.log.recovery_point for key, partition in partitions}
        )
        self._directory.write_log_start_offsets(
            {key: partition.log.log_start_offset for key, partition in partitions}
        )
        self._directory.write_high_watermarks(
            {key: _high_watermark(partition) for key, partition in partitions}
        )

    async def _flush(self, partition: Partition) -> None:
        try:
            plan = partition.log.plan_flush()
            if plan is None:
                return
            await asyncio.to_thread(plan.run)
            if partition.offline_reason is not None:
                return  # deleted meanwhile: its folder has another name, or is gone
            partition.log.complete_flush(plan)
        except StorageError as error:
            # After a failed fsync nobody knows what is on the disk: nothing more may be
            # acknowledged from it.
            partition.take_offline(f"its log could not be flushed: {error.message}")
            log.error(  # noqa: TRY400 # the cause is in the message; a person must act
                "a partition goes offline: %s",
                error.message,
                extra={"partition": str(_key(partition))},
            )


def _key(partition: Partition) -> TopicPartition:
    return TopicPartition(partition.topic, partition.index)


def _high_watermark(partition: Partition) -> Offset:
    return partition.log.log_start_offset if partition.leader is None else partition.high_watermark


async def _every(seconds: float, work: Callable[[], Awaitable[None]]) -> None:
    """Repeat `work` with a pause between; an error of the disk is told and tried again later."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await work()
        except (OSError, StorageError, QuorumError) as error:
            log.error("housekeeping failed, it will try again: %s", error)  # noqa: TRY400 # told once a turn
