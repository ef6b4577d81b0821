"""CreatePartitions: more partitions for topics that exist."""

from __future__ import annotations

from ottla.base.errors import ProtocolError
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.wire.messages.create_partitions import (
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    CreatePartitionsTopicResult,
)

KNOWS_QUOTA = 3
"""From this version a client understands that its quota is used up (KIP-599)."""


@handles(CreatePartitionsRequest, versions="0-3")
async def create_partitions(
    request: CreatePartitionsRequest, call: Call, broker: Broker
) -> CreatePartitionsResponse:
    """Grow each topic by itself."""
    permits = broker.quotas.permits(call.client_id, strict=call.version >= KNOWS_QUOTA)
    try:
        broker.replicas.directories.check_room_for_more()
        response = await broker.metadata.create_partitions(request, take_permits=permits.take)
    except ProtocolError as refused:
        return CreatePartitionsResponse(
            results=[
                CreatePartitionsTopicResult(
                    name=topic.name, error_code=refused.code, error_message=refused.message
                )
                for topic in request.topics
            ]
        )
    response.throttle_time_ms = permits.throttle_ms
    return response
