"""CreatePartitions (key 37): let topics grow.

Versions: 2 flexible · 3 may answer THROTTLING_QUOTA_EXCEEDED (KIP-599).
"""

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
    message,
)


@message(key=37, versions="0-3", flexible="2+")
class CreatePartitionsRequest(Message, kw_only=True):
    """Topics and how many partitions they shall have."""

    topics: Array[CreatePartitionsTopic]
    timeout_ms: Int32
    validate_only: Bool


class CreatePartitionsTopic(Structure, kw_only=True):
    """One topic and its new size."""

    name: String
    count: Int32
    """All partitions, not only the added ones."""
    assignments: NullableArray[CreatePartitionsAssignment]
    """Of the added partitions, in order; null to let the cluster place them."""


class CreatePartitionsAssignment(Structure, kw_only=True):
    """The brokers of one added partition, the preferred leader first."""

    broker_ids: Array[Int32]


@message(key=37, versions="0-3", flexible="2+")
class CreatePartitionsResponse(Message, kw_only=True):
    """What became of each topic."""

    throttle_time_ms: Int32 = 0
    results: Array[CreatePartitionsTopicResult] = []


class CreatePartitionsTopicResult(Structure, kw_only=True):
    """What became of one topic.

    UNKNOWN_TOPIC_OR_PARTITION, INVALID_PARTITIONS, INVALID_REPLICA_ASSIGNMENT, INVALID_REQUEST,
    REASSIGNMENT_IN_PROGRESS, TOPIC_AUTHORIZATION_FAILED, NOT_CONTROLLER.
    """

    name: String
    error_code: Int16 = 0
    error_message: NullableString = None
