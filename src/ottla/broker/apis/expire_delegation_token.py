"""ExpireDelegationToken: let a token end (KIP-48)."""

from __future__ import annotations

from ottla.broker.broker import Broker
from ottla.broker.delegation_tokens import decided_end
from ottla.broker.handlers import Call, handles
from ottla.metadata.delegation_tokens import decide_expire_token
from ottla.wire.messages.expire_delegation_token import (
    ExpireDelegationTokenRequest,
    ExpireDelegationTokenResponse,
)


@handles(ExpireDelegationTokenRequest, versions="1-2")
async def expire_delegation_token(
    request: ExpireDelegationTokenRequest, call: Call, broker: Broker
) -> ExpireDelegationTokenResponse:
    """Its owner and its renewers may."""
    error, ends_ms = await decided_end(
        decide_expire_token, request.hmac, request.expiry_time_period_ms, call, broker
    )
    return ExpireDelegationTokenResponse(error_code=error, expiry_timestamp=ends_ms)
