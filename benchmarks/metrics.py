"""What do metrics cost? CPU of the loop with and without, in rounds that take turns."""

from __future__ import annotations

import statistics
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack

from benchmarks.load import load
from benchmarks.report import Figure
from benchmarks.requests import batch_of, create_topic, fetch_frame, produce_frame
from tests.support.broker_process import BrokerProcess
from tests.support.free_ports import free_port

TINY = 150
ROUNDS = 15
ROUND_SECONDS = 0.3
COST_PERCENT_MAX = 3.0
"""At some 50,000 requests a second; what it is of smaller costs is told beside it."""
PARTITIONS = 200
SCRAPES = 10


def run() -> Iterator[Figure]:
    """By kind of request; then what a scrape costs."""
    http = f"127.0.0.1:{free_port()}"
    with ExitStack() as stack:
        without = stack.enter_context(BrokerProcess())
        counting = stack.enter_context(BrokerProcess("--http", http))
        for broker in (without, counting):
            create_topic(broker.host, broker.port, "orders")
            # The other half of the page cache's first use, and compiled codecs.
            load(broker, [produce_frame("orders", 0, batch_of(TINY))], window=5, seconds=0.5)
        produce = [produce_frame("orders", 0, batch_of(TINY))]
        fetch = [fetch_frame("orders", 0, offset, max_bytes=1000) for offset in range(200)]
        what = "produce 150 B, 5 in flight"
        yield _cost(what, without, counting, produce, window=5, budget=COST_PERCENT_MAX)
        yield _cost("produce 150 B, 64 in flight", without, counting, produce, window=64)
        yield _cost("fetch 1000 B, 1 in flight", without, counting, fetch, window=1)
        yield from _scrape(counting, http)
        yield Figure(
            "memory more than without",
            (counting.resident_bytes() - without.resident_bytes()) / 1e6,
            "MB",
        )


def _cost(
    what: str,
    without: BrokerProcess,
    counting: BrokerProcess,
    frames: list[bytes],
    *,
    window: int,
    budget: float | None = None,
) -> Figure:
    """The median over rounds that are neighbours: what else the machine does cancels."""
    pairs = []
    for number in range(ROUNDS):
        first, second = (without, counting) if number % 2 else (counting, without)
        measured = {
            broker: load(broker, frames, window=window, seconds=ROUND_SECONDS)
            for broker in (first, second)
        }
        pairs.append((measured[without], measured[counting]))
    ratios = [now.cpu_us_per_request / before.cpu_us_per_request for before, now in pairs]
    before, now = (
        statistics.median(pair[index].cpu_us_per_request for pair in pairs) for index in (0, 1)
    )
    rate = statistics.median(pair[1].requests_per_second for pair in pairs)
    return Figure(
        what,
        (statistics.median(ratios) - 1) * 100,
        "% more CPU",
        budget,
        note=f"{before:.2f} -> {now:.2f} us CPU/request at {rate:,.0f}/s",
    )


def _scrape(broker: BrokerProcess, http: str) -> Iterator[Figure]:
    """Of a broker with some partitions, one after another."""
    create_topic(broker.host, broker.port, "wide", PARTITIONS)
    size = len(_get(http))
    before, started = broker.cpu_seconds(), time.perf_counter()
    for _ in range(SCRAPES):
        size = len(_get(http))
    took_ms = (time.perf_counter() - started) / SCRAPES * 1000
    cpu_ms = (broker.cpu_seconds() - before) / SCRAPES * 1000
    yield Figure(
        f"a scrape of {PARTITIONS} partitions",
        cpu_ms,
        "ms CPU",
        note=f"{took_ms:.1f} ms, {size:,} bytes",
    )


def _get(http: str) -> bytes:
    with urllib.request.urlopen(f"http://{http}/metrics", timeout=10) as answer:
        content: bytes = answer.read()
        return content
