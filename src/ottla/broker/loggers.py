"""The levels of this process's own loggers, which may be changed while it runs (KIP-412).

They belong to one process and are forgotten with it: nothing of them is in the metadata.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from ottla.base.errors import ProtocolError, cut
from ottla.base.limits import SETTING_TEXT_LENGTH_SHOWN
from ottla.metadata.config_change import (
    ConfigChange,
    ConfigOperation,
    bad_request,
    check_form,
    invalid,
)

ROOT: Final = "root"
"""The logger above all others; it must have a level."""

_OURS: Final = "ottla"
_BEFORE: Final[dict[str, int]] = {}
"""Levels, as numbers, of the loggers that were altered."""
_LEVELS: Final = {
    "TRACE": 5,
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "ERROR": logging.ERROR,
    "FATAL": logging.CRITICAL,
}
"""Kafka's names, from the least on; this broker logs nothing below DEBUG."""


def logger_levels() -> dict[str, str]:
    """The level in force of every logger of ours, by its name."""
    return {name: _level_name(_logger(name).getEffectiveLevel()) for name in _names()}


def alter_loggers(changes: Sequence[ConfigChange], *, validate_only: bool) -> None:
    """Set levels, or delete them so that those of the loggers above hold; all of them or none.

    Raises ProtocolError: INVALID_REQUEST, or INVALID_CONFIG for an unknown logger or level.
    """
    check_form(changes)
    known = set(_names())
    levels = [_wanted_level(change, known) for change in changes]
    if validate_only:
        return
    for change, level in zip(changes, levels, strict=True):
        logger = _logger(change.name)
        _BEFORE.setdefault(change.name, logger.level)
        logger.setLevel(level)


def forget_levels() -> None:
    """Give loggers back what they had before the first change: a broker ends, its process not."""
    for name, level in _BEFORE.items():
        _logger(name).setLevel(level)
    _BEFORE.clear()


def _names() -> list[str]:
    known = logging.Logger.manager.loggerDict
    ours = (name for name in known if name == _OURS or name.startswith(f"{_OURS}."))
    return [ROOT, *sorted(ours)]


def _logger(name: str) -> logging.Logger:
    return logging.getLogger(None if name == ROOT else name)


def _level_name(level: int) -> str:
    return next((name for name, number in _LEVELS.items() if level <= number), "FATAL")


def _wanted_level(change: ConfigChange, known: set[str]) -> int:
    if change.operation not in (ConfigOperation.SET, ConfigOperation.DELETE):
        operation = ConfigOperation(change.operation).name
        raise bad_request(f"{operation} does not change a level: SET and DELETE do")
    if change.name not in known:
        raise _unknown(change.name, known)
    if change.operation == ConfigOperation.DELETE:
        if change.name == ROOT:
            raise bad_request("the root logger needs a level: set another one")
        return logging.NOTSET
    level = _LEVELS.get(change.value or "")
    if level is None:
        raise invalid(
            f"{change.value!r} is no level for {change.name}: choose from {', '.join(_LEVELS)}"
        )
    return level


def _unknown(name: str, known: set[str]) -> ProtocolError:
    import difflib  # a millisecond that only a mistyped name is worth

    nearest = difflib.get_close_matches(cut(name, SETTING_TEXT_LENGTH_SHOWN), sorted(known), n=3)
    hint = f"; did you mean {' or '.join(nearest)}?" if nearest else ""
    return invalid(f"there is no logger called {name!r}{hint}")
