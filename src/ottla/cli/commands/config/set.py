"""`ottla config set`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from ottla.client.admin.config_changes import Change

CHANGE = re.compile(r"(?P<key>[^=]+?)(?P<how>[+-]?)=(?P<value>.*)", re.DOTALL)


@click.command()
@resource_arguments
@click.argument(
    "changes", nargs=-1, required=True, metavar="KEY=VALUE…", shell_complete=complete_key
)
@click.option("--validate-only", is_flag=True, help="Only say whether it could be set.")
@cluster_options
@output_option
def command(
    kind: str,
    name: str,
    changes: tuple[str, ...],
    validate_only: bool,
    cluster: ClusterOptions,
    output: Output,
) -> None:
    """Set single settings; all others stay. KEY+=VALUE adds to a list, KEY-=VALUE takes out of it.

    NAME is a topic, a broker's id or `all`, a group, a subscription of client metrics.

    \b
    ottla config set topic orders retention.ms=86400000
    ottla config set topic orders cleanup.policy+=compact
    ottla config set broker all log.retention.ms=604800000 --validate-only
    ottla config set broker-logger 1 ottla.broker=DEBUG
    """
    resource = resource_of(kind, name)
    wanted = dict(map(_change, changes))
    outcomes = ask(
        cluster,
        lambda admin: admin.configs.alter({resource: wanted}, validate_only=validate_only),
    )
    verb = "could set" if validate_only else "set"
    output.report(outcomes, f"{verb} {', '.join(wanted)} of", item=resource_row, text=resource_text)


def _change(text: str) -> tuple[str, Change]:
    from ottla.client.admin.config_changes import Append, Subtract

    found = CHANGE.fullmatch(text)
    if found is None:
        raise click.BadParameter(f"takes KEY=VALUE, not {text!r}", param_hint="KEY=VALUE")
    kinds = {"": str, "+": Append, "-": Subtract}
    return found["key"].strip(), kinds[found["how"]](found["value"].strip())
