"""RenewDelegationToken (key 39): let a token live longer (KIP-48).

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


@message(key=39, versions="1-2", flexible="2+")
class RenewDelegationTokenRequest(Message, kw_only=True):
    """Which token, by its secret."""

    hmac: Bytes
    renew_period_ms: Int64
    """From now on; -1 for what the broker is set to."""


@message(key=39, versions="1-2", flexible="2+")
class RenewDelegationTokenResponse(Message, kw_only=True):
    """Until when it lives.

    DELEGATION_TOKEN_AUTH_DISABLED, DELEGATION_TOKEN_NOT_FOUND, DELEGATION_TOKEN_EXPIRED,
    DELEGATION_TOKEN_OWNER_MISMATCH, DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, NOT_CONTROLLER.
    """

    error_code: Int16 = 0
    expiry_timestamp: Int64
    throttle_time_ms: Int32 = 0
