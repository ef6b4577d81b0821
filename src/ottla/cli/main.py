"""The door: finds the command, and turns errors for people into one line and an exit code.

Exit codes: 0 done, 1 refused or failed (the message says why), 2 wrong usage.
"""

from __future__ import annotations

import sys

import click

from ottla import __version__
from ottla.base.errors import ProtocolError, UserError
from ottla.cli import commands
from ottla.cli.tree import PathGroup

HELP = """Ottla: an event streaming platform that speaks Apache Kafka's protocol.

Start it with `ottla serve`, then point any Kafka client at localhost:9092.
"""


def main() -> None:
    """Run the command that the arguments name."""
    root = PathGroup(commands, "ottla", HELP)
    root = click.version_option(__version__, prog_name="ottla")(root)
    try:
        root(prog_name="ottla")
    except (UserError, ProtocolError) as error:
        print(f"ottla: {error}", file=sys.stderr)
        sys.exit(1)
