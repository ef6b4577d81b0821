"""AlterPartitionReassignments: partitions begin to move to other brokers, or stop it (KIP-455)."""

from __future__ import annotations

from ottla.base.errors import ProtocolError
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.broker.partitions_named import check_partitions_named
from ottla.metadata.reassignments import decide_alter_reassignments
from ottla.wire.messages.alter_partition_reassignments import (
    AlterPartitionReassignmentsRequest,
    AlterPartitionReassignmentsResponse,
)


@handles(AlterPartitionReassignmentsRequest, versions="0-1")
async def alter_partition_reassignments(
    request: AlterPartitionReassignmentsRequest, call: Call, broker: Broker
) -> AlterPartitionReassignmentsResponse:
    """Answered once the moves are written down: they may take long."""
    check_partitions_named(topic.partitions for topic in request.topics)
    try:
        return await broker.metadata.decided(
            lambda image: decide_alter_reassignments(image, request, settings=broker.settings)
        )
    except ProtocolError as refused:
        return AlterPartitionReassignmentsResponse(
            error_code=refused.code, error_message=refused.message
        )
