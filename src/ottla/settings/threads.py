"""Numbers of threads, as Kafka's tools and dashboards set them, and the rule for changing them.

This broker has one thread that serves, and processes beside it for what is heavy: all but
`log.cleaner.threads` are accepted so that such tools work, and have no effect.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ottla.settings.checks import at_least
from ottla.settings.engine import Change, SettingError
from ottla.settings.table import SETTINGS
from ottla.settings.values import SettingKind, Value

LOG_CLEANER_THREADS_NAME: Final = "log.cleaner.threads"
_NO_EFFECT: Final = "Accepted for Kafka's tools, without effect: this broker serves in one thread."

_DEFAULTS: Final = {
    "num.io.threads": 8,
    "num.network.threads": 3,
    "num.replica.fetchers": 1,
    "num.recovery.threads.per.data.dir": 2,
    "background.threads": 10,
}
for _name, _default in _DEFAULTS.items():
    SETTINGS.declare(
        SettingKind.INT,
        _name,
        _default,
        _NO_EFFECT,
        check=at_least(1),
        change=Change.CLUSTER_WIDE,
    )


def check_threads_change(before: Mapping[str, Value], after: Mapping[str, Value]) -> None:
    """Refuse to more than double or halve a number of threads in one step. Raises SettingError."""
    for name in (*_DEFAULTS, LOG_CLEANER_THREADS_NAME):
        present, wanted = before[name], after[name]
        assert isinstance(present, int)
        assert isinstance(wanted, int)
        if not present // 2 <= wanted <= present * 2:
            raise SettingError(
                f"{name} cannot go from {present} to {wanted} in one step: half and double are "
                "the furthest"
            )
