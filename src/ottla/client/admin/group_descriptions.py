"""Groups as coordinators tell them: classic ones and those of KIP-848 in one form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Final

from msgspec import Struct

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.ids import TopicPartition
from ottla.client.admin.operations import Operations, operations_of
from ottla.client.admin.outcomes import refusal
from ottla.client.connection import Connection
from ottla.client.errors import RefusedError
from ottla.client.metadata import Node
from ottla.wire.messages import consumer_group_describe, describe_groups
from ottla.wire.messages.consumer_group_describe import (
    ConsumerGroupDescribeRequest,
    ConsumerGroupDescribeResponse,
)
from ottla.wire.messages.describe_groups import DescribeGroupsRequest, DescribeGroupsResponse
from ottla.wire.messages.list_groups import ListedGroup
from ottla.wire.payloads.consumer_protocol import (
    PROTOCOL_TYPE,
    decode_assignment,
    subscribed_topics,
)

Found = dict[str, "GroupDescription | RefusedError"]


class GroupState(Enum):
    """What a group is doing, in Kafka's words."""

    UNKNOWN = "Unknown"
    """Not told, or a word of a later protocol."""
    EMPTY = "Empty"
    PREPARING_REBALANCE = "PreparingRebalance"
    COMPLETING_REBALANCE = "CompletingRebalance"
    ASSIGNING = "Assigning"
    RECONCILING = "Reconciling"
    STABLE = "Stable"
    NOT_READY = "NotReady"
    DEAD = "Dead"

    @classmethod
    def _missing_(cls, value: object) -> GroupState:
        return cls.UNKNOWN


class GroupType(Enum):
    """The protocol that a group speaks, in Kafka's words."""

    UNKNOWN = "unknown"
    CLASSIC = "classic"
    CONSUMER = "consumer"
    SHARE = "share"
    STREAMS = "streams"

    @classmethod
    def _missing_(cls, value: object) -> GroupType:
        return cls.UNKNOWN


class GroupListing(Struct, frozen=True, kw_only=True):
    """One group of a list; state and type are UNKNOWN where an older broker does not tell."""

    group_id: str
    protocol_type: str = ""
    """"consumer" where its members read topics; empty for a group that only keeps offsets."""
    state: GroupState = GroupState.UNKNOWN
    type: GroupType = GroupType.UNKNOWN


class MemberDescription(Struct, frozen=True, kw_only=True):
    """One member. What only one of the protocols knows is None in the other."""

    member_id: str
    group_instance_id: str | None = None
    client_id: str = ""
    host: str = ""
    rack_id: str | None = None
    subscribed_topics: frozenset[str] = frozenset()
    subscribed_pattern: str | None = None
    assignment: tuple[TopicPartition, ...] = ()
    """What it reads."""
    target_assignment: tuple[TopicPartition, ...] | None = None
    """What it shall read."""
    member_epoch: int | None = None
    speaks_classic: bool | None = None
    """Whether it speaks the classic protocol; None where that is not told."""


class GroupDescription(Struct, frozen=True, kw_only=True):
    """One group. What only one of the protocols knows is None in the other."""

    group_id: str
    type: GroupType
    state: GroupState
    protocol_type: str
    assignor: str
    """How partitions are shared out; empty where that is not decided."""
    coordinator: Node | None
    members: tuple[MemberDescription, ...]
    group_epoch: int | None = None
    assignment_epoch: int | None = None
    authorized_operations: Operations | None = None
    """What this client may do with it; None where it was not asked or not told."""


_CLASSIC_MEMBER: Final = 0
_UNKNOWN_MEMBER: Final = -1


def listing_of(told: ListedGroup) -> GroupListing:
    """As a list tells it."""
    return GroupListing(
        group_id=told.group_id,
        protocol_type=told.protocol_type,
        state=GroupState(told.group_state),
        type=GroupType(told.group_type.lower()),
    )


# -- the consumer protocol -------------------------------------------------------------------------


async def describe_consumer(
    node: Connection,
    group_ids: Sequence[str],
    coordinators: Mapping[str, Node | RefusedError],
    *,
    authorized_operations: bool,
) -> Found:
    """By ConsumerGroupDescribe; groups of another type are GROUP_ID_NOT_FOUND."""
    request = ConsumerGroupDescribeRequest(
        group_ids=[*group_ids], include_authorized_operations=authorized_operations
    )
    response = await node.call(request, ConsumerGroupDescribeResponse)
    return {
        told.group_id: refusal(told.error_code, told.error_message, f"group {told.group_id!r}")
        if told.error_code
        else _consumer(told, coordinators)
        for told in response.groups
    }


def _consumer(
    told: consumer_group_describe.DescribedGroup, coordinators: Mapping[str, Node | RefusedError]
) -> GroupDescription:
    return GroupDescription(
        group_id=told.group_id,
        type=GroupType.CONSUMER,
        state=GroupState(told.group_state),
        protocol_type=PROTOCOL_TYPE,
        assignor=told.assignor_name,
        coordinator=_node(coordinators, told.group_id),
        members=tuple(map(_consumer_member, told.members)),
        group_epoch=told.group_epoch,
        assignment_epoch=told.assignment_epoch,
        authorized_operations=operations_of(told.authorized_operations),
    )


def _consumer_member(told: consumer_group_describe.Member) -> MemberDescription:
    is_known = told.member_type != _UNKNOWN_MEMBER
    return MemberDescription(
        member_id=told.member_id,
        group_instance_id=told.instance_id,
        client_id=told.client_id,
        host=told.client_host,
        rack_id=told.rack_id,
        subscribed_topics=frozenset(told.subscribed_topic_names),
        subscribed_pattern=told.subscribed_topic_regex or None,
        assignment=_partitions(told.assignment),
        target_assignment=_partitions(told.target_assignment),
        member_epoch=told.member_epoch,
        speaks_classic=told.member_type == _CLASSIC_MEMBER if is_known else None,
    )


def _partitions(told: consumer_group_describe.Assignment) -> tuple[TopicPartition, ...]:
    return _sorted(
        TopicPartition(topic.topic_name, index)
        for topic in told.topic_partitions
        for index in topic.partitions
    )


# -- the classic protocol --------------------------------------------------------------------------


async def describe_classic(
    node: Connection,
    group_ids: Sequence[str],
    coordinators: Mapping[str, Node | RefusedError],
    *,
    authorized_operations: bool,
) -> Found:
    """By DescribeGroups."""
    request = DescribeGroupsRequest(
        groups=[*group_ids], include_authorized_operations=authorized_operations
    )
    response = await node.call(request, DescribeGroupsResponse)
    return {told.group_id: _classic(told, coordinators) for told in response.groups}


def _classic(
    told: describe_groups.DescribedGroup, coordinators: Mapping[str, Node | RefusedError]
) -> GroupDescription | RefusedError:
    what = f"group {told.group_id!r}"
    if told.error_code:
        return refusal(told.error_code, told.error_message, what)
    state = GroupState(told.group_state)
    if state is GroupState.DEAD:
        # How older brokers say that they do not know it.
        return refusal(ErrorCode.GROUP_ID_NOT_FOUND, None, what)
    return GroupDescription(
        group_id=told.group_id,
        type=GroupType.CLASSIC,
        state=state,
        protocol_type=told.protocol_type,
        assignor=told.protocol_data,
        coordinator=_node(coordinators, told.group_id),
        members=tuple(_classic_member(member, told.protocol_type) for member in told.members),
        authorized_operations=operations_of(told.authorized_operations),
    )


def _classic_member(
    told: describe_groups.DescribedGroupMember, protocol_type: str
) -> MemberDescription:
    reads_topics = protocol_type == PROTOCOL_TYPE
    return MemberDescription(
        member_id=told.member_id,
        group_instance_id=told.group_instance_id,
        client_id=told.client_id,
        host=told.client_host,
        subscribed_topics=_subscribed(told.member_metadata) if reads_topics else frozenset(),
        assignment=_assigned(told.member_assignment) if reads_topics else (),
        speaks_classic=True,
    )


def _subscribed(data: bytes) -> frozenset[str]:
    """What a member wrote, any client; nothing where it cannot be read, or before it is stable."""
    try:
        return frozenset(subscribed_topics(data)) if data else frozenset()
    except ProtocolError:
        return frozenset()


def _assigned(data: bytes) -> tuple[TopicPartition, ...]:
    try:
        topics = decode_assignment(data).assigned_partitions if data else []
    except ProtocolError:
        return ()
    return _sorted(
        TopicPartition(each.topic, index) for each in topics for index in each.partitions
    )


def _sorted(partitions: Iterable[TopicPartition]) -> tuple[TopicPartition, ...]:
    return tuple(sorted(partitions))


def _node(coordinators: Mapping[str, Node | RefusedError], group_id: str) -> Node | None:
    found = coordinators.get(group_id)
    return found if isinstance(found, Node) else None
