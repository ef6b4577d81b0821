"""DescribeQuorum: who keeps the metadata log, and how far each is (KIP-595)."""

from __future__ import annotations

from typing import Final

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call, handles
from ottla.broker.partitions_named import check_partitions_named
from ottla.metadata.names import CLUSTER_METADATA
from ottla.wire.messages.describe_quorum import (
    DescribeQuorumRequest,
    DescribeQuorumResponse,
    Listener,
    Node,
    PartitionState,
    ReplicaState,
    TopicState,
)

NAMES_NODES: Final = 2
"""From this version the addresses of voters are told (KIP-853)."""


@handles(DescribeQuorumRequest, versions="0-2")
def describe_quorum(
    request: DescribeQuorumRequest, call: Call, broker: Broker
) -> DescribeQuorumResponse:
    """Only of the one partition of the metadata log, and only by itself."""
    check_partitions_named(topic.partitions for topic in request.topics)
    asked = [
        (topic.topic_name, partition.partition_index)
        for topic in request.topics
        for partition in topic.partitions
    ]
    if asked != [(CLUSTER_METADATA, 0)] or len(request.topics) > 1:
        return _refused(request)
    try:
        state = _state(broker)
    except ProtocolError as refused:
        return DescribeQuorumResponse(error_code=refused.code, error_message=refused.message)
    response = DescribeQuorumResponse(
        topics=[TopicState(topic_name=CLUSTER_METADATA, partitions=[state])]
    )
    if call.version >= NAMES_NODES:
        response.nodes = [_node(voter.replica_id, call, broker) for voter in state.current_voters]
    return response


def _state(broker: Broker) -> PartitionState:
    quorum = broker.metadata.quorum()
    now_ms = broker.clock.now_ms()
    return PartitionState(
        partition_index=0,
        leader_id=quorum.leader.node_id,
        leader_epoch=quorum.leader.epoch,
        high_watermark=quorum.end_offset,
        current_voters=[
            ReplicaState(
                replica_id=voter.node_id,
                replica_directory_id=voter.directory_id,
                log_end_offset=voter.end_offset,
                # Whoever leads is told as caught up now, as Kafka tells it.
                last_fetch_timestamp=now_ms,
                last_caught_up_timestamp=now_ms,
            )
            for voter in quorum.voters
        ],
    )


def _node(node_id: int, call: Call, broker: Broker) -> Node:
    """A voter listens where its broker does: it has no listener of its own here."""
    image = broker.metadata.image.brokers.get(node_id)
    if image is None:
        return Node(node_id=node_id)
    known = {name: (point.host, point.port) for name, point in image.endpoints.items()}
    reached = broker.addresses.of(image, call.connection)
    if reached is not None:
        known[call.connection.listener_name] = (reached.host, reached.port)
    return Node(
        node_id=node_id,
        listeners=[
            Listener(name=name, host=host, port=port) for name, (host, port) in known.items()
        ],
    )


def _refused(request: DescribeQuorumRequest) -> DescribeQuorumResponse:
    """There is nothing like a quorum of anything else."""
    reason = f"only partition 0 of {CLUSTER_METADATA} has a quorum: ask for that one alone"
    return DescribeQuorumResponse(
        topics=[
            TopicState(
                topic_name=topic.topic_name,
                partitions=[
                    PartitionState(
                        partition_index=partition.partition_index,
                        error_code=ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
                        error_message=reason,
                        leader_id=0,
                        leader_epoch=0,
                        high_watermark=0,
                    )
                    for partition in topic.partitions
                ],
            )
            for topic in request.topics
        ]
    )
