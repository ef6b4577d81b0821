"""`ottla partition reassignments`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ottla.base.ids import TopicPartition
from ottla.cli.asked_partitions import partitions_of
from ottla.cli.cluster import ask
from ottla.cli.completion import TOPICS
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option

if TYPE_CHECKING:
    from ottla.client.admin.admin import Admin
    from ottla.client.admin.partitions import Reassignment

COLUMNS = {
    "topic": "topic",
    "partition": "partition",
    "replicas": "replicas",
    "adding": "adding",
    "removing": "removing",
}


@click.command()
@click.argument("asked", nargs=-1, metavar="[TOPIC[:PARTITION,…]]…", shell_complete=TOPICS)
@cluster_options
@output_option
def command(asked: tuple[str, ...], cluster: ClusterOptions, output: Output) -> None:
    """List the partitions that move between brokers now.

    \b
    ottla partition reassignments
    ottla partition reassignments orders --json
    """

    async def moving(admin: Admin) -> dict[TopicPartition, Reassignment]:
        partitions = await partitions_of(admin, asked, "TOPIC") if asked else None
        return await admin.partitions.list_reassignments(partitions)

    output.show(
        (
            {
                **partition._asdict(),
                "replicas": each.replicas,
                "adding": each.adding,
                "removing": each.removing,
            }
            for partition, each in sorted(ask(cluster, moving).items())
        ),
        COLUMNS,
    )
