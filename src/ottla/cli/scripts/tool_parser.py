"""Command lines of the tools that read them by argparse4j, which is Python's argparse in Java."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from ottla.cli.scripts.command_line import UsageError


class ToolParser(argparse.ArgumentParser):
    """Fails with Kafka's exit code, 1, and for `--help` too; without any argument it helps."""

    def __init__(self, name: str, description: str) -> None:
        super().__init__(
            prog=name,
            description=description,
            allow_abbrev=False,
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        )

    def read(self, arguments: Sequence[str]) -> argparse.Namespace | None:
        """None where help was asked for, or nothing at all, and told. Raises UsageError."""
        if not arguments or {"-h", "--help"} & set(arguments):
            self.print_help(sys.stdout)
            return None
        return self.parse_args(list(arguments))

    def error(self, message: str) -> NoReturn:
        """Raises UsageError."""
        raise UsageError(f"{self.format_usage()}{self.prog}: error: {message}")
