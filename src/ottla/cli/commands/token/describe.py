"""`ottla token describe`."""

from __future__ import annotations

import click

from ottla.cli.cluster import ask
from ottla.cli.nouns.token import COLUMNS, WITH_SECRET, principal_of, token_row
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option


@click.command()
@click.option("--owner", "owners", multiple=True, help="Of this one, as User:alice.")
@click.option("--secrets", is_flag=True, help="Show the secrets, too.")
@cluster_options
@output_option
def command(
    owners: tuple[str, ...], secrets: bool, cluster: ClusterOptions, output: Output
) -> None:
    """Show delegation tokens: those of owners, or all that one may see.

    \b
    ottla token describe
    ottla token describe --owner User:alice --secrets --json
    """
    wanted = [principal_of(text, "--owner") for text in owners] or None
    found = ask(cluster, lambda admin: admin.tokens.describe(wanted))
    rows = [token_row(token) for token in found]
    if not secrets:
        for row in rows:
            del row["hmac"]
    output.show(rows, WITH_SECRET if secrets else COLUMNS)
