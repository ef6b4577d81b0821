"""Produce (key 0): append record batches to partitions.

Versions: 7 allows zstd (KIP-110) · 8 names the records at fault (KIP-467) · 9 flexible ·
10 tells the new leader (KIP-951) · 11 may answer TRANSACTION_ABORTABLE, and 12 adds partitions to
the transaction by itself (KIP-890) · 13 topic ids instead of names (KIP-516).
Kafka advertises versions from 0 for the sake of older librdkafka, but refuses 0-2 (KAFKA-18659).
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
    NullableRecords,
    NullableString,
    String,
    Structure,
    Uuid,
    ignorable,
    message,
    since,
    tagged,
    until,
)


@message(key=0, versions="3-13", flexible="9+")
class ProduceRequest(Message, kw_only=True):
    """One batch for each partition. With acks 0 there is no response, not even for an error."""

    transactional_id: NullableString = None
    acks: Int16
    """0 none, 1 the leader's, -1 those of all in-sync replicas."""
    timeout_ms: Int32
    topic_data: Array[TopicProduceData]


class TopicProduceData(Structure, kw_only=True):
    """Partitions of one topic, by name until version 12."""

    name: Annotated[String, until(12), ignorable] = ""
    topic_id: Annotated[Uuid, since(13), ignorable] = ZERO_UUID
    partition_data: Array[PartitionProduceData]


class PartitionProduceData(Structure, kw_only=True):
    """One batch for one partition."""

    index: Int32
    records: NullableRecords


@message(key=0, versions="3-13", flexible="9+")
class ProduceResponse(Message, kw_only=True):
    """Where the batches went."""

    responses: Array[TopicProduceResponse] = []
    throttle_time_ms: Int32 = 0
    node_endpoints: Annotated[Array[NodeEndpoint], since(10), tagged(0)] = []


class TopicProduceResponse(Structure, kw_only=True):
    """Answers for one topic, by name until version 12."""

    name: Annotated[String, until(12), ignorable] = ""
    topic_id: Annotated[Uuid, since(13), ignorable] = ZERO_UUID
    partition_responses: Array[PartitionProduceResponse] = []


class PartitionProduceResponse(Structure, kw_only=True):
    """What became of one batch.

    NOT_LEADER_OR_FOLLOWER, UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID, CORRUPT_MESSAGE,
    MESSAGE_TOO_LARGE, INVALID_RECORD, INVALID_TIMESTAMP, UNSUPPORTED_COMPRESSION_TYPE,
    NOT_ENOUGH_REPLICAS, NOT_ENOUGH_REPLICAS_AFTER_APPEND, REQUEST_TIMED_OUT,
    INVALID_PRODUCER_EPOCH, OUT_OF_ORDER_SEQUENCE_NUMBER, DUPLICATE_SEQUENCE_NUMBER,
    KAFKA_STORAGE_ERROR.
    """

    index: Int32
    error_code: Int16 = 0
    base_offset: Int64
    log_append_time_ms: Int64 = -1
    """-1 where the topic keeps the producer's timestamps."""
    log_start_offset: Annotated[Int64, since(5), ignorable] = -1
    record_errors: Annotated[Array[BatchIndexAndErrorMessage], since(8), ignorable] = []
    error_message: Annotated[NullableString, since(8), ignorable] = None
    current_leader: Annotated[LeaderIdAndEpoch | None, since(10), tagged(0)] = None


class BatchIndexAndErrorMessage(Structure, kw_only=True):
    """A record that made the whole batch be refused."""

    batch_index: Int32
    batch_index_error_message: NullableString = None


class LeaderIdAndEpoch(Structure, kw_only=True):
    """Who leads now, as far as this broker knows."""

    leader_id: Int32 = -1
    leader_epoch: Int32 = -1


class NodeEndpoint(Structure, kw_only=True):
    """Where a leader is that some partition's answer names."""

    node_id: Int32
    host: String
    port: Int32
    rack: NullableString = None
