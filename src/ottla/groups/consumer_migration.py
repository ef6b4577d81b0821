"""Groups that change their protocol while they have members (KIP-848).

Up, when a member of the consumer protocol joins a classic group: the others go on as they are, in
the generation that they know, which becomes the group's epoch. Down, when the last such member has
left: the others begin a classic rebalance.
"""

from __future__ import annotations

from collections.abc import Iterable

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.groups import consumer_records as build
from ottla.groups.classic_group import ClassicGroup
from ottla.groups.classic_member import ClassicMember
from ottla.groups.consumer_deadlines import extend
from ottla.groups.consumer_group import ConsumerGroup
from ottla.groups.consumer_member import ClassicFacts, ConsumerMember
from ottla.groups.topics_view import TopicPartition, TopicsView
from ottla.groups.turn import Turn
from ottla.wire.payloads.consumer_protocol import (
    PROTOCOL_TYPE,
    AssignedPartitions,
    ConsumerProtocolAssignment,
    decode_assignment,
    decode_subscription,
    encode_consumer_protocol,
    version_of,
)
from ottla.wire.payloads.group_metadata import (
    GroupMetadataKey,
    GroupMetadataValue,
    MemberMetadata,
)
from ottla.wire.payloads.records import CoordinatorRecord

_RECORD_VERSION = 3

# -- up --------------------------------------------------------------------------------------------


def upgrade(known: ClassicGroup, group: ConsumerGroup, turn: Turn) -> None:
    """Write the members of `known`, which has some, as those of `group`, new and following at once.

    Raises ProtocolError(GROUP_ID_NOT_FOUND) where they cannot be: the group shares no topics, or
    its assignor tells members more than their partitions.
    """
    if known.protocol_type != PROTOCOL_TYPE:
        raise _cannot(known, f"its members speak {known.protocol_type!r}")
    if len(known.members) >= group.config.size_max:
        raise _cannot(known, "it has too many members")
    protocol = known.common_protocol()
    taken: set[TopicPartition] = set()
    records: list[CoordinatorRecord] = []
    for each in known.members.values():
        member = _upgraded(known, each, protocol, group.topics.view, taken)
        taken.update(member.assigned)
        records.append(build.member_record(known.group_id, member))
        records.append(
            build.target_record(known.group_id, member.member_id, member.assigned.keys())
        )
        records.append(build.standing_record(known.group_id, member))
    records.append(build.group_record(known.group_id, known.generation, 0))
    records.append(build.target_epoch_record(known.group_id, known.generation, turn.now_ms))
    turn.effects.records += records
    for record in records:
        group.replay(record.key, record.value)
    for member in group.members.values():
        extend(group, member, turn, group.session_timeout_ms(member))


def _cannot(known: ClassicGroup, why: str) -> ProtocolError:
    return ProtocolError(
        ErrorCode.GROUP_ID_NOT_FOUND,
        f"the classic group {known.group_id!r} cannot become a consumer group: {why}",
    )


def _upgraded(
    known: ClassicGroup,
    member: ClassicMember,
    protocol: str,
    view: TopicsView,
    taken: set[TopicPartition],
) -> ConsumerMember:
    try:
        subscription = decode_subscription(member.metadata_for(protocol))
        assignment = ConsumerProtocolAssignment()
        if member.assignment:
            assignment = decode_assignment(member.assignment)
    except ProtocolError as error:
        raise _cannot(known, f"what member {member.member_id} says cannot be read") from error
    if assignment.user_data:
        raise _cannot(known, "its assignor is one that only its members know")
    held = by_id(assignment.assigned_partitions, view) - taken
    return ConsumerMember(
        member_id=member.member_id,
        instance_id=member.group_instance_id,
        rack_id=subscription.rack_id,
        client_id=member.client_id,
        client_host=member.client_host,
        topic_names=frozenset(subscription.topics),
        rebalance_timeout_ms=member.rebalance_timeout_ms,
        classic=classic_facts(member.session_timeout_ms, member.protocols),
        epoch=known.generation,
        previous_epoch=known.generation,
        assigned=dict.fromkeys(held, known.generation),
    )


def classic_facts(session_timeout_ms: int, protocols: Iterable[tuple[str, bytes]]) -> ClassicFacts:
    """What a member of the classic protocol offers."""
    kept = tuple((name, bytes(metadata)) for name, metadata in protocols)
    return ClassicFacts(session_timeout_ms, kept)


def by_id(topics: Iterable[AssignedPartitions], view: TopicsView) -> frozenset[TopicPartition]:
    """Partitions that classic members name; those of topics that exist."""
    return frozenset(
        (facts.topic_id, index)
        for topic in topics
        if (facts := view.named(topic.topic)) is not None
        for index in topic.partitions
    )


# -- between ---------------------------------------------------------------------------------------


def common_protocol(group: ConsumerGroup) -> str:
    """The first assignor, as the first classic member lines them up, that all of those know."""
    offers = [member.classic.protocols for member in group.members.values() if member.classic]
    shared = set.intersection(*({name for name, _ in offer} for offer in offers))
    return next((name for name, _ in offers[0] if name in shared), offers[0][0][0])


def encoded_assignment(member: ConsumerMember, view: TopicsView) -> bytes:
    """What a member holds, in the form and version that its client knows."""
    assignment = ConsumerProtocolAssignment(
        assigned_partitions=[
            AssignedPartitions(topic=facts.name, partitions=partitions)
            for topic_id, partitions in build.by_topic(member.assigned)
            if (facts := view.identified(topic_id)) is not None
        ]
    )
    return encode_consumer_protocol(assignment, _version_known_to(member))


def _version_known_to(member: ConsumerMember) -> int:
    """The one it writes itself; of some of its protocols it may tell in a form of their own."""
    assert member.classic is not None
    for _, metadata in member.classic.protocols:
        version = version_of(metadata)
        if version is not None:
            return min(version, ConsumerProtocolAssignment.VERSIONS.max)
    return ConsumerProtocolAssignment.VERSIONS.min


# -- down ------------------------------------------------------------------------------------------


def downgraded(group: ConsumerGroup, turn: Turn) -> ClassicGroup:
    """The group with its classic members, who are about to rebalance."""
    record = _classic_record(group, turn.now_ms)
    turn.effects.records += [*group.tombstones(), record]
    classic = ClassicGroup(group.group_id)
    assert isinstance(record.value, GroupMetadataValue)
    classic.restore(record.value)
    for member in classic.members.values():
        facts = group.members[member.member_id].classic
        assert facts is not None
        classic.change_protocols(member, list(facts.protocols))
    classic.loaded(turn)
    classic.must_rebalance = True
    classic.wake_at(turn.monotonic_ms)
    return classic


def _classic_record(group: ConsumerGroup, now_ms: int) -> CoordinatorRecord:
    protocol = common_protocol(group)
    view = group.topics.view
    value = GroupMetadataValue(
        protocol_type=PROTOCOL_TYPE,
        generation=group.epoch,
        protocol=protocol,
        leader=next(iter(group.members)),
        current_state_timestamp=now_ms,
        members=[_classic_member(member, protocol, view) for member in group.members.values()],
    )
    return CoordinatorRecord(GroupMetadataKey(group=group.group_id), value, _RECORD_VERSION)


def _classic_member(member: ConsumerMember, protocol: str, view: TopicsView) -> MemberMetadata:
    assert member.classic is not None
    return MemberMetadata(
        member_id=member.member_id,
        group_instance_id=member.instance_id,
        client_id=member.client_id,
        client_host=member.client_host,
        rebalance_timeout=member.rebalance_timeout_ms,
        session_timeout=member.classic.session_timeout_ms,
        subscription=dict(reversed(member.classic.protocols))[protocol],
        assignment=encoded_assignment(member, view),
    )
