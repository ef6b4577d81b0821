"""Heartbeat: a member lives, and learns whether it has to join again."""

from __future__ import annotations

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.wire.messages.heartbeat import HeartbeatRequest, HeartbeatResponse


@handles(HeartbeatRequest, versions="0-4")
async def heartbeat(request: HeartbeatRequest, call: Call, broker: Broker) -> HeartbeatResponse:
    """Refuse what is no group; let the group's shard do the rest.

    While the shard is read again, members are not sent away: they have all their session left.
    """
    if not request.group_id:
        return HeartbeatResponse(error_code=ErrorCode.INVALID_GROUP_ID)
    try:
        return await broker.groups.heartbeat(request)
    except ProtocolError as refused:
        if refused.code is ErrorCode.COORDINATOR_LOAD_IN_PROGRESS:
            return HeartbeatResponse()
        return HeartbeatResponse(error_code=refused.code)
