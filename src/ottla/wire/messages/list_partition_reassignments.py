"""ListPartitionReassignments (key 46): partitions that move between brokers (KIP-455)."""

from __future__ import annotations

from ottla.wire.schema import (
    Array,
    Int16,
    Int32,
    Message,
    NullableArray,
    NullableString,
    String,
    Structure,
    message,
)


@message(key=46, versions="0", flexible="0+")
class ListPartitionReassignmentsRequest(Message, kw_only=True):
    """Partitions that are asked about; null for all."""

    timeout_ms: Int32 = 60000
    topics: NullableArray[ListPartitionReassignmentsTopics] = None


class ListPartitionReassignmentsTopics(Structure, kw_only=True):
    """Partitions of one topic."""

    name: String
    partition_indexes: Array[Int32]


@message(key=46, versions="0", flexible="0+")
class ListPartitionReassignmentsResponse(Message, kw_only=True):
    """Those that move. NOT_CONTROLLER, CLUSTER_AUTHORIZATION_FAILED."""

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: NullableString = None
    topics: Array[OngoingTopicReassignment] = []


class OngoingTopicReassignment(Structure, kw_only=True):
    """Moving partitions of one topic."""

    name: String
    partitions: Array[OngoingPartitionReassignment] = []


class OngoingPartitionReassignment(Structure, kw_only=True):
    """One moving partition."""

    partition_index: Int32
    replicas: Array[Int32] = []
    """Old and new ones together."""
    adding_replicas: Array[Int32] = []
    removing_replicas: Array[Int32] = []
