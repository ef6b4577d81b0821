"""`ottla topic delete-records`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from ottla.base.ids import TopicPartition
from ottla.cli.asked_partitions import partitions_of
from ottla.cli.cluster import ask
from ottla.cli.completion import TOPICS
from ottla.cli.confirmation import yes_option
from ottla.cli.moments import Moment
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option
from ottla.cli.typed_texts import OFFSET

if TYPE_CHECKING:
    from ottla.client.admin.admin import Admin
    from ottla.client.admin.outcomes import Outcomes


@click.command()
@click.argument(
    "asked", nargs=-1, required=True, metavar="TOPIC[:PARTITION,…]…", shell_complete=TOPICS
)
@click.option("--before-offset", type=OFFSET, help="Delete records below this offset.")
@click.option(
    "--before-time",
    "time_ms",
    type=Moment(),
    metavar="TIME",
    help="Delete records before this time.",
)
@yes_option
@cluster_options
@output_option
def command(
    asked: tuple[str, ...],
    before_offset: int | None,
    time_ms: int | None,
    confirm: Callable[[str], None],
    cluster: ClusterOptions,
    output: Output,
) -> None:
    """Delete the records of partitions that lie before an offset or a time.

    A partition begins behind them then, for all consumers. `ottla topic empty` deletes all.

    \b
    ottla topic delete-records orders:0 --before-offset 1000
    ottla topic delete-records orders prices --before-time 2d
    """
    if (before_offset is None) == (time_ms is None):
        raise click.UsageError("give one of --before-offset and --before-time")
    confirm(f"Delete records of {', '.join(asked)}?")

    async def delete(admin: Admin) -> Outcomes[TopicPartition, int]:
        partitions = await partitions_of(admin, asked, "TOPIC")
        if before_offset is not None:
            return await admin.records.delete(dict.fromkeys(partitions, before_offset))
        assert time_ms is not None
        return await admin.records.delete(await _offsets_at(admin, partitions, time_ms))

    output.report(
        ask(cluster, delete),
        "deleted the old records of",
        item=lambda partition: partition._asdict(),
        result=lambda first: {"first": first},
    )


async def _offsets_at(
    admin: Admin, partitions: list[TopicPartition], time_ms: int
) -> dict[TopicPartition, int]:
    """The first offset of that time or later; where nothing is so new, all that there is."""
    from ottla.client.admin.records import ALL_RECORDS

    found = (await admin.offsets.list(dict.fromkeys(partitions, time_ms))).all()
    return {
        partition: ALL_RECORDS if listed is None else listed.offset
        for partition, listed in found.items()
    }
