"""LeaveGroup: members go by themselves, or an admin sends them away."""

from __future__ import annotations

from ottla.base.effects import Ticket
from ottla.base.errors import ErrorCode
from ottla.groups import classic_rebalance as rebalances
from ottla.groups.classic_group import ClassicGroup
from ottla.groups.journal import Trigger
from ottla.groups.turn import Turn
from ottla.wire.messages.leave_group import LeaveGroupResponse, MemberIdentity, MemberResponse


def leave(group: ClassicGroup, members: list[MemberIdentity], ticket: Ticket, turn: Turn) -> None:
    """Take out all of them, then rebalance once."""
    members_before = len(group.members)
    answers = [
        MemberResponse(
            member_id=leaving.member_id,
            group_instance_id=leaving.group_instance_id,
            error_code=_take_out(group, leaving, turn),
        )
        for leaving in members
    ]
    turn.reply(ticket, LeaveGroupResponse(members=answers))
    if len(group.members) < members_before:
        rebalances.rebalance(group, turn)
    else:
        rebalances.complete_if_all_joined(group, turn)


def _take_out(group: ClassicGroup, leaving: MemberIdentity, turn: Turn) -> ErrorCode:
    if group.pending_members.pop(leaving.member_id, None) is not None:
        return ErrorCode.NONE
    member_id = leaving.member_id
    if not member_id and leaving.group_instance_id is not None:
        # An admin knows a static member by its name alone.
        member_id = group.static_members.get(leaving.group_instance_id, "")
    error = group.check_member(member_id, leaving.group_instance_id)
    if error:
        return error
    member = rebalances.drop_member(group, turn, member_id)
    rebalances.note_cause(group, turn, Trigger.LEFT, member, leaving.reason)
    return ErrorCode.NONE


def nobody_left(members: list[MemberIdentity]) -> LeaveGroupResponse:
    """The answer where there is no such group: each of them is told, as it asked for itself."""
    return LeaveGroupResponse(
        members=[
            MemberResponse(
                member_id=leaving.member_id,
                group_instance_id=leaving.group_instance_id,
                error_code=ErrorCode.UNKNOWN_MEMBER_ID,
            )
            for leaving in members
        ]
    )
