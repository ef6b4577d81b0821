"""ExpireDelegationToken (key 40): let a token end (KIP-48).

Versions: 2 flexible.
"""

from __future__ import annotations

from ottla.wire.schema import (
    Bytes,
    Int16,
    Int32,
    Int64,
    Message,
    message,
)


@message(key=40, versions="1-2", flexible="2+")
class ExpireDelegationTokenRequest(Message, kw_only=True):
    """Which token, by its secret."""

    hmac: Bytes
    expiry_time_period_ms: Int64
    """From now on; below 0 for at once."""


@message(key=40, versions="1-2", flexible="2+")
class ExpireDelegationTokenResponse(Message, kw_only=True):
    """Until when it lives.

    DELEGATION_TOKEN_AUTH_DISABLED, DELEGATION_TOKEN_NOT_FOUND, DELEGATION_TOKEN_EXPIRED,
    DELEGATION_TOKEN_OWNER_MISMATCH, DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, NOT_CONTROLLER.
    """

    error_code: Int16 = 0
    expiry_timestamp: Int64
    throttle_time_ms: Int32 = 0
