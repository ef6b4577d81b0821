"""`ottla user list`."""

from __future__ import annotations

import click

from ottla.cli.cluster import ask
from ottla.cli.completion import USERS
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option, refuse

COLUMNS = {"user": "user", "mechanism": "mechanism", "iterations": "iterations"}


@click.command()
@click.argument("users", nargs=-1, metavar="[USER]…", shell_complete=USERS)
@cluster_options
@output_option
def command(users: tuple[str, ...], cluster: ClusterOptions, output: Output) -> None:
    """List who has a password, and for which mechanism. Nobody can read the passwords.

    \b
    ottla user list
    ottla user list alice --json
    """
    outcomes = ask(cluster, lambda admin: admin.credentials.describe(*users))
    output.show(
        (
            {
                "user": user,
                "mechanism": each.mechanism.name.replace("_", "-"),
                "iterations": each.iterations,
            }
            for user, found in sorted(outcomes.done.items())
            for each in sorted(found, key=lambda each: each.mechanism)
        ),
        COLUMNS,
    )
    refuse(outcomes.errors)
