"""`ottla group delete-offsets`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ottla.base.errors import UserError
from ottla.base.ids import TopicPartition
from ottla.cli.cluster import ask
from ottla.cli.completion import GROUPS, TOPICS
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option
from ottla.cli.typed_texts import typed_partitions

if TYPE_CHECKING:
    from ottla.client.admin import Admin
    from ottla.client.admin.outcomes import Outcomes


@click.command()
@click.argument("group", shell_complete=GROUPS)
@click.argument("asked", nargs=-1, required=True, metavar="TOPIC[:0,2-4]…", shell_complete=TOPICS)
@cluster_options
@output_option
def command(group: str, asked: tuple[str, ...], cluster: ClusterOptions, output: Output) -> None:
    """Forget what a group has committed of topics that it does not read any more.

    \b
    ottla group delete-offsets billing old-orders
    ottla group delete-offsets billing orders:0,4-6
    """
    outcomes = ask(cluster, lambda admin: _delete(admin, group, asked))
    output.report(
        outcomes,
        "forgot",
        item=lambda partition: {"topic": partition.topic, "partition": partition.partition},
    )


async def _delete(
    admin: Admin, group: str, asked: tuple[str, ...]
) -> Outcomes[TopicPartition, None]:
    """Also of topics that are gone: what counts is what the group has committed."""
    committed = await admin.groups.offsets(group)
    wanted: set[TopicPartition] = set()
    for text in asked:
        topic, indexes = typed_partitions(text, "TOPIC")
        wanted |= {
            each
            for each in committed
            if each.topic == topic and (indexes is None or each.partition in indexes)
        }
    if not wanted:
        raise UserError(f"{group} has committed nothing of {', '.join(asked)}")
    return await admin.groups.delete_offsets(group, sorted(wanted))
