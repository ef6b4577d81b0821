"""`ottla txn abort`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from ottla.base.ids import TopicPartition
from ottla.cli.asked_partitions import partitions_of
from ottla.cli.cluster import ask
from ottla.cli.completion import TOPICS
from ottla.cli.confirmation import yes_option
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option
from ottla.cli.typed_texts import INT16, INT32, INT64, OFFSET, typed_partitions

if TYPE_CHECKING:
    from ottla.client.admin.admin import Admin
    from ottla.client.admin.outcomes import Outcomes


@click.command()
@click.argument("asked", metavar="TOPIC:PARTITION", shell_complete=TOPICS)
@click.option("--start-offset", type=OFFSET, help="Where the transaction begins in the partition.")
@click.option("--producer-id", type=INT64, help="Or whose it is, with the two epochs.")
@click.option("--producer-epoch", type=INT16, help="The producer's, as `ottla txn producers` says.")
@click.option("--coordinator-epoch", type=INT32, default=0, help="Of its last marker; 0 for none.")
@yes_option
@cluster_options
@output_option
def command(
    asked: str,
    start_offset: int | None,
    producer_id: int | None,
    producer_epoch: int | None,
    coordinator_epoch: int,
    confirm: Callable[[str], None],
    cluster: ClusterOptions,
    output: Output,
) -> None:
    """End a transaction that hangs in a partition, past its coordinator, as if it was aborted.

    \b
    ottla txn abort orders:0 --start-offset 4711
    ottla txn abort orders:0 --producer-id 1000 --producer-epoch 3 --coordinator-epoch 2 --yes
    """
    partition = _only_partition(asked)
    by_producer = producer_id is not None and producer_epoch is not None
    if (start_offset is not None) == by_producer:
        raise click.UsageError("give --start-offset, or --producer-id with --producer-epoch")
    confirm(f"Abort the transaction in {partition}?")

    async def abort(admin: Admin) -> Outcomes[TopicPartition, None]:
        from ottla.client.admin.outcomes import Outcomes
        from ottla.client.admin.transaction_descriptions import AbortSpec

        await partitions_of(admin, [asked], "TOPIC:PARTITION")
        if start_offset is not None:
            await admin.transactions.abort_at(partition, start_offset)
            return Outcomes({partition: None}, {})
        assert producer_id is not None
        assert producer_epoch is not None
        spec = AbortSpec(
            partition=partition,
            producer_id=producer_id,
            producer_epoch=producer_epoch,
            coordinator_epoch=coordinator_epoch,
        )
        return await admin.transactions.abort(spec)

    output.report(
        ask(cluster, abort), "aborted the transaction in", item=lambda each: each._asdict()
    )


def _only_partition(text: str) -> TopicPartition:
    typed = typed_partitions(text, "TOPIC:PARTITION")
    if typed.partitions is None or len(typed.partitions) != 1:
        raise click.BadParameter(
            f"takes one partition as orders:0, not {text!r}", param_hint="TOPIC:PARTITION"
        )
    return TopicPartition(typed.topic, typed.partitions[0])
