"""The replicas that move between the data directories of this node: one at a time, rate bounded."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.ids import TopicPartition
from ottla.base.limits import PREFERRED_DIRECTORIES_MAX
from ottla.base.world import Clock
from ottla.broker.log_directory import LogDirectory
from ottla.broker.partition import Partition
from ottla.broker.replica_folders import may_move
from ottla.broker.replica_move import CHUNK_BYTES_MAX, MoveCancelledError, ReplicaMove
from ottla.broker.replicas import LocalReplicas
from ottla.log.errors import StorageError
from ottla.settings.values import LONG_MAX

log = logging.getLogger(__name__)

LOOK_AGAIN_SECONDS = 0.05
"""Before a move that was nearly complete copies what has come meanwhile."""
LOOK_FOR_ROOM_SECONDS = 1.0
"""How often a move whose target is full looks whether it may go on."""


class ReplicaMoves:
    """The moves that were asked for, in their order."""

    def __init__(self, replicas: LocalReplicas, clock: Clock, *, bytes_per_second_max: int) -> None:
        self._replicas = replicas
        self._clock = clock
        self._bytes_per_second_max = bytes_per_second_max
        self._moves: dict[Partition, ReplicaMove] = {}
        self._running: ReplicaMove | None = None
        self._asked = asyncio.Event()
        self._stopping = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None

    def __iter__(self) -> Iterator[ReplicaMove]:
        return iter(list(self._moves.values()))

    def set_rate(self, bytes_per_second_max: int) -> None:
        """Copy at most so many bytes a second from now on, in the moves under way too."""
        self._bytes_per_second_max = bytes_per_second_max

    def start(self) -> None:
        """Begin anew what an earlier run did not finish, and wait for more."""
        interrupted = dict(self._replicas.folders.interrupted)
        self._replicas.folders.interrupted.clear()
        for key, directory in interrupted.items():
            found = self._replicas.find(key.topic, key.partition)
            if isinstance(found, Partition):
                self._redirect(found, directory)
        self._worker = asyncio.create_task(self._work())

    async def stop(self) -> None:
        """What is not complete stays as it is: the next start sees to it."""
        self._stopping.set()
        self._asked.set()
        for move in self:
            move.is_cancelled = True
        if self._worker is not None:
            await self._worker

    # -- asking ----------------------------------------------------------------------------------

    def ask(self, key: TopicPartition, path: str) -> None:
        """Bring a replica to another directory; one that is not here yet will go there (KIP-113).

        Raises ProtocolError: LOG_DIR_NOT_FOUND, KAFKA_STORAGE_ERROR, INVALID_TOPIC_EXCEPTION,
        UNKNOWN_TOPIC_OR_PARTITION, REPLICA_NOT_AVAILABLE where another node has it.
        """
        if not may_move(key):
            raise ProtocolError(
                ErrorCode.INVALID_TOPIC_EXCEPTION, "the topic's name is too long for a move"
            )
        target = self._replicas.directories.named(path)
        found = self._replicas.find(key.topic, key.partition)
        if isinstance(found, ErrorCode):
            self._prefer(key, target, found)
        elif found.offline_reason is not None:
            raise ProtocolError(ErrorCode.KAFKA_STORAGE_ERROR, found.offline_reason)
        else:
            self._redirect(found, target)

    def _prefer(self, key: TopicPartition, target: LogDirectory, why_missing: ErrorCode) -> None:
        """Remember the wish, and say that the replica is not here."""
        if why_missing == ErrorCode.KAFKA_STORAGE_ERROR:
            raise ProtocolError(why_missing, f"{key.topic}-{key.partition} is offline: see the log")
        preferred = self._replicas.folders.preferred
        if len(preferred) >= PREFERRED_DIRECTORIES_MAX:
            preferred.pop(next(iter(preferred)))
        preferred[key] = target
        if why_missing == ErrorCode.NOT_LEADER_OR_FOLLOWER:
            why_missing = ErrorCode.REPLICA_NOT_AVAILABLE
        raise ProtocolError(
            why_missing, f"{key.topic}-{key.partition} is not here; when it comes, it goes there"
        )

    def _redirect(self, partition: Partition, target: LogDirectory) -> None:
        """A new wish takes the place of an old one; to stay where it is ends a move."""
        present = self._moves.get(partition)
        if present is not None:
            if present.target is target:
                return
            self._cancel(present)
        if partition.directory is target:
            return
        chunk_bytes = min(CHUNK_BYTES_MAX, self._bytes_per_second_max)
        try:
            move = ReplicaMove(partition, target, self._replicas.folders, chunk_bytes=chunk_bytes)
        except OSError as error:
            target.suspect(error)
            raise ProtocolError(ErrorCode.KAFKA_STORAGE_ERROR, str(error)) from error
        self._moves[partition] = move
        self._asked.set()

    def _cancel(self, move: ReplicaMove) -> None:
        del self._moves[move.partition]
        move.is_cancelled = True
        if move is not self._running:  # a running one is at work with its files
            self._discard(move)

    # -- moving ----------------------------------------------------------------------------------

    async def _work(self) -> None:
        while True:
            await self._asked.wait()
            if self._stopping.is_set():
                return
            move = next(iter(self._moves.values()), None)
            if move is None:
                self._asked.clear()
                continue
            self._running = move
            try:
                await self._run(move)
            finally:
                self._running = None
                if self._moves.get(move.partition) is move:
                    del self._moves[move.partition]

    async def _run(self, move: ReplicaMove) -> None:
        started_ms = self._clock.monotonic_ms()
        try:
            await self._carry_out(move)
        except MoveCancelledError as reason:
            if not self._stopping.is_set():
                log.info("a replica does not move: %s", reason, extra={"move": str(move)})
                self._discard(move)
        except (OSError, StorageError) as error:
            log.error(  # noqa: TRY400 # the cause is in the message; a person must act
                "a replica could not be moved, it stays where it was: %s",
                error,
                extra={"move": str(move)},
            )
            move.target.suspect(error)
            move.partition.directory.suspect(error)
            self._discard(move)
        else:
            self._replicas.moved(move.partition)
            took_ms = self._clock.monotonic_ms() - started_ms
            copied = {"move": str(move), "bytes": move.copied_bytes, "ms": took_ms}
            log.info("a replica has moved", extra=copied)

    async def _carry_out(self, move: ReplicaMove) -> None:
        async def pace(count: int) -> None:
            if self._bytes_per_second_max < LONG_MAX:
                await self._rest(count / self._bytes_per_second_max)
            while move.target.is_full and not move.is_cancelled:
                await self._rest(LOOK_FOR_ROOM_SECONDS)

        while True:
            await move.copy(pace)
            now_ms, monotonic_ms = self._clock.now_ms(), self._clock.monotonic_ms()
            if await move.finish(now_ms=now_ms, monotonic_ms=monotonic_ms):
                return
            await self._rest(LOOK_AGAIN_SECONDS)

    async def _rest(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return

    def _discard(self, move: ReplicaMove) -> None:
        try:
            move.discard(self._clock.monotonic_ms())
        except StorageError as error:
            move.target.suspect(error)
            log.warning("an unfinished copy stays until the next start: %s", error.message)
