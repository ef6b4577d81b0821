"""`ottla cluster features`."""

from __future__ import annotations

import click

from ottla.cli.cluster import ask
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option

COLUMNS = {"feature": "feature", "level": "level", "min_level": "lowest", "max_level": "highest"}


@click.command()
@cluster_options
@output_option
def command(cluster: ClusterOptions, output: Output) -> None:
    """Show the level of each feature that the cluster runs, and those it could (Kafka 2.7).

    \b
    ottla cluster features
    ottla cluster features --json
    """
    found = ask(cluster, lambda admin: admin.cluster.features())
    output.show(
        (
            {
                "feature": each.name,
                "level": each.level,
                "min_level": each.min_level,
                "max_level": each.max_level,
            }
            for each in found.values()
        ),
        COLUMNS,
    )
