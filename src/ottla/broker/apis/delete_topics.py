"""DeleteTopics: decided by the controller; the disk is freed after `file.delete.delay.ms`."""

from __future__ import annotations

from ottla.base.errors import ProtocolError
from ottla.base.ids import ZERO_UUID
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.wire.messages.delete_topics import (
    DeletableTopicResult,
    DeleteTopicsRequest,
    DeleteTopicsResponse,
    DeleteTopicState,
)

KNOWS_QUOTA = 5
"""From this version a client understands that its quota is used up (KIP-599)."""


@handles(DeleteTopicsRequest, versions="1-6")
async def delete_topics(
    request: DeleteTopicsRequest, call: Call, broker: Broker
) -> DeleteTopicsResponse:
    """Delete each topic, by name or id."""
    permits = broker.quotas.permits(call.client_id, strict=call.version >= KNOWS_QUOTA)
    try:
        response = await broker.metadata.delete_topics(
            request, version=call.version, take_permits=permits.take
        )
    except ProtocolError as refused:
        named = [DeleteTopicState(name=name, topic_id=ZERO_UUID) for name in request.topic_names]
        return DeleteTopicsResponse(
            responses=[
                DeletableTopicResult(
                    name=topic.name,
                    topic_id=topic.topic_id,
                    error_code=refused.code,
                    error_message=refused.message,
                )
                for topic in named or request.topics
            ]
        )
    response.throttle_time_ms = permits.throttle_ms
    return response
