"""`ottla quota set`."""

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
from ottla.cli.typed_texts import key_values


@click.command()
@click.argument(
    "quotas", nargs=-1, required=True, metavar="QUOTA=NUMBER…", shell_complete=complete_quota
)
@entity_options
@click.option("--validate-only", is_flag=True, help="Only say whether it could be set.")
@cluster_options
@output_option
def command(
    quotas: tuple[str, ...],
    parts: dict[str, Any],
    validate_only: bool,
    cluster: ClusterOptions,
    output: Output,
) -> None:
    """Set quotas of a user, of clients, of both together, or of an address.

    The quotas: producer_byte_rate and consumer_byte_rate in bytes a second, request_percentage of
    a thread's time, controller_mutation_rate in partitions made or deleted a second,
    connection_creation_rate of an address.

    \b
    ottla quota set --user alice producer_byte_rate=1048576
    ottla quota set --user alice --client-id loader consumer_byte_rate=5e6
    ottla quota set --ip-default connection_creation_rate=20
    """
    entity = required_entity(parts)
    values = {key: _number(key, text) for key, text in key_values(quotas, "QUOTA=NUMBER").items()}
    outcomes = ask(
        cluster,
        lambda admin: admin.quotas.alter({entity: values}, validate_only=validate_only),
    )
    verb = "could set" if validate_only else "set"
    output.report(outcomes, f"{verb} {', '.join(values)} of", item=entity_row, text=entity_text)


def _number(key: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise click.BadParameter(f"{key} takes a number, not {text!r}") from None
