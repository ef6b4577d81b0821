"""OffsetCommit (key 8): keep the positions of a group, by partition.

Versions: 3 throttle time · 5 no retention time of its own (KIP-211) · 6 leader epochs (KIP-320) ·
7 static members (KIP-345) · 8 flexible · 9 members of the consumer protocol (KIP-848) ·
10 topic ids instead of names.
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
    Uuid,
    between,
    ignorable,
    message,
    since,
    until,
)


@message(key=8, versions="2-10", flexible="8+")
class OffsetCommitRequest(Message, kw_only=True):
    """Positions of a group, from one of its members or from outside."""

    group_id: String
    generation_id_or_member_epoch: Int32 = -1
    """A generation of a classic group, a member's epoch in the consumer protocol; -1 from whoever
    is no member, which an empty group accepts."""
    member_id: String = ""
    group_instance_id: Annotated[NullableString, since(7)] = None
    retention_time_ms: Annotated[Int64, between(2, 4), ignorable] = -1
    """-1: as long as the broker keeps offsets."""
    topics: Array[OffsetCommitRequestTopic] = []


class OffsetCommitRequestTopic(Structure, kw_only=True):
    """Positions in one topic, by name until version 9."""

    name: Annotated[String, until(9), ignorable] = ""
    topic_id: Annotated[Uuid, since(10), ignorable] = ZERO_UUID
    partitions: Array[OffsetCommitRequestPartition] = []


class OffsetCommitRequestPartition(Structure, kw_only=True):
    """The position in one partition."""

    partition_index: Int32
    committed_offset: Int64
    """The next offset to read."""
    committed_leader_epoch: Annotated[Int32, since(6), ignorable] = -1
    """The epoch of the last record that was read; -1 where it is not known."""
    committed_metadata: NullableString = None
    """Whatever the client wants to find again."""


@message(key=8, versions="2-10", flexible="8+")
class OffsetCommitResponse(Message, kw_only=True):
    """Whether each position is kept; an error of the whole request stands at every partition."""

    throttle_time_ms: Annotated[Int32, since(3), ignorable] = 0
    topics: Array[OffsetCommitResponseTopic] = []


class OffsetCommitResponseTopic(Structure, kw_only=True):
    """Partitions of one topic, by name until version 9."""

    name: Annotated[String, until(9), ignorable] = ""
    topic_id: Annotated[Uuid, since(10), ignorable] = ZERO_UUID
    partitions: Array[OffsetCommitResponsePartition] = []


class OffsetCommitResponsePartition(Structure, kw_only=True):
    """Whether one position is kept.

    Of the group: UNKNOWN_MEMBER_ID, ILLEGAL_GENERATION, REBALANCE_IN_PROGRESS, FENCED_INSTANCE_ID,
    GROUP_ID_NOT_FOUND and STALE_MEMBER_EPOCH since version 9 (before it, ILLEGAL_GENERATION and,
    to a member of the consumer protocol, UNSUPPORTED_VERSION), INVALID_GROUP_ID, NOT_COORDINATOR,
    COORDINATOR_NOT_AVAILABLE, COORDINATOR_LOAD_IN_PROGRESS, GROUP_AUTHORIZATION_FAILED.
    Of the partition: OFFSET_METADATA_TOO_LARGE, INVALID_COMMIT_OFFSET_SIZE,
    UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID since version 10, TOPIC_AUTHORIZATION_FAILED.
    """

    partition_index: Int32
    error_code: Int16 = 0
