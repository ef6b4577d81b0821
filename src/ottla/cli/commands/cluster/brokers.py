"""`ottla cluster brokers`."""

from __future__ import annotations

import click

from ottla.cli.cluster import ask
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option

COLUMNS = {
    "broker": "broker",
    "host": "host",
    "port": "port",
    "rack": "rack",
    "controller": "controller",
    "fenced": "fenced",
}


@click.command()
@click.option("--fenced", is_flag=True, help="Those, too, that do not serve now (Kafka 4.0).")
@cluster_options
@output_option
def command(fenced: bool, cluster: ClusterOptions, output: Output) -> None:
    """List brokers, and the addresses that clients of this listener are told.

    \b
    ottla cluster brokers
    ottla cluster brokers --fenced --json
    """
    found = ask(cluster, lambda admin: admin.cluster.describe(fenced=fenced))
    output.show(
        (
            {
                "broker": each.node.node_id,
                "host": each.node.host,
                "port": each.node.port,
                "rack": each.node.rack,
                "controller": each.node == found.controller,
                "fenced": each.is_fenced,
            }
            for each in found.nodes
        ),
        COLUMNS,
    )
