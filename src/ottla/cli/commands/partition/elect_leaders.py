"""`ottla partition elect-leaders`."""

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
from ottla.cli.output import Output, output_option, refuse

if TYPE_CHECKING:
    from ottla.client.admin.admin import Admin
    from ottla.client.admin.outcomes import Outcomes

COLUMNS = {"topic": "topic", "partition": "partition", "elected": "another leads now"}


@click.command()
@click.argument("asked", nargs=-1, metavar="[TOPIC[:PARTITION,…]]…", shell_complete=TOPICS)
@click.option("--unclean", is_flag=True, help="Any live replica, where none in sync is left.")
@yes_option
@cluster_options
@output_option
def command(
    asked: tuple[str, ...],
    unclean: bool,
    confirm: Callable[[str], None],
    cluster: ClusterOptions,
    output: Output,
) -> None:
    """Let the preferred replicas lead again: of these partitions, or wherever another one does.

    With --unclean records may be lost: those that the new leader does not have.

    \b
    ottla partition elect-leaders
    ottla partition elect-leaders orders prices:0,2 --json
    ottla partition elect-leaders orders:0 --unclean
    """
    if unclean:
        confirm("Elect replicas that may lack records?")

    async def elect(admin: Admin) -> Outcomes[TopicPartition, bool]:
        from ottla.client.admin.partitions import Election

        election = Election.UNCLEAN if unclean else Election.PREFERRED
        partitions = await partitions_of(admin, asked, "TOPIC") if asked else None
        return await admin.partitions.elect_leaders(partitions, election=election)

    outcomes = ask(cluster, elect)
    output.show(
        (
            {**partition._asdict(), "elected": elected}
            for partition, elected in sorted(outcomes.done.items())
        ),
        COLUMNS,
    )
    refuse(outcomes.errors)
