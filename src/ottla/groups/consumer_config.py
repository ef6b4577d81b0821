"""What the broker's settings mean to groups of the consumer protocol."""

from __future__ import annotations

from enum import Enum

from msgspec import Struct

from ottla.settings import coordinators as keys
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
