"""Heartbeat (key 12): a member of a classic group lives, and asks if the generation still holds.

Versions: 1 throttle time · 3 static members (KIP-345) · 4 flexible.
"""

from __future__ import annotations

from typing import Annotated

from ottla.wire.schema import (
    Int16,
    Int32,
    Message,
    NullableString,
    String,
    ignorable,
    message,
    since,
)


@message(key=12, versions="0-4", flexible="4+")
class HeartbeatRequest(Message, kw_only=True):
    """A member and the generation that it is in."""

    group_id: String
    generation_id: Int32
    member_id: String
    group_instance_id: Annotated[NullableString, since(3)] = None


@message(key=12, versions="0-4", flexible="4+")
class HeartbeatResponse(Message, kw_only=True):
    """What the member has to do next is told by the error.

    REBALANCE_IN_PROGRESS: join again. ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID: all is lost, join as
    if new. FENCED_INSTANCE_ID: another one took the static member's place. INVALID_GROUP_ID,
    NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE, COORDINATOR_LOAD_IN_PROGRESS,
    GROUP_AUTHORIZATION_FAILED.
    """

    throttle_time_ms: Annotated[Int32, since(1), ignorable] = 0
    error_code: Int16 = 0
