"""ListOffsets (key 2): offsets by timestamp, or by one of the special timestamps.

-1 latest · -2 earliest · -3 the largest timestamp (7, KIP-734) · -4 earliest local (8, KIP-405) ·
-5 latest tiered (9, KIP-1005) · -6 earliest pending upload (11, KIP-1023).
Versions: 2 isolation level · 4 leader epochs · 6 flexible · 10 timeout for remote reads (KIP-1075).
"""

from __future__ import annotations

from typing import Annotated

from ottla.wire.schema import (
    Array,
    Int8,
    Int16,
    Int32,
    Int64,
    Message,
    String,
    Structure,
    ignorable,
    message,
    since,
)


@message(key=2, versions="1-11", flexible="6+")
class ListOffsetsRequest(Message, kw_only=True):
    """A timestamp for each partition."""

    replica_id: Int32
    """The follower's node id, -1 from a consumer."""
    isolation_level: Annotated[Int8, since(2)] = 0
    """1 (read committed): the latest offset is the last stable one."""
    topics: Array[ListOffsetsTopic]
    timeout_ms: Annotated[Int32, since(10), ignorable] = 0


class ListOffsetsTopic(Structure, kw_only=True):
    """Partitions of one topic."""

    name: String
    partitions: Array[ListOffsetsPartition]


class ListOffsetsPartition(Structure, kw_only=True):
    """The timestamp to look for in one partition."""

    partition_index: Int32
    current_leader_epoch: Annotated[Int32, since(4), ignorable] = -1
    timestamp: Int64


@message(key=2, versions="1-11", flexible="6+")
class ListOffsetsResponse(Message, kw_only=True):
    """An offset for each partition."""

    throttle_time_ms: Annotated[Int32, since(2), ignorable] = 0
    topics: Array[ListOffsetsTopicResponse] = []


class ListOffsetsTopicResponse(Structure, kw_only=True):
    """Offsets of one topic."""

    name: String
    partitions: Array[ListOffsetsPartitionResponse] = []


class ListOffsetsPartitionResponse(Structure, kw_only=True):
    """The first offset at or after the timestamp; -1 and -1 where there is none.

    NOT_LEADER_OR_FOLLOWER, UNKNOWN_TOPIC_OR_PARTITION, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH,
    OFFSET_NOT_AVAILABLE, UNSUPPORTED_VERSION for a special timestamp that the version lacks.
    """

    partition_index: Int32
    error_code: Int16 = 0
    timestamp: Int64 = -1
    offset: Int64 = -1
    leader_epoch: Annotated[Int32, since(4)] = -1
