"""WriteTxnMarkers: end transactions here, by the word of a coordinator or of an administrator."""

from __future__ import annotations

from ottla.base.ids import TopicPartition
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.broker.transaction_markers import Marker
from ottla.wire.messages.write_txn_markers import (
    WritableTxnMarker,
    WritableTxnMarkerPartitionResult,
    WritableTxnMarkerResult,
    WritableTxnMarkerTopicResult,
    WriteTxnMarkersRequest,
    WriteTxnMarkersResponse,
)


@handles(WriteTxnMarkersRequest, versions="1-2")
async def write_txn_markers(
    request: WriteTxnMarkersRequest, call: Call, broker: Broker
) -> WriteTxnMarkersResponse:
    """Write each marker; the answer comes when all of them count."""
    return WriteTxnMarkersResponse(
        markers=[await _written(asked, broker) for asked in request.markers]
    )


async def _written(asked: WritableTxnMarker, broker: Broker) -> WritableTxnMarkerResult:
    marker = Marker(
        asked.producer_id,
        asked.producer_epoch,
        asked.transaction_result,
        asked.coordinator_epoch,
        asked.transaction_version,
    )
    partitions = [
        TopicPartition(topic.name, index)
        for topic in asked.topics
        for index in topic.partition_indexes
    ]
    errors = await broker.transactions.markers.write(marker, partitions)
    return WritableTxnMarkerResult(
        producer_id=asked.producer_id,
        topics=[
            WritableTxnMarkerTopicResult(
                name=topic.name,
                partitions=[
                    WritableTxnMarkerPartitionResult(
                        partition_index=index,
                        error_code=errors[TopicPartition(topic.name, index)],
                    )
                    for index in topic.partition_indexes
                ],
            )
            for topic in asked.topics
        ],
    )
