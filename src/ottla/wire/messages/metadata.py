"""Metadata (key 3): which brokers there are, which topics, and who leads what.

Versions: 1 all topics by null · 4 auto-creation may be declined · 5 offline replicas ·
7 leader epochs · 8 authorized operations · 9 flexible · 10 topic ids in answers ·
12 topic ids in requests (KIP-516) · 13 a top-level error code (KIP-1102).
"""

from __future__ import annotations

from typing import Annotated

from ottla.base.ids import ZERO_UUID
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
    Uuid,
    between,
    ignorable,
    message,
    nullable,
    since,
)

OPERATIONS_NOT_ASKED = -(2**31)
"""The bit field of authorized operations when the client did not ask for it."""


@message(key=3, versions="0-13", flexible="9+")
class MetadataRequest(Message, kw_only=True):
    """Topics to describe: null for all; in version 0, none given means all."""

    topics: Annotated[NullableArray[MetadataRequestTopic], nullable(since=1)]
    allow_auto_topic_creation: Annotated[Bool, since(4)] = True
    """The broker's own setting must allow it too."""
    include_cluster_authorized_operations: Annotated[Bool, between(8, 10)] = False
    include_topic_authorized_operations: Annotated[Bool, since(8)] = False


class MetadataRequestTopic(Structure, kw_only=True):
    """A topic by name or, since version 12, by id with a null name."""

    topic_id: Annotated[Uuid, since(10), ignorable] = ZERO_UUID
    name: Annotated[NullableString, nullable(since=10)]


@message(key=3, versions="0-13", flexible="9+")
class MetadataResponse(Message, kw_only=True):
    """The cluster as this broker sees it."""

    throttle_time_ms: Annotated[Int32, since(3), ignorable] = 0
    brokers: Array[MetadataResponseBroker] = []
    cluster_id: Annotated[NullableString, since(2), ignorable] = None
    controller_id: Annotated[Int32, since(1), ignorable] = -1
    """Any live broker: clients reach the controller through it."""
    topics: Array[MetadataResponseTopic] = []
    cluster_authorized_operations: Annotated[Int32, between(8, 10)] = OPERATIONS_NOT_ASKED
    error_code: Annotated[Int16, since(13), ignorable] = 0


class MetadataResponseBroker(Structure, kw_only=True):
    """A live broker, at its address on the listener that was asked."""

    node_id: Int32
    host: String
    port: Int32
    rack: Annotated[NullableString, since(1), ignorable] = None


class MetadataResponseTopic(Structure, kw_only=True):
    """One topic.

    UNKNOWN_TOPIC_OR_PARTITION, UNKNOWN_TOPIC_ID, INVALID_TOPIC_EXCEPTION,
    TOPIC_AUTHORIZATION_FAILED, LEADER_NOT_AVAILABLE while it is being made.
    """

    error_code: Int16 = 0
    name: Annotated[NullableString, nullable(since=12)] = None
    """Null only for an id that is not known."""
    topic_id: Annotated[Uuid, since(10), ignorable] = ZERO_UUID
    is_internal: Annotated[Bool, since(1), ignorable] = False
    partitions: Array[MetadataResponsePartition] = []
    topic_authorized_operations: Annotated[Int32, since(8)] = OPERATIONS_NOT_ASKED


class MetadataResponsePartition(Structure, kw_only=True):
    """One partition. LEADER_NOT_AVAILABLE, LISTENER_NOT_FOUND."""

    error_code: Int16 = 0
    partition_index: Int32
    leader_id: Int32
    leader_epoch: Annotated[Int32, since(7), ignorable] = -1
    replica_nodes: Array[Int32] = []
    isr_nodes: Array[Int32] = []
    offline_replicas: Annotated[Array[Int32], since(5), ignorable] = []
