"""One replica on its way to another data directory of this node (KIP-113).

Its files are copied while it goes on serving: segments that are closed do not change, and of the
last one what is committed does not. When hardly anything is left, one turn of the loop copies the
rest and lets the copy take the place of the original. A crash before that turn leaves the original;
one in the midst of it leaves both, of which the next start takes the longer.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from ottla.base.ids import TopicPartition
from ottla.base.limits import MIB
from ottla.base.world import Disk, File
from ottla.broker.log_directory import LogDirectory
from ottla.broker.partition import Partition
from ottla.broker.replica_folders import ReplicaFolders
from ottla.log import names
from ottla.log.checkpoints import encode_epochs, encode_partition_metadata
from ottla.log.errors import StorageError, storage_error
from ottla.log.partition_log import PartitionLog
from ottla.log.segment import Segment

log = logging.getLogger(__name__)

LAST_BYTES_MAX = 1 * MIB
"""What the last turn may copy: the loop serves nobody meanwhile."""
CHUNK_BYTES_MAX = 1 * MIB
"""Read and written at a time by the thread."""
_FRUITLESS_ROUNDS_MAX = 50
_FRUITLESS_PAUSE_SECONDS = 0.2
"""Rounds that copy nothing although something is left, where retention or compaction is at work
with the same files; and the pause after each."""
_SUFFIXES = names.SEGMENT_SUFFIXES
_SMALL_SUFFIXES = (*names.INDEX_SUFFIXES, names.SNAPSHOT_SUFFIX)

Pace = Callable[[int], Awaitable[None]]
"""Told how many bytes were copied; returns when more may be."""
Result = TypeVar("Result")


class MoveCancelledError(Exception):
    """The replica need not or cannot move any more; the message says why."""


class ReplicaMove:
    """One move. Its methods raise OSError, StorageError, MoveCancelledError: the original goes on.

    `chunk_bytes` are copied between two calls of the pace.
    """

    def __init__(
        self,
        partition: Partition,
        target: LogDirectory,
        folders: ReplicaFolders,
        *,
        chunk_bytes: int = CHUNK_BYTES_MAX,
    ) -> None:
        """Makes the folder, so that it can be seen."""
        self.partition = partition
        self.target = target
        self.key = TopicPartition(partition.topic, partition.index)
        self.path = folders.new_future(self.key, target)
        self.is_cancelled = False
        self.copied_bytes = 0
        self._source = partition.log
        self._truncations = partition.log.truncations
        self._folders = folders
        self._disk: Disk = target.disk
        self._chunk_bytes = chunk_bytes
        # How much of each segment the copy has. Those that are closed, copied and synced, with
        # all that belongs to them, are complete.
        self._copied: dict[Segment, int] = {}
        self._complete: set[Segment] = set()
        self._disk.make_subdir(self.path)
        target.replica_count += 1

    def __str__(self) -> str:
        return f"{self.partition} to {self.target.path}"

    @property
    def size_bytes(self) -> int:
        """What the copy holds now."""
        return sum(self._copied.values())

    @property
    def lag(self) -> int:
        """Offsets that the copy is behind, to the nearest segment."""
        source = self._source
        for segment in source.parts:
            if self._copied.get(segment, 0) < segment.committed_size:
                return source.log_end_offset - max(segment.base_offset, source.log_start_offset)
        return 0

    # -- copying, while the replica serves -------------------------------------------------------

    async def copy(self, pace: Pace) -> None:
        """Until hardly anything is left."""
        fruitless = 0
        while self._is_far():
            before = self.copied_bytes, len(self._complete)
            await self._copy_round(pace)
            fruitless = fruitless + 1 if before == (self.copied_bytes, len(self._complete)) else 0
            if fruitless:
                await asyncio.sleep(_FRUITLESS_PAUSE_SECONDS)
            if fruitless > _FRUITLESS_ROUNDS_MAX:
                raise StorageError(f"the files in {self._source.directory} cannot be copied whole")

    async def _copy_round(self, pace: Pace) -> None:
        self._forget_replaced()
        closed = self._source.parts[:-1]
        for segment in self._source.parts:
            await self._copy_segment(segment, pace)
            if segment in closed and segment not in self._complete:
                await self._in_thread(self._complete_segment, segment)

    def _is_far(self) -> bool:
        """Whether more is left than the last turn may copy."""
        parts = self._source.parts
        left = sum(segment.committed_size - self._copied.get(segment, 0) for segment in parts)
        return left > LAST_BYTES_MAX or not self._complete.issuperset(parts[:-1])

    async def _copy_segment(self, segment: Segment, pace: Pace) -> None:
        """What is committed now of one segment."""
        end = segment.committed_size
        while (copied := self._copied.get(segment, 0)) < end:
            length = min(self._chunk_bytes, end - copied)
            if not await self._in_thread(self._copy_range, segment, copied, length):
                return  # it has just gone; the next round sees that
            self._copied[segment] = copied + length
            self.copied_bytes += length
            await pace(length)

    def _copy_range(self, segment: Segment, position: int, length: int) -> bool:
        """For a thread. False where the file is not that of the segment any more."""
        try:
            source = self._disk.open(segment.log.path)
        except FileNotFoundError:
            return False
        with contextlib.closing(source):
            data = source.read_at(position, length)
        if len(data) < length:
            return False
        with contextlib.closing(self._open_copy(segment)) as copy:
            if copy.size != position:
                copy.truncate(position)
            copy.append([data])
        return True

    def _open_copy(self, segment: Segment) -> File:
        return self._disk.open(names.log_path(self.path, segment.base_offset), create=True)

    def _complete_segment(self, segment: Segment) -> None:
        """For a thread: what belongs to a closed segment, and all of it on the disk."""
        stem = names.segment_stem(segment.base_offset)
        swaps = [f"{self._source.directory}/{stem}{each}{names.SWAP_SUFFIX}" for each in _SUFFIXES]
        if any(map(self._disk.exists, swaps)):
            return  # its indexes have yet to get their names
        if self._copied.get(segment, 0) != segment.committed_size:
            return
        with contextlib.closing(self._open_copy(segment)) as copy:
            copy.sync()
        for suffix in _SMALL_SUFFIXES:
            path = f"{self._source.directory}/{stem}{suffix}"
            if self._disk.exists(path):
                self._write(stem + suffix, self._disk.read_file(path))
        self._complete.add(segment)

    def _write(self, name: str, content: bytes) -> None:
        with contextlib.closing(self._disk.open(f"{self.path}/{name}", create=True)) as file:
            file.truncate(0)
            file.append([content])
            file.sync()

    def _forget_replaced(self) -> None:
        """Retention and compaction go on: what they took from the original goes from the copy."""
        gone = set(self._copied)
        if self._source.truncations == self._truncations:
            gone -= set(self._source.parts)
        self._truncations = self._source.truncations
        for segment in gone:
            del self._copied[segment]
            self._complete.discard(segment)
            stem = f"{self.path}/{names.segment_stem(segment.base_offset)}"
            for suffix in names.SEGMENT_SUFFIXES:
                if self._disk.exists(stem + suffix):
                    self._disk.unlink(stem + suffix)

    async def _in_thread(self, work: Callable[..., Result], *args: object) -> Result:
        self._check_wanted()
        done = await asyncio.get_running_loop().run_in_executor(None, work, *args)
        self._check_wanted()
        return done

    def _check_wanted(self) -> None:
        if self.is_cancelled:
            raise MoveCancelledError("it is not wanted any more")
        if self.partition.offline_reason is not None:
            raise MoveCancelledError(self.partition.offline_reason)
        if self.target.failure is not None:
            raise MoveCancelledError(f"the directory failed: {self.target.failure}")

    # -- taking the place of the original, in one turn of the loop -------------------------------

    async def finish(self, *, now_ms: int, monotonic_ms: int) -> bool:
        """Let the copy take over; False where too much has come meanwhile: `copy` again."""
        while not self.partition.flushing.is_idle:
            await self.partition.flushing.settle()
        self._check_wanted()
        self._forget_replaced()
        if self._is_far() or self._is_being_replaced():
            return False
        # Nothing from here on waits, so nothing is appended to the original either.
        self._source.roll(now_ms)
        self._copy_rest()
        moved = self._take_name()
        self._hand_over(moved, monotonic_ms)
        return True

    def _is_being_replaced(self) -> bool:
        """Whether compacted segments are just taking the place of others."""
        found = self._disk.list_dir(self._source.directory)
        return any(name.endswith(names.SWAP_SUFFIX) for name in found)

    def _copy_rest(self) -> None:
        *closed, last = self._source.parts
        for segment in closed:
            copied = self._copied.get(segment, 0)
            length = segment.committed_size - copied
            if length and not self._copy_range(segment, copied, length):
                raise StorageError(f"{segment.log.path} is shorter than it was")
            self._copied[segment] = segment.committed_size
            if segment not in self._complete:
                self._complete_segment(segment)
        assert not last.committed_size, "it was just begun"
        self._complete_segment(last)
        self._write(names.LEADER_EPOCHS, encode_epochs(self._source.epochs))
        self._write(names.PARTITION_METADATA, encode_partition_metadata(self._source.topic_id))
        self._disk.sync_dir(self.path)

    def _take_name(self) -> PartitionLog:
        """Give the copy its final name, durably, and open it."""
        key, target = self.key, self.target
        final = target.partition_path(key.topic, key.partition)
        # What this directory's checkpoints say of an earlier life of the replica must go first.
        target.forget(key)
        self._write_log_start()
        self._disk.rename(self.path, final)
        self.path = final
        self._disk.sync_dir(target.path)
        moved = self._folders.open_moved(key, target, self._source)
        found, wanted = moved.log_end_offset, self._source.log_end_offset
        if found != wanted:
            moved.abandon()
            raise StorageError(f"the copy in {final} ends at {found}, not at {wanted}")
        return moved

    def _write_log_start(self) -> None:
        target, log_start = self.target, self._source.log_start_offset
        with target.checkpoints_lock:
            if target.log_start_offsets.get(self.key) != log_start:
                target.write_log_start_offsets({**target.log_start_offsets, self.key: log_start})

    def _hand_over(self, moved: PartitionLog, monotonic_ms: int) -> None:
        """From here on the copy is the replica: nothing that fails may end the move any more."""
        left = self.partition.directory
        self.partition.adopt(moved, self.target)
        left.replica_count -= 1
        try:
            # A thread may have written the checkpoint while the replica was in neither.
            self._write_log_start()
            self._carry_cleaner_offset(left)
        except OSError as error:
            self.target.suspect(error)
            log.warning("a checkpoint is behind, it will be written later: %s", error)
        try:
            due_ms = monotonic_ms + moved.config.file_delete_delay_ms
            self._folders.retire(self._source, left, due_ms)
        except OSError as error:
            left.suspect(error)
            log.error(  # noqa: TRY400 # the cause is in the message; a person must act
                "a replica has moved, but its old folder stays: %s",
                error,
                extra={"folder": self._source.directory},
            )
        self._folders.sync_names(left)

    def _carry_cleaner_offset(self, left: LogDirectory) -> None:
        """Only a hint of where compaction goes on: without it everything is read again."""
        clean_to = left.cleaner_offsets.get(self.key)
        if clean_to is not None:
            target = self.target
            with target.checkpoints_lock:
                target.write_cleaner_offsets({**target.cleaner_offsets, self.key: clean_to})

    def discard(self, now_ms: int) -> None:
        """Remove what was copied."""
        self.target.replica_count -= 1
        try:
            self._folders.discard(self.path, self.target, now_ms)
        except OSError as error:
            raise storage_error("discard", self.path, error) from error
