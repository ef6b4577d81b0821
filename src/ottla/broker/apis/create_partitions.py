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


@handles(CreatePartitionsRequest, versions="0-3")
async def create_partitions(
    request: CreatePartitionsRequest, call: Call, broker: Broker
) -> CreatePartitionsResponse:
    """Grow each topic by itself."""
    try:
        broker.replicas.directories.check_room_for_more()
        return await broker.metadata.create_partitions(request)
    except ProtocolError as refused:
        return CreatePartitionsResponse(
            results=[
                CreatePartitionsTopicResult(
                    name=topic.name, error_code=refused.code, error_message=refused.message
                )
                for topic in request.topics
            ]
        )
