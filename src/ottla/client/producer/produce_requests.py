"""Produce requests of batches, and their answers by partition."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ottla.base.ids import TopicPartition
from ottla.client.metadata import ClusterMetadata, Node
from ottla.client.producer.batch import ProducerBatch
from ottla.client.producer.options import ProducerOptions
from ottla.wire.messages.produce import (
    PartitionProduceData,
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
)

TOPIC_IDS_SINCE = 13

FIRST_OF_TRANSACTIONS_2 = 12
"""From here on a Produce adds its partitions to the transaction by itself (KIP-890)."""


def produce_request(
    batches: Iterable[ProducerBatch], options: ProducerOptions, metadata: ClusterMetadata
) -> ProduceRequest:
    """One request of one batch for each partition."""
    topics: dict[str, TopicProduceData] = {}
    for batch in batches:
        name, index = batch.partition
        topic = topics.get(name)
        if topic is None:
            known = metadata.topic(name)
            topic = topics[name] = TopicProduceData(
                name=name, topic_id=known.topic_id if known else bytes(16), partition_data=[]
            )
        records = batch.encode(transactional=options.transactional_id is not None)
        topic.partition_data.append(PartitionProduceData(index=index, records=records))
    return ProduceRequest(
        transactional_id=options.transactional_id,
        acks=options.acks_number,
        timeout_ms=options.request_timeout_ms,
        topic_data=list(topics.values()),
    )


def version_limit(
    batches: Iterable[ProducerBatch], metadata: ClusterMetadata, *, transactions_2: bool
) -> int:
    """The highest version that can say this: names where an id is not known."""
    if not transactions_2:
        return FIRST_OF_TRANSACTIONS_2 - 1
    for batch in batches:
        topic = metadata.topic(batch.partition.topic)
        if topic is None or not any(topic.topic_id):
            return TOPIC_IDS_SINCE - 1
    return TOPIC_IDS_SINCE


def answers(
    request: ProduceRequest, response: ProduceResponse
) -> Iterator[tuple[TopicPartition, PartitionProduceResponse]]:
    """What became of each partition; topics by the names of the request."""
    names = {topic.topic_id: topic.name for topic in request.topic_data}
    for topic in response.responses:
        name = topic.name or names.get(topic.topic_id, "")
        for partition in topic.partition_responses:
            yield TopicPartition(name, partition.index), partition


def learn_leaders(
    metadata: ClusterMetadata,
    partition: TopicPartition,
    answer: PartitionProduceResponse,
    response: ProduceResponse,
) -> bool:
    """Take a new leader from an answer (KIP-951); whether there is one."""
    leader = answer.current_leader
    if leader is None or leader.leader_id < 0:
        return False
    nodes = [
        Node(node.node_id, node.host, node.port, node.rack) for node in response.node_endpoints
    ]
    return metadata.learn_leader(
        partition.topic, partition.partition, leader.leader_id, leader.leader_epoch, nodes
    )
