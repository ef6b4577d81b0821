"""`ottla cluster describe`."""

from __future__ import annotations

import click

from ottla.cli.cluster import ask
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option

COLUMNS = {"cluster_id": "cluster", "controller": "controller", "brokers": "brokers"}


@click.command()
@click.option("--operations", is_flag=True, help="What one may do with it, too.")
@cluster_options
@output_option
def command(operations: bool, cluster: ClusterOptions, output: Output) -> None:
    """Show the cluster's id, who takes changes, and how many brokers there are.

    \b
    ottla cluster describe
    ottla cluster describe --operations --json
    """
    found = ask(cluster, lambda admin: admin.cluster.describe(authorized_operations=operations))
    row: dict[str, object] = {
        "cluster_id": found.cluster_id,
        "controller": None if found.controller is None else found.controller.node_id,
        "brokers": [each.node.node_id for each in found.nodes],
    }
    if operations:
        names = sorted(each.name.lower() for each in found.authorized_operations or ())
        row["operations"] = [name.replace("_", "-") for name in names]
    output.show([row], {**COLUMNS, **({"operations": "one may"} if operations else {})})
