"""AlterPartitionReassignments (key 45): which brokers shall hold partitions (KIP-455).

Versions: 1 may forbid another number of replicas (KIP-860).
"""

from __future__ import annotations

from typing import Annotated

from ottla.wire.schema import (
    Array,
    Bool,
    Int16,
    Int32,
    Message,
    NullableArray,
    NullableString,
    String,
    Structure,
    ignorable,
    message,
    since,
)


@message(key=45, versions="0-1", flexible="0+")
class AlterPartitionReassignmentsRequest(Message, kw_only=True):
    """Partitions and their new replicas."""

    timeout_ms: Int32 = 60000
    allow_replication_factor_change: Annotated[Bool, since(1)] = True
    topics: Array[ReassignableTopic]


class ReassignableTopic(Structure, kw_only=True):
    """Partitions of one topic."""

    name: String
    partitions: Array[ReassignablePartition]


class ReassignablePartition(Structure, kw_only=True):
    """One partition; null replicas cancel what goes on."""

    partition_index: Int32
    replicas: NullableArray[Int32] = None


@message(key=45, versions="0-1", flexible="0+")
class AlterPartitionReassignmentsResponse(Message, kw_only=True):
    """Whether each reassignment has begun.

    NOT_CONTROLLER, CLUSTER_AUTHORIZATION_FAILED, REQUEST_TIMED_OUT.
    """

    throttle_time_ms: Int32 = 0
    allow_replication_factor_change: Annotated[Bool, since(1), ignorable] = True
    error_code: Int16 = 0
    error_message: NullableString = None
    responses: Array[ReassignableTopicResponse] = []


class ReassignableTopicResponse(Structure, kw_only=True):
    """What became of the partitions of one topic."""

    name: String
    partitions: Array[ReassignablePartitionResponse] = []


class ReassignablePartitionResponse(Structure, kw_only=True):
    """What became of one partition.

    NO_REASSIGNMENT_IN_PROGRESS, INVALID_REPLICA_ASSIGNMENT, INVALID_REPLICATION_FACTOR,
    UNKNOWN_TOPIC_OR_PARTITION.
    """

    partition_index: Int32
    error_code: Int16 = 0
    error_message: NullableString = None
