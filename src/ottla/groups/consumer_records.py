"""Consumer groups as records of `__consumer_offsets`: each thing as a record, and back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from ottla.groups.consumer_member import ClassicFacts, ConsumerMember, Held, MemberState
from ottla.groups.topics_view import TopicPartition
from ottla.wire.payloads.consumer_groups import (
    ClassicMemberMetadata,
    ClassicProtocol,
    ConsumerGroupCurrentMemberAssignmentKey,
    ConsumerGroupCurrentMemberAssignmentValue,
    ConsumerGroupMemberMetadataKey,
    ConsumerGroupMemberMetadataValue,
    ConsumerGroupMetadataKey,
    ConsumerGroupMetadataValue,
    ConsumerGroupPartitionMetadataKey,
    ConsumerGroupRegularExpressionKey,
    ConsumerGroupRegularExpressionValue,
    ConsumerGroupTargetAssignmentMemberKey,
    ConsumerGroupTargetAssignmentMemberValue,
    ConsumerGroupTargetAssignmentMetadataKey,
    ConsumerGroupTargetAssignmentMetadataValue,
    OwnedPartitions,
    TargetPartitions,
)
from ottla.wire.payloads.records import CoordinatorRecord

# -- the group -------------------------------------------------------------------------------------


def group_record(group_id: str, epoch: int, metadata_hash: int) -> CoordinatorRecord:
    """The group's epoch, and of what topics it was made."""
    return CoordinatorRecord(
        ConsumerGroupMetadataKey(group_id=group_id),
        ConsumerGroupMetadataValue(epoch=epoch, metadata_hash=metadata_hash),
    )


def target_epoch_record(group_id: str, epoch: int, now_ms: int) -> CoordinatorRecord:
    """A target assignment is whole: written behind those of its members."""
    return CoordinatorRecord(
        ConsumerGroupTargetAssignmentMetadataKey(group_id=group_id),
        ConsumerGroupTargetAssignmentMetadataValue(
            assignment_epoch=epoch, assignment_timestamp=now_ms
        ),
    )


def regex_record(
    group_id: str, regex: str, topics: Iterable[str], *, version: int, now_ms: int
) -> CoordinatorRecord:
    """The topics that an expression stands for."""
    return CoordinatorRecord(
        ConsumerGroupRegularExpressionKey(group_id=group_id, regular_expression=regex),
        ConsumerGroupRegularExpressionValue(
            topics=sorted(topics), version=version, timestamp=now_ms
        ),
    )


def regex_tombstone(group_id: str, regex: str) -> CoordinatorRecord:
    """Nobody subscribes to the expression any more."""
    key = ConsumerGroupRegularExpressionKey(group_id=group_id, regular_expression=regex)
    return CoordinatorRecord(key, None)


def group_tombstones(group_id: str, *, has_partition_metadata: bool) -> list[CoordinatorRecord]:
    """The group is gone; its members and expressions went before."""
    keys = [ConsumerGroupTargetAssignmentMetadataKey(group_id=group_id)]
    records = [CoordinatorRecord(key, None) for key in keys]
    if has_partition_metadata:
        records.append(
            CoordinatorRecord(ConsumerGroupPartitionMetadataKey(group_id=group_id), None)
        )
    return [*records, CoordinatorRecord(ConsumerGroupMetadataKey(group_id=group_id), None)]


# -- a member --------------------------------------------------------------------------------------


def member_record(group_id: str, member: ConsumerMember) -> CoordinatorRecord:
    """What a member said of itself."""
    value = ConsumerGroupMemberMetadataValue(
        instance_id=member.instance_id,
        rack_id=member.rack_id,
        client_id=member.client_id,
        client_host=member.client_host,
        subscribed_topic_names=sorted(member.topic_names),
        subscribed_topic_regex=member.topic_regex,
        rebalance_timeout_ms=member.rebalance_timeout_ms,
        server_assignor=member.server_assignor,
        classic_member_metadata=None if member.classic is None else _classic_value(member.classic),
    )
    key = ConsumerGroupMemberMetadataKey(group_id=group_id, member_id=member.member_id)
    return CoordinatorRecord(key, value)


def target_record(
    group_id: str, member_id: str, share: Collection[TopicPartition]
) -> CoordinatorRecord:
    """What a member shall have."""
    value = ConsumerGroupTargetAssignmentMemberValue(
        topic_partitions=[
            TargetPartitions(topic_id=topic_id, partitions=partitions)
            for topic_id, partitions in by_topic(share)
        ]
    )
    key = ConsumerGroupTargetAssignmentMemberKey(group_id=group_id, member_id=member_id)
    return CoordinatorRecord(key, value)


def standing_record(group_id: str, member: ConsumerMember) -> CoordinatorRecord:
    """What a member has, and must give back."""
    value = ConsumerGroupCurrentMemberAssignmentValue(
        member_epoch=member.epoch,
        previous_member_epoch=member.previous_epoch,
        state=member.state,
        assigned_partitions=_owned(member.assigned),
        partitions_pending_revocation=_owned(member.revoking),
    )
    key = ConsumerGroupCurrentMemberAssignmentKey(group_id=group_id, member_id=member.member_id)
    return CoordinatorRecord(key, value)


def member_tombstones(group_id: str, member_id: str) -> list[CoordinatorRecord]:
    """Everything of a member, in the order that leaves nothing half known."""
    return [
        CoordinatorRecord(
            ConsumerGroupCurrentMemberAssignmentKey(group_id=group_id, member_id=member_id), None
        ),
        CoordinatorRecord(
            ConsumerGroupTargetAssignmentMemberKey(group_id=group_id, member_id=member_id), None
        ),
        CoordinatorRecord(
            ConsumerGroupMemberMetadataKey(group_id=group_id, member_id=member_id), None
        ),
    ]


# -- and back --------------------------------------------------------------------------------------


def as_said(member: ConsumerMember, value: ConsumerGroupMemberMetadataValue) -> ConsumerMember:
    """The member with what its record says that it said."""
    classic = value.classic_member_metadata
    return member.but(
        instance_id=value.instance_id,
        rack_id=value.rack_id,
        client_id=value.client_id,
        client_host=value.client_host,
        topic_names=frozenset(value.subscribed_topic_names),
        topic_regex=value.subscribed_topic_regex or None,
        rebalance_timeout_ms=value.rebalance_timeout_ms,
        server_assignor=value.server_assignor or None,
        classic=None if classic is None else _classic_facts(classic),
    )


def as_standing(
    member: ConsumerMember, value: ConsumerGroupCurrentMemberAssignmentValue
) -> ConsumerMember:
    """The member with what its record says that it has."""
    return member.but(
        epoch=value.member_epoch,
        previous_epoch=value.previous_member_epoch,
        state=_STATES.get(value.state, MemberState.UNKNOWN),
        assigned=_held(value.assigned_partitions, value.member_epoch),
        revoking=_held(value.partitions_pending_revocation, value.member_epoch),
    )


def share_of(value: ConsumerGroupTargetAssignmentMemberValue) -> frozenset[TopicPartition]:
    """What a member shall have."""
    return frozenset(
        (topic.topic_id, index) for topic in value.topic_partitions for index in topic.partitions
    )


def by_topic(partitions: Iterable[TopicPartition]) -> list[tuple[bytes, list[int]]]:
    """Partitions as messages list them: topic by topic, in order."""
    found: defaultdict[bytes, list[int]] = defaultdict(list)
    for topic_id, index in sorted(partitions):
        found[topic_id].append(index)
    return list(found.items())


_STATES: Mapping[int, MemberState] = {state.value: state for state in MemberState}


def _owned(held: Held) -> list[OwnedPartitions]:
    return [
        OwnedPartitions(
            topic_id=topic_id,
            partitions=partitions,
            assignment_epochs=[held[topic_id, index] for index in partitions],
        )
        for topic_id, partitions in by_topic(held)
    ]


def _held(topics: Iterable[OwnedPartitions], member_epoch: int) -> Held:
    """Brokers before Kafka 4.3 wrote no epochs: then the member's own is the only safe one."""
    held: dict[TopicPartition, int] = {}
    for topic in topics:
        epochs = topic.assignment_epochs or [member_epoch] * len(topic.partitions)
        for index, epoch in zip(topic.partitions, epochs, strict=True):
            held[topic.topic_id, index] = epoch
    return held


def _classic_value(facts: ClassicFacts) -> ClassicMemberMetadata:
    return ClassicMemberMetadata(
        session_timeout_ms=facts.session_timeout_ms,
        supported_protocols=[
            ClassicProtocol(name=name, metadata=metadata) for name, metadata in facts.protocols
        ],
    )


def _classic_facts(value: ClassicMemberMetadata) -> ClassicFacts:
    return ClassicFacts(
        session_timeout_ms=value.session_timeout_ms,
        protocols=tuple(
            (protocol.name, bytes(protocol.metadata)) for protocol in value.supported_protocols
        ),
    )
