"""OffsetForLeaderEpoch: where an epoch ended in the leader's log (KIP-101, KIP-320).

Consumers ask after a change of leaders whether what they have read is still in the log.
"""

from __future__ import annotations

from ottla.base.errors import ErrorCode
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.wire.messages.offset_for_leader_epoch import (
    EpochEnd,
    OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse,
    OffsetForLeaderPartition,
    OffsetForLeaderTopicResult,
)


@handles(OffsetForLeaderEpochRequest, versions="2-4")
def offset_for_leader_epoch(
    request: OffsetForLeaderEpochRequest, call: Call, broker: Broker
) -> OffsetForLeaderEpochResponse:
    """Answer each partition by itself; the newest epoch ends at the log end."""
    return OffsetForLeaderEpochResponse(
        topics=[
            OffsetForLeaderTopicResult(
                topic=topic.topic,
                partitions=[_end(topic.topic, asked, broker) for asked in topic.partitions],
            )
            for topic in request.topics
        ]
    )


def _end(topic: str, asked: OffsetForLeaderPartition, broker: Broker) -> EpochEnd:
    partition = broker.replicas.find(topic, asked.partition)
    if isinstance(partition, ErrorCode):
        return EpochEnd(partition=asked.partition, error_code=partition)
    error = partition.check_leadership(asked.current_leader_epoch)
    if error:
        return EpochEnd(partition=asked.partition, error_code=error)
    epoch, end_offset = partition.epoch_end_offset(asked.leader_epoch)
    return EpochEnd(partition=asked.partition, leader_epoch=epoch, end_offset=end_offset)
