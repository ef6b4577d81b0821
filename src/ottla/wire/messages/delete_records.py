"""DeleteRecords (key 21): let the records of partitions go, up to an offset (KIP-107).

Versions: 1 answers before it throttles · 2 flexible.
"""

from __future__ import annotations

from ottla.wire.schema import Array, Int16, Int32, Int64, Message, String, Structure, message


@message(key=21, versions="0-2", flexible="2+")
class DeleteRecordsRequest(Message, kw_only=True):
    """Partitions, and the first offset of each that stays."""

    topics: Array[DeleteRecordsTopic] = []
    timeout_ms: Int32
    """How long to wait until the other replicas have followed."""


class DeleteRecordsTopic(Structure, kw_only=True):
    """Partitions of one topic."""

    name: String
    partitions: Array[DeleteRecordsPartition] = []


class DeleteRecordsPartition(Structure, kw_only=True):
    """What goes from one partition."""

    partition_index: Int32
    offset: Int64
    """-1 stands for the high watermark: everything that consumers can see goes."""


@message(key=21, versions="0-2", flexible="2+")
class DeleteRecordsResponse(Message, kw_only=True):
    """What became of each partition."""

    throttle_time_ms: Int32 = 0
    topics: Array[DeleteRecordsTopicResult] = []


class DeleteRecordsTopicResult(Structure, kw_only=True):
    """What became of the partitions of one topic."""

    name: String
    partitions: Array[DeleteRecordsPartitionResult] = []


class DeleteRecordsPartitionResult(Structure, kw_only=True):
    """The least offset that every live replica still has; -1 with an error.

    OFFSET_OUT_OF_RANGE beyond the high watermark, POLICY_VIOLATION for a topic that is compacted
    only, INVALID_TOPIC_EXCEPTION for internal topics, NOT_LEADER_OR_FOLLOWER,
    UNKNOWN_TOPIC_OR_PARTITION, REQUEST_TIMED_OUT, TOPIC_AUTHORIZATION_FAILED.
    """

    partition_index: Int32
    low_watermark: Int64 = -1
    error_code: Int16 = 0
