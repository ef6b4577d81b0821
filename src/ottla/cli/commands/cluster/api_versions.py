"""`ottla cluster api-versions`."""

from __future__ import annotations

import click

from ottla.cli.cluster import ask
from ottla.cli.completion import BROKERS
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option, refuse
from ottla.cli.typed_texts import INT32

COLUMNS = {"broker": "broker", "key": "key", "api": "API", "first": "from", "last": "to"}


@click.command()
@click.option(
    "--broker",
    "brokers",
    multiple=True,
    type=INT32,
    help="Of this broker; more than once.",
    shell_complete=BROKERS,
)
@cluster_options
@output_option
def command(brokers: tuple[int, ...], cluster: ClusterOptions, output: Output) -> None:
    """Show which APIs brokers take, and in which versions.

    \b
    ottla cluster api-versions
    ottla cluster api-versions --broker 1 --json
    """
    outcomes = ask(cluster, lambda admin: admin.cluster.api_versions(brokers or None))
    names = _names()
    output.show(
        (
            {
                "broker": broker,
                "key": key,
                "api": names.get(key),
                "first": taken.first,
                "last": taken.last,
            }
            for broker, apis in sorted(outcomes.done.items())
            for key, taken in sorted(apis.items())
        ),
        COLUMNS,
    )
    refuse({f"broker {broker}": error for broker, error in outcomes.errors.items()})


def _names() -> dict[int, str]:
    """Of the APIs that are known here."""
    from ottla.wire.messages import load_all, requests

    load_all()
    return {key: requests[key].__name__.removesuffix("Request") for key in requests}
