"""OffsetDelete (key 47): forget positions of a group that nobody in it needs (KIP-496).

Never flexible.
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int16, Int32, Message, String, Structure, message


@message(key=47, versions="0", flexible="none")
class OffsetDeleteRequest(Message, kw_only=True):
    """Positions to forget."""

    group_id: String
    topics: Array[OffsetDeleteRequestTopic] = []


class OffsetDeleteRequestTopic(Structure, kw_only=True):
    """Positions in one topic."""

    name: String
    partitions: Array[OffsetDeleteRequestPartition] = []


class OffsetDeleteRequestPartition(Structure, kw_only=True):
    """The position in one partition."""

    partition_index: Int32


@message(key=47, versions="0", flexible="none")
class OffsetDeleteResponse(Message, kw_only=True):
    """Whether the request was good at all, and what became of each position.

    GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP where members cannot be told what they read,
    INVALID_GROUP_ID, NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE, COORDINATOR_LOAD_IN_PROGRESS,
    GROUP_AUTHORIZATION_FAILED; then without topics.
    """

    error_code: Int16 = 0
    throttle_time_ms: Int32 = 0
    topics: Array[OffsetDeleteResponseTopic] = []


class OffsetDeleteResponseTopic(Structure, kw_only=True):
    """What became of the positions in one topic."""

    name: String
    partitions: Array[OffsetDeleteResponsePartition] = []


class OffsetDeleteResponsePartition(Structure, kw_only=True):
    """What became of one position.

    GROUP_SUBSCRIBED_TO_TOPIC, UNKNOWN_TOPIC_OR_PARTITION, TOPIC_AUTHORIZATION_FAILED.
    """

    partition_index: Int32
    error_code: Int16 = 0
