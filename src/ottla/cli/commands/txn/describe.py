"""`ottla txn describe`."""

from __future__ import annotations

import click

from ottla.cli.cluster import ask
from ottla.cli.completion import TRANSACTIONAL_IDS
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option, refuse

COLUMNS = {
    "transactional_id": "transactional id",
    "state": "state",
    "producer_id": "producer",
    "producer_epoch": "epoch",
    "timeout_ms": "timeout (ms)",
    "started_at_ms": "open since",
    "partitions": "partitions",
}


@click.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID…", shell_complete=TRANSACTIONAL_IDS)
@cluster_options
@output_option
def command(ids: tuple[str, ...], cluster: ClusterOptions, output: Output) -> None:
    """Show what coordinators know of transactional ids.

    \b
    ottla txn describe billing-1
    ottla txn describe billing-1 billing-2 --output yaml
    """
    outcomes = ask(cluster, lambda admin: admin.transactions.describe(*ids))
    output.show(
        (
            {
                "transactional_id": each.transactional_id,
                "state": each.state.value,
                "producer_id": each.producer_id,
                "producer_epoch": each.producer_epoch,
                "timeout_ms": each.timeout_ms,
                "started_at_ms": each.start_time_ms,
                "partitions": [str(partition) for partition in sorted(each.partitions)],
            }
            for each in outcomes.done.values()
        ),
        COLUMNS,
    )
    refuse(outcomes.errors)
