"""Requests about offsets and epochs of many partitions, and their answers by partition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

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


class OffsetQuestion(NamedTuple):
    """What to ask of one partition: a time, LATEST or EARLIEST; and who is believed to lead."""

    timestamp: int
    leader_epoch: int


def beginnings(tasks: Iterable[Task]) -> dict[TopicPartition, OffsetQuestion]:
    """What to ask to learn where each partition is to begin."""
    asked: dict[TopicPartition, OffsetQuestion] = {}
    for task in tasks:
        reset = task.partition.reset
        assert reset is not None
        asked[task.partition.partition] = OffsetQuestion(
            reset.asked_timestamp, task.stamp.leader_epoch
        )
    return asked


def list_offsets_request(
    asked: Mapping[TopicPartition, OffsetQuestion], options: ConsumerOptions, *, timeout_ms: int
) -> ListOffsetsRequest:
    """Ask one leader."""
    topics: dict[str, ListOffsetsTopic] = {}
    for (name, index), question in asked.items():
        topic = topics.setdefault(name, ListOffsetsTopic(name=name, partitions=[]))
        topic.partitions.append(
            ListOffsetsPartition(
                partition_index=index,
                current_leader_epoch=question.leader_epoch,
                timestamp=question.timestamp,
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
