"""How the use of quotas is measured; the quotas themselves are in the cluster's metadata."""

from __future__ import annotations

from typing import Final

from ottla.settings.checks import at_least
from ottla.settings.engine import Change
from ottla.settings.table import SETTINGS
from ottla.settings.values import INT_MAX, SettingKind

QUOTA_WINDOW_NUM = SETTINGS.declare(
    SettingKind.INT,
    "quota.window.num",
    11,
    "Windows over which bytes, time and connections of a client are measured: all but the last are "
    "full, so that the default covers ten seconds.",
    check=at_least(1),
)
QUOTA_WINDOW_SIZE_SECONDS = SETTINGS.declare(
    SettingKind.INT,
    "quota.window.size.seconds",
    1,
    "Seconds of each such window.",
    check=at_least(1),
)
CONTROLLER_QUOTA_WINDOW_NUM = SETTINGS.declare(
    SettingKind.INT,
    "controller.quota.window.num",
    11,
    "Windows of changes that a client may make at once: topics and partitions created and deleted.",
    check=at_least(1),
)
CONTROLLER_QUOTA_WINDOW_SIZE_SECONDS = SETTINGS.declare(
    SettingKind.INT,
    "controller.quota.window.size.seconds",
    1,
    "Seconds of each such window.",
    check=at_least(1),
)
MAX_CONNECTION_CREATION_RATE = SETTINGS.declare(
    SettingKind.INT,
    "max.connection.creation.rate",
    INT_MAX,
    "Most connections that are served anew in a second, over all listeners; further ones wait for "
    "their turn. For single addresses there are quotas.",
    check=at_least(0),
    change=Change.CLUSTER_WIDE,
)

ANY_RATE: Final = INT_MAX
"""Of connections: as many as come."""
