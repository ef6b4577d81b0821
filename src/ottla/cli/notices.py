"""What clients log while a command runs, as lines for people."""

from __future__ import annotations

import logging
import sys
from typing import Final

from ottla.cli.program import PROGRAM

_CLIENTS: Final = "ottla.client"
_TOLD_BY_COMMANDS: Final = "ottla.client.producer.settlement"
"""Records that are given up: who sent them says how many, and why, once."""


class _Notices(logging.Handler):
    """Prints warnings with their reasons, which the last resort of `logging` leaves out."""

    def emit(self, record: logging.LogRecord) -> None:
        if record.name == _TOLD_BY_COMMANDS:
            return
        reason = getattr(record, "reason", None)
        why = "" if reason is None else f": {reason}"
        print(f"{PROGRAM}: {record.getMessage()}{why}", file=sys.stderr)


_NOTICES: Final = _Notices(logging.WARNING)


def tell_what_clients_log() -> None:
    """From now on; what a program has set for `logging` besides stays."""
    logging.getLogger(_CLIENTS).addHandler(_NOTICES)
