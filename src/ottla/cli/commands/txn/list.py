"""`ottla txn list`."""

from __future__ import annotations

import click

from ottla.cli.cluster import ask
from ottla.cli.moments import Duration
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option
from ottla.cli.typed_texts import INT64

COLUMNS = {"transactional_id": "transactional id", "producer_id": "producer", "state": "state"}
STATES = (
    *("Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort"),
    *("PrepareEpochFence", "Dead"),
)


@click.command()
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice(STATES, case_sensitive=False),
    help="In this state; more than once.",
)
@click.option("--producer-id", "producer_ids", multiple=True, type=INT64, help="Of this producer.")
@click.option("--open-longer-than", "open_ms", type=Duration(), help="Open for so long (3.8).")
@click.option("--pattern", help="Ids that match this regular expression whole (Kafka 4.1).")
@cluster_options
@output_option
def command(
    states: tuple[str, ...],
    producer_ids: tuple[int, ...],
    open_ms: int | None,
    pattern: str | None,
    cluster: ClusterOptions,
    output: Output,
) -> None:
    """List transactional ids: all, or those that pass every filter.

    \b
    ottla txn list
    ottla txn list --state Ongoing --open-longer-than 5m
    ottla txn list --pattern 'billing-.*' --json
    """
    from ottla.client.admin.transaction_descriptions import TransactionState

    found = ask(
        cluster,
        lambda admin: admin.transactions.list(
            states=[TransactionState(state) for state in states],
            producer_ids=producer_ids,
            open_longer_than_ms=-1 if open_ms is None else open_ms,
            pattern=pattern,
        ),
    )
    output.show(
        (
            {
                "transactional_id": each.transactional_id,
                "producer_id": each.producer_id,
                "state": each.state.value,
            }
            for each in found
        ),
        COLUMNS,
    )
