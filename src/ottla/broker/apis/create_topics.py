"""CreateTopics: decided by the controller, answered once the new partitions can be used here."""

from __future__ import annotations

from ottla.base.errors import ProtocolError
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.wire.messages.create_topics import (
    CreatableTopicResult,
    CreateTopicsRequest,
    CreateTopicsResponse,
)

KNOWS_QUOTA = 6
"""From this version a client understands that its quota is used up (KIP-599)."""


@handles(CreateTopicsRequest, versions="2-7")
async def create_topics(
    request: CreateTopicsRequest, call: Call, broker: Broker
) -> CreateTopicsResponse:
    """Create, or with `validate_only` judge, each topic by itself."""
    permits = broker.quotas.permits(call.client_id, strict=call.version >= KNOWS_QUOTA)
    try:
        broker.replicas.directories.check_room_for_more()
        response = await broker.metadata.create_topics(request, take_permits=permits.take)
    except ProtocolError as refused:
        return CreateTopicsResponse(
            topics=[
                CreatableTopicResult(
                    name=topic.name, error_code=refused.code, error_message=refused.message
                )
                for topic in request.topics
            ]
        )
    response.throttle_time_ms = permits.throttle_ms
    return response
