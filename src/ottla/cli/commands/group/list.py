"""`ottla group list`."""

from __future__ import annotations

from typing import Final

import click

from ottla.cli.cluster import ask
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option

STATES: Final = (
    "Empty",
    "Stable",
    "PreparingRebalance",
    "CompletingRebalance",
    "Assigning",
    "Reconciling",
    "Dead",
)
TYPES: Final = ("classic", "consumer", "share", "streams")
COLUMNS: Final = {"group": "group", "type": "type", "state": "state", "protocol": "protocol"}


@click.command()
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice(STATES, case_sensitive=False),
    help="Only groups that are so.",
)
@click.option(
    "--type",
    "types",
    multiple=True,
    type=click.Choice(TYPES, case_sensitive=False),
    help="Only groups of this protocol.",
)
@cluster_options
@output_option
def command(
    states: tuple[str, ...], types: tuple[str, ...], cluster: ClusterOptions, output: Output
) -> None:
    """List groups.

    \b
    ottla group list
    ottla group list --state Empty --type classic
    ottla group list -o json
    """
    from ottla.client.admin.group_descriptions import GroupState, GroupType

    found = ask(
        cluster,
        lambda admin: admin.groups.list(
            states=list(map(GroupState, states)), types=list(map(GroupType, types))
        ),
    )
    rows = [
        {
            "group": group.group_id,
            "type": group.type.value,
            "state": group.state.value,
            "protocol": group.protocol_type,
        }
        for group in found
    ]
    output.show(rows, COLUMNS)
