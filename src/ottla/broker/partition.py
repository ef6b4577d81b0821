"""One partition hosted by this broker: its log, its leadership, and who waits for it."""

from __future__ import annotations

import logging
from typing import Protocol

from ottla.base.errors import ErrorCode
from ottla.base.ids import (
    NO_EPOCH,
    LeaderEpoch,
    NodeId,
    Offset,
    PartitionIndex,
    TopicName,
    TopicPartition,
)
from ottla.broker.flushing import Flushing
from ottla.broker.log_directory import LogDirectory
from ottla.log.config import LogConfig
from ottla.log.errors import OffsetOutOfRangeError, StorageError
from ottla.log.partition_log import PartitionLog
from ottla.metadata.image import PartitionImage
from ottla.replication.acks import AckQueue
from ottla.replication.leader import LeaderState
from ottla.wire.payloads.internal_topics import COORDINATOR_TOPICS

log = logging.getLogger(__name__)


class Waiter(Protocol):
    """A long poll that hangs on the partition."""

    def data_arrived(self) -> None: ...


class Partition:
    """A replica on this broker.

    `directory` is where its folder lies. `is_internal`: only coordinators write to it. `leader` is
    None while another node leads. `offline_reason` says why the log cannot be used. A write is not
    committed before it is on the disk where it is the `flush_messages`th since the last flush;
    `flush_acks` are the writes with acks=1 that wait for that.
    """

    __slots__ = (
        "acks",
        "directory",
        "flush_acks",
        "flush_messages",
        "flushing",
        "index",
        "is_internal",
        "leader",
        "log",
        "min_insync_replicas",
        "offline_reason",
        "replicas",
        "state",
        "topic",
        "topic_id",
        "waiters",
    )

    def __init__(
        self,
        topic: TopicName,
        topic_id: bytes,
        index: PartitionIndex,
        log: PartitionLog,
        *,
        directory: LogDirectory,
        min_insync_replicas: int,
    ) -> None:
        self.directory = directory
        self.topic = topic
        self.is_internal = topic in COORDINATOR_TOPICS
        self.topic_id = topic_id
        self.index = index
        self.log = log
        self.min_insync_replicas = min_insync_replicas
        self.leader: LeaderState | None = None
        self.state: PartitionImage | None = None
        self.acks = AckQueue()
        self.flush_acks = AckQueue()
        self.flush_messages = log.config.flush_messages
        self.flushing = Flushing(log, self)
        self.waiters: set[Waiter] = set()
        self.offline_reason: str | None = None

    def __str__(self) -> str:
        return f"{self.topic}-{self.index}"

    @property
    def key(self) -> TopicPartition:
        """Its name, as checkpoints know it."""
        return TopicPartition(self.topic, self.index)

    def configure(self, config: LogConfig, *, min_insync_replicas: int) -> None:
        """Follow changed settings of the topic."""
        self.log.config = config
        self.flush_messages = config.flush_messages
        self.min_insync_replicas = min_insync_replicas

    def adopt(self, log: PartitionLog, directory: LogDirectory) -> None:
        """Go on with a copy of the log in another directory, all of which is on the disk.

        No flush may be under way. The caller takes care of the old one.
        """
        assert self.flushing.is_idle
        self.log = log
        self.directory = directory
        self.flushing = Flushing(log, self)
        self.synced(log.recovery_point)

    @property
    def leader_epoch(self) -> LeaderEpoch:
        return NO_EPOCH if self.state is None else LeaderEpoch(self.state.leader_epoch)

    def lead_or_follow(self, state: PartitionImage, node_id: NodeId) -> None:
        """Take what the controller decided about this partition."""
        self.state = state
        if state.leader != node_id:
            self.leader = None
            self.acks.fail(ErrorCode.NOT_LEADER_OR_FOLLOWER)
            self.wake_waiters()
            return
        isr = [NodeId(replica) for replica in state.isr]
        if self.leader is not None and self.leader.epoch == state.leader_epoch:
            self.leader.isr_changed(isr)
        else:
            self.leader = self._lead(state, node_id, isr)
        # With fewer replicas in sync, more may be committed than before.
        self.acks.release(self.leader.high_watermark)
        self.wake_waiters()

    def _lead(self, state: PartitionImage, node_id: NodeId, isr: list[NodeId]) -> LeaderState:
        before = self.leader
        # What still waits for the disk must not be committed by a change of epochs.
        waits = before is not None and self.must_flush
        return LeaderState(
            node_id,
            LeaderEpoch(state.leader_epoch),
            isr,
            log_end_offset=before.log_end_offset if before and waits else self.log.log_end_offset,
            high_watermark=before.high_watermark if before else self.log.log_start_offset,
        )

    def has_replica(self, node_id: NodeId) -> bool:
        """Whether this node is one of those that keep the partition."""
        return self.state is not None and node_id in self.state.replicas

    @property
    def high_watermark(self) -> Offset:
        """Exclusive end of what consumers may read."""
        assert self.leader is not None
        return self.leader.high_watermark

    @property
    def last_stable_offset(self) -> Offset:
        """Exclusive end for read_committed: no transaction is open yet anywhere below it."""
        return self.log.last_stable_offset(self.high_watermark)

    def readable_end(self, *, committed_only: bool) -> Offset:
        return self.last_stable_offset if committed_only else self.high_watermark

    def check_leadership(self, current_leader_epoch: int) -> ErrorCode:
        """Whether a client that believes in `current_leader_epoch` (−1: in any) may be served here.

        KIP-320: an older belief is fenced, a newer one means that this broker lags behind.
        """
        if self.offline_reason is not None:
            return ErrorCode.KAFKA_STORAGE_ERROR
        leader = self.leader
        if current_leader_epoch != NO_EPOCH and current_leader_epoch != self.leader_epoch:
            if current_leader_epoch < self.leader_epoch:
                return ErrorCode.FENCED_LEADER_EPOCH
            return ErrorCode.UNKNOWN_LEADER_EPOCH
        return ErrorCode.NONE if leader is not None else ErrorCode.NOT_LEADER_OR_FOLLOWER

    def appended(self) -> None:
        """The log grew: move the high watermark and acknowledge what it passed."""
        leader = self.leader
        if leader is not None and leader.appended(self.log.log_end_offset) and len(self.acks):
            self.acks.release(leader.high_watermark)

    # -- flushing: see `flushing.FlushOwner` -----------------------------------------------------

    @property
    def must_flush(self) -> bool:
        """Whether `flush.messages` wants what is appended on the disk before it is acknowledged."""
        return self.log.log_end_offset - self.log.recovery_point >= self.flush_messages

    def synced(self, end_offset: Offset) -> None:
        """Commit and acknowledge what waited for the disk."""
        leader = self.leader
        if leader is not None and end_offset > leader.log_end_offset:
            if leader.appended(end_offset) and len(self.acks):
                self.acks.release(leader.high_watermark)
            self.wake_waiters()
        self.flush_acks.release(end_offset)

    def not_synced(self, error: StorageError) -> None:
        """Nothing is lost, and nothing acknowledged; the disk may recover."""
        self.directory.suspect(error)
        if self.log.has_failed:
            self.sync_failed(error)
            return
        log.error("a flush is put off: %s", error.message, extra={"partition": str(self)})
        self.acks.fail(error.code)
        self.flush_acks.fail(error.code)

    def sync_failed(self, error: StorageError) -> None:
        """After a failed fsync nothing more may be acknowledged from this log."""
        self.directory.suspect(error)
        if self.offline_reason is not None:
            return
        log.error("a partition goes offline: %s", error.message, extra={"partition": str(self)})
        self.take_offline(f"its log could not be flushed: {error.message}")

    def epoch_end_offset(self, epoch: int) -> tuple[LeaderEpoch, Offset]:
        """The largest epoch <= `epoch` and where it ends; (-1, -1) where unknown (KIP-320).

        This leader's epoch begins at the log end as long as it has written nothing.
        """
        last_epoch = self.log.last_epoch
        if not last_epoch < epoch <= self.leader_epoch:
            return self.log.epoch_end_offset(epoch)
        is_known = epoch == self.leader_epoch or last_epoch == NO_EPOCH
        return LeaderEpoch(epoch) if is_known else last_epoch, self.log.log_end_offset

    def delete_records(self, before: int) -> Offset:
        """Let go of every record below `before`; the log start after it.

        Raises OffsetOutOfRangeError beyond the high watermark, StorageError.
        """
        if not 0 <= before <= self.high_watermark:
            raise OffsetOutOfRangeError(before, self.log.log_start_offset, self.high_watermark)
        self.log.advance_log_start(before)
        return self.log.log_start_offset

    def wake_waiters(self) -> None:
        """Let every long poll on this partition look again."""
        for waiter in list(self.waiters):
            waiter.data_arrived()

    def take_offline(self, reason: str, error: ErrorCode = ErrorCode.KAFKA_STORAGE_ERROR) -> None:
        """Stop serving: the log cannot be trusted or written any more, or is not ours.

        `error` is what writes that wait for their acknowledgement are told.
        """
        self.offline_reason = reason
        self.acks.fail(error)
        self.flush_acks.fail(error)
        self.wake_waiters()
