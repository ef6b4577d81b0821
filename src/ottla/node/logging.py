"""Logs to standard error, one line an event: for people, or for programs as JSON."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Iterator
from typing import Final

_OWN_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


TEXT: Final = "text"
JSON: Final = "json"


class LineFormatter(logging.Formatter):
    """`2026-11-21 08:34:34.120 warning ottla.broker became leader partition=orders-0 epoch=3`."""

    default_msec_format = "%s.%03d"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 # the base class's name
        record.levelname = record.levelname.lower()
        record.message = _escaped(record.message)
        line = super().formatMessage(record)
        return line + "".join(f" {name}={_on_a_line(value)}" for name, value in _fields(record))


class JsonFormatter(logging.Formatter):
    """`{"time": "2026-11-21T08:34:34.120Z", "level": "warning", "logger": …, "event": …, …}`.

    The fields of an event follow under their own names; one that has the name of these four gets an
    underscore behind it. A traceback is text under `traceback`.
    """

    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        super().__init__()
        self.converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, object] = {
            "time": self.formatTime(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        for name, value in _fields(record):
            told[f"{name}_" if name in told else name] = value
        if record.exc_info:
            told["traceback"] = self.formatException(record.exc_info)
        # ASCII, so that it is JSON whatever the locale makes of other characters.
        return json.dumps(told, default=str)


def _fields(record: logging.LogRecord) -> Iterator[tuple[str, object]]:
    """What belongs to the event, and not to every record."""
    return ((name, value) for name, value in vars(record).items() if name not in _OWN_ATTRIBUTES)


def _escaped(text: str) -> str:
    """An event may name what a client sent, and stays on its line."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def _on_a_line(value: object) -> str:
    """What a client sent must look like no line and no field of ours."""
    text = str(value)
    is_plain = text.isprintable() and not (" " in text and "=" in text)
    return text if is_plain else repr(text)


def log_to_stderr(level: str, form: str = TEXT) -> None:
    """Send everything from `level` up to standard error, as TEXT or as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == JSON else LineFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
