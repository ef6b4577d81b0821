"""What a client library logs, gathered for a test to look at."""

from __future__ import annotations

import logging


class GatheringHandler(logging.Handler):
    """Adds every record from `level` up to a list of lines."""

    def __init__(self, lines: list[str], *, level: int = logging.WARNING) -> None:
        super().__init__(level)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(f"{record.levelname} {record.name}: {record.getMessage()}")


def gathering_logger(
    name: str, lines: list[str], *, level: int = logging.WARNING
) -> logging.Logger:
    """The logger of this name, whose records go to `lines` and nowhere else."""
    logger = logging.getLogger(name)
    logger.handlers = [GatheringHandler(lines, level=level)]
    logger.propagate = False
    return logger
