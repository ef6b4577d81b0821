"""`ottla disk move`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ottla.cli.asked_partitions import partitions_of
from ottla.cli.cluster import ask
from ottla.cli.completion import BROKERS, TOPICS
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option
from ottla.cli.typed_texts import INT32

if TYPE_CHECKING:
    from ottla.client.admin.admin import Admin
    from ottla.client.admin.log_dirs import Replica
    from ottla.client.admin.outcomes import Outcomes


@click.command()
@click.argument(
    "asked", nargs=-1, required=True, metavar="TOPIC[:PARTITION,…]…", shell_complete=TOPICS
)
@click.option("--to", "path", required=True, help="The directory, as the broker names it.")
@click.option(
    "--broker", type=INT32, help="Whose replicas; the leaders' without.", shell_complete=BROKERS
)
@cluster_options
@output_option
def command(
    asked: tuple[str, ...],
    path: str,
    broker: int | None,
    cluster: ClusterOptions,
    output: Output,
) -> None:
    """Let replicas move to another data directory of their broker, while they are in use.

    The copying goes on behind it: `ottla disk describe --replicas` shows how far it is.

    \b
    ottla disk move orders --to /data2
    ottla disk move orders:0,3 --to /data2 --broker 1
    """

    async def move(admin: Admin) -> Outcomes[Replica, None]:
        from ottla.client.admin.log_dirs import Replica

        partitions = await partitions_of(admin, asked, "TOPIC")
        described = (await admin.topics.describe(*{each.topic for each in partitions})).all()
        leaders = {
            (name, partition.index): partition.leader
            for name, topic in described.items()
            for partition in topic.partitions
        }
        return await admin.log_dirs.move(
            {
                Replica(leaders.get(each, -1) if broker is None else broker, each): path
                for each in partitions
            }
        )

    output.report(
        ask(cluster, move),
        f"moving to {path}:",
        item=lambda replica: {"broker": replica.broker_id, **replica.partition._asdict()},
        result=lambda _: {"path": path},
    )
