"""OffsetCommit: keep a group's positions; unknown partitions are refused by themselves."""

from __future__ import annotations

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.groups.group import Committer
from ottla.groups.offset_commits import OffsetToCommit
from ottla.metadata.image import TopicImage
from ottla.wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
    OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
)

NAMES_TOPICS_BY_ID = 10


@handles(OffsetCommitRequest, versions="2-10")
async def offset_commit(
    request: OffsetCommitRequest, call: Call, broker: Broker
) -> OffsetCommitResponse:
    """Commit what names a partition that is there; an error of the group is told at each."""
    wanted = [_wanted(topic, call.version, broker) for topic in request.topics]
    known = [offset for topic in wanted for offset in topic if not offset.error_code]
    committer = Committer(
        request.generation_id_or_member_epoch, request.member_id, request.group_instance_id
    )
    try:
        await broker.groups.commit(
            request.group_id,
            committer,
            known,
            version=call.version,
            retention_ms=request.retention_time_ms,
        )
    except ProtocolError as refused:
        for offset in known:
            offset.error_code = refused.code
    return OffsetCommitResponse(
        topics=[
            OffsetCommitResponseTopic(
                name=topic.name,
                topic_id=topic.topic_id,
                partitions=[
                    OffsetCommitResponsePartition(
                        partition_index=offset.partition, error_code=offset.error_code
                    )
                    for offset in offsets
                ],
            )
            for topic, offsets in zip(request.topics, wanted, strict=True)
        ]
    )


def _wanted(topic: OffsetCommitRequestTopic, version: int, broker: Broker) -> list[OffsetToCommit]:
    image = broker.metadata.image
    if version >= NAMES_TOPICS_BY_ID:
        known = image.topics_by_id.get(topic.topic_id)
        unknown = ErrorCode.UNKNOWN_TOPIC_ID
    else:
        known = image.topics_by_name.get(topic.name)
        unknown = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    return [
        OffsetToCommit(
            "" if known is None else known.name,
            asked.partition_index,
            asked.committed_offset,
            asked.committed_leader_epoch,
            asked.committed_metadata,
            unknown if known is None else _check(known, asked.partition_index),
        )
        for asked in topic.partitions
    ]


def _check(topic: TopicImage, index: int) -> ErrorCode:
    if 0 <= index < len(topic.partitions):
        return ErrorCode.NONE
    return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
