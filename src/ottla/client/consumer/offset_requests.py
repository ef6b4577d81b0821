"""Requests about offsets and epochs of many partitions, and their answers by partition."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ottla.base.ids import TopicPartition
from ottla.client.consumer.options import ConsumerOptions
from ottla.client.consumer.plan import Task
from ottla.wire.messages.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsPartitionResponse,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopic,
)
from ottla.wire.messages.offset_for_leader_epoch import (
    EpochEnd,
    OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse,
    OffsetForLeaderPartition,
    OffsetForLeaderTopic,
)

CONSUMER: Final = -1
"""In place of a replica's id."""

EPOCHS_FOR_CONSUMERS_SINCE: Final = 3
"""Before that OffsetForLeaderEpoch is for brokers: it needs rights on the cluster."""


def list_offsets_request(
    tasks: Iterable[Task], options: ConsumerOptions, *, timeout_ms: int
) -> ListOffsetsRequest:
    """Ask for the offset where each partition is to begin."""
    topics: dict[str, ListOffsetsTopic] = {}
    for task in tasks:
        name, index = task.partition.partition
        reset = task.partition.reset
        assert reset is not None
        topic = topics.setdefault(name, ListOffsetsTopic(name=name, partitions=[]))
        topic.partitions.append(
            ListOffsetsPartition(
                partition_index=index,
                current_leader_epoch=task.stamp.leader_epoch,
                timestamp=reset.asked_timestamp,
            )
        )
    return ListOffsetsRequest(
        replica_id=CONSUMER,
        isolation_level=options.is_committed,
        topics=list(topics.values()),
        timeout_ms=timeout_ms,
    )


def offsets_of(
    response: ListOffsetsResponse,
) -> dict[TopicPartition, ListOffsetsPartitionResponse]:
    """By partition."""
    return {
        TopicPartition(topic.name, answer.partition_index): answer
        for topic in response.topics
        for answer in topic.partitions
    }


def epoch_request(tasks: Iterable[Task]) -> OffsetForLeaderEpochRequest:
    """Ask where the epochs end of which the records are that were read last."""
    topics: dict[str, OffsetForLeaderTopic] = {}
    for task in tasks:
        name, index = task.partition.partition
        topic = topics.setdefault(name, OffsetForLeaderTopic(topic=name, partitions=[]))
        topic.partitions.append(
            OffsetForLeaderPartition(
                partition=index,
                current_leader_epoch=task.stamp.leader_epoch,
                leader_epoch=task.partition.offset_epoch,
            )
        )
    return OffsetForLeaderEpochRequest(replica_id=CONSUMER, topics=list(topics.values()))


def epochs_of(response: OffsetForLeaderEpochResponse) -> dict[TopicPartition, EpochEnd]:
    """By partition."""
    return {
        TopicPartition(topic.topic, answer.partition): answer
        for topic in response.topics
        for answer in topic.partitions
    }
