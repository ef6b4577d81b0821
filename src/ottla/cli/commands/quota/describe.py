"""`ottla quota describe`."""

from __future__ import annotations

from typing import Any

import click

from ottla.cli.cluster import ask
from ottla.cli.nouns.quota import entity_options, entity_row
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option

COLUMNS = {"user": "user", "client_id": "client", "ip": "address", "quotas": "quotas"}


@click.command()
@entity_options
@click.option("--strict", is_flag=True, help="Leave out entities that have other parts, too.")
@cluster_options
@output_option
def command(parts: dict[str, Any], strict: bool, cluster: ClusterOptions, output: Output) -> None:
    """Show the quotas that are set: all, or those of entities that fit.

    \b
    ottla quota describe
    ottla quota describe --user alice --json
    ottla quota describe --client-id-default --strict
    """
    if strict and not parts:
        raise click.UsageError("--strict goes with parts of an entity")
    found = ask(cluster, lambda admin: admin.quotas.describe(**parts, strict=strict))
    rows = [{**entity_row(entity), "quotas": quotas} for entity, quotas in found.items()]
    output.show(sorted(rows, key=lambda row: [str(value) for value in row.values()]), COLUMNS)
