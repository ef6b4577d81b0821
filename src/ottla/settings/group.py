"""The settings of a group: those that its coordinator honours, by Kafka's names.

Where a group sets none, the broker's setting named as a synonym gives the value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ottla.settings import coordinators as keys
from ottla.settings.broker import BrokerSettings
from ottla.settings.checks import at_least
from ottla.settings.engine import (
    Change,
    ConfigSource,
    Layer,
    Layers,
    Setting,
    SettingError,
    SettingTable,
    Synonym,
)
from ottla.settings.values import SettingKind

SETTINGS: Final = SettingTable("group setting", change=Change.CLUSTER_WIDE)

CONSUMER_SESSION_TIMEOUT_MS = SETTINGS.declare(
    SettingKind.INT,
    "consumer.session.timeout.ms",
    45_000,
    "Milliseconds without a heartbeat after which a member of the consumer protocol is removed.",
    check=at_least(1),
    synonyms=[Synonym(keys.GROUP_CONSUMER_SESSION_TIMEOUT_MS.name)],
)
CONSUMER_HEARTBEAT_INTERVAL_MS = SETTINGS.declare(
    SettingKind.INT,
    "consumer.heartbeat.interval.ms",
    5000,
    "How often members of the consumer protocol are told to send a heartbeat.",
    check=at_least(1),
    synonyms=[Synonym(keys.GROUP_CONSUMER_HEARTBEAT_INTERVAL_MS.name)],
)

_BOUNDS: Final[tuple[tuple[Setting[int], Setting[int], Setting[int]], ...]] = (
    (
        CONSUMER_SESSION_TIMEOUT_MS,
        keys.GROUP_CONSUMER_MIN_SESSION_TIMEOUT_MS,
        keys.GROUP_CONSUMER_MAX_SESSION_TIMEOUT_MS,
    ),
    (
        CONSUMER_HEARTBEAT_INTERVAL_MS,
        keys.GROUP_CONSUMER_MIN_HEARTBEAT_INTERVAL_MS,
        keys.GROUP_CONSUMER_MAX_HEARTBEAT_INTERVAL_MS,
    ),
)


def group_layers(texts: Mapping[str, str], broker: BrokerSettings) -> Layers:
    """A group's settings over those of its broker; texts that nobody checked are passed over."""
    usable = SETTINGS.usable(texts, changes=(Change.CLUSTER_WIDE,))
    return Layers(SETTINGS, [Layer(ConfigSource.GROUP, usable)], broker)


def check_group(texts: Mapping[str, str], broker: BrokerSettings) -> None:
    """Refuse values beyond the broker's bounds, or at odds with each other. Raises SettingError."""
    known = {name: text for name, text in texts.items() if name in SETTINGS}
    values = Layers(SETTINGS, [Layer(ConfigSource.GROUP, known)], broker)
    for setting, least, greatest in _BOUNDS:
        if setting.name in known:
            _check_between(setting, values[setting], broker, least, greatest)
    session_ms = values[CONSUMER_SESSION_TIMEOUT_MS]
    heartbeat_ms = values[CONSUMER_HEARTBEAT_INTERVAL_MS]
    if known and session_ms <= heartbeat_ms:
        raise SettingError(
            f"{CONSUMER_SESSION_TIMEOUT_MS.name}={session_ms} must be above "
            f"{CONSUMER_HEARTBEAT_INTERVAL_MS.name}={heartbeat_ms}: nobody would live long enough"
        )


def _check_between(
    setting: Setting[int],
    value: int,
    broker: BrokerSettings,
    least: Setting[int],
    greatest: Setting[int],
) -> None:
    if broker[least] <= value <= broker[greatest]:
        return
    bound = least if value < broker[least] else greatest
    raise SettingError(
        f"{setting.name} cannot be '{value}': the broker's {bound.name} is {broker[bound]}"
    )
