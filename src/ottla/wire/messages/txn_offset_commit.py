"""TxnOffsetCommit (key 28): positions of a group that count once the transaction commits.

Versions: 1 answers before it throttles · 2 leader epochs (KIP-320) · 3 flexible, the member and
its generation (KIP-447) · 4 may answer TRANSACTION_ABORTABLE · 5 adds the group to the transaction
by itself, without AddOffsetsToTxn (KIP-890).
"""

from __future__ import annotations

from typing import Annotated

from ottla.wire.schema import (
    Array,
    Int16,
    Int32,
    Int64,
    Message,
    NullableString,
    String,
    Structure,
    ignorable,
    message,
    since,
)


@message(key=28, versions="0-5", flexible="3+")
class TxnOffsetCommitRequest(Message, kw_only=True):
    """Positions of a group, in a producer's transaction."""

    transactional_id: String
    group_id: String
    producer_id: Int64
    producer_epoch: Int16
    generation_id: Annotated[Int32, since(3)] = -1
    """Also a member's epoch in the consumer protocol; -1 with an empty member id where the producer
    does not know, and nothing is checked."""
    member_id: Annotated[String, since(3)] = ""
    group_instance_id: Annotated[NullableString, since(3)] = None
    topics: Array[TxnOffsetCommitRequestTopic] = []


class TxnOffsetCommitRequestTopic(Structure, kw_only=True):
    """Positions in one topic."""

    name: String
    partitions: Array[TxnOffsetCommitRequestPartition] = []


class TxnOffsetCommitRequestPartition(Structure, kw_only=True):
    """The position in one partition."""

    partition_index: Int32
    committed_offset: Int64
    """The next offset to read."""
    committed_leader_epoch: Annotated[Int32, since(2), ignorable] = -1
    committed_metadata: NullableString = None


@message(key=28, versions="0-5", flexible="3+")
class TxnOffsetCommitResponse(Message, kw_only=True):
    """Whether each position is kept; an error of the whole request stands at every partition."""

    throttle_time_ms: Int32 = 0
    topics: Array[TxnOffsetCommitResponseTopic] = []


class TxnOffsetCommitResponseTopic(Structure, kw_only=True):
    """Partitions of one topic."""

    name: String
    partitions: Array[TxnOffsetCommitResponsePartition] = []


class TxnOffsetCommitResponsePartition(Structure, kw_only=True):
    """Whether one position is kept.

    Of the transaction: INVALID_PRODUCER_ID_MAPPING, INVALID_PRODUCER_EPOCH, PRODUCER_FENCED,
    INVALID_TXN_STATE, TRANSACTION_ABORTABLE since version 4, TRANSACTIONAL_ID_AUTHORIZATION_FAILED.
    Of the group: ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID and FENCED_INSTANCE_ID since version 3,
    INVALID_GROUP_ID, NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE, COORDINATOR_LOAD_IN_PROGRESS,
    GROUP_AUTHORIZATION_FAILED.
    Of the partition: OFFSET_METADATA_TOO_LARGE, INVALID_COMMIT_OFFSET_SIZE,
    UNKNOWN_TOPIC_OR_PARTITION, TOPIC_AUTHORIZATION_FAILED.
    """

    partition_index: Int32
    error_code: Int16 = 0
