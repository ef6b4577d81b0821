"""`ottla perf consume`."""

from __future__ import annotations

import asyncio
from typing import Final

import click

from ottla.base.errors import UserError
from ottla.cli.completion import TOPICS
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option
from ottla.cli.perf.options import duration_option, is_live, progress_option, records_option

COLUMNS: Final = {
    "records": "records",
    "records_per_s": "records/s",
    "mib_per_s": "MiB/s",
    "took_ms": "took",
    "fetches": "fetches",
    "fetch_mean_ms": "mean ms",
    "fetch_max_ms": "max",
}
_LOOK_S: Final = 0.25
_IDLE_S: Final = 5.0


@click.command()
@click.argument("topic", shell_complete=TOPICS)
@records_option
@duration_option
@click.option(
    "--isolation-level",
    type=click.Choice(["read_uncommitted", "read_committed"]),
    default="read_uncommitted",
    show_default=True,
    help="Whether records of open and aborted transactions are read.",
)
@progress_option
@cluster_options
@output_option
def command(
    topic: str,
    records: int | None,
    duration_ms: int | None,
    isolation_level: str,
    progress: bool | None,
    cluster: ClusterOptions,
    output: Output,
) -> None:
    """Read a topic from its beginning and tell how many records a second, as columns.

    It ends at the records that are there when it begins, or where nothing comes for 5 seconds.

    \b
    ottla perf consume orders
    ottla perf consume orders -n 1000000 -o json
    ottla perf consume orders -d 30s --progress
    """
    live = is_live(progress)
    row = asyncio.run(_measure(cluster, topic, records, duration_ms, isolation_level, live))
    output.show([row], COLUMNS)


async def _measure(
    cluster: ClusterOptions,
    topic: str,
    records: int | None,
    duration_ms: int | None,
    isolation_level: str,
    live: bool,
) -> dict[str, object]:
    from ottla.base.ids import TopicPartition
    from ottla.cli.cluster import connected_admin, consumer
    from ottla.cli.perf.progress import Bounds, Progress

    async with connected_admin(cluster) as admin:
        described = (await admin.topics.describe(topic)).all()[topic]
    places = [TopicPartition(topic, each.index) for each in described.partitions]
    async with consumer(
        cluster,
        auto_offset_reset="earliest",
        isolation_level=isolation_level,
        enable_auto_commit=False,
        allow_auto_create_topics=False,
    ) as reading:
        ends = await reading.end_offsets(*places)
        reading.assign(places)
        reading.seek_to_beginning()
        progress, idle_s = Progress(live=live), 0.0
        bounds = Bounds(records=records, duration_ms=duration_ms)
        read = await reading.beginning_offsets(*places)
        while any(read[place] < end for place, end in ends.items()) and bounds.room(
            progress.records, 1
        ):
            batches = await reading.poll_batch(min(bounds.left_s, _LOOK_S))
            for place, columns in batches.items():
                progress.add(len(columns), columns.size)
                read[place] = columns.next_offset
            idle_s = 0.0 if batches else idle_s + _LOOK_S
            if idle_s >= _IDLE_S:
                break
            if not batches:
                # Behind the last record may lie what nobody hands out: marks of transactions.
                read |= {place: await reading.position(place) for place in places}
        row = progress.row()
        metrics = reading.metrics()
    if not progress.records:
        raise UserError(f"{topic} has no records that can be read")
    return {
        "topic": topic,
        **row,
        "fetches": metrics.fetches,
        "fetch_mean_ms": round(metrics.fetch_ms_mean, 3),
        "fetch_max_ms": round(metrics.fetch_ms_max, 3),
    }
