"""`ottla group members`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import click

from ottla.base.ids import TopicPartition
from ottla.cli.cluster import ask
from ottla.cli.completion import GROUPS
from ottla.cli.groups.asking import described
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option, refuse

if TYPE_CHECKING:
    from ottla.client.admin.group_descriptions import GroupDescription, MemberDescription

COLUMNS: Final = {
    "group": "group",
    "client_id": "client",
    "host": "host",
    "member_id": "member",
    "instance_id": "instance",
    "subscribed": "subscribed to",
    "assignment": "reads",
    "target": "shall read",
}


@click.command()
@click.argument("groups", nargs=-1, metavar="[GROUP…]", shell_complete=GROUPS)
@cluster_options
@output_option
def command(groups: tuple[str, ...], cluster: ClusterOptions, output: Output) -> None:
    """Show who is in groups and who reads what; all groups where none is named.

    \b
    ottla group members billing
    ottla group members -o json
    """
    found = ask(cluster, lambda admin: described(admin, groups))
    rows = [_row(group, member) for group in found.done.values() for member in group.members]
    output.show(rows, COLUMNS)
    refuse(found.errors)


def _row(group: GroupDescription, member: MemberDescription) -> dict[str, object]:
    moves = member.target_assignment not in (None, member.assignment)
    return {
        "group": group.group_id,
        "member_id": member.member_id,
        "instance_id": member.group_instance_id,
        "client_id": member.client_id,
        "host": member.host,
        "rack": member.rack_id,
        "member_epoch": member.member_epoch,
        "subscribed": [
            *sorted(member.subscribed_topics),
            *filter(None, [member.subscribed_pattern]),
        ],
        "assignment": _by_topic(member.assignment),
        "target": _by_topic(member.target_assignment or ()) if moves else None,
    }


def _by_topic(partitions: Iterable[TopicPartition]) -> dict[str, list[int]]:
    by_topic: dict[str, list[int]] = {}
    for topic, index in partitions:
        by_topic.setdefault(topic, []).append(index)
    return by_topic
