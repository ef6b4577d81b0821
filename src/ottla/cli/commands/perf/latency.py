"""`ottla perf latency`."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import click

from ottla.cli.completion import TOPICS
from ottla.cli.moments import Duration
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
    "what": "until a record is",
    "mean_ms": "mean ms",
    "p50_ms": "p50",
    "p95_ms": "p95",
    "p99_ms": "p99",
    "p999_ms": "p99.9",
    "max_ms": "max",
    "records": "records",
}


@click.command()
@click.argument("topic", required=False, shell_complete=TOPICS)
@records_option
@duration_option
@size_option
@click.option(
    "--partition", "-p", type=click.IntRange(0), default=0, show_default=True, help="Where."
)
@click.option(
    "--pause",
    "pause_ms",
    type=Duration(),
    default="0ms",
    show_default=True,
    metavar="TIME",
    help="Between two records.",
)
@click.option("--acks", type=click.Choice(["all", "1"]), help="Who must have a record.")
@progress_option
@cluster_options
@output_option
def command(cluster: ClusterOptions, output: Output, **typed: Any) -> None:
    """Send one record after the other and tell how long each took to be stored, and to be read.

    Without a topic one is made, and deleted afterwards; without an end it is 1000 records.

    \b
    ottla perf latency
    ottla perf latency orders -n 100 --pause 10ms
    ottla perf latency -d 1m --size 1000 -o json
    """
    output.show(asyncio.run(_measure(cluster, typed)), COLUMNS)


async def _measure(cluster: ClusterOptions, typed: dict[str, Any]) -> list[dict[str, object]]:
    from ottla.base.ids import TopicPartition
    from ottla.cli.cluster import consumer, producer
    from ottla.cli.perf.latencies import Latencies
    from ottla.cli.perf.progress import Bounds, Progress
    from ottla.cli.perf.round_trips import round_trips
    from ottla.cli.perf.topics import measured_topic

    records, duration_ms = typed["records"], typed["duration_ms"]
    if records is None and duration_ms is None:
        records = 1_000
    async with (
        measured_topic(cluster, typed["topic"], partitions=typed["partition"] + 1) as topic,
        producer(cluster, acks=typed["acks"], linger_ms=0) as writing,
        consumer(
            cluster, auto_offset_reset="latest", enable_auto_commit=False, fetch_min_bytes=1
        ) as reading,
    ):
        place = TopicPartition(topic, typed["partition"])
        bounds = Bounds(records=records, duration_ms=duration_ms)
        progress = Progress(live=is_live(typed["progress"]))
        stored = await round_trips(
            writing,
            reading,
            place,
            bounds,
            progress,
            size_bytes=typed["size_bytes"],
            pause_s=typed["pause_ms"] / 1000,
        )

    def row(what: str, latencies: Latencies) -> dict[str, object]:
        named = {key.removeprefix("_"): value for key, value in latencies.row("").items()}
        return {"what": what, "topic": topic, "records": latencies.count, **named}

    return [row("stored", stored), row("read", progress.latencies)]
