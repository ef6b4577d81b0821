"""Which metrics clients are asked for (KIP-714): settings of subscriptions."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from ottla.client.admin.config_changes import Change
from ottla.client.admin.config_entries import ConfigResource, ConfigSource, ResourceType
from ottla.client.admin.configs import Configs, Settings

_METRICS: Final = "metrics"
_INTERVAL: Final = "interval.ms"
_MATCH: Final = "match"
_ALL: Final = (_METRICS, _INTERVAL, _MATCH)


class Subscription(Struct, frozen=True, kw_only=True):
    """What is asked of which clients; None for what is not set."""

    metrics: tuple[str, ...] | None = None
    """Prefixes of names; "*" for all."""
    interval_ms: int | None = None
    match: tuple[str, ...] | None = None
    """As `client_software_name=ottla`; a client must match all."""


class ClientMetrics:
    """`admin.client_metrics` (Kafka 3.7)."""

    def __init__(self, configs: Configs) -> None:
        self._configs = configs

    async def list(self, *, timeout_s: float | None = None) -> tuple[str, ...]:
        """The names of all subscriptions."""
        found = await self._configs.list_resources(ResourceType.CLIENT_METRICS, timeout_s=timeout_s)
        return tuple(resource.name for resource in found)

    async def describe(self, name: str, *, timeout_s: float | None = None) -> Subscription:
        """What a subscription sets itself."""
        resource = ConfigResource.client_metrics(name)
        told = await self._configs.describe(resource, timeout_s=timeout_s)
        return _subscription(told[resource])

    async def set(
        self, name: str, subscription: Subscription, *, timeout_s: float | None = None
    ) -> None:
        """Make a subscription, or change what is not None in it."""
        changes: dict[str, Change] = {}
        if subscription.metrics is not None:
            changes[_METRICS] = ",".join(subscription.metrics)
        if subscription.interval_ms is not None:
            changes[_INTERVAL] = str(subscription.interval_ms)
        if subscription.match is not None:
            changes[_MATCH] = ",".join(subscription.match)
        resource = ConfigResource.client_metrics(name)
        (await self._configs.alter({resource: changes}, timeout_s=timeout_s)).all()

    async def delete(self, name: str, *, timeout_s: float | None = None) -> None:
        """Forget a subscription: all that it sets goes."""
        resource = ConfigResource.client_metrics(name)
        gone: dict[str, Change] = dict.fromkeys(_ALL)
        (await self._configs.alter({resource: gone}, timeout_s=timeout_s)).all()


def _subscription(settings: Settings) -> Subscription:
    own = {
        name: entry.value
        for name, entry in settings.items()
        if entry.source is ConfigSource.CLIENT_METRICS
    }
    interval = own.get(_INTERVAL)
    return Subscription(
        metrics=_values(own.get(_METRICS)),
        interval_ms=None if interval is None else int(interval),
        match=_values(own.get(_MATCH)),
    )


def _values(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(value for value in text.split(",") if value)
