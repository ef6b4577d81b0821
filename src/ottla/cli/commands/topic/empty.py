"""`ottla topic empty`."""

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

if TYPE_CHECKING:
    from ottla.client.admin.admin import Admin
    from ottla.client.admin.outcomes import Outcomes


@click.command()
@click.argument(
    "asked", nargs=-1, required=True, metavar="TOPIC[:PARTITION,…]…", shell_complete=TOPICS
)
@yes_option
@cluster_options
@output_option
def command(
    asked: tuple[str, ...],
    confirm: Callable[[str], None],
    cluster: ClusterOptions,
    output: Output,
) -> None:
    """Delete all records that are in topics now; settings, offsets and groups stay.

    \b
    ottla topic empty orders
    ottla topic empty orders:3 prices --yes
    """
    confirm(f"Delete all records of {', '.join(asked)}?")

    async def delete(admin: Admin) -> Outcomes[TopicPartition, int]:
        from ottla.client.admin.records import ALL_RECORDS

        partitions = await partitions_of(admin, asked, "TOPIC")
        return await admin.records.delete(dict.fromkeys(partitions, ALL_RECORDS))

    output.report(
        ask(cluster, delete),
        "emptied",
        item=lambda partition: partition._asdict(),
        result=lambda first: {"first": first},
    )
