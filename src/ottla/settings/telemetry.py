"""Metrics that clients push; which ones is kept in the cluster's metadata."""

from __future__ import annotations

from ottla.settings.checks import at_least
from ottla.settings.table import SETTINGS
from ottla.settings.values import SettingKind

TELEMETRY_MAX_BYTES = SETTINGS.declare(
    SettingKind.INT,
    "telemetry.max.bytes",
    1024 * 1024,
    "Most bytes, compressed, of metrics that a client pushes at a time (KIP-714).",
    check=at_least(1),
)
