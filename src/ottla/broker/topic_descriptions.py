"""What several APIs tell of brokers, topics and partitions."""

from __future__ import annotations

from collections.abc import Iterator

from ottla.base.errors import ErrorCode
from ottla.broker.addresses import Address
from ottla.broker.broker import Broker
from ottla.metadata.image import MetadataImage, PartitionImage
from ottla.transport.connection import Connection

INTERNAL_TOPICS = frozenset({"__consumer_offsets", "__transaction_state", "__share_group_state"})


def is_internal(topic: str) -> bool:
    """Whether the topic is the brokers' own."""
    return topic in INTERNAL_TOPICS


def live_brokers(
    broker: Broker, connection: Connection
) -> Iterator[tuple[int, Address, str | None]]:
    """Node id, address and rack of every broker that this client can reach."""
    for image in broker.metadata.image.brokers.values():
        address = None if image.fenced else broker.addresses.of(image, connection)
        if address is not None:
            yield image.node_id, address, image.rack


def partition_error(partition: PartitionImage, image: MetadataImage) -> ErrorCode:
    """Why a client cannot use the partition now."""
    leader = image.brokers.get(partition.leader)
    if leader is None or leader.fenced:
        return ErrorCode.LEADER_NOT_AVAILABLE
    return ErrorCode.NONE


def offline_replicas(partition: PartitionImage, image: MetadataImage) -> list[int]:
    """Replicas on nodes that are not there."""
    brokers = image.brokers
    return [node for node in partition.replicas if node not in brokers or brokers[node].fenced]
