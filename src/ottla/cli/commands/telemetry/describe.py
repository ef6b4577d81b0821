"""`ottla telemetry describe`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ottla.cli.cluster import ask
from ottla.cli.completion import SUBSCRIPTIONS
from ottla.cli.nouns.telemetry import COLUMNS, check_there, subscription_row
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option

if TYPE_CHECKING:
    from ottla.client.admin.admin import Admin
    from ottla.client.admin.client_metrics import Subscription


@click.command()
@click.argument("name", shell_complete=SUBSCRIPTIONS)
@cluster_options
@output_option
def command(name: str, cluster: ClusterOptions, output: Output) -> None:
    """Show a subscription.

    \b
    ottla telemetry describe java-producers
    """

    async def describe(admin: Admin) -> Subscription:
        await check_there(admin, name)
        return await admin.client_metrics.describe(name)

    found = ask(cluster, describe)
    output.show([subscription_row(name, found)], COLUMNS)
