"""`ottla topic delete`."""

from __future__ import annotations

from collections.abc import Callable

import click

from ottla.base.errors import ErrorCode
from ottla.cli.cluster import ask
from ottla.cli.completion import TOPICS
from ottla.cli.confirmation import yes_option
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option
from ottla.cli.passing_over import without


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME…", shell_complete=TOPICS)
@click.option("--if-exists", is_flag=True, help="A topic that is not there is fine.")
@yes_option
@cluster_options
@output_option
def command(
    names: tuple[str, ...],
    if_exists: bool,
    confirm: Callable[[str], None],
    cluster: ClusterOptions,
    output: Output,
) -> None:
    """Delete topics and everything in them.

    \b
    ottla topic delete orders prices
    ottla topic delete orders --if-exists --yes
    """
    confirm(f"Delete {', '.join(names)} and everything in it?")
    outcomes = ask(cluster, lambda admin: admin.topics.delete(*names))
    if if_exists:
        outcomes = without(outcomes, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    output.report(outcomes, "deleted", item=lambda name: {"name": name})
