"""Where a classic group stands, and the answer of one that takes nobody now."""

from __future__ import annotations

from enum import Enum

from ottla.base.errors import ErrorCode
from ottla.wire.messages.join_group import JoinGroupResponse


class State(Enum):
    """By the names that clients are told."""

    EMPTY = "Empty"
    PREPARING = "PreparingRebalance"
    COMPLETING = "CompletingRebalance"
    STABLE = "Stable"


def refused_join(error: ErrorCode, member_id: str) -> JoinGroupResponse:
    """No generation for this member now."""
    return JoinGroupResponse(error_code=error, member_id=member_id, protocol_name=None)
