"""`ottla acl delete`."""

from __future__ import annotations

from collections.abc import Callable

import click

from ottla.cli.cluster import ask
from ottla.cli.confirmation import yes_option
from ottla.cli.nouns.acl import COLUMNS, TypedFilter, binding_row, filter_options
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option


@click.command()
@filter_options
@click.option("--all", "everything", is_flag=True, help="Every entry, where nothing else is said.")
@yes_option
@cluster_options
@output_option
def command(
    typed: TypedFilter,
    everything: bool,
    confirm: Callable[[str], None],
    cluster: ClusterOptions,
    output: Output,
) -> None:
    """Remove the entries that fit, and show them.

    \b
    ottla acl delete --principal User:alice --topic orders
    ottla acl delete --topic orders- --pattern prefixed --operation write
    ottla acl delete --all --yes
    """
    if typed.is_empty and not everything:
        raise click.UsageError("this would remove every entry: say which, or give --all")
    confirm("Remove every entry?" if typed.is_empty else "Remove these entries?")
    outcomes = ask(cluster, lambda admin: admin.acls.delete(*typed.filters()))
    gone = {binding for bindings in outcomes.done.values() for binding in bindings}
    output.show(map(binding_row, sorted(gone)), COLUMNS)
    outcomes.all()
