"""OffsetForLeaderEpoch (key 23): where a leader's epoch ended, to find where two logs part.

Versions: 2 the current leader epoch, to fence (KIP-320) · 3 the replica's id · 4 flexible.
"""

from __future__ import annotations

from typing import Annotated

from ottla.wire.schema import (
    Array,
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


@message(key=23, versions="2-4", flexible="4+")
class OffsetForLeaderEpochRequest(Message, kw_only=True):
    """An epoch for each partition."""

    replica_id: Annotated[Int32, since(3), ignorable] = -2
    """The follower's node id, -1 from a consumer, -2 from one that looks for errors."""
    topics: Array[OffsetForLeaderTopic] = []


class OffsetForLeaderTopic(Structure, kw_only=True):
    """Partitions of one topic."""

    topic: String
    partitions: Array[OffsetForLeaderPartition] = []


class OffsetForLeaderPartition(Structure, kw_only=True):
    """The epoch to look for in one partition."""

    partition: Int32
    current_leader_epoch: Int32 = -1
    """The epoch that the client believes in, or -1: another one is refused."""
    leader_epoch: Int32


@message(key=23, versions="2-4", flexible="4+")
class OffsetForLeaderEpochResponse(Message, kw_only=True):
    """An end for each epoch."""

    throttle_time_ms: Int32 = 0
    topics: Array[OffsetForLeaderTopicResult] = []


class OffsetForLeaderTopicResult(Structure, kw_only=True):
    """Ends of epochs in one topic."""

    topic: String
    partitions: Array[EpochEnd] = []


class EpochEnd(Structure, kw_only=True):
    """The largest epoch that is not above the one asked for, and where it ends (exclusive).

    -1 and -1 where it is not known. NOT_LEADER_OR_FOLLOWER, UNKNOWN_TOPIC_OR_PARTITION,
    FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH, TOPIC_AUTHORIZATION_FAILED.
    """

    error_code: Int16 = 0
    partition: Int32
    leader_epoch: Int32 = -1
    end_offset: Int64 = -1
