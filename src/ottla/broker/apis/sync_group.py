"""SyncGroup: the assignment of a generation; the answer comes when its leader has made it."""

from __future__ import annotations

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.wire.messages.sync_group import SyncGroupRequest, SyncGroupResponse

NAMES_PROTOCOL_SINCE = 5


@handles(SyncGroupRequest, versions="0-5")
async def sync_group(request: SyncGroupRequest, call: Call, broker: Broker) -> SyncGroupResponse:
    """Refuse what is no group; let the group's shard do the rest."""
    names_protocol = request.protocol_type is not None and request.protocol_name is not None
    if not request.group_id:
        return SyncGroupResponse(error_code=ErrorCode.INVALID_GROUP_ID)
    if call.version >= NAMES_PROTOCOL_SINCE and not names_protocol:
        return SyncGroupResponse(error_code=ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
    try:
        return await broker.groups.sync(request)
    except ProtocolError as refused:
        return SyncGroupResponse(error_code=refused.code)
