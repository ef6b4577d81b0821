"""ElectLeaders (key 43): let partitions elect their leaders (KIP-460).

Versions: 1 unclean elections · 2 flexible.
"""

from __future__ import annotations

from typing import Annotated

from ottla.wire.schema import (
    Array,
    Int8,
    Int16,
    Int32,
    Message,
    NullableArray,
    NullableString,
    String,
    Structure,
    message,
    since,
)


@message(key=43, versions="0-2", flexible="2+")
class ElectLeadersRequest(Message, kw_only=True):
    """Partitions, null for all that need it."""

    election_type: Annotated[Int8, since(1)] = 0
    """0 the preferred replica, 1 any live one where no replica in sync is left."""
    topic_partitions: NullableArray[TopicPartitions] = None
    timeout_ms: Int32 = 60000


class TopicPartitions(Structure, kw_only=True):
    """Partitions of one topic."""

    topic: String
    partitions: Array[Int32]


@message(key=43, versions="0-2", flexible="2+")
class ElectLeadersResponse(Message, kw_only=True):
    """What became of each partition. CLUSTER_AUTHORIZATION_FAILED, NOT_CONTROLLER."""

    throttle_time_ms: Int32 = 0
    error_code: Annotated[Int16, since(1)] = 0
    replica_election_results: Array[ReplicaElectionResult] = []


class ReplicaElectionResult(Structure, kw_only=True):
    """What became of the partitions of one topic."""

    topic: String
    partition_result: Array[PartitionResult] = []


class PartitionResult(Structure, kw_only=True):
    """What became of one partition.

    ELECTION_NOT_NEEDED, PREFERRED_LEADER_NOT_AVAILABLE, ELIGIBLE_LEADERS_NOT_AVAILABLE,
    UNKNOWN_TOPIC_OR_PARTITION, NOT_CONTROLLER.
    """

    partition_id: Int32
    error_code: Int16 = 0
    error_message: NullableString = None
