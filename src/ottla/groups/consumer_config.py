"""What the settings of the broker, and of single groups, mean to the consumer protocol."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from msgspec import Struct
from msgspec.structs import replace

from ottla.settings import coordinators as keys
from ottla.settings import group as group_keys
from ottla.settings.broker import BrokerSettings


class MigrationPolicy(Enum):
    """Which groups may change their protocol while they have members (KIP-848)."""

    DISABLED = "disabled"
    UPGRADE = "upgrade"
    DOWNGRADE = "downgrade"
    BIDIRECTIONAL = "bidirectional"

    @property
    def may_upgrade(self) -> bool:
        return self in (MigrationPolicy.UPGRADE, MigrationPolicy.BIDIRECTIONAL)

    @property
    def may_downgrade(self) -> bool:
        return self in (MigrationPolicy.DOWNGRADE, MigrationPolicy.BIDIRECTIONAL)


class ConsumerConfig(Struct, frozen=True, kw_only=True):
    """See the settings of the same names. The first of `assignors` is for who asks for none."""

    session_timeout_ms: int = 45_000
    heartbeat_interval_ms: int = 5000
    size_max: int = 2**31 - 1
    assignors: tuple[str, ...] = ("uniform", "range")
    migration: MigrationPolicy = MigrationPolicy.BIDIRECTIONAL

    @classmethod
    def of(cls, settings: BrokerSettings) -> ConsumerConfig:
        return cls(
            session_timeout_ms=settings[keys.GROUP_CONSUMER_SESSION_TIMEOUT_MS],
            heartbeat_interval_ms=settings[keys.GROUP_CONSUMER_HEARTBEAT_INTERVAL_MS],
            size_max=settings[keys.GROUP_CONSUMER_MAX_SIZE],
            assignors=settings[keys.GROUP_CONSUMER_ASSIGNORS],
            migration=MigrationPolicy(settings[keys.GROUP_CONSUMER_MIGRATION_POLICY]),
        )


class ConsumerConfigs:
    """What each group is set to: `default`, or what is set for it by itself.

    Whoever follows the metadata changes it under all groups: a member learns of it, and gets its
    other session timeout, with its next heartbeat.
    """

    def __init__(self, default: ConsumerConfig) -> None:
        self.default = default
        self._own: dict[str, ConsumerConfig] = {}

    def of(self, group_id: str) -> ConsumerConfig:
        return self._own.get(group_id, self.default)

    def set(self, group_id: str, texts: Mapping[str, str], settings: BrokerSettings) -> None:
        """Take the settings of one group; none bring it back to the default."""
        if not texts:
            self._own.pop(group_id, None)
            return
        layers = group_keys.group_layers(texts, settings)
        self._own[group_id] = replace(
            self.default,
            session_timeout_ms=layers[group_keys.CONSUMER_SESSION_TIMEOUT_MS],
            heartbeat_interval_ms=layers[group_keys.CONSUMER_HEARTBEAT_INTERVAL_MS],
        )
