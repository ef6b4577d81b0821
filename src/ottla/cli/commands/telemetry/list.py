"""`ottla telemetry list`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ottla.cli.cluster import ask
from ottla.cli.nouns.telemetry import COLUMNS, subscription_row
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option

if TYPE_CHECKING:
    from ottla.client.admin.admin import Admin


@click.command()
@cluster_options
@output_option
def command(cluster: ClusterOptions, output: Output) -> None:
    """List subscriptions: which metrics are asked of which clients, and how often.

    \b
    ottla telemetry list
    ottla telemetry list --json
    """

    async def rows(admin: Admin) -> list[dict[str, object]]:
        return [
            subscription_row(name, await admin.client_metrics.describe(name))
            for name in await admin.client_metrics.list()
        ]

    output.show(ask(cluster, rows), COLUMNS)
