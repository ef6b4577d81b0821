"""`ottla telemetry describe`."""

from __future__ import annotations

import click

from ottla.cli.cluster import ask
from ottla.cli.completion import SUBSCRIPTIONS
from ottla.cli.nouns.telemetry import COLUMNS, subscription_row
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option


@click.command()
@click.argument("name", shell_complete=SUBSCRIPTIONS)
@cluster_options
@output_option
def command(name: str, cluster: ClusterOptions, output: Output) -> None:
    """Show a subscription.

    \b
    ottla telemetry describe java-producers
    """
    found = ask(cluster, lambda admin: admin.client_metrics.describe(name))
    output.show([subscription_row(name, found)], COLUMNS)
