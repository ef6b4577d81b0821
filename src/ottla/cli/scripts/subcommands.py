"""Tools of Kafka whose first word says what to do: their command lines are argparse's.

They take what is left of the command in any order, tell a wrong one on standard error with the
usage, and fail with 1 then, where argparse would with 2.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NoReturn

from ottla.base.errors import UserError
from ottla.cli.scripts.clusters import cluster_from, read_file
from ottla.cli.scripts.command_line import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ottla.cli.options import ClusterOptions


class SubcommandParser(argparse.ArgumentParser):
    """Raises UsageError for what makes no sense; `--help` is printed, and ends the tool."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: error: {message}", self.format_usage().rstrip())

    def read(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Raises UsageError; SystemExit after `--help`."""
        return self.parse_args(arguments)


def add_server(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Where the cluster is. That of a controller is taken for a broker's: here it is one."""
    where = parser.add_mutually_exclusive_group(required=required)
    where.add_argument("--bootstrap-server", metavar="SERVER", help="any node of the cluster")
    where.add_argument("--bootstrap-controller", metavar="SERVER", help="the same, here")


def add_config(parser: argparse.ArgumentParser, *names: str) -> None:
    """Settings of the client."""
    parser.add_argument(
        *(names or ("--command-config",)),
        dest="command_config",
        metavar="FILE",
        help="a file with settings of the client",
    )


def cluster_in(options: argparse.Namespace) -> ClusterOptions:
    """What `add_server` and `add_config` were given. Raises UserError."""
    texts = read_file(options.command_config) if options.command_config else {}
    server = options.bootstrap_server or options.bootstrap_controller
    if server is None:
        raise UserError("--bootstrap-server must be specified")
    return cluster_from(server, texts)
