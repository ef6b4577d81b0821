"""`ottla telemetry delete`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ottla.cli.cluster import ask
from ottla.cli.completion import SUBSCRIPTIONS
from ottla.cli.nouns.telemetry import check_there
from ottla.cli.options import ClusterOptions, cluster_options

if TYPE_CHECKING:
    from ottla.client.admin.admin import Admin


@click.command()
@click.argument("name", shell_complete=SUBSCRIPTIONS)
@cluster_options
def command(name: str, cluster: ClusterOptions) -> None:
    """Delete a subscription: clients stop pushing what nobody else asks for.

    \b
    ottla telemetry delete all-clients
    """

    async def delete(admin: Admin) -> None:
        await check_there(admin, name)
        await admin.client_metrics.delete(name)

    ask(cluster, delete)
    print(f"deleted {name}")
