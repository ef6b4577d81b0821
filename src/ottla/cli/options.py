"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, Final, NamedTuple

import click

DEFAULT_BOOTSTRAP: Final = "localhost:9092"

LOG_LEVELS = ("debug", "info", "warning", "error")
LOG_FORMATS = ("text", "json")

_BROKER_OPTIONS = (
    click.option(
        "--data-dir",
        type=click.Path(path_type=Path, file_okay=False),
        help="Folder of all data; made where it is missing.",
    ),
    click.option(
        "--listen",
        multiple=True,
        metavar="[NAME://]HOST:PORT",
        help="Address to listen on; port 0 picks a free one. May be given more than once.",
    ),
    click.option(
        "--advertise",
        multiple=True,
        metavar="[NAME://]HOST:PORT",
        help="Address that clients of a listener are told, where it is not the one they "
        "reached: a name behind a proxy, a container's published port.",
    ),
    click.option(
        "--http",
        multiple=True,
        metavar="HOST:PORT",
        help="Serve /metrics for Prometheus, /health/live and /health/ready there, to whoever "
        "asks.",
    ),
    click.option(
        "--set",
        "assignments",
        multiple=True,
        metavar="KEY=VALUE",
        help="A setting by its Kafka name, as num.partitions=8. Stronger than --config.",
    ),
    click.option(
        "--config",
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        help="A .properties file of settings, as Kafka's server.properties.",
    ),
    click.option(
        "--log-level",
        type=click.Choice(LOG_LEVELS),
        default="info",
        show_default=True,
        help="How much to tell on standard error.",
    ),
    click.option(
        "--log-format",
        type=click.Choice(LOG_FORMATS),
        default="text",
        show_default=True,
        help="Lines for people, or an object of JSON a line for programs.",
    ),
)


class BrokerOptions(NamedTuple):
    """What somebody typed to start a broker."""

    data_dir: Path | None
    listen: tuple[str, ...]
    advertise: tuple[str, ...]
    http: tuple[str, ...]
    assignments: tuple[str, ...]
    config: Path | None
    log_level: str
    log_format: str

    def run(self) -> None:
        """Run the broker until it is told to stop. Raises UserError."""
        from ottla.node.broker import run_broker
        from ottla.node.options import broker_texts

        texts = broker_texts(
            config=self.config,
            data_dir=self.data_dir,
            listen=self.listen,
            advertise=self.advertise,
            http=self.http,
            assignments=self.assignments,
        )
        run_broker(texts, log_level=self.log_level, log_format=self.log_format)


def broker_options(function: Callable[[BrokerOptions], None]) -> Callable[..., None]:
    """Let a command take what starts a broker, as one value."""

    @wraps(function)
    def command(**typed: Any) -> None:
        function(BrokerOptions(**typed))

    for option in reversed(_BROKER_OPTIONS):
        command = option(command)
    return command


class ClusterOptions(NamedTuple):
    """Which cluster a command talks to, and how."""

    bootstrap: str
    client: Mapping[str, object]
    """Keyword arguments of our clients; `cli.cluster` gives each client those that it knows."""


_CLUSTER_OPTIONS = (
    click.option(
        "--bootstrap-server",
        "-b",
        "bootstrap",
        envvar="OTTLA_BOOTSTRAP_SERVER",
        metavar="HOST:PORT[,…]",
        help="Any node of the cluster; also OTTLA_BOOTSTRAP_SERVER.  [default: localhost:9092]",
    ),
    click.option(
        "--command-config",
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        help="A .properties file with settings of Kafka's clients.",
    ),
)


def cluster_options(function: Callable[..., None]) -> Callable[..., None]:
    """Let a command take which cluster it talks to, as `cluster: ClusterOptions`."""

    @wraps(function)
    def command(*, bootstrap: str | None, command_config: Path | None, **rest: Any) -> None:
        function(cluster=cluster_of(bootstrap, command_config), **rest)

    for option in reversed(_CLUSTER_OPTIONS):
        command = option(command)
    return command


def cluster_of(bootstrap: str | None, command_config: Path | None) -> ClusterOptions:
    """What was typed, or else the file says, or else is usual. Raises UserError for the file."""
    of_file, client = None, dict[str, object]()
    if command_config is not None:
        from ottla.cli.command_config import read_command_config

        of_file, client = read_command_config(command_config)
    return ClusterOptions(bootstrap or of_file or DEFAULT_BOOTSTRAP, client)
