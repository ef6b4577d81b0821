"""Which metrics are wanted of which client (KIP-714): subscriptions, and what they say together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from ottla.metadata.image import MetadataImage, ResourceType
from ottla.settings.client_metrics import INTERVAL_MS, MATCH, METRICS, subscription_layers
from ottla.wire.records.crc32c import crc32c

ALL: Final = "*"


class Subscription(NamedTuple):
    """One that the cluster keeps. Every pattern must fit the whole of what it looks at."""

    metrics: frozenset[str]
    interval_ms: int
    patterns: Mapping[str, re.Pattern[str]]

    def fits(self, client: Mapping[str, str]) -> bool:
        """Whether it is about this client, by its selectors."""
        return all(
            pattern.fullmatch(client.get(selector, ""))
            for selector, pattern in self.patterns.items()
        )


class Wanted(NamedTuple):
    """What is wanted of one client; no metrics at all means nothing."""

    metrics: tuple[str, ...]
    interval_ms: int


def subscriptions_of(image: MetadataImage) -> list[Subscription]:
    """All that the metadata has."""
    return [
        _subscription(texts)
        for resource, texts in image.configs.items()
        if resource.type == ResourceType.CLIENT_METRICS
    ]


def wanted_of(client: Mapping[str, str], subscriptions: Iterable[Subscription]) -> Wanted:
    """All that fit together: every metric of any, as often as the most frequent."""
    fitting = [each for each in subscriptions if each.fits(client)]
    metrics = frozenset[str]().union(*(each.metrics for each in fitting))
    return Wanted(
        metrics=(ALL,) if ALL in metrics else tuple(sorted(metrics)),
        interval_ms=min((each.interval_ms for each in fitting), default=INTERVAL_MS.default),
    )


def subscription_id(wanted: Wanted, client_instance_id: bytes) -> int:
    """An int32 that changes with what is wanted, and differs between clients."""
    text = "\0".join((*wanted.metrics, str(wanted.interval_ms)))
    folded = crc32c(text.encode()) ^ crc32c(client_instance_id)
    return folded - (1 << 32) if folded >= 1 << 31 else folded


def _subscription(texts: Mapping[str, str]) -> Subscription:
    layers = subscription_layers(texts)
    patterns = (item.partition("=") for item in layers[MATCH])
    return Subscription(
        metrics=frozenset(layers[METRICS]),
        interval_ms=layers[INTERVAL_MS],
        patterns={
            selector.strip(): re.compile(pattern.strip()) for selector, _, pattern in patterns
        },
    )
