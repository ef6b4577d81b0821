"""`ottla txn find-hanging`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from ottla.cli.asked_partitions import partitions_of
from ottla.cli.cluster import ask
from ottla.cli.completion import BROKERS, TOPICS
from ottla.cli.exit_codes import Exit
from ottla.cli.moments import Duration
from ottla.cli.nouns.txn import COLUMNS, producer_row
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option
from ottla.cli.typed_texts import INT32

if TYPE_CHECKING:
    from ottla.client.admin.admin import Admin
    from ottla.client.admin.hanging import OpenTransaction


@click.command()
@click.argument("asked", nargs=-1, metavar="[TOPIC[:PARTITION,…]]…", shell_complete=TOPICS)
@click.option(
    "--broker",
    type=INT32,
    help="Only what this broker holds, as it knows it.",
    shell_complete=BROKERS,
)
@click.option(
    "--max-timeout",
    "timeout_ms",
    type=Duration(),
    default="15m",
    show_default=True,
    help="The cluster's transaction.max.timeout.ms: who wrote within it may go on.",
)
@cluster_options
@output_option
def command(
    asked: tuple[str, ...],
    broker: int | None,
    timeout_ms: int,
    cluster: ClusterOptions,
    output: Output,
) -> None:
    """Find transactions that nobody is going to end; exit code 3 where there is one.

    They hold up all consumers with read_committed. `ottla txn abort` ends them.

    \b
    ottla txn find-hanging
    ottla txn find-hanging orders payments:0 --max-timeout 1h
    ottla txn find-hanging --broker 1 --json
    """

    async def find(admin: Admin) -> tuple[OpenTransaction, ...]:
        partitions = await partitions_of(admin, asked, "TOPIC") if asked else []
        return await admin.transactions.find_hanging(
            *partitions, broker_id=broker, max_transaction_timeout_ms=timeout_ms
        )

    found = ask(cluster, find)
    output.show((producer_row(each.partition, each.producer) for each in found), COLUMNS)
    if found:
        sys.exit(Exit.FOUND)
