"""SyncGroup and Heartbeat: a member fetches its assignment, and shows that it lives."""

from __future__ import annotations

from ottla.base.effects import NEVER, Ticket
from ottla.base.errors import ErrorCode
from ottla.groups import classic_rebalance as rebalances
from ottla.groups.classic_group import ClassicGroup
from ottla.groups.classic_state import State
from ottla.groups.turn import Turn
from ottla.wire.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from ottla.wire.messages.sync_group import SyncGroupRequest, SyncGroupResponse


def sync(group: ClassicGroup, request: SyncGroupRequest, ticket: Ticket, turn: Turn) -> None:
    """Answer with the assignment, at once or when the leader has brought it."""
    error = _check_sync(group, request)
    if error:
        turn.reply(ticket, SyncGroupResponse(error_code=error))
        return
    member = group.members[request.member_id]
    if group.state is State.STABLE:
        group.extend_session(member, turn)
        _synced(group, member.member_id)
        turn.reply(ticket, assigned(group, member.assignment))
        return
    # A client that asks again has given its first request up.
    refused = SyncGroupResponse(error_code=ErrorCode.REBALANCE_IN_PROGRESS)
    rebalances.answer_sync(member, refused, turn)
    member.sync_ticket = ticket
    _synced(group, member.member_id)
    if group.leader == member.member_id:
        _assign(group, request, turn)


def _check_sync(group: ClassicGroup, request: SyncGroupRequest) -> ErrorCode:
    error = _check_generation(
        group, request.member_id, request.group_instance_id, request.generation_id
    )
    if error:
        return error
    is_other_type = request.protocol_type not in (None, group.protocol_type)
    if is_other_type or request.protocol_name not in (None, group.protocol):
        return ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    if group.state is State.PREPARING:
        return ErrorCode.REBALANCE_IN_PROGRESS
    return ErrorCode.NONE


def _check_generation(
    group: ClassicGroup, member_id: str, group_instance_id: str | None, generation: int
) -> ErrorCode:
    error = group.check_member(member_id, group_instance_id)
    if not error and generation != group.generation:
        return ErrorCode.ILLEGAL_GENERATION
    return error


def _synced(group: ClassicGroup, member_id: str) -> None:
    """The member has asked for its part; when all have, nobody is waited for."""
    group.pending_sync.discard(member_id)
    if not group.pending_sync:
        group.sync_deadline_ms = NEVER


def _assign(group: ClassicGroup, request: SyncGroupRequest, turn: Turn) -> None:
    """The leader's word: keep it, and tell all who wait. Members that it forgot get nothing."""
    assignments = {each.member_id: bytes(each.assignment) for each in request.assignments}
    turn.keep(group.record(assignments, generation=group.generation, now_ms=turn.now_ms))
    for member in group.members.values():
        if member.sync_ticket is not None:
            answer = assigned(group, assignments.get(member.member_id, b""))
            rebalances.answer_sync(member, answer, turn)
            group.extend_session(member, turn)


def assigned(group: ClassicGroup, assignment: bytes) -> SyncGroupResponse:
    """A member's part of the current generation."""
    return SyncGroupResponse(
        protocol_type=group.protocol_type, protocol_name=group.protocol, assignment=assignment
    )


def heartbeat(group: ClassicGroup, request: HeartbeatRequest, ticket: Ticket, turn: Turn) -> None:
    """The member lives; it is told when it has to join again.

    Between JoinGroup and SyncGroup heartbeats are fine: the session must not end there.
    """
    error = _check_generation(
        group, request.member_id, request.group_instance_id, request.generation_id
    )
    if not error:
        group.extend_session(group.members[request.member_id], turn)
        if group.state is State.PREPARING:
            error = ErrorCode.REBALANCE_IN_PROGRESS
    turn.reply(ticket, HeartbeatResponse(error_code=error))
