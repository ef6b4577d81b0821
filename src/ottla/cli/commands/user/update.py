"""`ottla user update`."""

from __future__ import annotations

import click

from ottla.cli.completion import USERS
from ottla.cli.nouns.user import mechanism_of, mechanism_option, password_options, set_password
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option


@click.command()
@click.argument("user", shell_complete=USERS)
@mechanism_option
@password_options
@cluster_options
@output_option
def command(
    user: str,
    mechanism: str,
    password: str,
    iterations: int,
    cluster: ClusterOptions,
    output: Output,
) -> None:
    """Change a user's password for SASL/SCRAM. Refused where there is none: `ottla user create`.

    The password is asked for, unless it comes from standard input or --password.

    \b
    ottla user update alice
    ottla user update alice --mechanism SCRAM-SHA-256 --password-stdin < secret.txt
    """
    from ottla.client.admin.credentials import SetPassword

    wanted = SetPassword(
        user=user,
        password=password,
        mechanism=mechanism_of(mechanism),
        iterations=iterations,
    )
    set_password(
        cluster,
        output,
        wanted,
        refuse_where=False,
        refusal=f"{user} has no password for {mechanism}: give it one with ottla user create",
        done="updated",
    )
