"""`ottla group remove-members`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from ottla.cli.cluster import ask
from ottla.cli.completion import GROUPS
from ottla.cli.confirmation import yes_option
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option
from ottla.cli.rate import counted

if TYPE_CHECKING:
    from ottla.client.admin.groups import MemberToRemove


@click.command()
@click.argument("group", shell_complete=GROUPS)
@click.option("--member", "members", multiple=True, metavar="ID", help="By its member id.")
@click.option(
    "--instance", "instances", multiple=True, metavar="ID", help="A static member by its name."
)
@click.option("--all", "everybody", is_flag=True, help="All members.")
@click.option("--reason", help="For the broker's log and the group's journal.")
@yes_option
@cluster_options
@output_option
def command(
    group: str,
    members: tuple[str, ...],
    instances: tuple[str, ...],
    everybody: bool,
    reason: str | None,
    confirm: Callable[[str], None],
    cluster: ClusterOptions,
    output: Output,
) -> None:
    """Put members out of a group; those that still run will join again.

    \b
    ottla group remove-members billing --instance worker-3
    ottla group remove-members billing --all --reason 'moving to another cluster'
    """
    from ottla.client.admin.groups import MemberToRemove

    wanted = [*map(MemberToRemove, members)]
    wanted += [MemberToRemove(group_instance_id=instance) for instance in instances]
    if everybody == bool(wanted):
        raise click.UsageError("name members by --member or --instance, or else --all.")
    who = "all members" if everybody else counted(len(wanted), "member")
    confirm(f"Put {who} out of {group}?")
    outcomes = ask(
        cluster,
        lambda admin: admin.groups.remove_members(
            group, None if everybody else wanted, reason=reason
        ),
    )
    output.report(outcomes, "removed", item=_row, text=_name)


def _name(member: MemberToRemove) -> str:
    return member.member_id or member.group_instance_id or ""


def _row(member: MemberToRemove) -> dict[str, object]:
    return {"member_id": member.member_id, "instance_id": member.group_instance_id}
