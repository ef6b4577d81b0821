"""What the four APIs about delegation tokens have in common."""

from __future__ import annotations

from typing import Final, Protocol

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call
from ottla.broker.identities import principal_of
from ottla.metadata.decision import Decision
from ottla.metadata.delegation_tokens import TokenRules
from ottla.metadata.image import MetadataImage
from ottla.security.tokens import ANONYMOUS, Principal
from ottla.settings import security as keys
from ottla.settings.broker import BrokerSettings

NEVER: Final = -1


class EndDecision(Protocol):
    """Decides when a token ends, after a period from now; the reply is when."""

    def __call__(
        self,
        image: MetadataImage,
        secret: bytes,
        asker: Principal,
        period_ms: int,
        *,
        rules: TokenRules,
        now_ms: int,
    ) -> Decision[int]: ...


async def decided_end(
    decide: EndDecision, secret: bytes, period_ms: int, call: Call, broker: Broker
) -> tuple[ErrorCode, int]:
    """When a token ends now; its owner and its renewers may say so, others get an error."""
    try:
        asker, rules = logged_in(call), token_rules(broker.settings)
        ends_ms = await broker.metadata.decided(
            lambda image: decide(
                image, secret, asker, period_ms, rules=rules, now_ms=broker.clock.now_ms()
            )
        )
    except ProtocolError as refused:
        return refused.code, NEVER
    return ErrorCode.NONE, ends_ms


def logged_in(call: Call) -> Principal:
    """Who asks. Raises ProtocolError where nobody knows: a token would be anybody's then."""
    principal = principal_of(call.connection)
    if principal == ANONYMOUS:
        raise ProtocolError(
            ErrorCode.DELEGATION_TOKEN_REQUEST_NOT_ALLOWED,
            "delegation tokens are for clients that have logged in",
        )
    return principal


def token_rules(settings: BrokerSettings) -> TokenRules:
    """Raises ProtocolError(DELEGATION_TOKEN_AUTH_DISABLED) where no key is set."""
    secret_key = settings[keys.DELEGATION_TOKEN_SECRET_KEY]
    if not secret_key:
        raise ProtocolError(
            ErrorCode.DELEGATION_TOKEN_AUTH_DISABLED,
            f"this broker has no tokens: set {keys.DELEGATION_TOKEN_SECRET_KEY.name}",
        )
    return TokenRules(
        secret_key=secret_key,
        life_ms_max=settings[keys.DELEGATION_TOKEN_MAX_LIFETIME_MS],
        renewal_ms_max=settings[keys.DELEGATION_TOKEN_EXPIRY_TIME_MS],
    )
