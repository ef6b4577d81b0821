"""Which data directory a replica lies in: brokers tell (AssignReplicasToDirs, KIP-858)."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from ottla.base.errors import ErrorCode
from ottla.metadata.assignments import UNASSIGNED_DIRECTORY
from ottla.metadata.decision import Decision
from ottla.metadata.image import MetadataImage, PartitionImage
from ottla.metadata.partition_change import difference
from ottla.wire.schema import Payload

ReplicaKey = tuple[bytes, int]
"""Topic id and partition index."""


def decide_assign_directories(
    image: MetadataImage, node_id: int, broker_epoch: int, assigned: Mapping[ReplicaKey, bytes]
) -> Decision[ErrorCode]:
    """Note in which directory each of these replicas of a broker lies.

    Partitions that are gone, or no longer on the broker, are passed over.
    """
    broker = image.brokers.get(node_id)
    if broker is None or broker.epoch != broker_epoch:
        return Decision((), ErrorCode.STALE_BROKER_EPOCH)
    changes: list[Payload] = []
    for (topic_id, index), directory in assigned.items():
        topic = image.topics_by_id.get(topic_id)
        if topic is None or index >= len(topic.partitions):
            continue
        before = topic.partitions[index]
        if node_id in before.replicas:
            change = difference(topic_id, index, before, _placed(before, node_id, directory))
            if change is not None:
                changes.append(change)
    return Decision(tuple(changes), ErrorCode.NONE)


def _placed(partition: PartitionImage, node_id: int, directory: bytes) -> PartitionImage:
    known = partition.directories or (UNASSIGNED_DIRECTORY,) * len(partition.replicas)
    return replace(
        partition,
        directories=tuple(
            directory if replica == node_id else before
            for replica, before in zip(partition.replicas, known, strict=True)
        ),
    )
