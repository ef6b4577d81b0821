"""`ottla config unset`."""

from __future__ import annotations

import click

from ottla.cli.cluster import ask
from ottla.cli.nouns.config import (
    complete_key,
    resource_arguments,
    resource_of,
    resource_row,
    resource_text,
)
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option


@click.command()
@resource_arguments
@click.argument("keys", nargs=-1, required=True, metavar="KEY…", shell_complete=complete_key)
@click.option("--validate-only", is_flag=True, help="Only say whether it could be done.")
@cluster_options
@output_option
def command(
    kind: str,
    name: str,
    keys: tuple[str, ...],
    validate_only: bool,
    cluster: ClusterOptions,
    output: Output,
) -> None:
    """Let settings go back to what would be in force without them.

    \b
    ottla config unset topic orders retention.ms segment.bytes
    ottla config unset broker all log.retention.ms
    """
    resource = resource_of(kind, name)
    outcomes = ask(
        cluster,
        lambda admin: admin.configs.alter(
            {resource: dict.fromkeys(keys)}, validate_only=validate_only
        ),
    )
    verb = "could unset" if validate_only else "unset"
    output.report(outcomes, f"{verb} {', '.join(keys)} of", item=resource_row, text=resource_text)
