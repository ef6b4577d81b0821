"""`ottla telemetry delete`."""

from __future__ import annotations

import click

from ottla.cli.cluster import ask
from ottla.cli.completion import SUBSCRIPTIONS
from ottla.cli.options import ClusterOptions, cluster_options


@click.command()
@click.argument("name", shell_complete=SUBSCRIPTIONS)
@cluster_options
def command(name: str, cluster: ClusterOptions) -> None:
    """Delete a subscription: clients stop pushing what nobody else asks for.

    \b
    ottla telemetry delete all-clients
    """
    ask(cluster, lambda admin: admin.client_metrics.delete(name))
    print(f"deleted {name}")
