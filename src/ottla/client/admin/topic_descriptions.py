"""Topics as brokers tell them, by Metadata and by DescribeTopicPartitions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from msgspec import Struct

from ottla.base.errors import ErrorCode
from ottla.base.ids import NO_LEADER, ZERO_UUID
from ottla.client.admin.operations import Operations, operations_of
from ottla.client.admin.outcomes import Answers, refusal
from ottla.client.connection import Connection
from ottla.client.errors import RefusedError
from ottla.wire.messages.describe_topic_partitions import (
    Cursor,
    DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsResponse,
    DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic,
    TopicRequest,
)
from ottla.wire.messages.metadata import (
    MetadataRequest,
    MetadataRequestTopic,
    MetadataResponsePartition,
    MetadataResponseTopic,
)

_LEADERLESS: Final = {ErrorCode.NONE, ErrorCode.LEADER_NOT_AVAILABLE}


class TopicListing(Struct, frozen=True, kw_only=True):
    """One topic of a list."""

    name: str
    topic_id: bytes = ZERO_UUID
    """Sixteen zeros where the cluster has no ids."""
    is_internal: bool = False
    partitions: int = 0
    replication_factor: int = 0


class PartitionDescription(Struct, frozen=True, kw_only=True):
    """One partition as the cluster tells it; leader and epoch -1 for none."""

    index: int
    leader: int = NO_LEADER
    leader_epoch: int = -1
    replicas: tuple[int, ...] = ()
    isr: tuple[int, ...] = ()
    offline: tuple[int, ...] = ()
    eligible_leaders: tuple[int, ...] | None = None
    """Who, out of the isr, may lead all the same (KIP-966); None where it is not told."""
    last_known_eligible_leaders: tuple[int, ...] | None = None


class TopicDescription(Struct, frozen=True, kw_only=True):
    """One topic as the cluster tells it."""

    name: str
    topic_id: bytes = ZERO_UUID
    """Sixteen zeros where the cluster has no ids."""
    is_internal: bool = False
    partitions: tuple[PartitionDescription, ...] = ()
    """By index."""
    authorized_operations: Operations | None = None
    """What this client may do with it; None where it was not asked or not told."""


def topics_request(
    names: Sequence[str] | None,
    topic_ids: Sequence[bytes] = (),
    *,
    authorized_operations: bool = False,
) -> MetadataRequest:
    """By names or by ids; None for all topics. Creates none."""
    topics = None
    if names is not None:
        topics = [MetadataRequestTopic(name=name) for name in names]
        topics += [MetadataRequestTopic(name=None, topic_id=topic_id) for topic_id in topic_ids]
    return MetadataRequest(
        topics=topics,
        allow_auto_topic_creation=False,
        include_topic_authorized_operations=authorized_operations,
    )


def listed(told: MetadataResponseTopic) -> TopicListing:
    """What a list says of it."""
    return TopicListing(
        name=told.name or "",
        topic_id=told.topic_id,
        is_internal=told.is_internal,
        partitions=len(told.partitions),
        replication_factor=max((len(each.replica_nodes) for each in told.partitions), default=0),
    )


def described(told: MetadataResponseTopic) -> TopicDescription | RefusedError:
    """What Metadata says."""
    if told.error_code not in _LEADERLESS:
        return refusal(told.error_code, None, f"topic {told.name or told.topic_id.hex()!r}")
    return TopicDescription(
        name=told.name or "",
        topic_id=told.topic_id,
        is_internal=told.is_internal,
        partitions=_sorted(map(_partition, told.partitions)),
        authorized_operations=operations_of(told.topic_authorized_operations),
    )


def _sorted(partitions: Iterable[PartitionDescription]) -> tuple[PartitionDescription, ...]:
    return tuple(sorted(partitions, key=lambda partition: partition.index))


def _partition(told: MetadataResponsePartition) -> PartitionDescription:
    return PartitionDescription(
        index=told.partition_index,
        leader=told.leader_id,
        leader_epoch=told.leader_epoch,
        replicas=tuple(told.replica_nodes),
        isr=tuple(told.isr_nodes),
        offline=tuple(told.offline_replicas),
    )


class TopicPages:
    """Topics of one node by DescribeTopicPartitions, page after page."""

    def __init__(self, node: Connection) -> None:
        self._node = node
        self._found: dict[str, TopicDescription | RefusedError] = {}

    async def describe(
        self, names: Sequence[str], *, authorized_operations: bool
    ) -> Answers[str, TopicDescription]:
        """All partitions of these. Raises NodeError, RefusedError."""
        topics = [TopicRequest(name=name) for name in sorted(names)]
        cursor: Cursor | None = None
        while True:
            request = DescribeTopicPartitionsRequest(topics=topics, cursor=cursor)
            page = await self._node.call(request, DescribeTopicPartitionsResponse)
            for told in page.topics:
                self._add(told, authorized_operations=authorized_operations)
            following = page.next_cursor
            if following is None:
                return self._found
            if following == cursor:
                raise RefusedError(
                    ErrorCode.UNKNOWN_SERVER_ERROR, "the pages of topics come to no end"
                )
            cursor = following

    def _add(
        self, told: DescribeTopicPartitionsResponseTopic, *, authorized_operations: bool
    ) -> None:
        name = told.name or ""
        if told.error_code not in _LEADERLESS:
            self._found[name] = refusal(told.error_code, None, f"topic {name!r}")
            return
        before = self._found.get(name)
        # A topic that is longer than a page goes on in the next one.
        earlier = before.partitions if isinstance(before, TopicDescription) else ()
        bits = told.topic_authorized_operations
        self._found[name] = TopicDescription(
            name=name,
            topic_id=told.topic_id,
            is_internal=told.is_internal,
            partitions=_sorted([*earlier, *map(_eligible, told.partitions)]),
            authorized_operations=operations_of(bits) if authorized_operations else None,
        )


def _eligible(told: DescribeTopicPartitionsResponsePartition) -> PartitionDescription:
    return PartitionDescription(
        index=told.partition_index,
        leader=told.leader_id,
        leader_epoch=told.leader_epoch,
        replicas=tuple(told.replica_nodes),
        isr=tuple(told.isr_nodes),
        offline=tuple(told.offline_replicas),
        eligible_leaders=_nodes(told.eligible_leader_replicas),
        last_known_eligible_leaders=_nodes(told.last_known_elr),
    )


def _nodes(nodes: Sequence[int] | None) -> tuple[int, ...] | None:
    return None if nodes is None else tuple(nodes)
