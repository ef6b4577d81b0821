"""`ottla partition reassign`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ottla.base.ids import TopicPartition
from ottla.cli.asked_partitions import partitions_of
from ottla.cli.cluster import ask
from ottla.cli.completion import TOPICS
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option
from ottla.cli.typed_texts import number_list

if TYPE_CHECKING:
    from ottla.client.admin.admin import Admin
    from ottla.client.admin.outcomes import Outcomes


@click.command()
@click.argument(
    "asked", nargs=-1, required=True, metavar="TOPIC[:PARTITION,…]…", shell_complete=TOPICS
)
@click.option("--replicas", metavar="BROKER,…", help="The brokers, the preferred leader first.")
@click.option("--cancel", is_flag=True, help="Stop what moves, and go back.")
@click.option(
    "--same-number", is_flag=True, help="Refuse to change how many replicas there are (4.1)."
)
@cluster_options
@output_option
def command(
    asked: tuple[str, ...],
    replicas: str | None,
    cancel: bool,
    same_number: bool,
    cluster: ClusterOptions,
    output: Output,
) -> None:
    """Let other brokers hold partitions. The moving goes on behind it.

    \b
    ottla partition reassign orders:0 --replicas 1,2,3
    ottla partition reassign orders --cancel
    """
    if (replicas is None) != cancel:
        raise click.UsageError("give one of --replicas and --cancel")
    wanted = None if replicas is None else number_list(replicas, "--replicas")

    async def reassign(admin: Admin) -> Outcomes[TopicPartition, None]:
        partitions = await partitions_of(admin, asked, "TOPIC")
        return await admin.partitions.reassign(
            dict.fromkeys(partitions, wanted), allow_replication_factor_change=not same_number
        )

    output.report(
        ask(cluster, reassign),
        "cancelled" if cancel else "reassigned",
        item=lambda partition: partition._asdict(),
        result=lambda _: {"replicas": wanted},
    )
