"""ExpireDelegationToken: let a token end (KIP-48)."""

from __future__ import annotations

from ottla.base.errors import ProtocolError
from ottla.broker.broker import Broker
from ottla.broker.delegation_tokens import logged_in, token_rules
from ottla.broker.handlers import Call, handles
from ottla.metadata.delegation_tokens import decide_expire_token
from ottla.wire.messages.expire_delegation_token import (
    ExpireDelegationTokenRequest,
    ExpireDelegationTokenResponse,
)

NEVER = -1


@handles(ExpireDelegationTokenRequest, versions="1-2")
async def expire_delegation_token(
    request: ExpireDelegationTokenRequest, call: Call, broker: Broker
) -> ExpireDelegationTokenResponse:
    """Its owner and its renewers may."""
    try:
        asker, rules = logged_in(call), token_rules(broker.settings)
        ends_ms = await broker.metadata.decided(
            lambda image: decide_expire_token(
                image,
                request.hmac,
                asker,
                request.expiry_time_period_ms,
                rules=rules,
                now_ms=broker.clock.now_ms(),
            )
        )
    except ProtocolError as refused:
        return ExpireDelegationTokenResponse(error_code=refused.code, expiry_timestamp=NEVER)
    return ExpireDelegationTokenResponse(expiry_timestamp=ends_ms)
