"""DeleteRecords: the log start moves at once; retention removes what lies whole below it.

There is one replica of each partition, so there is nobody to wait for: `timeout_ms` has no effect.
"""

from __future__ import annotations

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.ids import NO_EPOCH
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.broker.partition import Partition
from ottla.broker.topic_descriptions import is_internal
from ottla.wire.messages.delete_records import (
    DeleteRecordsPartition,
    DeleteRecordsPartitionResult,
    DeleteRecordsRequest,
    DeleteRecordsResponse,
    DeleteRecordsTopicResult,
)

HIGH_WATERMARK = -1


@handles(DeleteRecordsRequest, versions="0-2")
def delete_records(
    request: DeleteRecordsRequest, call: Call, broker: Broker
) -> DeleteRecordsResponse:
    """Answer each partition by itself."""
    return DeleteRecordsResponse(
        topics=[
            DeleteRecordsTopicResult(
                name=topic.name,
                partitions=[_delete(topic.name, asked, broker) for asked in topic.partitions],
            )
            for topic in request.topics
        ]
    )


def _delete(
    topic: str, asked: DeleteRecordsPartition, broker: Broker
) -> DeleteRecordsPartitionResult:
    partition = broker.replicas.find(topic, asked.partition_index)
    if isinstance(partition, ErrorCode):
        return _refusal(asked, partition)
    error = _may_delete(partition)
    if error:
        return _refusal(asked, error)
    before = partition.high_watermark if asked.offset == HIGH_WATERMARK else asked.offset
    try:
        low_watermark = partition.delete_records(before)
    except ProtocolError as refused:
        return _refusal(asked, refused.code)
    broker.replicas.log_starts_moved = True
    return DeleteRecordsPartitionResult(
        partition_index=asked.partition_index, low_watermark=low_watermark
    )


def _may_delete(partition: Partition) -> ErrorCode:
    if is_internal(partition.topic):
        # What is in them is the coordinators' alone.
        return ErrorCode.INVALID_TOPIC_EXCEPTION
    error = partition.check_leadership(NO_EPOCH)
    if error:
        return error
    # A compacted log keeps the last value of each key; with `delete` too, it lets old ones go.
    if partition.log.config.cleanup_policy == ("compact",):
        return ErrorCode.POLICY_VIOLATION
    return ErrorCode.NONE


def _refusal(asked: DeleteRecordsPartition, error: ErrorCode) -> DeleteRecordsPartitionResult:
    return DeleteRecordsPartitionResult(partition_index=asked.partition_index, error_code=error)
