"""Fetch requests of plans, and their answers by partition."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from ottla.base.ids import ZERO_UUID, TopicPartition
from ottla.client.consumer.fetch_session import SessionRequest, Target
from ottla.client.consumer.options import ConsumerOptions
from ottla.client.metadata import ClusterMetadata, Node
from ottla.wire.messages.fetch import (
    FetchPartition,
    FetchRequest,
    FetchResponse,
    FetchTopic,
    ForgottenTopic,
    PartitionData,
)

TOPIC_IDS_SINCE: Final = 13
"""The first version of Fetch that names topics by their ids only."""


def version_limit(targets: Iterable[Target]) -> int:
    """The highest version that can say this: names where an id is not known."""
    have_ids = all(target.topic_id != ZERO_UUID for target in targets)
    return FetchRequest.VERSIONS.max if have_ids else TOPIC_IDS_SINCE - 1


def fetch_request(
    asked: SessionRequest, options: ConsumerOptions, *, bytes_max: int, waits: bool = True
) -> FetchRequest:
    """One request; topics by name and by id, of which each version sends what it has.

    Where it does not wait, the node answers at once with what is there.
    """
    topics: dict[tuple[str, bytes], FetchTopic] = {}
    for (name, index), target in asked.changed.items():
        key = name, target.topic_id
        if key not in topics:
            topics[key] = FetchTopic(topic=name, topic_id=target.topic_id, partitions=[])
        topics[key].partitions.append(
            FetchPartition(
                partition=index,
                current_leader_epoch=target.leader_epoch,
                fetch_offset=target.offset,
                partition_max_bytes=target.bytes_max,
            )
        )
    return FetchRequest(
        max_wait_ms=options.fetch_max_wait_ms if waits else 0,
        min_bytes=options.fetch_min_bytes,
        max_bytes=bytes_max,
        isolation_level=options.is_committed,
        session_id=asked.session_id,
        session_epoch=asked.epoch,
        topics=list(topics.values()),
        forgotten_topics_data=_forgotten(asked.forgotten),
        rack_id=options.client_rack,
    )


def _forgotten(partitions: Mapping[TopicPartition, Target]) -> list[ForgottenTopic]:
    topics: dict[tuple[str, bytes], ForgottenTopic] = {}
    for (name, index), target in partitions.items():
        key = name, target.topic_id
        if key not in topics:
            topics[key] = ForgottenTopic(topic=name, topic_id=target.topic_id, partitions=[])
        topics[key].partitions.append(index)
    return list(topics.values())


def answers(
    response: FetchResponse, names: Mapping[bytes, str]
) -> Iterator[tuple[TopicPartition, PartitionData]]:
    """What each partition brought; topics that only have an id by these names."""
    for topic in response.responses:
        name = topic.topic or names.get(topic.topic_id, "")
        for data in topic.partitions:
            yield TopicPartition(name, data.partition_index), data


def learn_leader(
    metadata: ClusterMetadata,
    partition: TopicPartition,
    data: PartitionData,
    response: FetchResponse,
) -> bool:
    """Take a new leader from an answer (KIP-951); whether there is one."""
    leader = data.current_leader
    if leader is None or leader.leader_id < 0:
        return False
    nodes = [
        Node(node.node_id, node.host, node.port, node.rack) for node in response.node_endpoints
    ]
    return metadata.learn_leader(
        partition.topic, partition.partition, leader.leader_id, leader.leader_epoch, nodes
    )
