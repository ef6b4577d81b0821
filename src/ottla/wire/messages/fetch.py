"""Fetch (key 1): read record batches from partitions; followers replicate with it too.

Versions: 5 log start offset · 7 incremental sessions (KIP-227) · 9 leader epochs (KIP-320) ·
10 allows zstd · 11 reading from a near replica (KIP-392) · 12 flexible, diverging epochs
(KIP-595) · 13 topic ids instead of names (KIP-516) · 15 replica state instead of replica id
(KIP-903) · 16 tells the new leader (KIP-951) · 17 directory id (KIP-853) · 18 high watermark
(KIP-1166).
"""

from __future__ import annotations

from typing import Annotated

from ottla.base.ids import ZERO_UUID
from ottla.wire.schema import (
    Array,
    Int8,
    Int16,
    Int32,
    Int64,
    Message,
    NullableArray,
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

INT32_MAX = 2**31 - 1
INT64_MAX = 2**63 - 1


@message(key=1, versions="4-18", flexible="12+")
class FetchRequest(Message, kw_only=True):
    """Positions to read from; in a session (KIP-227) only those that changed."""

    replica_id: Annotated[Int32, until(14)] = -1
    """The follower's node id, -1 from a consumer."""
    max_wait_ms: Int32
    min_bytes: Int32
    """Answer when there are so many, or after `max_wait_ms`."""
    max_bytes: Int32 = INT32_MAX
    """A first batch that is larger is sent all the same (KIP-74)."""
    isolation_level: Int8 = 0
    """0 read uncommitted, 1 read committed."""
    session_id: Annotated[Int32, since(7), ignorable] = 0
    session_epoch: Annotated[Int32, since(7), ignorable] = -1
    """0 asks for a new session, -1 for none."""
    topics: Array[FetchTopic]
    forgotten_topics_data: Annotated[Array[ForgottenTopic], since(7)] = []
    rack_id: Annotated[String, since(11), ignorable] = ""
    cluster_id: Annotated[NullableString, since(12), tagged(0), ignorable] = None
    replica_state: Annotated[ReplicaState | None, since(15), tagged(1)] = None


class FetchTopic(Structure, kw_only=True):
    """Partitions of one topic, by name until version 12."""

    topic: Annotated[String, until(12), ignorable] = ""
    topic_id: Annotated[Uuid, since(13), ignorable] = ZERO_UUID
    partitions: Array[FetchPartition]


class FetchPartition(Structure, kw_only=True):
    """Where to read one partition from."""

    partition: Int32
    current_leader_epoch: Annotated[Int32, since(9), ignorable] = -1
    fetch_offset: Int64
    last_fetched_epoch: Annotated[Int32, since(12)] = -1
    """The epoch of the follower's last record, to find where the logs part."""
    log_start_offset: Annotated[Int64, since(5), ignorable] = -1
    """Of the follower; -1 from a consumer."""
    partition_max_bytes: Int32
    replica_directory_id: Annotated[Uuid, since(17), tagged(0), ignorable] = ZERO_UUID
    high_watermark: Annotated[Int64, since(18), tagged(1), ignorable] = INT64_MAX
    """As the follower knows it; the largest number where it does not take part in KIP-1166."""


class ForgottenTopic(Structure, kw_only=True):
    """Partitions that leave the session."""

    topic: Annotated[String, until(12), ignorable] = ""
    topic_id: Annotated[Uuid, since(13), ignorable] = ZERO_UUID
    partitions: Array[Int32]


class ReplicaState(Structure, kw_only=True):
    """Who replicates; both -1 from a consumer."""

    replica_id: Int32 = -1
    replica_epoch: Int64 = -1


@message(key=1, versions="4-18", flexible="12+")
class FetchResponse(Message, kw_only=True):
    """Batches, as they lie in the log: the last one of a partition may be cut short."""

    throttle_time_ms: Int32 = 0
    error_code: Annotated[Int16, since(7), ignorable] = 0
    session_id: Annotated[Int32, since(7)] = 0
    """0 where there is no session."""
    responses: Array[FetchableTopicResponse] = []
    node_endpoints: Annotated[Array[NodeEndpoint], since(16), tagged(0)] = []


class FetchableTopicResponse(Structure, kw_only=True):
    """Batches of one topic, by name until version 12."""

    topic: Annotated[String, until(12), ignorable] = ""
    topic_id: Annotated[Uuid, since(13), ignorable] = ZERO_UUID
    partitions: Array[PartitionData] = []


class PartitionData(Structure, kw_only=True):
    """Batches of one partition.

    OFFSET_OUT_OF_RANGE, NOT_LEADER_OR_FOLLOWER, UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID,
    INCONSISTENT_TOPIC_ID, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH, OFFSET_NOT_AVAILABLE,
    KAFKA_STORAGE_ERROR, OFFSET_MOVED_TO_TIERED_STORAGE.
    """

    partition_index: Int32
    error_code: Int16 = 0
    high_watermark: Int64
    last_stable_offset: Int64 = -1
    log_start_offset: Annotated[Int64, since(5), ignorable] = -1
    aborted_transactions: NullableArray[AbortedTransaction] = None
    """Null for read uncommitted."""
    preferred_read_replica: Annotated[Int32, since(11)] = -1
    """A nearer replica to fetch from; then without records (KIP-392)."""
    records: NullableRecords = None
    diverging_epoch: Annotated[EpochEndOffset | None, since(12), tagged(0)] = None
    current_leader: Annotated[LeaderIdAndEpoch | None, since(12), tagged(1)] = None
    snapshot_id: Annotated[SnapshotId | None, since(12), tagged(2)] = None


class AbortedTransaction(Structure, kw_only=True):
    """Records of this producer from this offset to its abort marker do not count."""

    producer_id: Int64
    first_offset: Int64


class EpochEndOffset(Structure, kw_only=True):
    """Where the largest common epoch ends: the follower truncates to it."""

    epoch: Int32 = -1
    end_offset: Int64 = -1


class LeaderIdAndEpoch(Structure, kw_only=True):
    """Who leads now, as far as this broker knows."""

    leader_id: Int32 = -1
    leader_epoch: Int32 = -1


class SnapshotId(Structure, kw_only=True):
    """A follower below the log start fetches this snapshot instead."""

    end_offset: Int64 = -1
    epoch: Int32 = -1


class NodeEndpoint(Structure, kw_only=True):
    """Where a leader is that some partition's answer names."""

    node_id: Int32
    host: String
    port: Int32
    rack: NullableString = None
