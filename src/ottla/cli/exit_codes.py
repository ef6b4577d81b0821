"""What the exit code of a command says."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """0 and 1 as everywhere, 2 as click and getopt have it."""

    DONE = 0
    REFUSED = 1
    """Refused, or failed; the message says why."""
    WRONG_USAGE = 2
    FOUND = 3
    """What was looked for is there: damage, a lag, a hanging transaction. Nothing failed."""
    INTERRUPTED = 130
    """Ctrl-C: 128 and the signal's number, as shells have it."""
    NOBODY_READS = 141
    """The reader of our output went away, as `head` does; likewise."""
