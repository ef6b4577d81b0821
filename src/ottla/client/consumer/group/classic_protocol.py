"""What members of classic groups tell each other through JoinGroup and SyncGroup."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ottla.base.ids import TopicPartition
from ottla.client.consumer.assignors import GroupMember
from ottla.wire.messages.join_group import JoinGroupResponseMember
from ottla.wire.messages.sync_group import SyncGroupRequestAssignment
from ottla.wire.payloads.consumer_protocol import (
    AssignedPartitions,
    ConsumerProtocolAssignment,
    ConsumerProtocolSubscription,
    OwnedPartitions,
    decode_assignment,
    decode_subscription,
    encode_consumer_protocol,
)


def by_topic(partitions: Iterable[TopicPartition]) -> dict[str, list[int]]:
    """The numbers of partitions, sorted, by their topics' names."""
    found: dict[str, list[int]] = {}
    for topic, index in sorted(partitions):
        found.setdefault(topic, []).append(index)
    return found


def subscription_bytes(
    topics: Iterable[str],
    owned: Iterable[TopicPartition],
    *,
    generation: int,
    rack: str | None,
    user_data: bytes | None,
) -> bytes:
    """What a member tells the leader of itself."""
    held = by_topic(owned)
    subscription = ConsumerProtocolSubscription(
        topics=sorted(topics),
        user_data=user_data,
        owned_partitions=[
            OwnedPartitions(topic=topic, partitions=indexes) for topic, indexes in held.items()
        ],
        generation_id=generation,
        rack_id=rack,
    )
    return encode_consumer_protocol(subscription)


def members_of(told: Iterable[JoinGroupResponseMember]) -> list[GroupMember]:
    """The members as the leader's assignor sees them. Raises ProtocolError."""
    return [_member(member) for member in told]


def _member(told: JoinGroupResponseMember) -> GroupMember:
    subscription = decode_subscription(told.metadata)
    user_data = subscription.user_data
    return GroupMember(
        member_id=told.member_id,
        group_instance_id=told.group_instance_id,
        topics=frozenset(subscription.topics),
        owned=tuple(
            TopicPartition(held.topic, index)
            for held in subscription.owned_partitions
            for index in held.partitions
        ),
        generation=subscription.generation_id,
        rack=subscription.rack_id,
        user_data=None if user_data is None else bytes(user_data),
    )


def assignments_of(
    decided: Mapping[str, Sequence[TopicPartition]],
) -> list[SyncGroupRequestAssignment]:
    """What the leader decided, as it is sent."""
    return [
        SyncGroupRequestAssignment(member_id=member_id, assignment=_assignment(partitions))
        for member_id, partitions in decided.items()
    ]


def _assignment(partitions: Iterable[TopicPartition]) -> bytes:
    return encode_consumer_protocol(
        ConsumerProtocolAssignment(
            assigned_partitions=[
                AssignedPartitions(topic=topic, partitions=indexes)
                for topic, indexes in by_topic(partitions).items()
            ]
        )
    )


def partitions_of(assignment: bytes) -> frozenset[TopicPartition]:
    """What this member was given; no bytes at all are no partitions. Raises ProtocolError."""
    if not assignment:
        return frozenset()
    return frozenset(
        TopicPartition(given.topic, index)
        for given in decode_assignment(assignment).assigned_partitions
        for index in given.partitions
    )
