"""A directory's life, step by step, and what each step promises.

A step says what is under way before it begins, and what holds once it has returned. Where the disk
refuses (`fail_at`), a step has no effect that anybody was told of.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator

from ottla.base.errors import ErrorCode, ProtocolError, UserError
from ottla.base.ids import TopicPartition, Uuid
from ottla.log.compaction.cleaner import compact
from ottla.log.compaction.plan import plan_compaction
from ottla.log.compaction.swap import StaleCompactionError
from ottla.log.config import LogConfig
from ottla.log.errors import DuplicateBatchError, StorageError
from ottla.log.partition_log import PartitionLog
from ottla.testing.crash_states import crash_states
from ottla.testing.recording_disk import RecordingDisk
from ottla.wire.records.batch import read_header
from tests.crash.promises import PATH, Batch, Promised, Sender, Sent
from tests.crash.sending import plain_bytes, sent_bytes
from tests.crash.server import Server
from tests.support.cluster import SeededRng
from tests.unit.log.support import NOW_MS, all_batches

SMALL, HALF_KIB, LARGE = 40, 600, 5000
"""Sizes of values: inside a sector, over one, over a page."""


class FailingDisk(RecordingDisk):
    """A disk on which a call fails; it records only what its owner notes: the end of each step.

    With `error` ENOSPC, only calls that want space count.
    """

    def __init__(self, nth: int, error: int) -> None:
        super().__init__()
        self._nth = nth
        self._error = error
        self._wants_space_only = error == errno.ENOSPC
        self.failed_append_leaves_bytes = nth % 2 == 0
        self.calls = 0
        self.is_watched = False

    def begin(self) -> None:
        super().begin()
        self.is_watched = True

    @property
    def has_failed(self) -> bool:
        return self.calls >= self._nth

    def changed(self, operation: str, path: str) -> None:
        """Not of interest: these runs are about what the running process does."""

    def failure(self, operation: str, path: str) -> OSError | None:
        if not self.is_watched or (self._wants_space_only and operation not in WANT_SPACE):
            return None
        self.calls += 1
        if self.calls != self._nth:
            return None
        return OSError(self._error, os.strerror(self._error), path)


WANT_SPACE = ("append", "open", "make_dir", "rename")


class Life:
    """One directory on one recorded disk."""

    def __init__(self, disk: RecordingDisk | None = None) -> None:
        self.disk = RecordingDisk() if disk is None else disk
        self.disk.make_dir(PATH.partition("/")[0])
        self.promised: dict[TopicPartition, Promised] = {}
        self.disk.promised = self.promised
        self.disk.begin()
        # A cut was refused half way: until it is repeated, a power loss may undo it.
        self.has_half_cut = False
        self._serial = 0
        self._ids = 0
        self.server: Server
        self.start()

    # --- partitions ---

    def create(self, name: str, config: LogConfig) -> TopicPartition:
        """The metadata knows of a partition, and its log is made."""
        self._ids += 1
        key = TopicPartition(name, 0)
        topic_id = Uuid(self._ids.to_bytes(16, "big"))
        self._promise_anew({**self.promised, key: Promised(topic_id, config)})
        with self._told():
            self.server.open(key, topic_id, config)
        if key not in self.server.logs:  # offline until the next start
            self.start()
        return key

    def delete(self, key: TopicPartition) -> None:
        self._promise_anew({name: kept for name, kept in self.promised.items() if name != key})
        with self._told():
            self.server.delete(key)

    def log(self, key: TopicPartition) -> PartitionLog:
        return self.server.logs[key]

    # --- writing ---

    def append(
        self, key: TopicPartition, *sizes: int, epoch: int = 0, record_key: bytes | None = None
    ) -> None:
        """One read event: a batch for each size, staged and committed together."""
        batches = []
        for size in sizes:
            self._serial += 1
            values = [(b"%d " % self._serial) * (size // 4), b"-"]
            batches.append(plain_bytes(values, record_key))
        self._write(key, batches, epoch)

    def send(self, key: TopicPartition, producer_id: int, *counts: int, heard: bool = True) -> None:
        """A producer sends again what was not answered, then new batches of so many records."""
        sender = self._sender(key, producer_id)
        for count in counts:
            sender = sender._replace(
                next_sequence=sender.next_sequence + count,
                unanswered=(*sender.unanswered, Sent(sender.next_sequence, count)),
            )
        self._know(key, sender)
        committed = self._write(key, [sent_bytes(sender, sent) for sent in sender.unanswered], 0)
        if committed and heard:
            self._know(
                key,
                sender._replace(answered=sender.answered + sender.unanswered, unanswered=()),
            )

    def _write(self, key: TopicPartition, batches: list[bytearray], epoch: int) -> bool:
        """Stage and commit; whether all of it is written."""
        log = self.log(key)
        written = False
        with self._told():
            staged = list(self._staged(log, batches, epoch))
            self._promise(key, under_way=tuple(staged))
            try:
                log.commit()
                written = True
            finally:
                done = [batch for batch in staged if batch.next_offset <= log.log_end_offset]
                self._promise(
                    key,
                    batches=self.promised[key].batches + tuple(done),
                    under_way=tuple(staged[len(done) :]),
                )
        return written

    def _staged(self, log: PartitionLog, batches: list[bytearray], epoch: int) -> Iterator[Batch]:
        for data in batches:
            batch = memoryview(data)
            header = read_header(batch)
            try:
                offset = log.stage(batch, header, max(epoch, log.last_epoch), NOW_MS)
            except DuplicateBatchError:
                continue
            except ProtocolError as refused:
                # After a failure of the disk what follows is refused, in Kafka too.
                if refused.code is not ErrorCode.KAFKA_STORAGE_ERROR:
                    raise
                return
            yield Batch(offset, offset + header.record_count, bytes(batch))

    def flush(self, key: TopicPartition) -> None:
        with self._told():
            self.log(key).flush()
            self._is_kept(key, self.promised[key].end)

    def _is_kept(self, key: TopicPartition, end: int) -> None:
        kept_end = max(self.promised[key].kept_end, end)
        self._promise(key, kept_end=kept_end, point_max=max(self.promised[key].point_max, kept_end))

    def flush_around(self, key: TopicPartition, between: Callable[[], None]) -> None:
        """A flush in a thread, while the loop goes on."""
        log = self.log(key)
        with self._told():
            plan = log.plan_flush()
            cuts = self.promised[key].cuts
            between()
            if plan is None or log is not self.server.logs.get(key):
                return
            plan.run()
            log.complete_flush(plan)
            if cuts == self.promised[key].cuts:
                self._is_kept(key, plan.end_offset)

    def roll(self, key: TopicPartition) -> None:
        with self._told():
            self.log(key).roll(NOW_MS)

    def begin_epoch(self, key: TopicPartition, epoch: int) -> None:
        with self._told():
            self.log(key).begin_epoch(epoch)

    # --- cutting ---

    def truncate(self, key: TopicPartition, to: int) -> None:
        """A follower gives up what its leader does not have, and writes down that it did."""
        before = self.promised[key]
        kept = tuple(batch for batch in before.batches if batch.next_offset <= to)
        end = kept[-1].next_offset if kept else before.start_min
        self._promise(
            key,
            batches=kept,
            under_way=before.batches[len(kept) :],
            kept_end=min(before.kept_end, end),
            start_min=min(before.start_min, end),
            cuts=before.cuts + 1,
        )
        with self._told():
            self.log(key).truncate_to(to)
            self._promise(key, under_way=())
            self.server.write_recovery_points()
            self._promise(key, point_max=self.promised[key].kept_end)

    def reset(self, key: TopicPartition, to: int) -> None:
        """A follower that was left behind begins anew where its leader does."""
        before = self.promised[key]
        self._promise(
            key,
            batches=(),
            under_way=before.batches,
            kept_end=0,
            start_max=max(before.start_max, to),
            cuts=before.cuts + 1,
        )
        with self._told():
            self.log(key).reset_to(to)
            self._promise(
                key, under_way=(), kept_end=to, point_max=max(to, before.point_max), start_max=to
            )
            self.write_checkpoints()

    def advance_log_start(self, key: TopicPartition, offset: int) -> None:
        """Records are deleted."""
        offset = min(offset, self.log(key).log_end_offset)
        self._promise(key, start_max=max(offset, self.promised[key].start_max))
        with self._told():
            self.log(key).advance_log_start(offset)

    def retain(self, key: TopicPartition, now_ms: int = NOW_MS) -> None:
        """One round of retention."""
        promised = self.promised[key]
        self._promise(key, start_max=max(promised.start_max, promised.end))
        with self._told():
            while self.server.release_one(key, now_ms):
                pass
            self._promise(key, start_max=self.log(key).log_start_offset)

    def compact(self, key: TopicPartition, between: Callable[[], None] = lambda: None) -> None:
        """One run of compaction: `between` comes while the child writes, and at each step."""
        log = self.log(key)
        first_dirty_offset = self.server.directory.cleaner_offsets.get(key, 0)
        with self._told():
            plan = plan_compaction(
                log,
                first_dirty_offset=first_dirty_offset,
                end_offset=log.log_end_offset,
                now_ms=NOW_MS,
            )
            if plan is None:
                return
            cleaned_end = max(self.promised[key].cleaned_end, plan.end_offset)
            self._promise(key, cleaned_end=cleaned_end)
            result = compact(plan, self.disk, throttle=lambda _: None)
            between()
            self._flush_before_swap(key)
            try:
                self.server.replace_compacted(key, log.swap_compacted(result), between)
            except StaleCompactionError:
                return
            self.server.write_cleaner_offset(key, result.first_dirty_offset)

    def _flush_before_swap(self, key: TopicPartition) -> None:
        self.log(key).flush()
        self._is_kept(key, self.promised[key].end)

    def remove_due(self) -> None:
        with self._told():
            self.server.remove_due()

    # --- checkpoints, ends and beginnings ---

    def checkpoint(self) -> None:
        for key in self.promised:
            self.flush(key)
        with self._told():
            self.write_checkpoints()

    def write_checkpoints(self) -> None:
        self.server.write_recovery_points()
        self.write_log_starts()

    def write_log_starts(self) -> None:
        with self._told():
            self.server.write_log_starts()
            self._starts_are_kept()

    def _starts_are_kept(self) -> None:
        for key, log in self.server.logs.items():
            self._promise(key, start_min=log.log_start_offset)

    def stop(self) -> None:
        """An orderly stop."""
        with self._told():
            for key, log in self.server.logs.items():
                log.close()
                self._is_kept(key, self.promised[key].end)
            self.server.finish_stop()
            self._starts_are_kept()

    def start(self) -> None:
        """After `stop`, or just so: then the process was killed."""
        topics = {key: (kept.topic_id, kept.config) for key, kept in self.promised.items()}
        try:
            self.server = Server.start(self.disk, topics)
        except (StorageError, OSError, UserError):
            if not isinstance(self.disk, FailingDisk):
                raise
            self.server = Server.start(self.disk, topics)  # it fails once
        self._adopt()

    def lose_power(self, nth: int) -> None:
        """The `nth` state that a power loss may leave here; then a start."""
        states = [
            state
            for state in crash_states(self.disk.moments[-1:], SeededRng(nth))
            if state.is_power_loss
        ]
        for key, before in self.promised.items():
            kept = [batch for batch in before.batches if batch.next_offset <= before.kept_end]
            self._promise(
                key,
                batches=tuple(kept),
                under_way=before.everything[len(kept) :],
                cuts=before.cuts + 1,
            )
        self.disk.restore(states[nth % len(states)].content)
        self.start()

    def _adopt(self) -> None:
        """What a start has found is what there is; the checks say whether it may be."""
        for key, log in self.server.logs.items():
            before = self.promised[key]
            end, start = log.log_end_offset, log.log_start_offset
            whole = before.everything
            found = tuple(batch for batch in whole if batch.next_offset <= end)
            with _unwatched(self.disk):
                senders = tuple(_forget_lost(sender, log) for sender in before.senders)
            self._promise(
                key,
                batches=found,
                under_way=(),
                start_max=max(start, before.start_max),
                cuts=before.cuts + (len(found) < len(whole)),
                senders=senders,
            )
        self.disk.note("started")

    # --- inside ---

    def _sender(self, key: TopicPartition, producer_id: int) -> Sender:
        for sender in self.promised[key].senders:
            if sender.producer_id == producer_id:
                return sender
        return Sender(producer_id, 0)

    def _know(self, key: TopicPartition, sender: Sender) -> None:
        others = [
            known for known in self.promised[key].senders if known.producer_id != sender.producer_id
        ]
        self._promise(key, senders=(*others, sender))

    def _promise(self, key: TopicPartition, **changes: object) -> None:
        promised = self.promised[key]._replace(**changes)  # type: ignore[arg-type]  # by name
        self._promise_anew({**self.promised, key: promised})

    def _promise_anew(self, promised: dict[TopicPartition, Promised]) -> None:
        self.promised = promised
        self.disk.promised = promised

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """A step; where the disk refuses it, its owner is told, and does what it must."""
        try:
            yield
        except (StorageError, OSError):
            self.disk.note("refused")
            self.has_half_cut |= any(
                kept.cuts and kept.under_way for kept in self.promised.values()
            )
            if any(log.has_failed for log in self.server.logs.values()):
                self.start()
        else:
            self.disk.note("done")


@contextlib.contextmanager
def _unwatched(disk: RecordingDisk) -> Iterator[None]:
    """Calls of the test itself do not fail."""
    if isinstance(disk, FailingDisk):
        disk.is_watched = False
    yield
    if isinstance(disk, FailingDisk):
        disk.is_watched = True


def _forget_lost(sender: Sender, log: PartitionLog) -> Sender:
    """Whose answered batches a power loss took goes on under a new epoch, as clients do."""
    stored = {
        header.base_sequence
        for header, _ in all_batches(log)
        if (header.producer_id, header.producer_epoch) == (sender.producer_id, sender.epoch)
    }
    if all(sent.base_sequence in stored for sent in sender.answered):
        return sender
    return Sender(sender.producer_id, sender.epoch + 1)
