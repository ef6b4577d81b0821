"""The settings of brokers for tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ottla.base.errors import UserError
from ottla.testing.kafka_releases import ApiVersions, setting_of

SettingValue = str | int | float | bool

FOR_TESTS: Final[Mapping[str, str]] = {
    # A new group waits three seconds for more members, which no test wants.
    "group.initial.rebalance.delay.ms": "0",
    # Fifty partitions each are made for clusters; a test pays for every one.
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.num.partitions": "1",
}
"""Settings that differ from a broker's defaults, unless the test says otherwise."""

_OURS: Final = frozenset({"listeners", "advertised.listeners", "log.dir", "log.dirs"})


def settings_for_tests(
    wanted: Mapping[str, SettingValue] | None, api_versions: ApiVersions | None
) -> dict[str, str]:
    """All settings but those of addresses and folders, by their Kafka names.

    Raises UserError for one of those, and for an unknown release.
    """
    texts = {name: text_of(value) for name, value in (wanted or {}).items()}
    if taken := _OURS & texts.keys():
        raise UserError(f"{', '.join(sorted(taken))} cannot be set: brokers for tests do it")
    limits = {} if api_versions is None else {"ottla.api.versions": setting_of(api_versions)}
    return {**FOR_TESTS, **limits, **texts}


def text_of(value: SettingValue) -> str:
    """As it stands in a file of settings."""
    return str(value).lower() if isinstance(value, bool) else str(value)
