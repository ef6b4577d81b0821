"""OffsetFetch (key 9): the positions that groups have committed.

Versions: 2 null asks for all topics, an error code for the whole · 3 throttle time · 5 leader
epochs (KIP-320) · 6 flexible · 7 may insist on stable offsets (KIP-447) · 8 several groups at once
(KIP-709) · 9 members of the consumer protocol (KIP-848) · 10 topic ids instead of names.
"""

from __future__ import annotations

from typing import Annotated

from ottla.base.ids import ZERO_UUID
from ottla.wire.schema import (
    Array,
    Bool,
    Int16,
    Int32,
    Int64,
    Message,
    NullableArray,
    NullableString,
    String,
    Structure,
    Uuid,
    between,
    ignorable,
    message,
    nullable,
    since,
    until,
)


@message(key=9, versions="1-10", flexible="6+")
class OffsetFetchRequest(Message, kw_only=True):
    """Whose positions: `group_id` and `topics` until version 7, `groups` after it."""

    group_id: Annotated[String, until(7)] = ""
    topics: Annotated[NullableArray[OffsetFetchRequestTopic], until(7), nullable(since=2)] = []
    """Null for every partition that has one."""
    groups: Annotated[Array[OffsetFetchRequestGroup], since(8)] = []
    require_stable: Annotated[Bool, since(7)] = False
    """Rather refuse than tell an offset that an open transaction may still move."""


class OffsetFetchRequestTopic(Structure, kw_only=True):
    """Partitions of one topic."""

    name: String
    partition_indexes: Array[Int32] = []


class OffsetFetchRequestGroup(Structure, kw_only=True):
    """A group, and which of its positions."""

    group_id: String
    member_id: Annotated[NullableString, since(9), ignorable] = None
    member_epoch: Annotated[Int32, since(9), ignorable] = -1
    """Of a member of the consumer protocol; -1 from anyone else."""
    topics: NullableArray[OffsetFetchRequestTopics] = None
    """Null for every partition that has one."""


class OffsetFetchRequestTopics(Structure, kw_only=True):
    """Partitions of one topic, by name until version 9."""

    name: Annotated[String, until(9), ignorable] = ""
    topic_id: Annotated[Uuid, since(10), ignorable] = ZERO_UUID
    partition_indexes: Array[Int32] = []


@message(key=9, versions="1-10", flexible="6+")
class OffsetFetchResponse(Message, kw_only=True):
    """Positions: of one group in `topics` until version 7, of each in `groups` after it.

    The error is that of the group (`OffsetFetchResponseGroup`); version 1 has no place for it and
    tells it at every partition.
    """

    throttle_time_ms: Annotated[Int32, since(3), ignorable] = 0
    topics: Annotated[Array[OffsetFetchResponseTopic], until(7)] = []
    error_code: Annotated[Int16, between(2, 7), ignorable] = 0
    groups: Annotated[Array[OffsetFetchResponseGroup], since(8)] = []


class OffsetFetchResponseTopic(Structure, kw_only=True):
    """Positions in one topic."""

    name: String
    partitions: Array[OffsetFetchResponsePartition] = []


class OffsetFetchResponsePartition(Structure, kw_only=True):
    """The position in one partition, -1 where there is none.

    UNSTABLE_OFFSET_COMMIT since version 7, UNKNOWN_TOPIC_OR_PARTITION, TOPIC_AUTHORIZATION_FAILED,
    and in version 1 whatever is wrong with the group.
    """

    partition_index: Int32
    committed_offset: Int64 = -1
    committed_leader_epoch: Annotated[Int32, since(5), ignorable] = -1
    metadata: NullableString = ""
    error_code: Int16 = 0


class OffsetFetchResponseGroup(Structure, kw_only=True):
    """Positions of one group.

    GROUP_ID_NOT_FOUND, UNKNOWN_MEMBER_ID and STALE_MEMBER_EPOCH since version 9, INVALID_GROUP_ID,
    NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE, COORDINATOR_LOAD_IN_PROGRESS,
    GROUP_AUTHORIZATION_FAILED.
    """

    group_id: String
    topics: Array[OffsetFetchResponseTopics] = []
    error_code: Int16 = 0


class OffsetFetchResponseTopics(Structure, kw_only=True):
    """Positions in one topic, by name until version 9."""

    name: Annotated[String, until(9), ignorable] = ""
    topic_id: Annotated[Uuid, since(10), ignorable] = ZERO_UUID
    partitions: Array[OffsetFetchResponsePartitions] = []


class OffsetFetchResponsePartitions(Structure, kw_only=True):
    """The position in one partition, -1 where there is none.

    UNSTABLE_OFFSET_COMMIT, UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID since version 10,
    TOPIC_AUTHORIZATION_FAILED.
    """

    partition_index: Int32
    committed_offset: Int64 = -1
    committed_leader_epoch: Int32 = -1
    metadata: NullableString = ""
    error_code: Int16 = 0
