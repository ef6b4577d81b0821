"""The quorum that keeps the metadata log."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from ottla.base.errors import ErrorCode
from ottla.base.ids import ZERO_UUID
from ottla.client.admin.outcomes import check
from ottla.client.errors import RefusedError
from ottla.wire.messages.describe_quorum import (
    DescribeQuorumResponse,
    PartitionData,
    ReplicaState,
    TopicData,
)

METADATA_TOPIC: Final = "__cluster_metadata"


class QuorumReplica(Struct, frozen=True, kw_only=True):
    """How far a voter or an observer is; times are None where they are not known."""

    node_id: int
    directory_id: bytes = ZERO_UUID
    log_end_offset: int
    last_fetch_ms: int | None
    last_caught_up_ms: int | None


class QuorumListener(Struct, frozen=True, kw_only=True):
    """Where a controller listens."""

    name: str
    host: str
    port: int


class QuorumDescription(Struct, frozen=True, kw_only=True):
    """The metadata log's replicas, as its leader knows them."""

    leader_id: int
    leader_epoch: int
    high_watermark: int
    voters: tuple[QuorumReplica, ...]
    observers: tuple[QuorumReplica, ...]
    nodes: dict[int, tuple[QuorumListener, ...]]
    """Where controllers listen (Kafka 3.9)."""


def metadata_log() -> list[TopicData]:
    """What is asked for."""
    return [TopicData(topic_name=METADATA_TOPIC, partitions=[PartitionData(partition_index=0)])]


def described(response: DescribeQuorumResponse) -> QuorumDescription:
    """As the answer tells it. Raises RefusedError."""
    found = [each for topic in response.topics for each in topic.partitions]
    if not found:
        raise RefusedError(ErrorCode.UNKNOWN_SERVER_ERROR, "the answer leaves out the quorum")
    log = found[0]
    check(log.error_code, log.error_message, "the quorum")
    return QuorumDescription(
        leader_id=log.leader_id,
        leader_epoch=log.leader_epoch,
        high_watermark=log.high_watermark,
        voters=tuple(map(_replica, log.current_voters)),
        observers=tuple(map(_replica, log.observers)),
        nodes={
            node.node_id: tuple(
                QuorumListener(name=each.name, host=each.host, port=each.port)
                for each in node.listeners
            )
            for node in response.nodes
        },
    )


def _replica(told: ReplicaState) -> QuorumReplica:
    return QuorumReplica(
        node_id=told.replica_id,
        directory_id=told.replica_directory_id,
        log_end_offset=told.log_end_offset,
        last_fetch_ms=_time(told.last_fetch_timestamp),
        last_caught_up_ms=_time(told.last_caught_up_timestamp),
    )


def _time(time_ms: int) -> int | None:
    return None if time_ms < 0 else time_ms
