"""`ottla token expire`."""

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
    "--in",
    "period_ms",
    type=Duration(),
    help="How long it still lives; where left out, it ends at once.",
)
@cluster_options
@output_option
def command(secret: str, period_ms: int | None, cluster: ClusterOptions, output: Output) -> None:
    """Let a token end, at once or some time from now on.

    \b
    ottla token expire c2VjcmV0
    ottla token expire c2VjcmV0 --in 10m
    """
    from ottla.client.admin.tokens import AT_ONCE

    period = AT_ONCE if period_ms is None else period_ms
    hmac = secret_of(secret)
    expires_ms = ask(cluster, lambda admin: admin.tokens.expire(hmac, period_ms=period))
    output.show([{"expires_at_ms": expires_ms}], {"expires_at_ms": "expires"})
