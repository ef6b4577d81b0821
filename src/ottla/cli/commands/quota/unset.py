"""`ottla quota unset`."""

from __future__ import annotations

from typing import Any

import click

from ottla.cli.cluster import ask
from ottla.cli.nouns.quota import (
    complete_quota,
    entity_options,
    entity_row,
    entity_text,
    required_entity,
)
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option


@click.command()
@click.argument("quotas", nargs=-1, required=True, metavar="QUOTA…", shell_complete=complete_quota)
@entity_options
@cluster_options
@output_option
def command(
    quotas: tuple[str, ...], parts: dict[str, Any], cluster: ClusterOptions, output: Output
) -> None:
    """Remove quotas: whoever had them is bound by wider ones then, or by none.

    \b
    ottla quota unset --user alice producer_byte_rate
    ottla quota unset --ip-default connection_creation_rate
    """
    entity = required_entity(parts)
    outcomes = ask(cluster, lambda admin: admin.quotas.alter({entity: dict.fromkeys(quotas)}))
    output.report(outcomes, f"unset {', '.join(quotas)} of", item=entity_row, text=entity_text)
