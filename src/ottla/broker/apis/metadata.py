"""Metadata: brokers, topics, and who leads what."""

from __future__ import annotations

import logging

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.ids import ZERO_UUID
from ottla.broker.authorized_operations import OF_CLUSTER, OF_TOPIC
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.broker.topic_descriptions import (
    is_internal,
    live_brokers,
    offline_replicas,
    partition_error,
)
from ottla.metadata.image import MetadataImage, PartitionImage, TopicImage
from ottla.metadata.names import is_topic_name
from ottla.settings.broker import AUTO_CREATE_TOPICS_ENABLE
from ottla.wire.messages.metadata import (
    MetadataRequest,
    MetadataRequestTopic,
    MetadataResponse,
    MetadataResponseBroker,
    MetadataResponsePartition,
    MetadataResponseTopic,
)

log = logging.getLogger(__name__)

EMPTY_LIST_MEANS_ALL = 0
"""Version 0 has no null list: it asks for all topics with an empty one."""
FINDS_BY_ID = 12
"""From this version an id alone is enough (KIP-516); 10 and 11 only have the field."""


@handles(MetadataRequest, versions="0-13")
async def metadata(request: MetadataRequest, call: Call, broker: Broker) -> MetadataResponse:
    """Describe what is asked for; create what is missing where client and broker allow it."""
    await _create_missing(request, call, broker)
    image = broker.metadata.image
    brokers = [
        MetadataResponseBroker(node_id=node_id, host=address.host, port=address.port, rack=rack)
        for node_id, address, rack in live_brokers(broker, call.connection)
    ]
    response = MetadataResponse(
        brokers=brokers,
        cluster_id=broker.cluster_id,
        # Any broker forwards to the active controller, so every one may be named.
        controller_id=broker.node_id,
        topics=_topics(request, call, image),
    )
    if request.include_topic_authorized_operations:
        for topic in response.topics:
            topic.topic_authorized_operations = OF_TOPIC
    if request.include_cluster_authorized_operations:
        response.cluster_authorized_operations = OF_CLUSTER
    return response


async def _create_missing(request: MetadataRequest, call: Call, broker: Broker) -> None:
    if not request.topics or not request.allow_auto_topic_creation:
        return
    if not broker.settings[AUTO_CREATE_TOPICS_ENABLE]:
        return
    known = broker.metadata.image.topics_by_name
    missing = [
        topic.name
        for topic in request.topics
        if topic.name
        and not _asks_by_id(topic, call)  # an id is never made, and its name then means nothing
        and topic.name not in known
        and is_topic_name(topic.name)
        and not is_internal(topic.name)  # coordinators make theirs, with settings of their own
    ]
    if not missing or not broker.replicas.directories.has_room:
        return
    try:
        permits = broker.quotas.permits(call.client_id, strict=True)
        await broker.metadata.create_topics_by_default(missing, take_permits=permits.take)
    except ProtocolError as refused:
        # The client is told that they are unknown, and asks again.
        log.warning("topics could not be made for a client: %s", refused.message)


def _topics(
    request: MetadataRequest, call: Call, image: MetadataImage
) -> list[MetadataResponseTopic]:
    asked = request.topics
    if asked is None or (not asked and call.version == EMPTY_LIST_MEANS_ALL):
        return [_describe(topic, image) for topic in image.topics_by_name.values()]
    return [_look_up(topic, call, image) for topic in asked]


def _asks_by_id(asked: MetadataRequestTopic, call: Call) -> bool:
    """Java's client leaves the name empty, not null, where it asks for an id."""
    return asked.topic_id != ZERO_UUID and call.version >= FINDS_BY_ID


def _look_up(
    asked: MetadataRequestTopic, call: Call, image: MetadataImage
) -> MetadataResponseTopic:
    if asked.name is not None and not _asks_by_id(asked, call):
        by_name = image.topics_by_name.get(asked.name)
        if by_name is not None:
            return _describe(by_name, image)
        error = (
            ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
            if is_topic_name(asked.name)
            else ErrorCode.INVALID_TOPIC_EXCEPTION
        )
        return MetadataResponseTopic(error_code=error, name=asked.name, topic_id=ZERO_UUID)
    if call.version < FINDS_BY_ID:
        return MetadataResponseTopic(
            error_code=ErrorCode.INVALID_REQUEST, name="", topic_id=asked.topic_id
        )
    by_id = image.topics_by_id.get(asked.topic_id)
    if by_id is not None:
        return _describe(by_id, image)
    return MetadataResponseTopic(
        error_code=ErrorCode.UNKNOWN_TOPIC_ID, name=None, topic_id=asked.topic_id
    )


def _describe(topic: TopicImage, image: MetadataImage) -> MetadataResponseTopic:
    return MetadataResponseTopic(
        name=topic.name,
        topic_id=topic.topic_id,
        is_internal=is_internal(topic.name),
        partitions=[
            _describe_partition(index, partition, image)
            for index, partition in enumerate(topic.partitions)
        ],
    )


def _describe_partition(
    index: int, partition: PartitionImage, image: MetadataImage
) -> MetadataResponsePartition:
    return MetadataResponsePartition(
        error_code=partition_error(partition, image),
        partition_index=index,
        leader_id=partition.leader,
        leader_epoch=partition.leader_epoch,
        replica_nodes=list(partition.replicas),
        isr_nodes=list(partition.isr),
        offline_replicas=offline_replicas(partition, image),
    )
