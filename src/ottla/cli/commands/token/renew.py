"""`ottla token renew`."""

from __future__ import annotations

import click

from ottla.cli.cluster import ask
from ottla.cli.moments import Duration
from ottla.cli.nouns.token import secret_of
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option


@click.command()
@click.argument("secret")
@click.option(
    "--for",
    "period_ms",
    type=Duration(),
    help="How long; where left out, what the broker is set to.",
)
@cluster_options
@output_option
def command(secret: str, period_ms: int | None, cluster: ClusterOptions, output: Output) -> None:
    """Let a token live longer: so long from now on, and never beyond its end.

    \b
    ottla token renew c2VjcmV0 --for 1d
    """
    from ottla.client.admin.tokens import BROKER_DEFAULT

    period = BROKER_DEFAULT if period_ms is None else period_ms
    hmac = secret_of(secret)
    expires_ms = ask(cluster, lambda admin: admin.tokens.renew(hmac, period_ms=period))
    output.show([{"expires_at_ms": expires_ms}], {"expires_at_ms": "expires"})
