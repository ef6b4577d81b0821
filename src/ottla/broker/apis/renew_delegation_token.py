"""RenewDelegationToken: let a token live longer (KIP-48)."""

from __future__ import annotations

from ottla.base.errors import ProtocolError
from ottla.broker.broker import Broker
from ottla.broker.delegation_tokens import logged_in, token_rules
from ottla.broker.handlers import Call, handles
from ottla.metadata.delegation_tokens import decide_renew_token
from ottla.wire.messages.renew_delegation_token import (
    RenewDelegationTokenRequest,
    RenewDelegationTokenResponse,
)

NEVER = -1


@handles(RenewDelegationTokenRequest, versions="1-2")
async def renew_delegation_token(
    request: RenewDelegationTokenRequest, call: Call, broker: Broker
) -> RenewDelegationTokenResponse:
    """Its owner and its renewers may."""
    try:
        asker, rules = logged_in(call), token_rules(broker.settings)
        ends_ms = await broker.metadata.decided(
            lambda image: decide_renew_token(
                image,
                request.hmac,
                asker,
                request.renew_period_ms,
                rules=rules,
                now_ms=broker.clock.now_ms(),
            )
        )
    except ProtocolError as refused:
        return RenewDelegationTokenResponse(error_code=refused.code, expiry_timestamp=NEVER)
    return RenewDelegationTokenResponse(expiry_timestamp=ends_ms)
