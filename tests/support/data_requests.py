"""Produce, Fetch and ListOffsets in few words: topics by name (str) or by id (bytes)."""

from __future__ import annotations

from collections.abc import Iterable

from ottla.base.ids import ZERO_UUID
from ottla.base.world import Buffer
from ottla.wire.messages.fetch import (
    FetchPartition,
    FetchRequest,
    FetchResponse,
    FetchTopic,
    ForgottenTopic,
    PartitionData,
)
from ottla.wire.messages.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsPartitionResponse,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopic,
)
from ottla.wire.messages.produce import (
    PartitionProduceData,
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
)

Topic = str | bytes

BY_NAME = 12
"""The last version of Produce and Fetch that names topics."""
BY_ID = 13
"""The first version of Produce and Fetch that does not."""
MIB = 1 << 20


def produce(
    *parts: tuple[Topic, int, Buffer | None], acks: int = 1, timeout_ms: int = 1000
) -> ProduceRequest:
    """One batch for each (topic, partition, batch)."""
    return ProduceRequest(
        acks=acks,
        timeout_ms=timeout_ms,
        topic_data=[
            TopicProduceData(
                name=_name(topic),
                topic_id=_id(topic),
                partition_data=[PartitionProduceData(index=index, records=records)],
            )
            for topic, index, records in parts
        ],
    )


def produced(response: ProduceResponse) -> list[PartitionProduceResponse]:
    """The answers of all partitions, in order."""
    return [answer for topic in response.responses for answer in topic.partition_responses]


def partition_at(
    index: int,
    offset: int,
    *,
    max_bytes: int = MIB,
    leader_epoch: int = -1,
    last_fetched_epoch: int = -1,
) -> FetchPartition:
    """Where to read one partition from."""
    return FetchPartition(
        partition=index,
        fetch_offset=offset,
        partition_max_bytes=max_bytes,
        current_leader_epoch=leader_epoch,
        last_fetched_epoch=last_fetched_epoch,
    )


def fetch(
    *parts: tuple[Topic, FetchPartition],
    max_wait_ms: int = 0,
    min_bytes: int = 1,
    max_bytes: int = 50 * MIB,
    isolation_level: int = 0,
    replica_id: int = -1,
    session: tuple[int, int] = (0, -1),
    forgotten: Iterable[tuple[Topic, int]] = (),
) -> FetchRequest:
    """A fetch of these partitions; `session` is its id and epoch."""
    session_id, session_epoch = session
    return FetchRequest(
        replica_id=replica_id,
        max_wait_ms=max_wait_ms,
        min_bytes=min_bytes,
        max_bytes=max_bytes,
        isolation_level=isolation_level,
        session_id=session_id,
        session_epoch=session_epoch,
        topics=[
            FetchTopic(topic=_name(topic), topic_id=_id(topic), partitions=[partition])
            for topic, partition in parts
        ],
        forgotten_topics_data=[
            ForgottenTopic(topic=_name(topic), topic_id=_id(topic), partitions=[index])
            for topic, index in forgotten
        ],
    )


def fetched(response: FetchResponse) -> list[PartitionData]:
    """The answers of all partitions, in order."""
    return [answer for topic in response.responses for answer in topic.partitions]


def where(response: FetchResponse) -> list[tuple[Topic, int]]:
    """Which partitions an answer names, in order."""
    return [
        (topic.topic or topic.topic_id, answer.partition_index)
        for topic in response.responses
        for answer in topic.partitions
    ]


def offset_at(
    *asked: tuple[str, int, int], isolation_level: int = 0, leader_epoch: int = -1
) -> ListOffsetsRequest:
    """ListOffsets for each (topic, partition, timestamp)."""
    return ListOffsetsRequest(
        replica_id=-1,
        isolation_level=isolation_level,
        topics=[
            ListOffsetsTopic(
                name=topic,
                partitions=[
                    ListOffsetsPartition(
                        partition_index=index,
                        timestamp=timestamp,
                        current_leader_epoch=leader_epoch,
                    )
                ],
            )
            for topic, index, timestamp in asked
        ],
    )


def listed(response: ListOffsetsResponse) -> list[ListOffsetsPartitionResponse]:
    """The answers of all partitions, in order."""
    return [answer for topic in response.topics for answer in topic.partitions]


def _name(topic: Topic) -> str:
    return topic if isinstance(topic, str) else ""


def _id(topic: Topic) -> bytes:
    return topic if isinstance(topic, bytes) else ZERO_UUID
