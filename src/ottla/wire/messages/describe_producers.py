"""DescribeProducers (key 61): the producers that a partition's leader remembers (KIP-664)."""

from __future__ import annotations

from ottla.wire.schema import (
    Array,
    Int16,
    Int32,
    Int64,
    Message,
    NullableString,
    String,
    Structure,
    message,
)


@message(key=61, versions="0", flexible="0+")
class DescribeProducersRequest(Message, kw_only=True):
    """Partitions whose producers are asked for."""

    topics: Array[TopicRequest]


class TopicRequest(Structure, kw_only=True):
    """Partitions of one topic."""

    name: String
    partition_indexes: Array[Int32]


@message(key=61, versions="0", flexible="0+")
class DescribeProducersResponse(Message, kw_only=True):
    """The producers of each partition."""

    throttle_time_ms: Int32 = 0
    topics: Array[TopicResponse] = []


class TopicResponse(Structure, kw_only=True):
    """The producers of one topic."""

    name: String
    partitions: Array[PartitionResponse] = []


class PartitionResponse(Structure, kw_only=True):
    """The producers of one partition.

    NOT_LEADER_OR_FOLLOWER, UNKNOWN_TOPIC_OR_PARTITION, INVALID_TOPIC_EXCEPTION,
    TOPIC_AUTHORIZATION_FAILED.
    """

    partition_index: Int32
    error_code: Int16 = 0
    error_message: NullableString = None
    active_producers: Array[ProducerState] = []


class ProducerState(Structure, kw_only=True):
    """One producer, as of its last batch."""

    producer_id: Int64
    producer_epoch: Int32
    """Wider here than anywhere else."""
    last_sequence: Int32 = -1
    last_timestamp: Int64 = -1
    coordinator_epoch: Int32
    """Of the last marker; -1 where there was none."""
    current_txn_start_offset: Int64 = -1
    """-1 where no transaction is open."""
