"""Members of the classic protocol in a consumer group: its four requests, answered from it.

Nobody of them leads, and nobody waits: JoinGroup answers at once with the member's epoch as the
generation, SyncGroup with what the member holds, and Heartbeat tells when it has to join again to
come further: to follow the group's epoch, to give something back, or to take what is free now.
"""

from __future__ import annotations

from ottla.base.effects import Ticket
from ottla.base.errors import ErrorCode, ProtocolError
from ottla.groups.classic_join import Joining
from ottla.groups.classic_state import refused_join
from ottla.groups.consumer_draft import ConsumerDraft
from ottla.groups.consumer_group import ConsumerGroup
from ottla.groups.consumer_heartbeat import follow, step
from ottla.groups.consumer_journal import cause_of
from ottla.groups.consumer_leave import remove_members
from ottla.groups.consumer_member import JOINING, ConsumerMember, MemberState
from ottla.groups.consumer_migration import (
    by_id,
    classic_facts,
    common_protocol,
    encoded_assignment,
)
from ottla.groups.journal import Trigger
from ottla.groups.turn import Turn
from ottla.wire.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from ottla.wire.messages.join_group import JoinGroupResponse
from ottla.wire.messages.leave_group import LeaveGroupResponse, MemberIdentity, MemberResponse
from ottla.wire.messages.sync_group import SyncGroupRequest, SyncGroupResponse
from ottla.wire.payloads.consumer_protocol import (
    PROTOCOL_TYPE,
    AssignedPartitions,
    ConsumerProtocolSubscription,
    decode_subscription,
)

# -- JoinGroup -------------------------------------------------------------------------------------


def join(group: ConsumerGroup, joining: Joining, ticket: Ticket, turn: Turn) -> None:
    """Answer at once."""
    if not joining.member_id and joining.group_instance_id is None and joining.id_first:
        turn.reply(ticket, refused_join(ErrorCode.MEMBER_ID_REQUIRED, joining.fresh_id))
        return
    try:
        turn.reply(ticket, _joined(group, joining, turn))
    except ProtocolError as refused:
        turn.reply(ticket, refused_join(refused.code, joining.member_id))


def _joined(group: ConsumerGroup, joining: Joining, turn: Turn) -> JoinGroupResponse:
    protocol, subscription = _shared_protocol(group, joining)
    draft = ConsumerDraft(group)
    said = _as_said(_admitted(draft, joining, group.config.size_max), joining, subscription)
    follow(draft, said, turn, view=group.topics.view, config=group.config)
    owned = [
        AssignedPartitions(topic=each.topic, partitions=each.partitions)
        for each in subscription.owned_partitions
    ]
    after = step(draft, said, by_id(owned, group.topics.view), begins_anew=said.epoch == JOINING)
    turn.effects.records += draft.records
    group.revocation_ends_ms.pop(after.member_id, None)
    _extend_session(group, after, turn)
    return JoinGroupResponse(
        generation_id=after.epoch,
        protocol_type=PROTOCOL_TYPE,
        protocol_name=protocol,
        leader="",
        member_id=after.member_id,
        members=[],
    )


def _shared_protocol(
    group: ConsumerGroup, joining: Joining
) -> tuple[str, ConsumerProtocolSubscription]:
    """The first of the member's assignors that all other classic members know, and what it reads.

    Raises ProtocolError(INCONSISTENT_GROUP_PROTOCOL).
    """
    others = [
        {name for name, _ in member.classic.protocols}
        for member in group.members.values()
        if member.classic is not None and member.member_id != joining.member_id
    ]
    if joining.protocol_type == PROTOCOL_TYPE:
        for name, metadata in joining.protocols:
            if all(name in known for known in others):
                return name, _subscription(metadata)
    raise ProtocolError(
        ErrorCode.INCONSISTENT_GROUP_PROTOCOL, "no assignor is known to all classic members"
    )


def _subscription(metadata: bytes) -> ConsumerProtocolSubscription:
    try:
        return decode_subscription(metadata)
    except ProtocolError as error:
        raise ProtocolError(
            ErrorCode.INCONSISTENT_GROUP_PROTOCOL, "the subscription cannot be read"
        ) from error


def _admitted(draft: ConsumerDraft, joining: Joining, size_max: int) -> ConsumerMember:
    """The member that speaks; one that comes without an id gets the fresh one."""
    member_id = joining.member_id or joining.fresh_id
    known = None
    if joining.group_instance_id is not None:
        known = draft.instance(joining.group_instance_id)
    if known is None:
        known = draft.members.get(member_id)
    if known is None:
        if len(draft.members) >= size_max:
            raise ProtocolError(ErrorCode.GROUP_MAX_SIZE_REACHED, "the group is full")
        return ConsumerMember(member_id=member_id)
    if known.member_id == member_id:
        return known
    if joining.member_id:
        raise ProtocolError(ErrorCode.FENCED_INSTANCE_ID, "the instance id has another member")
    return draft.take_over(known, member_id)


def _as_said(
    member: ConsumerMember, joining: Joining, subscription: ConsumerProtocolSubscription
) -> ConsumerMember:
    return member.but(
        instance_id=joining.group_instance_id,
        rack_id=subscription.rack_id,
        client_id=joining.client_id,
        client_host=joining.client_host,
        rebalance_timeout_ms=joining.rebalance_timeout_ms,
        topic_names=frozenset(subscription.topics),
        topic_regex=None,
        server_assignor=None,
        classic=classic_facts(joining.session_timeout_ms, joining.protocols),
    )


# -- SyncGroup, Heartbeat --------------------------------------------------------------------------


def sync(group: ConsumerGroup, request: SyncGroupRequest, ticket: Ticket, turn: Turn) -> None:
    """Answer with what the member holds, unless it has to join again first."""
    try:
        member = _member(group, request.member_id, request.group_instance_id, request.generation_id)
    except ProtocolError as refused:
        turn.reply(ticket, SyncGroupResponse(error_code=refused.code))
        return
    assert member.classic is not None
    is_other_type = request.protocol_type not in (None, PROTOCOL_TYPE)
    names = [name for name, _ in member.classic.protocols]
    error = ErrorCode.NONE
    if is_other_type or request.protocol_name not in (None, *names):
        error = ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    elif group.epoch > member.epoch and member.state is not MemberState.UNREVOKED_PARTITIONS:
        error = ErrorCode.REBALANCE_IN_PROGRESS
    if error:
        turn.reply(ticket, SyncGroupResponse(error_code=error))
        return
    _extend_session(group, member, turn)
    assignment = encoded_assignment(member, group.topics.view)
    turn.reply(
        ticket,
        SyncGroupResponse(
            protocol_type=PROTOCOL_TYPE,
            protocol_name=request.protocol_name or common_protocol(group),
            assignment=assignment,
        ),
    )


def heartbeat(group: ConsumerGroup, request: HeartbeatRequest, ticket: Ticket, turn: Turn) -> None:
    """The member lives; from when it has to join again, it has its rebalance timeout for it."""
    try:
        member = _member(group, request.member_id, request.group_instance_id, request.generation_id)
    except ProtocolError as refused:
        turn.reply(ticket, HeartbeatResponse(error_code=refused.code))
        return
    draft = ConsumerDraft(group)
    follow(draft, member, turn, view=group.topics.view, config=group.config)
    turn.effects.records += draft.records
    _extend_session(group, member, turn)
    error = ErrorCode.NONE
    if _must_rejoin(draft, member):
        error = ErrorCode.REBALANCE_IN_PROGRESS
        ends_ms = turn.monotonic_ms + member.rebalance_timeout_ms
        group.wake_at(group.revocation_ends_ms.setdefault(member.member_id, ends_ms))
    turn.reply(ticket, HeartbeatResponse(error_code=error))


def _must_rejoin(draft: ConsumerDraft, member: ConsumerMember) -> bool:
    if draft.epoch > member.epoch or member.state is MemberState.UNREVOKED_PARTITIONS:
        return True
    if member.state is not MemberState.UNRELEASED_PARTITIONS:
        return False
    missing = draft.share_of(member.member_id) - member.assigned.keys()
    return all(draft.owner(partition) is None for partition in missing)


def _member(
    group: ConsumerGroup, member_id: str, instance_id: str | None, generation: int
) -> ConsumerMember:
    """Raises ProtocolError: UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, ILLEGAL_GENERATION."""
    if instance_id is not None:
        known = group.instances.get(instance_id)
        if known is None:
            raise ProtocolError(ErrorCode.UNKNOWN_MEMBER_ID, "the instance id has no member")
        if known != member_id:
            raise ProtocolError(ErrorCode.FENCED_INSTANCE_ID, "the instance id has another member")
    member = group.members.get(member_id)
    if member is None or member.classic is None or member.epoch == JOINING:
        raise ProtocolError(ErrorCode.UNKNOWN_MEMBER_ID, "no member of the classic protocol")
    if member.epoch != generation:
        raise ProtocolError(ErrorCode.ILLEGAL_GENERATION, "the generation is another one")
    return member


def _extend_session(group: ConsumerGroup, member: ConsumerMember, turn: Turn) -> None:
    ends_ms = turn.monotonic_ms + group.session_timeout_ms(member)
    group.session_ends_ms[member.member_id] = ends_ms
    group.wake_at(ends_ms)


# -- LeaveGroup ------------------------------------------------------------------------------------


def leave(group: ConsumerGroup, members: list[MemberIdentity], ticket: Ticket, turn: Turn) -> None:
    """Take out all of them at once; whatever protocol they speak, an admin may send them away."""
    leaving: dict[str, ConsumerMember] = {}
    answers = []
    for identity in members:
        found = _leaving(group, identity)
        error = ErrorCode.NONE
        if isinstance(found, ErrorCode):
            error = found
        elif found.member_id in leaving:
            error = ErrorCode.UNKNOWN_MEMBER_ID
        else:
            leaving[found.member_id] = found
        answers.append(
            MemberResponse(
                member_id=identity.member_id,
                group_instance_id=identity.group_instance_id,
                error_code=error,
            )
        )
    if leaving:
        draft = ConsumerDraft(group)
        reasons = {identity.member_id: identity.reason for identity in members}
        causes = [
            cause_of(member, Trigger.LEFT, reasons.get(member.member_id))
            for member in leaving.values()
        ]
        remove_members(draft, leaving.values(), turn, causes)
        turn.effects.records += draft.records
    turn.reply(ticket, LeaveGroupResponse(members=answers))


def _leaving(group: ConsumerGroup, identity: MemberIdentity) -> ConsumerMember | ErrorCode:
    member_id = identity.member_id
    if identity.group_instance_id is not None:
        known = group.instances.get(identity.group_instance_id)
        if known is None:
            return ErrorCode.UNKNOWN_MEMBER_ID
        if member_id and known != member_id:
            return ErrorCode.FENCED_INSTANCE_ID
        member_id = known
    return group.members.get(member_id, ErrorCode.UNKNOWN_MEMBER_ID)
