"""`ottla perf produce`."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import click

from ottla.base.errors import UserError
from ottla.cli.completion import TOPICS
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option
from ottla.cli.perf.options import (
    duration_option,
    is_live,
    progress_option,
    records_option,
    size_option,
)

COLUMNS: Final = {
    "records": "records",
    "records_per_s": "records/s",
    "mib_per_s": "MiB/s",
    "latency_mean_ms": "mean ms",
    "latency_p50_ms": "p50",
    "latency_p95_ms": "p95",
    "latency_p99_ms": "p99",
    "latency_p999_ms": "p99.9",
    "latency_max_ms": "max",
    "failed": "failed",
}


@click.command()
@click.argument("topic", required=False, shell_complete=TOPICS)
@records_option
@duration_option
@size_option
@click.option("--rate", type=click.FloatRange(1), help="Records a second; else all that goes.")
@click.option("--keys", is_flag=True, help="With keys of eight bytes.")
@click.option(
    "--partitions", type=click.IntRange(1), default=1, show_default=True, help="Of the made topic."
)
@click.option(
    "--compression",
    "-z",
    type=click.Choice(["none", "gzip", "snappy", "lz4", "zstd"]),
    help="How batches travel and lie.",
)
@click.option("--acks", type=click.Choice(["all", "1", "0"]), help="Who must have a record.")
@click.option("--batch-bytes", type=click.IntRange(1), help="The most of one batch.")
@click.option("--linger-ms", type=click.FloatRange(0), help="How long a batch waits for more.")
@progress_option
@cluster_options
@output_option
def command(cluster: ClusterOptions, output: Output, **typed: Any) -> None:
    """Write records and tell how many a second, and how long each took until it was stored.

    Without a topic one is made, and deleted afterwards; without an end it takes 10 seconds.

    \b
    ottla perf produce
    ottla perf produce orders -n 1000000 --size 1000 -z lz4
    ottla perf produce --rate 5000 -d 1m -o json
    """
    row, error = asyncio.run(_measure(cluster, typed))
    output.show([row], COLUMNS)
    if error is not None:
        raise UserError(f"{row['failed']:,} records were not stored: {error}")


async def _measure(
    cluster: ClusterOptions, typed: dict[str, Any]
) -> tuple[dict[str, object], UserError | None]:
    from ottla.cli.cluster import producer
    from ottla.cli.perf.producing import Load, produce
    from ottla.cli.perf.progress import Bounds, Progress
    from ottla.cli.perf.topics import measured_topic

    settings = {name: typed[name] for name in ("compression", "acks", "batch_bytes", "linger_ms")}
    records, duration_ms = typed["records"], typed["duration_ms"]
    if records is None and duration_ms is None:
        duration_ms = 10_000
    async with (
        measured_topic(cluster, typed["topic"], partitions=typed["partitions"]) as topic,
        producer(cluster, **settings) as writing,
    ):
        load = Load(
            topic=topic, size_bytes=typed["size_bytes"], rate=typed["rate"], keys=typed["keys"]
        )
        progress = Progress(live=is_live(typed["progress"]))
        bounds = Bounds(records=records, duration_ms=duration_ms)
        await produce(writing, load, bounds, progress)
        row = {"topic": topic, **progress.row(), **progress.latencies.row("latency")}
        return row, progress.error
