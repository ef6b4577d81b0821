"""What the broker's settings mean to groups."""

from __future__ import annotations

from msgspec import Struct

from ottla.settings import coordinators as keys
from ottla.settings.broker import BrokerSettings

_MS_PER_MINUTE = 60_000


class GroupConfig(Struct, frozen=True, kw_only=True):
    """Bounds and delays of every group; see the settings of the same names."""

    session_timeout_ms_min: int
    session_timeout_ms_max: int
    initial_rebalance_delay_ms: int
    size_max: int
    offset_metadata_length_max: int
    offsets_retention_ms: int
    offsets_check_interval_ms: int

    @classmethod
    def of(cls, settings: BrokerSettings) -> GroupConfig:
        return cls(
            session_timeout_ms_min=settings[keys.GROUP_MIN_SESSION_TIMEOUT_MS],
            session_timeout_ms_max=settings[keys.GROUP_MAX_SESSION_TIMEOUT_MS],
            initial_rebalance_delay_ms=settings[keys.GROUP_INITIAL_REBALANCE_DELAY_MS],
            size_max=settings[keys.GROUP_MAX_SIZE],
            offset_metadata_length_max=settings[keys.OFFSET_METADATA_MAX_BYTES],
            offsets_retention_ms=settings[keys.OFFSETS_RETENTION_MINUTES] * _MS_PER_MINUTE,
            offsets_check_interval_ms=settings[keys.OFFSETS_RETENTION_CHECK_INTERVAL_MS],
        )
