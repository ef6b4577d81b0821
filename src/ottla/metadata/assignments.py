"""Replicas that a person assigned by hand, checked, and partitions made of replicas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.ids import LeaderEpoch
from ottla.metadata.image import BrokerImage, MetadataImage, PartitionImage

UNASSIGNED_DIRECTORY = bytes(16)
"""The broker chooses the directory itself, and tells (KIP-858)."""


def check_assignment(
    replicas: Sequence[int], brokers: Mapping[int, BrokerImage], replication_factor: int | None
) -> None:
    """Raises ProtocolError(INVALID_REPLICA_ASSIGNMENT).

    `replication_factor` is that of the topic's other partitions, None for the first one.
    """
    if not replicas:
        raise _refused("a partition is assigned to no broker at all")
    seen = set()
    for node_id in sorted(replicas):
        if node_id not in brokers:
            raise _refused(
                f"a partition is assigned to broker {node_id}, which this cluster does not have"
            )
        if node_id in seen:
            raise _refused(f"a partition is assigned to broker {node_id} twice")
        seen.add(node_id)
    if replication_factor is not None and len(replicas) != replication_factor:
        raise _refused(
            f"a partition is assigned to {len(replicas)} brokers and another of its topic to "
            f"{replication_factor}: all have the same number"
        )


def new_partition(image: MetadataImage, index: int, replicas: Sequence[int]) -> PartitionImage:
    """A partition in its first epoch, every replica in sync that may be.

    Raises ProtocolError(INVALID_REPLICA_ASSIGNMENT) where none may.
    """
    isr = tuple(node_id for node_id in replicas if image.brokers[node_id].electable)
    if not isr:
        raise _refused(
            f"partition {index} is assigned to brokers that are all down or stopping: one must run"
        )
    return PartitionImage(
        replicas=tuple(replicas),
        isr=isr,
        leader=isr[0],
        leader_epoch=LeaderEpoch(0),
        partition_epoch=0,
        directories=tuple(default_directory(image.brokers[node_id]) for node_id in replicas),
    )


def default_directory(broker: BrokerImage) -> bytes:
    """The directory that a broker will use, known where it has only one."""
    directories = broker.log_directories
    return directories[0] if len(directories) == 1 else UNASSIGNED_DIRECTORY


def _refused(reason: str) -> ProtocolError:
    return ProtocolError(ErrorCode.INVALID_REPLICA_ASSIGNMENT, reason)
