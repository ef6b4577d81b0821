"""`python -m ottla.cli.scripts NAME ARGUMENT…`: what the installed scripts start."""

import signal
import sys
from types import FrameType

from ottla.cli.program import open_closed_outputs
from ottla.cli.scripts.running import run


def _end(number: int, frame: FrameType | None) -> None:
    """In order, as Ctrl-C does: a consumer leaves its group, a producer sends what it has."""
    sys.exit(128 + number)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)
    open_closed_outputs()
    sys.exit(run(sys.argv[1], sys.argv[2:]))
