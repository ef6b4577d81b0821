"""ListOffsets: the offset of a timestamp, or of one of the special ones."""

from __future__ import annotations

from collections import Counter

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.ids import NO_EPOCH, NO_OFFSET
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.broker.partition import Partition
from ottla.wire.messages.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsPartitionResponse,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopicResponse,
)

MAX_TIMESTAMP = -3
EARLIEST_LOCAL = -4
LATEST_TIERED = -5
EARLIEST_PENDING_UPLOAD = -6
FIRST_VERSION_OF = {
    MAX_TIMESTAMP: 7,  # KIP-734
    EARLIEST_LOCAL: 8,  # KIP-405
    LATEST_TIERED: 9,  # KIP-1005
    EARLIEST_PENDING_UPLOAD: 11,  # KIP-1023
}
READ_COMMITTED = 1
TELLS_LEADER_EPOCH = 4
"""From this version an answer names the epoch of its offset (KIP-320)."""
NO_TIMESTAMP = -1


@handles(ListOffsetsRequest, versions="1-11")
def list_offsets(request: ListOffsetsRequest, call: Call, broker: Broker) -> ListOffsetsResponse:
    """Answer each partition by itself; one that is named twice is refused."""
    named = Counter(
        (topic.name, asked.partition_index)
        for topic in request.topics
        for asked in topic.partitions
    )
    return ListOffsetsResponse(
        topics=[
            ListOffsetsTopicResponse(
                name=topic.name,
                partitions=[
                    _refusal(asked, ErrorCode.INVALID_REQUEST)
                    if named[topic.name, asked.partition_index] > 1
                    else _offset(topic.name, asked, request, call, broker)
                    for asked in topic.partitions
                ],
            )
            for topic in request.topics
        ]
    )


def _offset(
    topic: str,
    asked: ListOffsetsPartition,
    request: ListOffsetsRequest,
    call: Call,
    broker: Broker,
) -> ListOffsetsPartitionResponse:
    if asked.timestamp < 0 and call.version < FIRST_VERSION_OF.get(asked.timestamp, 1):
        return _refusal(asked, ErrorCode.UNSUPPORTED_VERSION)
    partition = broker.replicas.find(topic, asked.partition_index)
    if isinstance(partition, ErrorCode):
        return _refusal(asked, partition)
    error = partition.check_leadership(asked.current_leader_epoch)
    if error:
        return _refusal(asked, error)
    committed_only = request.isolation_level == READ_COMMITTED
    end_offset = partition.readable_end(committed_only=committed_only)
    try:
        answer = _look_up(partition, asked, end_offset=end_offset)
    except ProtocolError as refused:
        return _refusal(asked, refused.code)
    if call.version < TELLS_LEADER_EPOCH:
        answer.leader_epoch = NO_EPOCH
    return answer


def _look_up(
    partition: Partition, asked: ListOffsetsPartition, *, end_offset: int
) -> ListOffsetsPartitionResponse:
    """The offset in one partition, where `end_offset` is the first that may not be seen."""
    log = partition.log
    match asked.timestamp:
        case -1:  # LATEST
            return _position(partition, asked, end_offset, partition.leader_epoch)
        case -2 | -4:  # EARLIEST, EARLIEST_LOCAL: everything is local
            return _position(partition, asked, log.log_start_offset, None)
        case -3:  # MAX_TIMESTAMP
            found = log.max_timestamp()
        case -5 | -6:  # LATEST_TIERED, EARLIEST_PENDING_UPLOAD
            # Nothing is tiered, so nothing was uploaded and nothing waits for it.
            return _refusal(asked, ErrorCode.NONE)
        case timestamp if timestamp < 0:
            return _refusal(asked, ErrorCode.UNSUPPORTED_VERSION)
        case timestamp:
            found = log.offset_for_timestamp(timestamp)
    if found is None or found.offset >= end_offset:
        return _refusal(asked, ErrorCode.NONE)
    return ListOffsetsPartitionResponse(
        partition_index=asked.partition_index,
        timestamp=found.timestamp,
        offset=found.offset,
        leader_epoch=found.leader_epoch,
    )


def _position(
    partition: Partition, asked: ListOffsetsPartition, offset: int, epoch: int | None
) -> ListOffsetsPartitionResponse:
    return ListOffsetsPartitionResponse(
        partition_index=asked.partition_index,
        timestamp=NO_TIMESTAMP,
        offset=offset,
        leader_epoch=partition.log.epoch_at(offset) if epoch is None else epoch,
    )


def _refusal(asked: ListOffsetsPartition, error: ErrorCode) -> ListOffsetsPartitionResponse:
    """No offset: because of an error, or because no record is as young as the timestamp."""
    return ListOffsetsPartitionResponse(
        partition_index=asked.partition_index,
        error_code=error,
        timestamp=NO_TIMESTAMP,
        offset=NO_OFFSET,
    )
