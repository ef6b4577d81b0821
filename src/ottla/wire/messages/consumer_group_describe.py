"""ConsumerGroupDescribe (key 69): state, members and assignments of consumer protocol groups.

Versions: 1 tells which protocol each member speaks (KIP-1099).
"""

from __future__ import annotations

from typing import Annotated

from ottla.wire.schema import (
    Array,
    Bool,
    Int8,
    Int16,
    Int32,
    Message,
    NullableString,
    String,
    Structure,
    Uuid,
    ignorable,
    message,
    since,
)

OPERATIONS_NOT_ASKED = -(2**31)
"""The bit field of authorized operations when the client did not ask for it."""


@message(key=69, versions="0-1", flexible="0+")
class ConsumerGroupDescribeRequest(Message, kw_only=True):
    """Groups to describe."""

    group_ids: Array[String]
    include_authorized_operations: Bool = False


@message(key=69, versions="0-1", flexible="0+")
class ConsumerGroupDescribeResponse(Message, kw_only=True):
    """Each of the groups."""

    throttle_time_ms: Int32 = 0
    groups: Array[DescribedGroup] = []


class DescribedGroup(Structure, kw_only=True):
    """One group.

    GROUP_ID_NOT_FOUND, also for a group of another type; INVALID_GROUP_ID, INVALID_REQUEST,
    NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE, COORDINATOR_LOAD_IN_PROGRESS,
    GROUP_AUTHORIZATION_FAILED, TOPIC_AUTHORIZATION_FAILED where a member reads a topic that the
    client may not see.
    """

    error_code: Int16 = 0
    error_message: NullableString = None
    group_id: String
    group_state: String = ""
    """"Empty", "Assigning", "Reconciling", "Stable" or "Dead"."""
    group_epoch: Int32 = 0
    assignment_epoch: Int32 = 0
    """For which epoch of the group the target assignments were made."""
    assignor_name: String = ""
    members: Array[Member] = []
    authorized_operations: Int32 = OPERATIONS_NOT_ASKED


class Member(Structure, kw_only=True):
    """A member: what it asked for, has, and shall have."""

    member_id: String
    instance_id: NullableString = None
    rack_id: NullableString = None
    member_epoch: Int32
    client_id: String
    client_host: String
    subscribed_topic_names: Array[String] = []
    subscribed_topic_regex: NullableString = None
    assignment: Assignment
    target_assignment: Assignment
    member_type: Annotated[Int8, since(1), ignorable] = -1
    """0 speaks the classic protocol, 1 the consumer protocol, -1 is not known."""


class Assignment(Structure, kw_only=True):
    """Partitions of one member."""

    topic_partitions: Array[TopicPartitions] = []


class TopicPartitions(Structure, kw_only=True):
    """Partitions of one topic."""

    topic_id: Uuid
    topic_name: String
    partitions: Array[Int32] = []
