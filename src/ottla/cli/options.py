"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Function = TypeVar("Function", bound=Callable[..., Any])

LOG_LEVELS = ("debug", "info", "warning", "error")


def broker_options(function: Function) -> Function:
    """What starts a broker takes."""
    for option in reversed(
        (
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
    ):
        function = option(function)
    return function


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
