"""DescribeQuorum (key 55): the voters of the metadata log and how far each is (KIP-595).

Versions: 1 times · 2 directories and addresses of voters (KIP-853).
"""

from __future__ import annotations

from typing import Annotated

from ottla.base.ids import ZERO_UUID
from ottla.wire.schema import (
    Array,
    Int16,
    Int32,
    Int64,
    Message,
    NullableString,
    String,
    Structure,
    UInt16,
    Uuid,
    ignorable,
    message,
    since,
)


@message(key=55, versions="0-2", flexible="0+")
class DescribeQuorumRequest(Message, kw_only=True):
    """The metadata log, by its topic."""

    topics: Array[TopicData]


class TopicData(Structure, kw_only=True):
    """Partitions of one topic."""

    topic_name: String
    partitions: Array[PartitionData]


class PartitionData(Structure, kw_only=True):
    """One partition."""

    partition_index: Int32


@message(key=55, versions="0-2", flexible="0+")
class DescribeQuorumResponse(Message, kw_only=True):
    """The quorum. INVALID_REQUEST, CLUSTER_AUTHORIZATION_FAILED, NOT_LEADER_OR_FOLLOWER."""

    error_code: Int16 = 0
    error_message: Annotated[NullableString, since(2), ignorable] = None
    topics: Array[TopicState] = []
    nodes: Annotated[Array[Node], since(2)] = []


class TopicState(Structure, kw_only=True):
    """Partitions of one topic."""

    topic_name: String
    partitions: Array[PartitionState] = []


class Node(Structure, kw_only=True):
    """A controller."""

    node_id: Annotated[Int32, since(2)] = 0
    listeners: Annotated[Array[Listener], since(2)] = []


class PartitionState(Structure, kw_only=True):
    """One partition."""

    partition_index: Int32
    error_code: Int16 = 0
    error_message: Annotated[NullableString, since(2), ignorable] = None
    leader_id: Int32
    leader_epoch: Int32
    high_watermark: Int64
    current_voters: Array[ReplicaState] = []
    observers: Array[ReplicaState] = []


class Listener(Structure, kw_only=True):
    """Where a controller listens."""

    name: Annotated[String, since(2)] = ""
    host: Annotated[String, since(2)] = ""
    port: Annotated[UInt16, since(2)] = 0


class ReplicaState(Structure, kw_only=True):
    """How far one replica is."""

    replica_id: Int32
    replica_directory_id: Annotated[Uuid, since(2)] = ZERO_UUID
    log_end_offset: Int64
    last_fetch_timestamp: Annotated[Int64, since(1), ignorable] = -1
    """When a follower last asked; -1 for the leader, or where it is not known."""
    last_caught_up_timestamp: Annotated[Int64, since(1), ignorable] = -1
    """When it last had everything; -1 where it is not known."""
