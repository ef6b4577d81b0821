"""The settings of a subscription to clients' metrics (KIP-714)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from ottla.base.limits import CLIENT_METRICS_PATTERN_LENGTH_MAX
from ottla.settings.checks import Refusal, between
from ottla.settings.engine import (
    Change,
    ConfigSource,
    Layer,
    Layers,
    Setting,
    SettingTable,
)
from ottla.settings.values import SettingKind, parse_value

SETTINGS: Final = SettingTable("client metrics setting", change=Change.CLUSTER_WIDE)

SELECTORS: Final = (
    "client_instance_id",
    "client_id",
    "client_software_name",
    "client_software_version",
    "client_source_address",
    "client_source_port",
)
"""What `match` may look at."""

_INTERVAL_MS_MIN: Final = 100
_INTERVAL_MS_MAX: Final = 3_600_000


def _patterns(values: tuple[str, ...]) -> Refusal | None:
    """A check: `selector=pattern` items, each pattern a regular expression."""
    for value in values:
        selector, _, pattern = value.partition("=")
        if selector.strip() not in SELECTORS or not pattern.strip() or "=" in pattern:
            return Refusal(f"say selector=pattern, with one of {', '.join(SELECTORS)}", value)
        reason = _why_unreadable(pattern.strip())
        if reason is not None:
            return Refusal(reason, value)
    return None


def _why_unreadable(pattern: str) -> str | None:
    if len(pattern) > CLIENT_METRICS_PATTERN_LENGTH_MAX:
        return f"its pattern is longer than {CLIENT_METRICS_PATTERN_LENGTH_MAX} characters"
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError, ValueError) as error:
        # Numbers too large and groups too deep are told in ways of their own.
        return f"its pattern is no regular expression: {error}"
    return None


INTERVAL_MS = SETTINGS.declare(
    SettingKind.INT,
    "interval.ms",
    300_000,
    "Milliseconds between two times that clients push their metrics.",
    check=between(_INTERVAL_MS_MIN, _INTERVAL_MS_MAX),
)
MATCH: Setting[tuple[str, ...]] = SETTINGS.declare(
    SettingKind.LIST,
    "match",
    (),
    "Which clients are meant: selector=pattern, all of which must fit. None means every client.",
    check=_patterns,
)
METRICS: Setting[tuple[str, ...]] = SETTINGS.declare(
    SettingKind.LIST,
    "metrics",
    (),
    "Prefixes of the names of the metrics that are wanted; * for all.",
)


def subscription_layers(texts: Mapping[str, str]) -> Layers:
    """What a subscription is set to; texts that nobody checked are passed over."""
    usable = SETTINGS.usable(texts, changes=(Change.CLUSTER_WIDE,))
    return Layers(SETTINGS, [Layer(ConfigSource.CLIENT_METRICS, usable)])


def is_out_of_bounds(interval: str) -> bool:
    """Whether a text for `interval.ms` is a number, and one that is refused."""
    try:
        value = parse_value(SettingKind.INT, interval)
    except ValueError:
        return False
    assert isinstance(value, int)
    return not _INTERVAL_MS_MIN <= value <= _INTERVAL_MS_MAX
