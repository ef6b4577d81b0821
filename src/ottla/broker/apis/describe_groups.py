"""DescribeGroups: state and members of classic groups."""

from __future__ import annotations

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.broker.authorized_operations import OF_GROUP
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.wire.messages.describe_groups import (
    DescribedGroup,
    DescribeGroupsRequest,
    DescribeGroupsResponse,
)

TELLS_UNKNOWN_GROUPS = 6
"""Before this version an unknown group is one that is dead, without an error (KIP-1043)."""


@handles(DescribeGroupsRequest, versions="0-6")
async def describe_groups(
    request: DescribeGroupsRequest, call: Call, broker: Broker
) -> DescribeGroupsResponse:
    """Describe each group by itself."""
    groups = [await _describe(group_id, call.version, broker) for group_id in request.groups]
    if request.include_authorized_operations:
        for group in groups:
            if not group.error_code:
                group.authorized_operations = OF_GROUP
    return DescribeGroupsResponse(groups=groups)


async def _describe(group_id: str, version: int, broker: Broker) -> DescribedGroup:
    try:
        group = await broker.groups.describe(group_id)
    except ProtocolError as refused:
        return DescribedGroup(group_id=group_id, error_code=refused.code)
    if group.error_code == ErrorCode.GROUP_ID_NOT_FOUND and version < TELLS_UNKNOWN_GROUPS:
        group.error_code = ErrorCode.NONE
    if version < TELLS_UNKNOWN_GROUPS:
        group.error_message = None
    return group
