"""A change of one partition: from two states to a record, and from a record to the new state."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from ottla.metadata.image import PartitionImage
from ottla.wire.payloads.metadata import PartitionChangeRecord, PartitionRecord

LEADER_UNCHANGED = -2
RECOVERY_UNCHANGED = -1


def difference(
    topic_id: bytes, index: int, before: PartitionImage, after: PartitionImage
) -> PartitionChangeRecord | None:
    """The record that turns `before` into `after`; None where they are the same.

    The epochs of `after` do not count: replaying the record moves them on.
    """
    record = PartitionChangeRecord(
        partition_id=index,
        topic_id=topic_id,
        isr=_changed(before.isr, after.isr),
        leader=after.leader if after.leader != before.leader else LEADER_UNCHANGED,
        replicas=_changed(before.replicas, after.replicas),
        removing_replicas=_changed(before.removing, after.removing),
        adding_replicas=_changed(before.adding, after.adding),
        leader_recovery_state=(
            after.leader_recovery
            if after.leader_recovery != before.leader_recovery
            else RECOVERY_UNCHANGED
        ),
        eligible_leader_replicas=_changed(before.elr, after.elr),
        last_known_elr=_changed(before.last_known_elr, after.last_known_elr),
        directories=(list(after.directories) if after.directories != before.directories else None),
    )
    unchanged = PartitionChangeRecord(partition_id=index, topic_id=topic_id)
    return None if record == unchanged else record


def merged(before: PartitionImage, record: PartitionChangeRecord) -> PartitionImage:
    """The state after a change. A leader that is named anew begins a new leader epoch (KIP-101)."""
    new_leader = record.leader != LEADER_UNCHANGED
    return PartitionImage(
        replicas=_or(record.replicas, before.replicas),
        isr=_or(record.isr, before.isr),
        leader=record.leader if new_leader else before.leader,
        leader_epoch=before.leader_epoch + new_leader,
        partition_epoch=before.partition_epoch + 1,
        leader_recovery=(
            before.leader_recovery
            if record.leader_recovery_state == RECOVERY_UNCHANGED
            else record.leader_recovery_state
        ),
        adding=_or(record.adding_replicas, before.adding),
        removing=_or(record.removing_replicas, before.removing),
        elr=_or(record.eligible_leader_replicas, before.elr),
        last_known_elr=_or(record.last_known_elr, before.last_known_elr),
        directories=(
            before.directories if record.directories is None else tuple(record.directories)
        ),
    )


def partition_of(record: PartitionRecord) -> PartitionImage:
    """The state that a record tells whole."""
    return PartitionImage(
        replicas=tuple(record.replicas),
        isr=tuple(record.isr),
        leader=record.leader,
        leader_epoch=record.leader_epoch,
        partition_epoch=record.partition_epoch,
        leader_recovery=record.leader_recovery_state,
        adding=tuple(record.adding_replicas),
        removing=tuple(record.removing_replicas),
        elr=tuple(record.eligible_leader_replicas or ()),
        last_known_elr=tuple(record.last_known_elr or ()),
        directories=tuple(record.directories),
    )


def record_of(topic_id: bytes, index: int, partition: PartitionImage) -> PartitionRecord:
    """The record that tells a state whole."""
    return PartitionRecord(
        partition_id=index,
        topic_id=topic_id,
        replicas=list(partition.replicas),
        isr=list(partition.isr),
        removing_replicas=list(partition.removing),
        adding_replicas=list(partition.adding),
        leader=partition.leader,
        leader_epoch=partition.leader_epoch,
        partition_epoch=partition.partition_epoch,
        directories=list(partition.directories),
        leader_recovery_state=partition.leader_recovery,
        eligible_leader_replicas=list(partition.elr) or None,
        last_known_elr=list(partition.last_known_elr) or None,
    )


def without_elr(partition: PartitionImage) -> PartitionImage:
    """The same, its eligible leader replicas forgotten: their rule has changed."""
    return replace(partition, elr=(), last_known_elr=())


def _changed(before: tuple[int, ...], after: tuple[int, ...]) -> list[int] | None:
    return list(after) if after != before else None


def _or(told: Sequence[int] | None, before: tuple[int, ...]) -> tuple[int, ...]:
    return before if told is None else tuple(told)
