"""LeaveGroup: members go, one or several at once."""

from __future__ import annotations

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.wire.messages.leave_group import LeaveGroupRequest, LeaveGroupResponse, MemberIdentity

SINGLE_MEMBER_FORM = range(3)
"""Versions in which one member goes, and its error is that of the answer (before KIP-345)."""


@handles(LeaveGroupRequest, versions="0-5")
async def leave_group(request: LeaveGroupRequest, call: Call, broker: Broker) -> LeaveGroupResponse:
    """Refuse what is no group; let the group's shard do the rest."""
    if not request.group_id:
        return LeaveGroupResponse(error_code=ErrorCode.INVALID_GROUP_ID)
    leaving = request.members
    if call.version in SINGLE_MEMBER_FORM:
        leaving = [MemberIdentity(member_id=request.member_id)]
    try:
        response = await broker.groups.leave(request.group_id, leaving)
    except ProtocolError as refused:
        return LeaveGroupResponse(error_code=refused.code)
    if call.version in SINGLE_MEMBER_FORM:
        error = response.error_code or response.members[0].error_code
        return LeaveGroupResponse(error_code=error)
    return response
