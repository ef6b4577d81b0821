"""CreateTopics: decided by the controller, answered once the new partitions can be used here."""

from __future__ import annotations

from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.wire.messages.create_topics import CreateTopicsRequest, CreateTopicsResponse


@handles(CreateTopicsRequest, versions="2-7")
async def create_topics(
    request: CreateTopicsRequest, call: Call, broker: Broker
) -> CreateTopicsResponse:
    """Create, or with `validate_only` judge, each topic by itself."""
    return await broker.metadata.create_topics(request)
