"""SyncGroup (key 14): the leader brings a generation's assignment, every member fetches its part.

Versions: 1 throttle time · 3 static members (KIP-345) · 4 flexible · 5 the protocol is told, and
checked (KIP-559).
"""

from __future__ import annotations

from typing import Annotated

from ottla.wire.schema import (
    Array,
    Bytes,
    Int16,
    Int32,
    Message,
    NullableString,
    String,
    Structure,
    ignorable,
    message,
    since,
)


@message(key=14, versions="0-5", flexible="4+")
class SyncGroupRequest(Message, kw_only=True):
    """A member of a generation; the leader's request carries everybody's assignment."""

    group_id: String
    generation_id: Int32
    member_id: String
    group_instance_id: Annotated[NullableString, since(3)] = None
    protocol_type: Annotated[NullableString, since(5), ignorable] = None
    protocol_name: Annotated[NullableString, since(5), ignorable] = None
    assignments: Array[SyncGroupRequestAssignment] = []
    """Empty from all but the leader."""


class SyncGroupRequestAssignment(Structure, kw_only=True):
    """The part of one member."""

    member_id: String
    assignment: Bytes
    """Of protocol type "consumer": `payloads.consumer_protocol`."""


@message(key=14, versions="0-5", flexible="4+")
class SyncGroupResponse(Message, kw_only=True):
    """The part of the member that asked; empty with an error.

    UNKNOWN_MEMBER_ID, ILLEGAL_GENERATION, REBALANCE_IN_PROGRESS, FENCED_INSTANCE_ID,
    INCONSISTENT_GROUP_PROTOCOL, INVALID_GROUP_ID, NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE,
    COORDINATOR_LOAD_IN_PROGRESS, GROUP_AUTHORIZATION_FAILED.
    """

    throttle_time_ms: Annotated[Int32, since(1), ignorable] = 0
    error_code: Int16 = 0
    protocol_type: Annotated[NullableString, since(5), ignorable] = None
    protocol_name: Annotated[NullableString, since(5), ignorable] = None
    assignment: Bytes = b""
