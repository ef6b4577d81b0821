"""What to ask of whom next, for all partitions that are read: one look, without waiting."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import Struct, field

from ottla.base.errors import ErrorCode
from ottla.base.ids import TopicPartition
from ottla.client.consumer.assigned import EARLIEST, LATEST, AssignedPartition, Need, Reset, Stamp
from ottla.client.consumer.errors import FetchRefusedError, NoPositionError
from ottla.client.consumer.fetch_session import Target
from ottla.client.consumer.options import ConsumerOptions
from ottla.client.metadata import ClusterMetadata
from ottla.client.remedies import remedy_of

NEVER: Final = float("inf")

_OF_LEADERS: Final = {Need.OFFSET, Need.CHECK}
"""What only a leader can say."""

STARTS: Final = {"earliest": EARLIEST, "latest": LATEST}
"""What `auto_offset_reset` means, but for none."""


class Task(Struct, frozen=True):
    """Something to ask about one partition; an answer counts while the version is the same."""

    partition: AssignedPartition
    stamp: Stamp
    version: int
    is_leader: bool = True
    """Whether the node that is asked leads, and is no nearer replica."""

    @property
    def is_current(self) -> bool:
        """Whether the answer still counts."""
        return self.version == self.partition.version


class NodePlan(Struct):
    """What one node is to be asked."""

    offsets: list[Task] = field(default_factory=list)
    checks: list[Task] = field(default_factory=list)
    fetches: list[Task] = field(default_factory=list)
    buffered: int = 0
    """Bytes of batches that are here, of all partitions that are fetched from it."""


class Plan(Struct):
    """By node id; `leaderless` are topics to ask the metadata for."""

    nodes: dict[int, NodePlan] = field(default_factory=dict)
    leaderless: set[str] = field(default_factory=set)
    again_at_ms: float = NEVER


def look_at(
    assigned: Iterable[AssignedPartition],
    metadata: ClusterMetadata,
    options: ConsumerOptions,
    now_ms: float,
) -> Plan:
    """What is to be done now, and when something is next."""
    plan = Plan()
    for partition in assigned:
        _begin(partition, options)
        topic, index = partition.partition
        leader = metadata.leader(topic, index)
        if leader is None:
            _note_refusal(partition, metadata)
            plan.leaderless.add(topic)
            continue
        known = metadata.topic(topic)
        stamp = Stamp(known.topic_id if known else bytes(16), leader.epoch)
        need = partition.need(stamp, bytes_max=options.max_partition_fetch_bytes)
        leader_id = leader.node.node_id
        source_id = partition.source(leader_id, metadata.nodes, now_ms)
        asks_leader = need in _OF_LEADERS or source_id == leader_id
        node = plan.nodes.setdefault(leader_id if asks_leader else source_id, NodePlan())
        node.buffered += partition.buffered
        if need is Need.NOTHING:
            continue
        if partition.retry_at_ms > now_ms:
            plan.again_at_ms = min(plan.again_at_ms, partition.retry_at_ms)
            continue
        if need is Need.CHECK:
            partition.drop_buffer()
        wanted = {Need.OFFSET: node.offsets, Need.CHECK: node.checks, Need.FETCH: node.fetches}
        wanted[need].append(Task(partition, stamp, partition.version, asks_leader))
    return plan


def _begin(partition: AssignedPartition, options: ConsumerOptions) -> None:
    """Where nobody said where to begin, the setting does."""
    if partition.awaits_committed:
        return
    if partition.offset is None and partition.reset is None and partition.error is None:
        start_over(
            partition,
            options,
            NoPositionError(
                partition.partition, "there is no position, and auto_offset_reset is none"
            ),
        )


def start_over(
    partition: AssignedPartition, options: ConsumerOptions, otherwise: Exception
) -> None:
    """Begin where `auto_offset_reset` says, or tell the user."""
    start = STARTS.get(options.auto_offset_reset)
    if start is None:
        partition.fail(otherwise)
    else:
        partition.begin_at(Reset(start))


def _note_refusal(partition: AssignedPartition, metadata: ClusterMetadata) -> None:
    """Where the metadata says that waiting is in vain: no right, an impossible name."""
    told = metadata.topics.get(partition.partition.topic)
    code = ErrorCode.NONE if told is None else told.error
    if code and not remedy_of(code).retriable and partition.error is None:
        partition.fail(FetchRefusedError(partition.partition, code))


def share_of(plan: Plan, options: ConsumerOptions) -> int:
    """What each leader may have here of `buffer_memory`, in bytes."""
    return max(options.buffer_memory // max(len(plan.nodes), 1), 1)


def targets(tasks: Iterable[Task], options: ConsumerOptions) -> dict[TopicPartition, Target]:
    """Where to fetch."""
    return {
        task.partition.partition: Target(
            task.stamp.topic_id,
            task.stamp.leader_epoch,
            task.partition.fetch_offset,
            options.max_partition_fetch_bytes,
        )
        for task in tasks
    }
