"""Delegation tokens (KIP-48): secrets by which others act for a user."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final, NamedTuple

from msgspec import Struct

from ottla.client.admin.asking import Asking
from ottla.client.admin.outcomes import check
from ottla.client.connection import Connection
from ottla.wire.messages.create_delegation_token import (
    CreatableRenewers,
    CreateDelegationTokenRequest,
    CreateDelegationTokenResponse,
)
from ottla.wire.messages.describe_delegation_token import (
    DescribedDelegationToken,
    DescribeDelegationTokenOwner,
    DescribeDelegationTokenRequest,
    DescribeDelegationTokenResponse,
)
from ottla.wire.messages.expire_delegation_token import (
    ExpireDelegationTokenRequest,
    ExpireDelegationTokenResponse,
)
from ottla.wire.messages.renew_delegation_token import (
    RenewDelegationTokenRequest,
    RenewDelegationTokenResponse,
)

BROKER_DEFAULT: Final = -1
"""As a lifetime or a period: what the broker is set to."""
AT_ONCE: Final = -1
"""As the period after which a token expires."""

_WHAT: Final = "the delegation token"


class Principal(NamedTuple):
    """Somebody, as `User:alice`."""

    type: str
    name: str

    def __str__(self) -> str:
        return f"{self.type}:{self.name}"


class DelegationToken(Struct, frozen=True, kw_only=True):
    """A token; who has its id and its secret acts for the owner."""

    token_id: str
    hmac: bytes
    """The secret; as a password it is written in base64."""
    owner: Principal
    requester: Principal | None
    """Who asked for it, where that is told (Kafka 3.3)."""
    issued_at_ms: int
    expires_at_ms: int
    expires_at_latest_ms: int
    """No renewal goes beyond it."""
    renewers: tuple[Principal, ...]

    def __repr__(self) -> str:
        """Without the secret: what is printed stands in logs."""
        return f"DelegationToken({self.token_id!r} of {self.owner})"


class Tokens:
    """`admin.tokens`. DELEGATION_TOKEN_AUTH_DISABLED where the cluster has none."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    async def create(
        self,
        *,
        owner: Principal | None = None,
        renewers: Collection[Principal] = (),
        max_lifetime_ms: int = BROKER_DEFAULT,
        timeout_s: float | None = None,
    ) -> DelegationToken:
        """A new token of this client, or of another `owner` (Kafka 3.3)."""

        async def ask(node: Connection) -> DelegationToken:
            request = CreateDelegationTokenRequest(
                renewers=[
                    CreatableRenewers(principal_type=each.type, principal_name=each.name)
                    for each in renewers
                ],
                max_lifetime_ms=max_lifetime_ms,
            )
            if owner is not None:
                request.owner_principal_type, request.owner_principal_name = owner
            response = await node.call(request, CreateDelegationTokenResponse)
            check(response.error_code, None, _WHAT)
            return _created(response, renewers)

        return await self._asking.controller_one(ask, about=_WHAT, timeout_s=timeout_s)

    async def renew(
        self, hmac: bytes, *, period_ms: int = BROKER_DEFAULT, timeout_s: float | None = None
    ) -> int:
        """Let a token live so long from now on; until when it does, in milliseconds since 1970."""

        async def ask(node: Connection) -> int:
            request = RenewDelegationTokenRequest(hmac=hmac, renew_period_ms=period_ms)
            response = await node.call(request, RenewDelegationTokenResponse)
            check(response.error_code, None, _WHAT)
            return response.expiry_timestamp

        return await self._asking.controller_one(ask, about=_WHAT, timeout_s=timeout_s)

    async def expire(
        self, hmac: bytes, *, period_ms: int = AT_ONCE, timeout_s: float | None = None
    ) -> int:
        """Let a token end so long from now on; when it does, in milliseconds since 1970."""

        async def ask(node: Connection) -> int:
            request = ExpireDelegationTokenRequest(hmac=hmac, expiry_time_period_ms=period_ms)
            response = await node.call(request, ExpireDelegationTokenResponse)
            check(response.error_code, None, _WHAT)
            return response.expiry_timestamp

        return await self._asking.controller_one(ask, about=_WHAT, timeout_s=timeout_s)

    async def describe(
        self, owners: Iterable[Principal] | None = None, *, timeout_s: float | None = None
    ) -> tuple[DelegationToken, ...]:
        """The tokens of these owners, or all that this client may see."""
        wanted = None
        if owners is not None:
            wanted = [
                DescribeDelegationTokenOwner(principal_type=each.type, principal_name=each.name)
                for each in owners
            ]

        async def ask(node: Connection) -> tuple[DelegationToken, ...]:
            request = DescribeDelegationTokenRequest(owners=wanted)
            response = await node.call(request, DescribeDelegationTokenResponse)
            check(response.error_code, None, "the delegation tokens")
            return tuple(map(_described, response.tokens))

        return await self._asking.any_one(ask, about="the delegation tokens", timeout_s=timeout_s)


def _created(
    told: CreateDelegationTokenResponse, renewers: Collection[Principal]
) -> DelegationToken:
    return DelegationToken(
        token_id=told.token_id,
        hmac=told.hmac,
        owner=Principal(told.principal_type, told.principal_name),
        requester=_requester(
            told.token_requester_principal_type, told.token_requester_principal_name
        ),
        issued_at_ms=told.issue_timestamp,
        expires_at_ms=told.expiry_timestamp,
        expires_at_latest_ms=told.max_timestamp,
        renewers=tuple(renewers),
    )


def _described(told: DescribedDelegationToken) -> DelegationToken:
    return DelegationToken(
        token_id=told.token_id,
        hmac=told.hmac,
        owner=Principal(told.principal_type, told.principal_name),
        requester=_requester(
            told.token_requester_principal_type, told.token_requester_principal_name
        ),
        issued_at_ms=told.issue_timestamp,
        expires_at_ms=told.expiry_timestamp,
        expires_at_latest_ms=told.max_timestamp,
        renewers=tuple(
            Principal(each.principal_type, each.principal_name) for each in told.renewers
        ),
    )


def _requester(type_: str, name: str) -> Principal | None:
    return Principal(type_, name) if type_ else None
