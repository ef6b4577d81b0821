"""DescribeProducers: the producers that a partition knows, and which are in a transaction."""

from __future__ import annotations

from ottla.base.errors import ErrorCode
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.broker.partition import Partition
from ottla.wire.messages.describe_producers import (
    DescribeProducersRequest,
    DescribeProducersResponse,
    PartitionResponse,
    ProducerState,
    TopicResponse,
)

NO_SEQUENCE = -1


@handles(DescribeProducersRequest, versions="0")
def describe_producers(
    request: DescribeProducersRequest, call: Call, broker: Broker
) -> DescribeProducersResponse:
    """Each partition by itself; only its leader tells."""
    return DescribeProducersResponse(
        topics=[
            TopicResponse(
                name=topic.name,
                partitions=[
                    _described(index, broker.replicas.find(topic.name, index))
                    for index in topic.partition_indexes
                ],
            )
            for topic in request.topics
        ]
    )


def _described(index: int, partition: Partition | ErrorCode) -> PartitionResponse:
    error = partition if isinstance(partition, ErrorCode) else partition.check_leadership(-1)
    if error or isinstance(partition, ErrorCode):
        return PartitionResponse(partition_index=index, error_code=error)
    return PartitionResponse(
        partition_index=index,
        active_producers=[
            ProducerState(
                producer_id=producer_id,
                producer_epoch=state.epoch,
                last_sequence=state.batches[-1].last_sequence if state.batches else NO_SEQUENCE,
                last_timestamp=state.timestamp,
                coordinator_epoch=state.coordinator_epoch,
                current_txn_start_offset=state.transaction_start,
            )
            for producer_id, state in partition.log.producers.states
        ],
    )
