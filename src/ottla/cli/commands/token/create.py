"""`ottla token create`."""

from __future__ import annotations

import click

from ottla.cli.cluster import ask
from ottla.cli.moments import Duration
from ottla.cli.nouns.token import WITH_SECRET, principal_of, token_row
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option


@click.command()
@click.option("--owner", help="For whom it stands, as User:alice; where left out, whoever asks.")
@click.option(
    "--renewer", "renewers", multiple=True, help="Who may renew it besides; more than once."
)
@click.option(
    "--max-lifetime",
    "lifetime_ms",
    type=Duration(),
    help="No renewal goes beyond it; where left out, what the broker allows.",
)
@cluster_options
@output_option
def command(
    owner: str | None,
    renewers: tuple[str, ...],
    lifetime_ms: int | None,
    cluster: ClusterOptions,
    output: Output,
) -> None:
    """Make a delegation token; its secret is shown, and stands for the owner's password.

    \b
    ottla token create --max-lifetime 7d
    ottla token create --owner User:alice --renewer User:scheduler --json
    """
    from ottla.client.admin.tokens import BROKER_DEFAULT

    token = ask(
        cluster,
        lambda admin: admin.tokens.create(
            owner=None if owner is None else principal_of(owner, "--owner"),
            renewers=[principal_of(text, "--renewer") for text in renewers],
            max_lifetime_ms=BROKER_DEFAULT if lifetime_ms is None else lifetime_ms,
        ),
    )
    output.show([token_row(token)], WITH_SECRET)
