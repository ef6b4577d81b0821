"""Logs for people: to standard error, one line an event, the event first and then its fields."""

from __future__ import annotations

import logging
import sys

_OWN_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class LineFormatter(logging.Formatter):
    """`2026-11-21 08:34:34.120 warning ottla.broker became leader partition=orders-0 epoch=3`."""

    default_msec_format = "%s.%03d"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 # the base class's name
        record.levelname = record.levelname.lower()
        line = super().formatMessage(record)
        fields = (
            f" {name}={value}"
            for name, value in vars(record).items()
            if name not in _OWN_ATTRIBUTES
        )
        return line + "".join(fields)


def log_to_stderr(level: str) -> None:
    """Send everything from `level` up to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
