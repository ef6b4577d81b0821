"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])

LOG_LEVELS = ("debug", "info", "warning", "error")

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
)


class BrokerOptions(NamedTuple):
    """What somebody typed to start a broker."""

    data_dir: Path | None
    listen: tuple[str, ...]
    advertise: tuple[str, ...]
    assignments: tuple[str, ...]
    config: Path | None
    log_level: str

    def run(self) -> None:
        """Run the broker until it is told to stop. Raises UserError."""
        from ottla.node.broker import run_broker
        from ottla.node.options import broker_texts

        texts = broker_texts(
            config=self.config,
            data_dir=self.data_dir,
            listen=self.listen,
            advertise=self.advertise,
            assignments=self.assignments,
        )
        run_broker(texts, log_level=self.log_level)


def broker_options(function: Callable[[BrokerOptions], None]) -> Callable[..., None]:
    """Let a command take what starts a broker, as one value."""

    @wraps(function)
    def command(**typed: Any) -> None:
        function(BrokerOptions(**typed))

    for option in reversed(_BROKER_OPTIONS):
        command = option(command)
    return command


def bootstrap_option(function: Function) -> Function:
    """Where the cluster is."""
    return click.option(
        "--bootstrap-server",
        "-b",
        "bootstrap",
        default="localhost:9092",
        envvar="OTTLA_BOOTSTRAP_SERVER",
        show_default=True,
        metavar="HOST:PORT[,…]",
        help="Any node of the cluster; also OTTLA_BOOTSTRAP_SERVER.",
    )(function)


def json_option(function: Function) -> Function:
    """Print for programs rather than for people."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, not a table.")(
        function
    )
