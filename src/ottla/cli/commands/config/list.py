"""`ottla config list`."""

from __future__ import annotations

import click

from ottla.cli.cluster import ask
from ottla.cli.nouns.config import KINDS, resource_row
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option

COLUMNS = {"kind": "kind", "name": "name"}


@click.command()
@click.argument("kinds", nargs=-1, type=click.Choice([*KINDS]))
@cluster_options
@output_option
def command(kinds: tuple[str, ...], cluster: ClusterOptions, output: Output) -> None:
    """List what may have settings, of all kinds or of these (Kafka 4.1).

    \b
    ottla config list
    ottla config list group client-metrics --json
    """
    from ottla.client.admin.config_entries import ResourceType

    types = [ResourceType[KINDS[kind]] for kind in kinds]
    found = ask(cluster, lambda admin: admin.configs.list_resources(*types))
    output.show(map(resource_row, found), COLUMNS)
