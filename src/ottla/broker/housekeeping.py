"""What a broker does by itself, now and then: flush, checkpoint, roll, remove, snapshot.

File system calls that may take long run in a thread; they release the GIL.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from ottla.base.errors import ProtocolError
from ottla.base.limits import HOUSEKEEPING_PAUSE_MS_MIN
from ottla.base.world import Clock
from ottla.broker.metadata_service import MetadataService
from ottla.broker.offset_checkpoints import OffsetCheckpoints
from ottla.broker.partition import Partition
from ottla.broker.replicas import LocalReplicas
from ottla.broker.retention import Retention
from ottla.log.errors import StorageError
from ottla.metadata.delegation_tokens import decide_sweep_tokens
from ottla.metadata.image import MetadataDelta, MetadataImage
from ottla.quorum.contract import QuorumError

log = logging.getLogger(__name__)

OPENED_PER_TURN = 2
"""Partitions whose files are made in one turn of the loop."""
TICK_SECONDS = 1.0
"""How often to look for files to remove, logs to flush and segments to roll."""
RETENTION_FIRST_SECONDS = 30.0
"""A start is busy enough without retention; later it comes once in its own interval."""


class Housekeeping:
    """The periodic work of one broker."""

    def __init__(
        self,
        replicas: LocalReplicas,
        metadata: MetadataService,
        clock: Clock,
        *,
        checkpoint_interval_ms: int,
        metadata_bytes_between_snapshots: int,
        retention_interval_ms: int,
        producer_expiration_ms: int,
        token_sweep_interval_ms: int,
    ) -> None:
        self._replicas = replicas
        self._clock = clock
        self._metadata = metadata
        self._checkpoint_interval_ms = checkpoint_interval_ms
        self._metadata_bytes_between_snapshots = metadata_bytes_between_snapshots
        self._retention_seconds = retention_interval_ms / 1000
        self._producer_expiration_ms = producer_expiration_ms
        self._token_sweep_seconds = token_sweep_interval_ms / 1000
        self._retention = Retention(replicas, replicas.directories.disk, clock)
        self._stopping = asyncio.Event()
        self._checkpoints = OffsetCheckpoints(replicas)
        self._tasks: list[asyncio.Task[None]] = []
        self._opening: asyncio.Handle | None = None

    def expire_producers_after(self, expiration_ms: int) -> None:
        """Remember idempotent producers so long from now on."""
        self._producer_expiration_ms = expiration_ms

    def start(self) -> None:
        self._open_some()
        self._tasks = [
            asyncio.create_task(self._every(TICK_SECONDS, self.tick)),
            asyncio.create_task(self._every(self._checkpoint_interval_ms / 1000, self.checkpoint)),
            asyncio.create_task(self._retain()),
            asyncio.create_task(self._every(self._token_sweep_seconds, self.sweep_tokens)),
        ]

    async def stop(self) -> None:
        """Let what is under way come to its end, and begin nothing more."""
        if self._opening is not None:
            self._opening.cancel()
        # What a thread does for a log must end before the log is closed: nothing is cancelled.
        self._stopping.set()
        await asyncio.gather(*self._tasks)
        for partition in self._replicas:
            await partition.flushing.settle()

    def follow(self, image: MetadataImage, delta: MetadataDelta) -> None:
        """The metadata changed: do what it asks of this node, and open new partitions soon."""
        self._replicas.apply(image, delta, self._clock.monotonic_ms())
        self._open_soon()

    def _open_soon(self) -> None:
        if self._opening is None and not self._stopping.is_set():
            self._opening = asyncio.get_running_loop().call_soon(self._open_some)

    def _open_some(self) -> None:
        """A few in each turn of the loop, so that requests go on between them."""
        self._opening = None  # whatever becomes of these, the next tick opens more
        if self._replicas.open_some(OPENED_PER_TURN):
            self._open_soon()

    async def tick(self) -> None:
        """Remove old files, roll segments that are old enough, flush what asks for it."""
        await self._replicas.removals.remove_due(self._clock.monotonic_ms())
        self._replicas.try_roomless()
        self._open_soon()
        if self._replicas.log_starts_moved:
            await self._checkpoints.write_log_starts()
        await self._record_places()
        now_ms = self._clock.now_ms()
        for partition in self._replicas:
            if partition.offline_reason is None and not self._stopping.is_set():
                await self._tend(partition, now_ms)
        await self._metadata.snapshot_if_due(self._metadata_bytes_between_snapshots, now_ms)

    async def _tend(self, partition: Partition, now_ms: int) -> None:
        try:
            partition.log.roll_if_due(now_ms)
        except StorageError as error:
            # The disk may recover; until then the partition goes on with its old segment.
            log.error("a segment could not be closed, it will be tried again: %s", error.message)  # noqa: TRY400 # told in words
            partition.directory.suspect(error)
        if partition.log.needs_flush(now_ms):
            await partition.flushing.flush()

    async def retain(self) -> None:
        """One round of retention."""
        await self._retention.round(self._stopping.is_set)

    async def sweep_tokens(self) -> None:
        """Let the metadata forget delegation tokens that are over."""
        now_ms = self._clock.now_ms()
        await self._metadata.decided(lambda image: decide_sweep_tokens(image, now_ms=now_ms))

    async def checkpoint(self) -> None:
        """Write down what is on the disk, so that a crash costs little checking."""
        now_ms = self._clock.now_ms()
        for partition in self._replicas:
            if self._stopping.is_set():
                return
            partition.log.producers.states.expire(now_ms, self._producer_expiration_ms)
            if partition.offline_reason is None:
                await partition.flushing.flush()
        await self._checkpoints.write()

    def write_checkpoints(self) -> None:
        """The checkpoint files of all data directories, here and now. Raises OSError."""
        self._checkpoints.write_now()

    async def _record_places(self) -> None:
        """Let the metadata say where replicas lie that were placed or moved since."""
        if self._replicas.unrecorded:
            await self._metadata.assign_directories(
                {
                    (partition.topic_id, partition.index): partition.directory.id
                    for partition in self._replicas.unrecorded
                }
            )

    # -- repeating -------------------------------------------------------------------------------

    async def _retain(self) -> None:
        if not await self._stops_within(min(RETENTION_FIRST_SECONDS, self._retention_seconds)):
            await self._attempt(self.retain)
            await self._every(self._retention_seconds, self.retain)

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        """Repeat `work` with a pause between, until the broker stops."""
        while not await self._stops_within(seconds):
            await self._attempt(work)

    async def _attempt(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except (OSError, ProtocolError, QuorumError) as error:
            log.error("housekeeping failed, it will try again: %s", error)  # noqa: TRY400 # told once a turn

    async def _stops_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(
                self._stopping.wait(), max(seconds, HOUSEKEEPING_PAUSE_MS_MIN / 1000)
            )
        except TimeoutError:
            return False
        return True
