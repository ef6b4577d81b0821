"""WriteTxnMarkers (key 27): a coordinator tells leaders how transactions ended.

Versions: 1 flexible · 2 the transaction version of each marker, for a stricter check of its epoch
(KIP-1228).
"""

from __future__ import annotations

from typing import Annotated

from ottla.wire.schema import (
    Array,
    Bool,
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


@message(key=27, versions="1-2", flexible="1+")
class WriteTxnMarkersRequest(Message, kw_only=True):
    """Markers to write."""

    markers: Array[WritableTxnMarker] = []


class WritableTxnMarker(Structure, kw_only=True):
    """A marker for partitions of one transaction."""

    producer_id: Int64
    producer_epoch: Int16
    transaction_result: Bool
    """True commits, false aborts."""
    topics: Array[WritableTxnMarkerTopic] = []
    coordinator_epoch: Int32
    """A leader refuses coordinators of a lower epoch than it has heard of."""
    transaction_version: Annotated[Int8, since(2), ignorable] = 0
    """Of version 2, the marker's epoch lies above that of the records (KIP-890)."""


class WritableTxnMarkerTopic(Structure, kw_only=True):
    """Partitions of one topic."""

    name: String
    partition_indexes: Array[Int32] = []


@message(key=27, versions="1-2", flexible="1+")
class WriteTxnMarkersResponse(Message, kw_only=True):
    """What became of each marker."""

    markers: Array[WritableTxnMarkerResult] = []


class WritableTxnMarkerResult(Structure, kw_only=True):
    """What became of one producer's markers."""

    producer_id: Int64
    topics: Array[WritableTxnMarkerTopicResult] = []


class WritableTxnMarkerTopicResult(Structure, kw_only=True):
    """What became of one topic's markers."""

    name: String
    partitions: Array[WritableTxnMarkerPartitionResult] = []


class WritableTxnMarkerPartitionResult(Structure, kw_only=True):
    """What became of one partition's marker.

    NOT_LEADER_OR_FOLLOWER, UNKNOWN_TOPIC_OR_PARTITION, INVALID_PRODUCER_EPOCH,
    TRANSACTION_COORDINATOR_FENCED, NOT_ENOUGH_REPLICAS, NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    REQUEST_TIMED_OUT, KAFKA_STORAGE_ERROR, COORDINATOR_NOT_AVAILABLE,
    COORDINATOR_LOAD_IN_PROGRESS, NOT_COORDINATOR, CLUSTER_AUTHORIZATION_FAILED.
    """

    partition_index: Int32
    error_code: Int16 = 0
