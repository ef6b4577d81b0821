"""`ottla group delete`."""

from __future__ import annotations

from collections.abc import Callable

import click

from ottla.cli.cluster import ask
from ottla.cli.completion import GROUPS
from ottla.cli.confirmation import yes_option
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option


@click.command()
@click.argument("groups", nargs=-1, required=True, metavar="GROUP…", shell_complete=GROUPS)
@yes_option
@cluster_options
@output_option
def command(
    groups: tuple[str, ...], confirm: Callable[[str], None], cluster: ClusterOptions, output: Output
) -> None:
    """Delete groups without members, with all their offsets.

    \b
    ottla group delete billing
    ottla group delete old-1 old-2 --yes
    """
    confirm(f"Delete {', '.join(groups)} and all their offsets?")
    outcomes = ask(cluster, lambda admin: admin.groups.delete(*groups))
    output.report(outcomes, "deleted", item=lambda group: {"group": group})
