"""OffsetFetch: where groups stand; -1 where nothing is known of a group or a partition."""

from __future__ import annotations

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.metadata.image import MetadataImage
from ottla.wire.messages.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopics,
    OffsetFetchResponse,
    OffsetFetchResponseGroup,
    OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
)

SINGLE_GROUP_FORM = range(8)
"""Versions that ask for one group (KIP-709)."""
ERROR_AT_PARTITIONS = range(2)
"""Versions whose answer has no place for an error of the whole."""
NAMES_TOPICS_BY_ID = 10


@handles(OffsetFetchRequest, versions="1-10")
async def offset_fetch(
    request: OffsetFetchRequest, call: Call, broker: Broker
) -> OffsetFetchResponse:
    """Ask each group's shard; one's error does not touch the others."""
    if call.version in SINGLE_GROUP_FORM:
        group = await _fetch(only_group(request), request, broker)
        return single_form(group, call.version)
    by_id = call.version >= NAMES_TOPICS_BY_ID
    return OffsetFetchResponse(
        groups=[
            await (_fetch_by_id if by_id else _fetch)(asked, request, broker)
            for asked in request.groups
        ]
    )


async def _fetch(
    asked: OffsetFetchRequestGroup, request: OffsetFetchRequest, broker: Broker
) -> OffsetFetchResponseGroup:
    try:
        return await broker.groups.fetch(asked, require_stable=request.require_stable)
    except ProtocolError as refused:
        return OffsetFetchResponseGroup(
            group_id=asked.group_id,
            topics=[refused_topic(topic, refused.code) for topic in asked.topics or ()],
            error_code=refused.code,
        )


# -- topics by id (version 10) ---------------------------------------------------------------------


async def _fetch_by_id(
    asked: OffsetFetchRequestGroup, request: OffsetFetchRequest, broker: Broker
) -> OffsetFetchResponseGroup:
    unknown: list[OffsetFetchResponseTopics] = []
    if asked.topics is not None:
        image = broker.metadata.image
        unknown = [
            refused_topic(topic, ErrorCode.UNKNOWN_TOPIC_ID)
            for topic in asked.topics
            if topic.topic_id not in image.topics_by_id
        ]
        asked.topics = [topic for topic in asked.topics if topic.topic_id in image.topics_by_id]
        for topic in asked.topics:
            topic.name = image.topics_by_id[topic.topic_id].name
    found = await _fetch(asked, request, broker)
    found.topics = _with_ids(found.topics, broker.metadata.image) + unknown
    return found


def _with_ids(
    topics: list[OffsetFetchResponseTopics], image: MetadataImage
) -> list[OffsetFetchResponseTopics]:
    """Topics that are gone have no id any more, and nobody can ask for what they held."""
    named = [topic for topic in topics if topic.name in image.topics_by_name]
    for topic in named:
        topic.topic_id = image.topics_by_name[topic.name].topic_id
    return named


# -- one group (until version 7) -------------------------------------------------------------------


def only_group(request: OffsetFetchRequest) -> OffsetFetchRequestGroup:
    """The group that an old request asks for."""
    topics = None
    if request.topics is not None:
        topics = [
            OffsetFetchRequestTopics(name=topic.name, partition_indexes=topic.partition_indexes)
            for topic in request.topics
        ]
    return OffsetFetchRequestGroup(group_id=request.group_id, topics=topics)


def single_form(group: OffsetFetchResponseGroup, version: int) -> OffsetFetchResponse:
    """The answer for one group."""
    at_partitions = version in ERROR_AT_PARTITIONS
    topics = [
        OffsetFetchResponseTopic(
            name=topic.name,
            partitions=[
                OffsetFetchResponsePartition(
                    partition_index=partition.partition_index,
                    committed_offset=partition.committed_offset,
                    committed_leader_epoch=partition.committed_leader_epoch,
                    metadata=partition.metadata,
                    error_code=partition.error_code,
                )
                for partition in topic.partitions
            ],
        )
        for topic in group.topics
        if at_partitions or not group.error_code
    ]
    return OffsetFetchResponse(topics=topics, error_code=group.error_code)


def refused_topic(topic: OffsetFetchRequestTopics, error: ErrorCode) -> OffsetFetchResponseTopics:
    """The answer for each partition of a topic."""
    return OffsetFetchResponseTopics(
        name=topic.name,
        topic_id=topic.topic_id,
        partitions=[
            OffsetFetchResponsePartitions(partition_index=index, error_code=error)
            for index in topic.partition_indexes
        ],
    )
