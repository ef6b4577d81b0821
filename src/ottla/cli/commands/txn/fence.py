"""`ottla txn fence`."""

from __future__ import annotations

from collections.abc import Callable

import click

from ottla.cli.cluster import ask
from ottla.cli.completion import TRANSACTIONAL_IDS
from ottla.cli.confirmation import yes_option
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option


@click.command()
@click.argument("ids", nargs=-1, required=True, metavar="ID…", shell_complete=TRANSACTIONAL_IDS)
@yes_option
@cluster_options
@output_option
def command(
    ids: tuple[str, ...],
    confirm: Callable[[str], None],
    cluster: ClusterOptions,
    output: Output,
) -> None:
    """Let whoever uses these transactional ids write no more; what is open is aborted.

    \b
    ottla txn fence billing-1
    """
    confirm(f"Fence the producers of {', '.join(ids)}?")
    output.report(
        ask(cluster, lambda admin: admin.transactions.fence(*ids)),
        "fenced the producer of",
        item=lambda name: {"transactional_id": name},
        result=lambda fenced: {
            "producer_id": fenced.producer_id,
            "producer_epoch": fenced.producer_epoch,
        },
    )
