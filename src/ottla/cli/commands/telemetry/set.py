"""`ottla telemetry set`."""

from __future__ import annotations

import click

from ottla.cli.cluster import ask
from ottla.cli.completion import SUBSCRIPTIONS
from ottla.cli.moments import Duration
from ottla.cli.options import ClusterOptions, cluster_options


@click.command()
@click.argument("name", shell_complete=SUBSCRIPTIONS)
@click.option("--metrics", multiple=True, help="Beginnings of names; * for all. More than once.")
@click.option("--interval", "interval_ms", type=Duration(), help="How often they are pushed.")
@click.option(
    "--match",
    multiple=True,
    metavar="KEY=REGEX",
    help="Of clients like this, as client_software_name=ottla; they must match all.",
)
@cluster_options
def command(
    name: str,
    metrics: tuple[str, ...],
    interval_ms: int | None,
    match: tuple[str, ...],
    cluster: ClusterOptions,
) -> None:
    """Make a subscription, or change what is named of it.

    \b
    ottla telemetry set all-clients --metrics '*' --interval 1m
    ottla telemetry set java --metrics org.apache.kafka.producer. --match 'client_id=billing.*'
    """
    from ottla.client.admin.client_metrics import Subscription

    if not metrics and interval_ms is None and not match:
        raise click.UsageError("nothing to set: give --metrics, --interval or --match")
    wanted = Subscription(metrics=metrics or None, interval_ms=interval_ms, match=match or None)
    ask(cluster, lambda admin: admin.client_metrics.set(name, wanted))
    print(f"set {name}")
