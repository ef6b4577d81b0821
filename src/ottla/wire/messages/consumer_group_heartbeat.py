"""ConsumerGroupHeartbeat (key 68): all that members of the consumer protocol do (KIP-848).

Joining, leaving, telling what has changed, and learning the assignment, which the broker makes.
Versions: 1 subscriptions by regular expression, member ids made by the client (KIP-1082).
"""

from __future__ import annotations

from typing import Annotated

from ottla.wire.schema import (
    Array,
    Int16,
    Int32,
    Message,
    NullableArray,
    NullableString,
    String,
    Structure,
    Uuid,
    message,
    since,
)


@message(key=68, versions="0-1", flexible="0+")
class ConsumerGroupHeartbeatRequest(Message, kw_only=True):
    """A member; what it leaves out has not changed since its last heartbeat."""

    group_id: String
    member_id: String
    """Kept by a client for as long as it runs; empty only from a new member in version 0."""
    member_epoch: Int32
    """0 joins, -1 leaves, -2 leaves as a static member that will be back: its partitions wait."""
    instance_id: NullableString = None
    rack_id: NullableString = None
    rebalance_timeout_ms: Int32 = -1
    """How long the member may take to give partitions back; -1 unchanged."""
    subscribed_topic_names: NullableArray[String] = None
    subscribed_topic_regex: Annotated[NullableString, since(1)] = None
    """In the syntax of RE2; together with the names, both count."""
    server_assignor: NullableString = None
    topic_partitions: NullableArray[OwnedTopicPartitions] = None
    """What the member holds now; it tells this when it joins and when it has changed."""


class OwnedTopicPartitions(Structure, kw_only=True):
    """Partitions of one topic that the member holds."""

    topic_id: Uuid
    partitions: Array[Int32] = []


@message(key=68, versions="0-1", flexible="0+")
class ConsumerGroupHeartbeatResponse(Message, kw_only=True):
    """The member's epoch and, when it has changed, its assignment.

    FENCED_MEMBER_EPOCH and UNKNOWN_MEMBER_ID: give all partitions up and join again.
    UNRELEASED_INSTANCE_ID, FENCED_INSTANCE_ID, UNSUPPORTED_ASSIGNOR, GROUP_MAX_SIZE_REACHED,
    GROUP_ID_NOT_FOUND, INVALID_REGULAR_EXPRESSION since version 1, INVALID_REQUEST,
    NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE, COORDINATOR_LOAD_IN_PROGRESS,
    GROUP_AUTHORIZATION_FAILED, TOPIC_AUTHORIZATION_FAILED.
    """

    throttle_time_ms: Int32 = 0
    error_code: Int16 = 0
    error_message: NullableString = None
    member_id: NullableString = None
    member_epoch: Int32 = 0
    heartbeat_interval_ms: Int32 = 0
    assignment: Assignment | None = None
    """Null where it has not changed."""


class Assignment(Structure, kw_only=True):
    """What the member may hold now; what it holds beyond this it has to give back."""

    topic_partitions: Array[AssignedTopicPartitions] = []


class AssignedTopicPartitions(Structure, kw_only=True):
    """Partitions of one topic that the member may hold."""

    topic_id: Uuid
    partitions: Array[Int32] = []
