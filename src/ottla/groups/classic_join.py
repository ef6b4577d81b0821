"""JoinGroup: who becomes a member, who comes back, and whether that takes a rebalance."""

from __future__ import annotations

from msgspec import Struct

from ottla.base.effects import Ticket
from ottla.base.errors import ErrorCode
from ottla.base.limits import NEW_MEMBER_JOIN_MS_MAX
from ottla.groups import classic_rebalance as rebalances
from ottla.groups.classic_group import ClassicGroup
from ottla.groups.classic_member import ClassicMember, Protocols
from ottla.groups.classic_state import State, refused_join
from ottla.groups.journal import Trigger
from ottla.groups.turn import Turn
from ottla.wire.messages.sync_group import SyncGroupResponse


class Joining(Struct, frozen=True, kw_only=True):
    """A JoinGroup request.

    `fresh_id` is the id that its member gets if it has none. `id_first`: a new dynamic member is
    told its id and has to ask again, so that requests that are sent twice leave no ghost members
    (KIP-394). `may_skip_assignment`: the client understands KIP-814.
    """

    member_id: str
    fresh_id: str
    group_instance_id: str | None
    client_id: str
    client_host: str
    session_timeout_ms: int
    rebalance_timeout_ms: int
    protocol_type: str
    protocols: Protocols
    reason: str | None
    id_first: bool
    may_skip_assignment: bool


def join(group: ClassicGroup, joining: Joining, ticket: Ticket, turn: Turn) -> None:
    """Answer at once, or when the next generation begins."""
    if not _has_room(group, joining.member_id, turn.config.size_max):
        if joining.member_id in group.members:
            rebalances.drop_member(group, turn, joining.member_id)
        group.pending_members.pop(joining.member_id, None)
        error: ErrorCode | None = ErrorCode.GROUP_MAX_SIZE_REACHED
    elif not group.supports(joining.protocol_type, joining.protocols):
        error = ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    elif not joining.member_id:
        error = _join_new(group, joining, ticket, turn)
    else:
        error = _join_known(group, joining, ticket, turn)
    if error:
        turn.reply(ticket, refused_join(error, joining.member_id))
    rebalances.complete_if_all_joined(group, turn)


def _has_room(group: ClassicGroup, member_id: str, size_max: int) -> bool:
    """While a group rebalances, those who have joined count: the others may be gone."""
    if group.state is State.EMPTY:
        return True
    member = group.members.get(member_id)
    if group.state is State.PREPARING:
        is_waiting = member is not None and member.join_ticket is not None
        return is_waiting or group.waiting_to_join < size_max
    return member is not None or len(group.members) < size_max


# -- without an id ---------------------------------------------------------------------------------


def _join_new(
    group: ClassicGroup, joining: Joining, ticket: Ticket, turn: Turn
) -> ErrorCode | None:
    instance_id = joining.group_instance_id
    if instance_id is not None and instance_id in group.static_members:
        _take_over(group, group.members[group.static_members[instance_id]], joining, ticket, turn)
    elif instance_id is None and joining.id_first:
        until_ms = turn.monotonic_ms + joining.session_timeout_ms
        group.pending_members[joining.fresh_id] = until_ms
        group.wake_at(until_ms)
        turn.reply(ticket, refused_join(ErrorCode.MEMBER_ID_REQUIRED, joining.fresh_id))
    else:
        _add(group, joining.fresh_id, joining, ticket, turn)
    return None


def _add(group: ClassicGroup, member_id: str, joining: Joining, ticket: Ticket, turn: Turn) -> None:
    """A new member, which waits for the generation that it makes necessary."""
    member = ClassicMember(
        member_id=member_id,
        group_instance_id=joining.group_instance_id,
        client_id=joining.client_id,
        client_host=joining.client_host,
        session_timeout_ms=joining.session_timeout_ms,
        rebalance_timeout_ms=joining.rebalance_timeout_ms,
        protocols=joining.protocols,
        join_ticket=ticket,
        session_deadline_ms=turn.monotonic_ms + NEW_MEMBER_JOIN_MS_MAX,
        is_new=True,
    )
    if not group.members:
        group.protocol_type = joining.protocol_type
    if group.state is State.PREPARING and group.generation == 0:
        group.has_newcomer = True
    group.add(member)
    group.wake_at(member.session_deadline_ms)
    rebalances.note_cause(group, turn, Trigger.JOINED, member, joining.reason)
    rebalances.rebalance(group, turn)


def _take_over(
    group: ClassicGroup, member: ClassicMember, joining: Joining, ticket: Ticket, turn: Turn
) -> None:
    """A static member is back (KIP-345): whoever acted in its name before is fenced."""
    rebalances.answer_join(member, ErrorCode.FENCED_INSTANCE_ID, turn)
    fenced = SyncGroupResponse(error_code=ErrorCode.FENCED_INSTANCE_ID)
    rebalances.answer_sync(member, fenced, turn)
    old_leader = group.leader
    group.rename(member, joining.fresh_id)
    member.is_new = False  # its client is there, so it may wait as long as it takes
    member.client_id, member.client_host = joining.client_id, joining.client_host
    _refresh(group, member, joining, turn)
    group.extend_session(member, turn)
    if group.state is State.STABLE and group.chosen_protocol() == group.protocol:
        _go_on_as_before(group, member, joining, ticket, turn, old_leader)
        return
    # Where the leader makes an assignment already, it makes it for the old id.
    member.join_ticket = ticket
    rebalances.note_cause(group, turn, Trigger.INSTANCE_RETURNED, member, joining.reason)
    rebalances.rebalance(group, turn)


def _go_on_as_before(
    group: ClassicGroup,
    member: ClassicMember,
    joining: Joining,
    ticket: Ticket,
    turn: Turn,
    old_leader: str | None,
) -> None:
    """Keep generation and assignment, and the member's new id with them.

    A leader that knows how to skip the assignment is told that it leads (KIP-814). An older one
    would begin to assign: it is told the leader of before, which it was itself under another id.
    """
    assignments = {each.member_id: each.assignment for each in group.members.values()}
    turn.keep(group.record(assignments, generation=group.generation, now_ms=turn.now_ms))
    if joining.may_skip_assignment:
        response = group.joined(member)
        response.skip_assignment = group.leader == member.member_id
    else:
        response = group.joined(member, leader=old_leader)
    turn.reply(ticket, response)


# -- with an id ------------------------------------------------------------------------------------


def _join_known(
    group: ClassicGroup, joining: Joining, ticket: Ticket, turn: Turn
) -> ErrorCode | None:
    member_id = joining.member_id
    is_dynamic = joining.group_instance_id is None  # static members are given no ids to come with
    if is_dynamic and group.pending_members.pop(member_id, None) is not None:
        _add(group, member_id, joining, ticket, turn)
        return None
    error = group.check_member(member_id, joining.group_instance_id)
    if error:
        return error
    member = group.members[member_id]
    trigger = _why_rebalance(group, member, joining.protocols)
    if trigger is None:
        group.extend_session(member, turn)
        turn.reply(ticket, group.joined(member))
        return None
    _refresh(group, member, joining, turn)
    # A client that asks again has given its first request up.
    rebalances.answer_join(member, ErrorCode.REBALANCE_IN_PROGRESS, turn)
    member.join_ticket = ticket
    if group.state is State.PREPARING:
        return None  # it comes back because all have to
    rebalances.note_cause(group, turn, trigger, member, joining.reason)
    rebalances.rebalance(group, turn)
    return None


def _why_rebalance(
    group: ClassicGroup, member: ClassicMember, protocols: Protocols
) -> Trigger | None:
    """Why a member's JoinGroup takes a rebalance; None where it only missed its last answer."""
    if member.protocols != protocols:
        return Trigger.SUBSCRIPTION_CHANGED
    if group.state is State.PREPARING:
        return Trigger.JOINED
    if group.state is State.STABLE and group.leader == member.member_id:
        return Trigger.METADATA_CHANGED
    return None


def _refresh(group: ClassicGroup, member: ClassicMember, joining: Joining, turn: Turn) -> None:
    """What a member says of itself anew."""
    group.change_protocols(member, joining.protocols)
    member.session_timeout_ms = joining.session_timeout_ms
    member.rebalance_timeout_ms = joining.rebalance_timeout_ms
