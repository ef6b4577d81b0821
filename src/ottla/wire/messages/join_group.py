"""JoinGroup (key 11): become a member of a classic group, or come back for its next generation.

Versions: 1 rebalance timeout · 2 throttle time · 4 a new member is given its id first and asks
again (KIP-394) · 5 static members (KIP-345) · 6 flexible · 7 protocol type in answers (KIP-559) ·
8 reasons (KIP-800) · 9 the leader may skip the assignment (KIP-814).
"""

from __future__ import annotations

from typing import Annotated

from ottla.wire.schema import (
    Array,
    Bool,
    Bytes,
    Int16,
    Int32,
    Message,
    NullableString,
    String,
    Structure,
    ignorable,
    message,
    nullable,
    since,
)


@message(key=11, versions="0-9", flexible="6+")
class JoinGroupRequest(Message, kw_only=True):
    """Who wants to be a member, and what it can do."""

    group_id: String
    session_timeout_ms: Int32
    """The member is taken for dead when it was silent for so long."""
    rebalance_timeout_ms: Annotated[Int32, since(1), ignorable] = -1
    """How long the group waits for this member to join again; -1: as long as the session."""
    member_id: String = ""
    """Empty from a member that has none yet."""
    group_instance_id: Annotated[NullableString, since(5)] = None
    """The name of a static member, which keeps its place across restarts."""
    protocol_type: String
    """"consumer", "connect", …: all members have the same."""
    protocols: Array[JoinGroupRequestProtocol] = []
    """What the member can use, the best first."""
    reason: Annotated[NullableString, since(8), ignorable] = None
    """For the broker's log."""


class JoinGroupRequestProtocol(Structure, kw_only=True):
    """A way to share the work, and what the leader has to know of this member for it."""

    name: String
    metadata: Bytes
    """Of protocol type "consumer": `payloads.consumer_protocol`."""


@message(key=11, versions="0-9", flexible="6+")
class JoinGroupResponse(Message, kw_only=True):
    """The generation that begins; its leader learns the members, the others none.

    MEMBER_ID_REQUIRED with the id to ask again with (version 4), UNKNOWN_MEMBER_ID,
    FENCED_INSTANCE_ID, INCONSISTENT_GROUP_PROTOCOL, INVALID_SESSION_TIMEOUT, INVALID_GROUP_ID,
    GROUP_MAX_SIZE_REACHED, REBALANCE_IN_PROGRESS, NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE,
    COORDINATOR_LOAD_IN_PROGRESS, GROUP_AUTHORIZATION_FAILED.
    """

    throttle_time_ms: Annotated[Int32, since(2), ignorable] = 0
    error_code: Int16 = 0
    generation_id: Int32 = -1
    protocol_type: Annotated[NullableString, since(7), ignorable] = None
    protocol_name: Annotated[NullableString, nullable(since=7)] = ""
    """With an error, null; empty before version 7."""
    leader: String = ""
    skip_assignment: Annotated[Bool, since(9)] = False
    """To a leader whose members keep the assignment that they have."""
    member_id: String
    members: Array[JoinGroupResponseMember] = []


class JoinGroupResponseMember(Structure, kw_only=True):
    """A member, with its metadata for the protocol that was chosen."""

    member_id: String
    group_instance_id: Annotated[NullableString, since(5), ignorable] = None
    metadata: Bytes
