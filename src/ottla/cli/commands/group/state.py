"""`ottla group state`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from ottla.cli.cluster import ask
from ottla.cli.completion import GROUPS
from ottla.cli.groups.asking import coordinator_text, described
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option, refuse

if TYPE_CHECKING:
    from ottla.client.admin.group_descriptions import GroupDescription

COLUMNS: Final = {
    "group": "group",
    "state": "state",
    "type": "type",
    "members": "members",
    "assignor": "assignor",
    "epoch": "epoch",
    "coordinator": "coordinator",
}


@click.command()
@click.argument("groups", nargs=-1, metavar="[GROUP…]", shell_complete=GROUPS)
@cluster_options
@output_option
def command(groups: tuple[str, ...], cluster: ClusterOptions, output: Output) -> None:
    """Show what groups are doing, and who coordinates them; all where none is named.

    \b
    ottla group state
    ottla group state billing shipping -o json
    """
    found = ask(cluster, lambda admin: described(admin, groups))
    output.show(map(_row, found.done.values()), COLUMNS)
    refuse(found.errors)


def _row(group: GroupDescription) -> dict[str, object]:
    return {
        "group": group.group_id,
        "state": group.state.value,
        "type": group.type.value,
        "protocol": group.protocol_type,
        "members": len(group.members),
        "assignor": group.assignor,
        "epoch": group.group_epoch,
        "assignment_epoch": group.assignment_epoch,
        "coordinator": coordinator_text(group),
    }
