"""ConsumerGroupDescribe: state, members and assignments of consumer protocol groups."""

from __future__ import annotations

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.broker.authorized_operations import OF_GROUP
from ottla.broker.broker import Broker
from ottla.broker.consumer_protocol import CONSUMER_PROTOCOL_OFF, knows_consumer_protocol
from ottla.broker.handlers import Call, handles
from ottla.wire.messages.consumer_group_describe import (
    ConsumerGroupDescribeRequest,
    ConsumerGroupDescribeResponse,
    DescribedGroup,
)


@handles(ConsumerGroupDescribeRequest, versions="0-1")
async def consumer_group_describe(
    request: ConsumerGroupDescribeRequest, call: Call, broker: Broker
) -> ConsumerGroupDescribeResponse:
    """Each group by itself: one that cannot be described does not hide the others."""
    if not knows_consumer_protocol(broker):
        return _unsupported(request)
    groups = [await _described(group_id, broker) for group_id in request.group_ids]
    if request.include_authorized_operations:
        for group in groups:
            if not group.error_code:
                group.authorized_operations = OF_GROUP
    return ConsumerGroupDescribeResponse(groups=groups)


def _unsupported(request: ConsumerGroupDescribeRequest) -> ConsumerGroupDescribeResponse:
    return ConsumerGroupDescribeResponse(
        groups=[
            DescribedGroup(
                group_id=group_id,
                error_code=ErrorCode.UNSUPPORTED_VERSION,
                error_message=CONSUMER_PROTOCOL_OFF,
            )
            for group_id in request.group_ids
        ]
    )


async def _described(group_id: str, broker: Broker) -> DescribedGroup:
    if not group_id:
        return DescribedGroup(group_id=group_id, error_code=ErrorCode.INVALID_GROUP_ID)
    try:
        return await broker.groups.consumer_describe(group_id)
    except ProtocolError as refused:
        return DescribedGroup(
            group_id=group_id, error_code=refused.code, error_message=refused.message
        )
