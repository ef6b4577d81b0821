"""DeleteGroups: remove groups without members, with all that they have committed."""

from __future__ import annotations

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.wire.messages.delete_groups import (
    DeletableGroupResult,
    DeleteGroupsRequest,
    DeleteGroupsResponse,
)


@handles(DeleteGroupsRequest, versions="0-2")
async def delete_groups(
    request: DeleteGroupsRequest, call: Call, broker: Broker
) -> DeleteGroupsResponse:
    """Delete each group by itself."""
    return DeleteGroupsResponse(
        results=[
            DeletableGroupResult(group_id=name, error_code=await _delete(name, broker))
            for name in request.groups_names
        ]
    )


async def _delete(group_id: str, broker: Broker) -> ErrorCode:
    try:
        return await broker.groups.delete(group_id)
    except ProtocolError as refused:
        return refused.code
