"""OffsetDelete: forget positions of a group that no member reads."""

from __future__ import annotations

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.groups.offset_commits import OffsetToDelete
from ottla.wire.messages.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestTopic,
    OffsetDeleteResponse,
    OffsetDeleteResponsePartition,
    OffsetDeleteResponseTopic,
)


@handles(OffsetDeleteRequest, versions="0")
async def offset_delete(
    request: OffsetDeleteRequest, call: Call, broker: Broker
) -> OffsetDeleteResponse:
    """Delete what names a partition that is there; an error of the group is told alone."""
    if not request.group_id:
        return OffsetDeleteResponse(error_code=ErrorCode.INVALID_GROUP_ID)
    wanted = [_wanted(topic, broker) for topic in request.topics]
    known = [each for topic in wanted for each in topic if not each.error_code]
    try:
        error = await broker.groups.delete_offsets(request.group_id, known)
    except ProtocolError as refused:
        error = refused.code
    if error:
        return OffsetDeleteResponse(error_code=error)
    return OffsetDeleteResponse(
        topics=[
            OffsetDeleteResponseTopic(
                name=topic.name,
                partitions=[
                    OffsetDeleteResponsePartition(
                        partition_index=each.partition, error_code=each.error_code
                    )
                    for each in asked
                ],
            )
            for topic, asked in zip(request.topics, wanted, strict=True)
        ]
    )


def _wanted(topic: OffsetDeleteRequestTopic, broker: Broker) -> list[OffsetToDelete]:
    image = broker.metadata.image
    return [
        OffsetToDelete(
            topic.name,
            asked.partition_index,
            ErrorCode.NONE
            if image.has_partition(topic.name, asked.partition_index)
            else ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        )
        for asked in topic.partitions
    ]
