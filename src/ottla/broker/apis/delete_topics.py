"""DeleteTopics: decided by the controller; the disk is freed after `file.delete.delay.ms`."""

from __future__ import annotations

from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.wire.messages.delete_topics import DeleteTopicsRequest, DeleteTopicsResponse


@handles(DeleteTopicsRequest, versions="1-6")
async def delete_topics(
    request: DeleteTopicsRequest, call: Call, broker: Broker
) -> DeleteTopicsResponse:
    """Delete each topic, by name or id."""
    return await broker.metadata.delete_topics(request, version=call.version)
