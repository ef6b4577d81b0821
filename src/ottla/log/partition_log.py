"""The log of one partition: its segments as one sequence of batches, in Kafka's own files.

One owner calls it, from one thread. Appending has two steps, so that everything one read event
brought goes out in one write: `stage` gives a batch its place, `commit` writes. Between the two the
batches stay in the caller's buffer, which must not change. Readers never see what is not committed.
"""

from __future__ import annotations

import contextlib
from typing import Final

from ottla.base.ids import ZERO_UUID, Offset, Uuid
from ottla.base.world import Buffer, Disk
from ottla.log import checkpoints, names, rolling
from ottla.log.compactable_log import CompactableLog
from ottla.log.config import LogConfig
from ottla.log.epoch_file import EpochFile, write_small
from ottla.log.errors import OffsetOutOfRangeError, StorageError, storage_error
from ottla.log.flush import FlushPlan, Unsynced
from ottla.log.index_file import DamagedIndexError
from ottla.log.leader_epochs import LeaderEpochs
from ottla.log.open_files import OpenFiles
from ottla.log.partition_producers import PartitionProducers
from ottla.log.producers import Verification
from ottla.log.recovery import (
    Recovered,
    Recovery,
    remove_folder,
    remove_segment,
    segment_bases,
)
from ottla.log.retention import Released, why_released
from ottla.log.scan import DamagedLogError
from ottla.log.segment import LogSlice, Segment
from ottla.log.segments import SegmentInfo, Segments
from ottla.log.timestamps import TimestampedOffset
from ottla.wire.records.header import (
    LENGTH_OVERHEAD,
    PLACEMENT,
    BatchHeader,
    iter_batches,
    patch_log_append_time,
)

__all__ = ["FlushPlan", "LogSlice", "PartitionLog", "SegmentInfo", "TimestampedOffset"]

_START: Final = Offset(0)


class PartitionLog(CompactableLog):
    """Batches from `log_start_offset` to `log_end_offset` (exclusive, committed ones only).

    Below `recovery_point` everything is on the disk. `topic_id` is ZERO_UUID where the folder does
    not say it (`assign_topic_id`). Every method may raise StorageError.
    """

    __slots__ = (
        "_closed",
        "_closed_end_offset",
        "_config",
        "_disk",
        "_files",
        "_flush_due_ms",
        "_next_offset",
        "_segment_bytes",
        "_staged_segments",
        "_tail",
        "_ticked_offset",
        "_unsynced",
        "recovery_point",
        "topic_id",
        "truncations",
    )

    def __init__(
        self,
        directory: str,
        config: LogConfig,
        recovered: Recovered,
        files: OpenFiles,
        *,
        recovery_point: int,
        log_start_offset: int,
    ) -> None:
        """For `create` and `open` only."""
        self.directory = directory
        self.topic_id = recovered.topic_id
        self._files = files
        self._disk = files.disk
        self._segments = Segments(directory, recovered.segments, self._disk)
        self._unsynced = Unsynced(self._disk)
        self._tail = self._segments.active
        self._staged_segments: list[Segment] = []
        self._next_offset: int = self._tail.next_offset
        self.log_end_offset = Offset(self._next_offset)
        self.log_start_offset = Offset(max(log_start_offset, self._segments.first_offset))
        self.recovery_point = Offset(min(recovery_point, self.log_end_offset))
        self.producers = recovered.producers
        self.producers.segments = self._segments
        self._epochs = EpochFile(directory, recovered, self._disk, self._unsynced)
        self._failure: StorageError | None = None
        self._closed = False
        # Where an orderly stop has left the log, complete with its indexes.
        self._closed_end_offset = self.recovery_point if recovered.is_untouched else -1
        self.truncations = 0
        self._flush_due_ms = -1
        self._ticked_offset = -1
        self.config = config

    # --- opening and closing ---

    @classmethod
    def create(
        cls,
        directory: str,
        topic_id: Uuid,
        config: LogConfig,
        *,
        disk: Disk,
        files: OpenFiles | None = None,
        start_offset: Offset = _START,
    ) -> PartitionLog:
        """A new, empty log. Raises StorageError where the folder already holds one.

        Nothing is synced yet: the first flush does it. `files` bounds the open files of many
        partitions together; it must be of the same disk.
        """
        files = OpenFiles(disk) if files is None else files
        try:
            disk.make_subdir(directory)
            if segment_bases(disk.list_dir(directory)):
                raise StorageError(f"{directory} already holds a log")
            segment = Segment(directory, start_offset, config, files, fresh=True)
            segment.log.create()
        except OSError as error:
            raise storage_error("create", directory, error) from error
        log = cls(
            directory,
            config,
            Recovered(ZERO_UUID, [segment], LeaderEpochs(), PartitionProducers(directory, disk)),
            files,
            recovery_point=start_offset,
            log_start_offset=start_offset,
        )
        log._unsynced.note_new(directory)
        log.assign_topic_id(topic_id)
        return log

    @classmethod
    def open(
        cls,
        directory: str,
        config: LogConfig,
        *,
        disk: Disk,
        clean: bool,
        recovery_point: Offset = _START,
        log_start_offset: Offset = _START,
        files: OpenFiles | None = None,
    ) -> PartitionLog:
        """An existing log, made whole. `clean`: it was closed by `close`, and nothing since.

        Otherwise all that is not below `recovery_point` is read and checked; a torn tail is cut.
        `log_start_offset` comes from the log directory's checkpoint.
        """
        files = OpenFiles(disk) if files is None else files
        try:
            recovered = Recovery(
                directory,
                config,
                files,
                clean=clean,
                recovery_point=recovery_point,
                log_start_offset=log_start_offset,
            ).run()
        except (OSError, DamagedLogError, DamagedIndexError) as error:
            raise storage_error("open", directory, error) from error
        log = cls(
            directory,
            config,
            recovered,
            files,
            recovery_point=recovery_point,
            log_start_offset=log_start_offset,
        )
        older = recovered.segments[:-1]
        unsynced = [segment for segment in older if segment.next_offset >= recovery_point]
        log._unsynced.note_found(directory, unsynced, clean=clean)
        if recovered.producers.loaded_to < log.log_end_offset:
            log._write_last_snapshot()
        return log

    def assign_topic_id(self, topic_id: Uuid) -> None:
        """Say in the folder whose data it holds; a log that has an id keeps it."""
        if self.topic_id == topic_id:
            return
        assert self.topic_id == ZERO_UUID, "a folder never changes its topic"
        path = f"{self.directory}/{names.PARTITION_METADATA}"
        content = checkpoints.encode_partition_metadata(topic_id)
        self._checked("write", lambda: write_small(self._disk, path, content, self._unsynced))
        self.topic_id = topic_id

    def close(self) -> None:
        """Flush, with complete indexes, and let go of all files; afterwards `open` it anew."""
        if self._closed:
            return
        self.drop_staged()
        is_untouched = self.log_end_offset == self._closed_end_offset and not self._unsynced
        try:
            if self._failure is None and not is_untouched:
                self._checked("write the indexes of", self._segments.active.seal)
                self._unsynced.note_sealed(self._segments.active)
                self._write_last_snapshot()
                self.flush()
        finally:
            self._closed = True
            self._segments.release()

    def _write_last_snapshot(self) -> None:
        """So that the next opening need not read batches to know their producers."""
        end_offset = self.log_end_offset
        is_base = end_offset == self._segments.active.base_offset
        self.producers.write_snapshot(end_offset, self._unsynced, begins_segment=is_base)

    def abandon(self) -> None:
        """Let go of all files without flushing: nobody will read this log again."""
        self.drop_staged()
        self._closed = True
        self._segments.release()

    def delete(self) -> None:
        """Close without flushing, and remove the folder with everything in it."""
        self.abandon()
        self._checked("delete", lambda: remove_folder(self._disk, self.directory))

    # --- what it holds ---

    @property
    def config(self) -> LogConfig:
        """May be replaced at any time; holds from the next batch on."""
        return self._config

    @config.setter
    def config(self, config: LogConfig) -> None:
        self._config = config
        self._segment_bytes = config.segment_bytes
        self._tail.configure(config)

    # --- appending ---

    def stage(
        self,
        batch: memoryview,
        header: BatchHeader,
        leader_epoch: int,
        now_ms: int,
        verification: Verification | None = None,
    ) -> Offset:
        """Give the batch its place, in its own buffer, without writing; returns its base offset.

        `batch` is one whole writable batch, valid by `validate_batch`, and stays unchanged until
        `commit`. `header` goes on describing the batch as it came, but for LogAppendTime.
        Raises what `ProducerStates.admit` raises, DuplicateBatchError among it.
        """
        base_offset = self._next_offset
        if header.producer_id >= 0:
            timestamp = now_ms if self._config.is_log_append_time else header.max_timestamp
            self.producers.states.admit(
                header, base_offset, timestamp, self.log_end_offset, verification
            )
        PLACEMENT.pack_into(batch, 0, base_offset, header.batch_length, leader_epoch)
        if self._config.is_log_append_time:
            patch_log_append_time(batch, header, now_ms)
        if leader_epoch != self._epochs.last:
            self._epochs.begin(leader_epoch, base_offset)
        self._place(batch, header, base_offset, now_ms)
        return base_offset  # type: ignore[return-value]  # a call of Offset() costs too much here

    def stage_replica(self, batch: memoryview, header: BatchHeader, now_ms: int) -> Offset:
        """Like `stage`, for a follower: offset, epoch and time stay as the leader gave them."""
        base_offset = header.base_offset
        assert base_offset >= self._next_offset, f"{base_offset} is before the log end"
        if header.partition_leader_epoch != self._epochs.last:
            self._epochs.begin(header.partition_leader_epoch, base_offset)
        if header.producer_id >= 0:
            self.producers.note(batch, header, self.log_end_offset)
        self._place(batch, header, base_offset, now_ms)
        return Offset(base_offset)

    def _place(self, batch: memoryview, header: BatchHeader, base_offset: int, now_ms: int) -> None:
        size = header.batch_length + LENGTH_OVERHEAD
        next_offset = base_offset + header.last_offset_delta + 1
        max_timestamp = header.max_timestamp
        tail = self._tail
        if (
            tail.size + size > self._segment_bytes
            or max_timestamp > tail.roll_after_timestamp
            or next_offset > tail.offset_limit
        ):
            tail = self._tail_for(header, base_offset, now_ms)
        tail.track(base_offset, next_offset, size, max_timestamp)
        tail.buffers.append(batch)
        self._next_offset = next_offset

    def _tail_for(self, header: BatchHeader, base_offset: int, now_ms: int) -> Segment:
        """The segment that a batch goes to: the tail, or a new one that `commit` will make."""
        tail = self._tail
        next_offset = base_offset + header.last_offset_delta + 1
        if rolling.must_roll(tail, header, next_offset, self._config):
            start = rolling.next_base(self._next_offset, base_offset, next_offset)
            tail = self._new_segment(start)
            self._staged_segments.append(tail)
            self._tail = tail
        if not tail.size:
            tail.first_timestamp = header.max_timestamp
            tail.opened_ms = now_ms
        tail.roll_after_timestamp = rolling.roll_after(tail, self._config)
        return tail

    def _new_segment(self, base_offset: int) -> Segment:
        return Segment(self.directory, base_offset, self._config, self._files, fresh=True)

    def commit(self) -> None:
        """Write all staged batches, with one append for each segment that they reach.

        On StorageError the batches below `log_end_offset` are written and the others dropped. The
        disk may recover (ENOSPC), except where a sync has failed.
        """
        if self._failure is not None:
            self.drop_staged()
            raise self._refusal(self._failure)
        try:
            if self._epochs.dirty:
                self._epochs.write()
            tail = self._segments.active
            if tail.buffers:
                tail.write()
                self.log_end_offset = tail.next_offset  # type: ignore[assignment]  # as in `stage`
            if self._staged_segments:
                self._write_staged_segments()
        except (OSError, DamagedLogError) as error:
            self._undo_failed_append()
            self.drop_staged()
            raise storage_error("append to", self.directory, error) from error

    def _write_staged_segments(self) -> None:
        while self._staged_segments:
            segment = self._staged_segments[0]
            self._make_next(segment)
            segment.write()
            del self._staged_segments[0]
            self._take_next(segment)
            self.log_end_offset = Offset(segment.next_offset)

    def _make_next(self, segment: Segment) -> None:
        try:
            self._segments.active.seal()
        except DamagedIndexError:
            self._segments.active.reindex()
        self.producers.write_aborted(self._segments.active, self._unsynced)
        self.producers.write_snapshot(segment.base_offset, self._unsynced, begins_segment=True)
        # No segment's name may survive a crash that its predecessor's did not.
        self._unsynced.sync_folder(self.directory)
        segment.log.create()

    def _take_next(self, segment: Segment) -> None:
        self._unsynced.note_sealed(self._segments.active)
        self._unsynced.note_folder(self.directory)
        self._segments.add(segment)

    def _undo_failed_append(self) -> None:
        """What was refused must not turn up at the next start: as far as the disk lets us."""
        active = self._segments.active
        with contextlib.suppress(OSError):  # if not now, then before the next append
            active.cut_leftovers()
        try:
            active.sync_if_open()  # or a power loss brings it back
        except OSError as error:
            self._fail("sync", error)
        if not self._staged_segments:
            return
        segment = self._staged_segments[0]
        segment.release()
        try:
            remove_segment(self._disk, self.directory, segment.base_offset)
        except OSError as error:
            self._fail("clean up", error)

    def drop_staged(self) -> None:
        """Forget what was staged and not committed."""
        self._tail = self._segments.active
        self._tail.forget_staged()
        self._staged_segments.clear()
        self._next_offset = self._tail.next_offset
        self._epochs.drop_staged(self.log_end_offset)
        self.producers.drop_staged(self.log_end_offset)

    def append(self, *batches: Buffer, leader_epoch: int, now_ms: int) -> Offset:
        """Stage and commit copies of these batches; returns the base offset of the first.

        For batches of the broker itself: their sequences are not checked.
        """
        first_offset = Offset(self._next_offset)
        for buffer in batches:
            for header, batch in iter_batches(bytearray(buffer)):
                header.base_offset, header.partition_leader_epoch = self._next_offset, leader_epoch
                PLACEMENT.pack_into(batch, 0, header.base_offset, header.batch_length, leader_epoch)
                if self._config.is_log_append_time:
                    patch_log_append_time(batch, header, now_ms)
                self.stage_replica(batch, header, now_ms)
        self.commit()
        return first_offset

    # --- epochs ---

    def begin_epoch(self, leader_epoch: int) -> None:
        """A leader starts here: its epoch begins at the log end, before it has written anything."""
        if leader_epoch != self._epochs.last:
            self._epochs.begin_empty(leader_epoch, self._next_offset)
            self._checked("write the epochs of", self._epochs.write)

    # --- rolling and cutting ---

    def roll(self, now_ms: int) -> None:
        """Close the last segment and begin a new one at the log end; nothing where it is empty."""
        assert not self._tail.buffers, "commit first"
        if self._segments.active.size:
            tail = self._new_segment(self.log_end_offset)
            self._checked("roll", lambda: self._make_next(tail))
            self._take_next(tail)
            self._tail = tail
            tail.opened_ms = now_ms

    def roll_if_due(self, now_ms: int) -> bool:
        """Now and then: end a segment that is older than `segment.ms` although nothing arrives.

        Also keeps memory small: what a partition without appends has in its hot index goes.
        """
        segment = self._segments.active
        if self._ticked_offset == self._next_offset:
            self._segments.trim_idle()
        self._ticked_offset = self._next_offset
        if not segment.committed_size or segment.buffers or self._staged_segments:
            return False
        self._checked("write the indexes of", segment.write_indexes_if_long)
        if segment.opened_ms < 0:  # opened by an earlier process: its age counts from now
            segment.opened_ms = now_ms
        if now_ms - segment.opened_ms < rolling.patience_ms(segment, self._config):
            return False
        self.roll(now_ms)
        return True

    def truncate_to(self, next_offset: int) -> None:
        """Drop every batch that holds an offset >= `next_offset`, durably.

        [10-10][11-30][31-99] to 31 leaves [10-10][11-30]; to 35 leaves the same: batches are never
        split. To an offset below the first segment it leaves nothing and begins anew there.
        """
        assert not self._tail.buffers, "commit first"
        if next_offset >= self.log_end_offset:
            return
        if next_offset < self._segments.first_offset:
            self.reset_to(next_offset)
            return
        self.truncations += 1
        self._checked("truncate", lambda: self._segments.truncate(next_offset), fatal=True)
        self._ends_at(self._segments.active.next_offset)
        self._checked(
            "truncate",
            lambda: self.producers.reload(self._segments, self.log_end_offset),
            fatal=True,
        )
        self.log_start_offset = Offset(min(self.log_start_offset, self.log_end_offset))

    def reset_to(self, offset: int) -> None:
        """Drop everything and begin anew at `offset`, as a follower does that was left behind."""
        assert not self._tail.buffers, "commit first"
        self.truncations += 1
        segment = self._new_segment(offset)
        self._checked("reset", lambda: self._segments.replace_all(segment), fatal=True)
        self._ends_at(offset)
        self._checked("reset", self.producers.clear, fatal=True)
        self.log_start_offset = Offset(offset)

    def _ends_at(self, log_end_offset: int) -> None:
        """After a truncation: everything that pointed behind the new end comes back to it."""
        self._tail = self._segments.active
        self._unsynced.keep_only(list(self._segments)[:-1])
        self._unsynced.note_folder(self.directory)
        self._next_offset = log_end_offset
        self.log_end_offset = Offset(log_end_offset)
        self.recovery_point = Offset(min(self.recovery_point, log_end_offset))
        self._epochs.truncate_end(log_end_offset)
        self._checked("write the epochs of", self._epochs.write)

    def advance_log_start(self, offset: int) -> None:
        """Make `offset` the first that can be read; the files stay until retention takes them.

        Going back is ignored; OffsetOutOfRangeError above the log end.
        """
        if offset > self.log_end_offset:
            raise OffsetOutOfRangeError(offset, self.log_start_offset, self.log_end_offset)
        if offset <= self.log_start_offset:
            return
        self.log_start_offset = Offset(offset)
        self._epochs.truncate_start(offset)
        self._checked("write the epochs of", self._epochs.write)

    def release_oldest(self, high_watermark: int, now_ms: int) -> Released | None:
        """Let the oldest segment go, if retention says so; None where it stays.

        Before the next one goes, `sync_dir` the folder, or a crash may bring back this one alone.
        """
        reason = self._checked(
            "read",
            lambda: why_released(
                self._segments.oldest(),
                self._config,
                log_start_offset=self.log_start_offset,
                high_watermark=high_watermark,
                log_size_bytes=self.size_bytes,
                now_ms=now_ms,
            ),
        )
        if reason is None:
            return None
        if self._segments.first_offset == self._segments.active.base_offset:
            self.roll(now_ms)
        if self._segments.oldest().next_offset == self._segments.active.base_offset:
            # A crash that lost the names of both would let offsets begin anew.
            self._checked("release", lambda: self._unsynced.sync_folder(self.directory))
        released = self._checked("release", lambda: self._segments.retire_oldest(reason))
        self._unsynced.keep_only(list(self._segments)[:-1])
        self._unsynced.note_folder(self.directory)
        self.advance_log_start(released.next_offset)
        return released

    # --- flushing ---

    def needs_flush(self, now_ms: int) -> bool:
        """Whether `flush.messages` or `flush.ms` ask for it: after commits, and now and then."""
        unflushed = self.log_end_offset - self.recovery_point
        if unflushed and self._flush_due_ms < 0:
            self._flush_due_ms = now_ms + self._config.flush_ms
        is_due = now_ms >= self._flush_due_ms
        return bool(unflushed) and (is_due or unflushed >= self._config.flush_messages)

    def plan_flush(self) -> FlushPlan | None:
        """What must be synced for all that is committed now; None where nothing must be.

        Then `plan.run()`, in a thread if you like, then `complete_flush(plan)`. A closed log has
        nothing to flush: its path may belong to another one by now.
        """
        if self._closed:
            return None
        if self._failure is not None:
            raise self._refusal(self._failure)
        try:
            self._epochs.write()
            self.producers.write_aborted(self._segments.active, self._unsynced)
            if self.recovery_point == self.log_end_offset and not self._unsynced:
                return None
            return self._unsynced.plan(
                self._segments.active, self.log_end_offset, truncations=self.truncations
            )
        except (OSError, DamagedLogError) as error:
            raise storage_error("flush", self.directory, error) from error

    def complete_flush(self, plan: FlushPlan) -> None:
        """Take over the result of a plan that was run.

        Raises StorageError where a sync failed: then nobody knows what the disk kept, and the log
        takes no more batches until it is opened anew.
        """
        if plan.error is not None:
            raise self._fail("sync", plan.error) from plan.error
        self._flush_due_ms = -1
        if plan.truncations == self.truncations:
            self.recovery_point = max(self.recovery_point, plan.end_offset)

    def flush(self) -> None:
        """Sync everything that is committed, here and now."""
        plan = self.plan_flush()
        if plan is not None:
            plan.run()
            self.complete_flush(plan)
