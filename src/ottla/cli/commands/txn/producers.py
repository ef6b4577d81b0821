"""`ottla txn producers`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ottla.base.ids import TopicPartition
from ottla.cli.asked_partitions import partitions_of
from ottla.cli.cluster import ask
from ottla.cli.completion import BROKERS, TOPICS
from ottla.cli.nouns.txn import COLUMNS, producer_row
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option, refuse
from ottla.cli.typed_texts import INT32

if TYPE_CHECKING:
    from ottla.client.admin.admin import Admin
    from ottla.client.admin.outcomes import Outcomes
    from ottla.client.admin.producers import ProducerState


@click.command()
@click.argument(
    "asked", nargs=-1, required=True, metavar="TOPIC[:PARTITION,…]…", shell_complete=TOPICS
)
@click.option(
    "--broker", type=INT32, help="As this broker knows it, not the leader.", shell_complete=BROKERS
)
@cluster_options
@output_option
def command(
    asked: tuple[str, ...], broker: int | None, cluster: ClusterOptions, output: Output
) -> None:
    """Show which idempotent and transactional producers partitions remember.

    \b
    ottla txn producers orders
    ottla txn producers orders:0,2 --broker 1 --json
    """

    async def describe(
        admin: Admin,
    ) -> Outcomes[TopicPartition, tuple[ProducerState, ...]]:
        partitions = await partitions_of(admin, asked, "TOPIC")
        return await admin.producers.describe(*partitions, broker_id=broker)

    outcomes = ask(cluster, describe)
    output.show(
        (
            producer_row(partition, state)
            for partition, states in sorted(outcomes.done.items())
            for state in states
        ),
        COLUMNS,
    )
    refuse(outcomes.errors)
