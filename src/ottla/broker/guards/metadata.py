"""What topics there are, where they lie, and who serves them."""

from __future__ import annotations

from ottla.base.errors import ErrorCode
from ottla.base.ids import ZERO_UUID
from ottla.broker.apis.metadata import EMPTY_LIST_MEANS_ALL, FINDS_BY_ID
from ottla.broker.guard import Gate, apart, guards, narrowed
from ottla.security.acl import CLUSTER_NAME, AclResourceType, Operation
from ottla.settings.broker import AUTO_CREATE_TOPICS_ENABLE
from ottla.wire.messages.describe_cluster import DescribeClusterRequest, DescribeClusterResponse
from ottla.wire.messages.describe_topic_partitions import (
    DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsResponse,
    DescribeTopicPartitionsResponseTopic,
    TopicRequest,
)
from ottla.wire.messages.metadata import (
    MetadataRequest,
    MetadataRequestTopic,
    MetadataResponse,
    MetadataResponseTopic,
)

DENIED = ErrorCode.TOPIC_AUTHORIZATION_FAILED
NOTHING_ALLOWED = 0

Asking = Gate[MetadataRequest, MetadataResponse]


@guards(MetadataRequest)
async def metadata(request: MetadataRequest, gate: Asking) -> MetadataResponse:
    """Topics that are hidden are left out of all, and refused where they are named."""
    access = gate.access
    asked = request.topics
    if asked is None or (not asked and gate.call.version == EMPTY_LIST_MEANS_ALL):
        response = await gate.serve(request)
        look = access.quietly
        response.topics = [
            topic
            for topic in response.topics
            if topic.name is not None and look.to_topic(Operation.DESCRIBE, topic.name)
        ]
    else:
        request.topics, refused = apart(asked, lambda topic: _may_look(topic, gate))
        request.topics, uncreatable = apart(
            request.topics, lambda topic: _may_exist(topic, request, gate)
        )
        nothing_left = not request.topics
        response = await gate.serve(request)
        if nothing_left:
            response.topics = []  # in version 0 the empty list asks for all
        response.topics += [_refused(topic, gate) for topic in (*refused, *uncreatable)]
    for topic in response.topics:
        topic.topic_authorized_operations = narrowed(
            topic.topic_authorized_operations, access, AclResourceType.TOPIC, topic.name or ""
        )
    response.cluster_authorized_operations = _of_cluster(
        response.cluster_authorized_operations, gate
    )
    return response


def _names_id(topic: MetadataRequestTopic, gate: Asking) -> bool:
    return topic.topic_id != ZERO_UUID and gate.call.version >= FINDS_BY_ID


def _may_look(topic: MetadataRequestTopic, gate: Asking) -> bool:
    name = topic.name
    if _names_id(topic, gate):
        known = gate.broker.metadata.image.topics_by_id.get(topic.topic_id)
        name = None if known is None else known.name
    return name is None or gate.access.to_topic(Operation.DESCRIBE, name)


def _may_exist(topic: MetadataRequestTopic, request: MetadataRequest, gate: Asking) -> bool:
    """Whether the topic is there, or may be made for this client, or will not be made anyway."""
    name = topic.name
    if name is None or _names_id(topic, gate) or name in gate.broker.metadata.image.topics_by_name:
        return True
    if not (request.allow_auto_topic_creation and gate.broker.settings[AUTO_CREATE_TOPICS_ENABLE]):
        return True
    may_all = gate.access.quietly.to_cluster(Operation.CREATE)
    return may_all or gate.access.to_topic(Operation.CREATE, name)


def _refused(topic: MetadataRequestTopic, gate: Asking) -> MetadataResponseTopic:
    """Ids are no secret, names are."""
    if _names_id(topic, gate):
        return MetadataResponseTopic(error_code=DENIED, name=None, topic_id=topic.topic_id)
    return MetadataResponseTopic(error_code=DENIED, name=topic.name, topic_id=ZERO_UUID)


@guards(DescribeTopicPartitionsRequest)
async def describe_topic_partitions(
    request: DescribeTopicPartitionsRequest,
    gate: Gate[DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse],
) -> DescribeTopicPartitionsResponse:
    """Hidden topics do not count for a page, and no cursor names one."""
    asks_for_all = not request.topics
    access = gate.access.quietly if asks_for_all else gate.access
    names = {topic.name for topic in request.topics} or gate.broker.metadata.image.topics_by_name
    allowed, refused = apart(sorted(names), lambda name: access.to_topic(Operation.DESCRIBE, name))
    response = DescribeTopicPartitionsResponse()
    if allowed:
        request.topics = [TopicRequest(name=name) for name in allowed]
        response = await gate.serve(request)
    for topic in response.topics:
        topic.topic_authorized_operations = narrowed(
            topic.topic_authorized_operations, access, AclResourceType.TOPIC, topic.name or ""
        )
    begin = "" if request.cursor is None else request.cursor.topic_name
    if not asks_for_all:
        response.topics += [
            DescribeTopicPartitionsResponseTopic(error_code=DENIED, name=name, topic_id=ZERO_UUID)
            for name in refused
            if name >= begin
        ]
    return response


@guards(DescribeClusterRequest)
async def describe_cluster(
    request: DescribeClusterRequest,
    gate: Gate[DescribeClusterRequest, DescribeClusterResponse],
) -> DescribeClusterResponse:
    """Everybody may know the brokers."""
    response = await gate.serve(request)
    response.cluster_authorized_operations = _of_cluster(
        response.cluster_authorized_operations, gate
    )
    return response


def _of_cluster(
    bits: int, gate: Asking | Gate[DescribeClusterRequest, DescribeClusterResponse]
) -> int:
    told = narrowed(bits, gate.access, AclResourceType.CLUSTER, CLUSTER_NAME)
    if told != bits and not gate.access.quietly.to_cluster(Operation.DESCRIBE):
        return NOTHING_ALLOWED
    return told
