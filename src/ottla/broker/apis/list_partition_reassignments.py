"""ListPartitionReassignments: the partitions that move between brokers (KIP-455)."""

from __future__ import annotations

from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.broker.partitions_named import check_partitions_named
from ottla.metadata.reassignments import ongoing_reassignments
from ottla.wire.messages.list_partition_reassignments import (
    ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsResponse,
)


@handles(ListPartitionReassignmentsRequest, versions="0")
def list_partition_reassignments(
    request: ListPartitionReassignmentsRequest, call: Call, broker: Broker
) -> ListPartitionReassignmentsResponse:
    """Of those asked about, the ones that move."""
    check_partitions_named(topic.partition_indexes for topic in request.topics or ())
    return ongoing_reassignments(broker.metadata.image, request)
