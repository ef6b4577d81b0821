"""`admin.quotas` for plain calls."""

from __future__ import annotations

from collections.abc import Mapping

from ottla.blocking.client import Runner
from ottla.client.admin.outcomes import Outcomes
from ottla.client.admin.quotas import Match, QuotaEntity
from ottla.client.admin.quotas import Quotas as AsyncioQuotas


class Quotas:
    """`admin.quotas`: the twin of the asyncio one."""

    def __init__(self, run: Runner, inner: AsyncioQuotas) -> None:
        self._run = run
        self._inner = inner

    def describe(
        self,
        *,
        user: Match = None,
        client_id: Match = None,
        ip: Match = None,
        strict: bool = False,
        timeout_s: float | None = None,
    ) -> dict[QuotaEntity, dict[str, float]]:
        """The quotas of all entities that match, by name as `producer_byte_rate`.

        With `strict`, entities that have other parts, too, are left out.
        """
        return self._run(
            lambda: self._inner.describe(
                user=user, client_id=client_id, ip=ip, strict=strict, timeout_s=timeout_s
            )
        )

    def alter(
        self,
        changes: Mapping[QuotaEntity, Mapping[str, float | None]],
        *,
        validate_only: bool = False,
        timeout_s: float | None = None,
    ) -> Outcomes[QuotaEntity, None]:
        """Set quotas, or with None remove them."""
        return self._run(
            lambda: self._inner.alter(changes, validate_only=validate_only, timeout_s=timeout_s)
        )
