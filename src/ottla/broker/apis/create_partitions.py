"""CreatePartitions: more partitions for topics that exist."""

from __future__ import annotations

from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.wire.messages.create_partitions import CreatePartitionsRequest, CreatePartitionsResponse


@handles(CreatePartitionsRequest, versions="0-3")
async def create_partitions(
    request: CreatePartitionsRequest, call: Call, broker: Broker
) -> CreatePartitionsResponse:
    """Grow each topic by itself."""
    return await broker.metadata.create_partitions(request)
