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


def own_logger(lines: list[str]) -> logging.Logger:
    """A logger for one object, known to nobody else; it gathers all but debugging."""
    logger = logging.Logger("librdkafka", logging.INFO)
    logger.addHandler(GatheringHandler(lines, level=logging.INFO))
    return logger


def listen_to(library: str, lines: list[str]) -> GatheringHandler:
    """Gather what a library's own logger says, and keep it from the terminal."""
    logger = logging.getLogger(library)
    logger.setLevel(logging.WARNING)
    logger.propagate = False
    handler = GatheringHandler(lines)
    logger.addHandler(handler)
    return handler
