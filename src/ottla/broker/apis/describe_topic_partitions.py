"""DescribeTopicPartitions: topics page by page (KIP-966)."""

from __future__ import annotations

from ottla.base.errors import ErrorCode
from ottla.base.ids import ZERO_UUID
from ottla.broker.authorized_operations import OF_TOPIC
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.broker.topic_descriptions import is_internal, offline_replicas, partition_error
from ottla.metadata.image import MetadataImage, TopicImage
from ottla.metadata.names import is_topic_name
from ottla.settings.broker import MAX_REQUEST_PARTITION_SIZE_LIMIT
from ottla.wire.messages.describe_topic_partitions import (
    Cursor,
    DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsResponse,
    DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic,
)


@handles(DescribeTopicPartitionsRequest, versions="0")
def describe_topic_partitions(
    request: DescribeTopicPartitionsRequest, call: Call, broker: Broker
) -> DescribeTopicPartitionsResponse:
    """Describe topics in the order of their names, as many partitions as fit a page."""
    image = broker.metadata.image
    names = sorted({topic.name for topic in request.topics} or image.topics_by_name)
    first = 0
    if request.cursor is not None:
        names = [name for name in names if name >= request.cursor.topic_name]
        first = max(request.cursor.partition_index, 0)
    left = min(
        max(request.response_partition_limit, 1), broker.settings[MAX_REQUEST_PARTITION_SIZE_LIMIT]
    )
    response = DescribeTopicPartitionsResponse()
    for name in names:
        topic = image.topics_by_name.get(name)
        if topic is None:
            response.topics.append(_unknown(name))
            continue
        start = first if request.cursor and name == request.cursor.topic_name else 0
        if left == 0:
            response.next_cursor = Cursor(topic_name=name, partition_index=start)
            break
        stop = min(start + left, len(topic.partitions))
        response.topics.append(_describe(topic, range(start, stop), image))
        left -= max(stop - start, 0)
        if stop < len(topic.partitions):
            response.next_cursor = Cursor(topic_name=name, partition_index=stop)
            break
    return response


def _unknown(name: str) -> DescribeTopicPartitionsResponseTopic:
    error = (
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        if is_topic_name(name)
        else ErrorCode.INVALID_TOPIC_EXCEPTION
    )
    return DescribeTopicPartitionsResponseTopic(
        error_code=error,
        name=name,
        topic_id=ZERO_UUID,
        topic_authorized_operations=OF_TOPIC,
    )


def _describe(
    topic: TopicImage, indexes: range, image: MetadataImage
) -> DescribeTopicPartitionsResponseTopic:
    described = []
    for index in indexes:
        partition = topic.partitions[index]
        described.append(
            DescribeTopicPartitionsResponsePartition(
                error_code=partition_error(partition, image),
                partition_index=index,
                leader_id=partition.leader,
                leader_epoch=partition.leader_epoch,
                replica_nodes=list(partition.replicas),
                isr_nodes=list(partition.isr),
                eligible_leader_replicas=list(partition.elr),
                last_known_elr=list(partition.last_known_elr),
                offline_replicas=offline_replicas(partition, image),
            )
        )
    return DescribeTopicPartitionsResponseTopic(
        name=topic.name,
        topic_id=topic.topic_id,
        is_internal=is_internal(topic.name),
        partitions=described,
        topic_authorized_operations=OF_TOPIC,
    )
