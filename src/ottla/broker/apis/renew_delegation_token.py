"""RenewDelegationToken: let a token live longer (KIP-48)."""

from __future__ import annotations

from ottla.broker.broker import Broker
from ottla.broker.delegation_tokens import decided_end
from ottla.broker.handlers import Call, handles
from ottla.metadata.delegation_tokens import decide_renew_token
from ottla.wire.messages.renew_delegation_token import (
    RenewDelegationTokenRequest,
    RenewDelegationTokenResponse,
)


@handles(RenewDelegationTokenRequest, versions="1-2")
async def renew_delegation_token(
    request: RenewDelegationTokenRequest, call: Call, broker: Broker
) -> RenewDelegationTokenResponse:
    """Its owner and its renewers may."""
    error, ends_ms = await decided_end(
        decide_renew_token, request.hmac, request.renew_period_ms, call, broker
    )
    return RenewDelegationTokenResponse(error_code=error, expiry_timestamp=ends_ms)
