"""DescribeTopicPartitions (key 75): topics page by page, with eligible leaders (KIP-966)."""

from __future__ import annotations

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
    Uuid,
    message,
)

OPERATIONS_NOT_ASKED = -(2**31)
"""The bit field of authorized operations when the client did not ask for it."""


@message(key=75, versions="0", flexible="0+")
class DescribeTopicPartitionsRequest(Message, kw_only=True):
    """Topics to describe, none for all; in the order of their names."""

    topics: Array[TopicRequest]
    response_partition_limit: Int32 = 2000
    """Kafka itself never answers more than 2000."""
    cursor: Cursor | None = None


class TopicRequest(Structure, kw_only=True):
    """A topic by name."""

    name: String


class Cursor(Structure, kw_only=True):
    """The first partition of a page."""

    topic_name: String
    partition_index: Int32


@message(key=75, versions="0", flexible="0+")
class DescribeTopicPartitionsResponse(Message, kw_only=True):
    """A page of topics."""

    throttle_time_ms: Int32 = 0
    topics: Array[DescribeTopicPartitionsResponseTopic] = []
    next_cursor: Cursor | None = None
    """Null on the last page."""


class DescribeTopicPartitionsResponseTopic(Structure, kw_only=True):
    """One topic. UNKNOWN_TOPIC_OR_PARTITION, INVALID_TOPIC_EXCEPTION."""

    error_code: Int16 = 0
    name: NullableString = None
    topic_id: Uuid
    is_internal: Bool = False
    partitions: Array[DescribeTopicPartitionsResponsePartition] = []
    topic_authorized_operations: Int32 = OPERATIONS_NOT_ASKED


class DescribeTopicPartitionsResponsePartition(Structure, kw_only=True):
    """One partition, with those who may lead it next."""

    error_code: Int16 = 0
    partition_index: Int32
    leader_id: Int32
    leader_epoch: Int32 = -1
    replica_nodes: Array[Int32] = []
    isr_nodes: Array[Int32] = []
    eligible_leader_replicas: NullableArray[Int32] = None
    last_known_elr: NullableArray[Int32] = None
    offline_replicas: Array[Int32] = []
