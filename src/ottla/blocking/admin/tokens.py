"""`admin.tokens` for plain calls."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ottla.blocking.client import Runner
from ottla.client.admin.tokens import AT_ONCE, BROKER_DEFAULT, DelegationToken, Principal
from ottla.client.admin.tokens import Tokens as AsyncioTokens


class Tokens:
    """`admin.tokens`: the twin of the asyncio one."""

    def __init__(self, run: Runner, inner: AsyncioTokens) -> None:
        self._run = run
        self._inner = inner

    def create(
        self,
        *,
        owner: Principal | None = None,
        renewers: Collection[Principal] = (),
        max_lifetime_ms: int = BROKER_DEFAULT,
        timeout_s: float | None = None,
    ) -> DelegationToken:
        """A new token of this client, or of another `owner` (Kafka 3.3)."""
        return self._run(
            lambda: self._inner.create(
                owner=owner, renewers=renewers, max_lifetime_ms=max_lifetime_ms, timeout_s=timeout_s
            )
        )

    def renew(
        self, hmac: bytes, *, period_ms: int = BROKER_DEFAULT, timeout_s: float | None = None
    ) -> int:
        """Let a token live so long from now on; until when it does, in milliseconds since 1970."""
        return self._run(lambda: self._inner.renew(hmac, period_ms=period_ms, timeout_s=timeout_s))

    def expire(
        self, hmac: bytes, *, period_ms: int = AT_ONCE, timeout_s: float | None = None
    ) -> int:
        """Let a token end so long from now on; when it does, in milliseconds since 1970."""
        return self._run(lambda: self._inner.expire(hmac, period_ms=period_ms, timeout_s=timeout_s))

    def describe(
        self, owners: Iterable[Principal] | None = None, *, timeout_s: float | None = None
    ) -> tuple[DelegationToken, ...]:
        """The tokens of these owners, or all that this client may see."""
        return self._run(lambda: self._inner.describe(owners, timeout_s=timeout_s))
