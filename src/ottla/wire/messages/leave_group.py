"""LeaveGroup (key 13): members go before their sessions end; an admin may send them away too.

Versions: 1 throttle time · 3 several members at once, static ones by name (KIP-345) · 4 flexible ·
5 reasons (KIP-800).
"""

from __future__ import annotations

from typing import Annotated

from ottla.wire.schema import (
    Array,
    Int16,
    Int32,
    Message,
    NullableString,
    String,
    Structure,
    ignorable,
    message,
    since,
    until,
)


@message(key=13, versions="0-5", flexible="4+")
class LeaveGroupRequest(Message, kw_only=True):
    """Who goes: `member_id` until version 2, `members` after it."""

    group_id: String
    member_id: Annotated[String, until(2)] = ""
    members: Annotated[Array[MemberIdentity], since(3)] = []


class MemberIdentity(Structure, kw_only=True):
    """A member by its id, or a static one by its name and an empty id."""

    member_id: String
    group_instance_id: NullableString = None
    reason: Annotated[NullableString, since(5), ignorable] = None
    """For the broker's log."""


@message(key=13, versions="0-5", flexible="4+")
class LeaveGroupResponse(Message, kw_only=True):
    """Whether the request was good at all; since version 3, what became of each member.

    UNKNOWN_MEMBER_ID for a group that is not known, and until version 2 for the member;
    INVALID_GROUP_ID, NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE, COORDINATOR_LOAD_IN_PROGRESS,
    GROUP_AUTHORIZATION_FAILED.
    """

    throttle_time_ms: Annotated[Int32, since(1), ignorable] = 0
    error_code: Int16 = 0
    members: Annotated[Array[MemberResponse], since(3)] = []


class MemberResponse(Structure, kw_only=True):
    """What became of one member. UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID."""

    member_id: String
    group_instance_id: NullableString
    error_code: Int16 = 0
