"""How often clients were told to wait, and for how long."""

from __future__ import annotations

from collections.abc import Iterator

from ottla.broker.client_quotas import ClientQuotas
from ottla.broker.metrics import catalogue as metrics
from ottla.broker.metrics.families import Part, family


class QuotaMetrics:
    """Of one broker, by the kind of quota."""

    def __init__(self, quotas: ClientQuotas) -> None:
        self._quotas = quotas

    def __call__(self) -> Iterator[Part]:
        totals = list(self._quotas.throttle_totals())
        kinds = [((each.kind.value,), each) for each in totals]
        yield family(metrics.THROTTLES, [(labels, each.throttles) for labels, each in kinds])
        yield family(
            metrics.THROTTLE_SECONDS,
            [(labels, each.throttle_ms / 1000) for labels, each in kinds],
        )
        yield family(metrics.QUOTA_FOLLOWED, [(labels, each.followed) for labels, each in kinds])
