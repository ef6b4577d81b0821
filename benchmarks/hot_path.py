"""What does a request cost the broker? CPU of its loop, from the kernel's own count."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

from benchmarks.load import load, run_loadgen
from benchmarks.report import Bound, Figure
from benchmarks.requests import batch_of, create_topic, fetch_frame, produce_frame
from tests.support.broker_process import BrokerProcess

TINY = 150
# size of the batch, requests in flight, microseconds of CPU that a request may cost
PRODUCE_BUDGETS = (
    (TINY, 64, 15.0),
    (TINY, 5, 25.0),
    (16 * 1024, 8, 35.0),
    (100_000, 5, 95.0),
    (1_000_000, 3, 650.0),
)
FETCH_SIZES = ((64 * 1024, None), (1_000_000, 1.5))
SECONDS = 1.0
TOUCHED_BYTES = 1_500_000_000


def run() -> Iterator[Figure]:
    """Produce by size and pipelining, then fetch."""
    with BrokerProcess() as broker:
        _warm(broker)
        yield from _produce(broker)
        yield from _ping_pong(broker)
        yield from _fetch(broker)


def append_floor(size: int) -> str:
    """What writing such batches costs by itself at this moment.

    It also touches, and frees, the memory that the page cache needs next: the first use of a page
    of a virtual machine costs many times its copy.
    """
    with tempfile.NamedTemporaryFile(prefix="ottla-floor-") as file:
        done = run_loadgen("append", file.name, max(size, 4096), TOUCHED_BYTES)
    return f"{max(size, 4096) / done['gb_per_cpu_second'] / 1e3:.1f} us"


def _warm(broker: BrokerProcess) -> None:
    """Compile the codecs."""
    create_topic(broker.host, broker.port, "warm")
    load(broker, [produce_frame("warm", 0, batch_of(TINY))], window=3, seconds=SECONDS / 10)


def _produce(broker: BrokerProcess) -> Iterator[Figure]:
    for size, window, budget in PRODUCE_BUDGETS:
        topic = f"produce-{size}-{window}"
        create_topic(broker.host, broker.port, topic)
        floor = append_floor(size)
        frames = [produce_frame(topic, 0, batch_of(size))]
        done = load(broker, frames, window=window, seconds=SECONDS)
        megabytes = done.bytes_out / done.seconds / 1e6
        yield Figure(
            f"produce {size} B, {window} in flight",
            done.cpu_us_per_request,
            "us CPU/request",
            budget,
            note=f"{done.requests_per_second:,.0f}/s {megabytes:,.0f} MB/s; append floor {floor}",
        )


def _ping_pong(broker: BrokerProcess) -> Iterator[Figure]:
    create_topic(broker.host, broker.port, "ping")
    done = load(broker, [produce_frame("ping", 0, batch_of(TINY))], window=1, seconds=SECONDS)
    yield Figure(
        "produce 150 B, one at a time, p50", done.p50_us, "us", note=f"p99 {done.p99_us:.0f} us"
    )


def _fetch(broker: BrokerProcess) -> Iterator[Figure]:
    batch = batch_of(100_000)
    create_topic(broker.host, broker.port, "fetch")
    filled = load(broker, [produce_frame("fetch", 0, batch)], window=5, seconds=SECONDS)
    records_per_batch = batch.count(b"v" * 1024)
    offsets = [index * records_per_batch for index in range(filled.responses - 20)]
    for size, budget in FETCH_SIZES:
        frames = [fetch_frame("fetch", 0, offset, max_bytes=size) for offset in offsets]
        done = load(broker, frames, window=1, seconds=SECONDS)
        yield Figure(
            f"fetch {size} B",
            done.bytes_in / done.broker_cpu_seconds / 1e9,
            "GB/CPU-s",
            budget,
            Bound.AT_LEAST,
            note=f"{done.bytes_in / done.seconds / 1e6:,.0f} MB/s",
        )
