"""What do metrics cost? CPU of the loop with and without, in rounds that take turns.

Two processes of one program differ by more than metrics cost, for as long as they live: so one
process is switched (`switched_broker.py`). How far it differs from itself is told beside it.
"""

from __future__ import annotations

import os
import signal
import statistics
import sys
import time
import urllib.request
from collections.abc import Iterator

from benchmarks.load import load
from benchmarks.report import Figure
from benchmarks.requests import batch_of, create_topic, fetch_frame, produce_frame
from tests.support.broker_process import BrokerProcess
from tests.support.free_ports import free_port

SWITCHED_BROKER = "benchmarks.switched_broker"
TINY = 150
ROUNDS = 100
ROUND_SECONDS = 0.1
SETTLE_SECONDS = 0.01
COST_PERCENT_MAX = 3.0
"""At some 50,000 requests a second; what it is of smaller costs is told beside it."""
PARTITIONS = 200
SCRAPES = 10


def run() -> Iterator[Figure]:
    """By kind of request; then what a scrape costs."""
    http = f"127.0.0.1:{free_port()}"
    switched = (sys.executable, "-m", SWITCHED_BROKER)
    with BrokerProcess("--http", http, under=switched) as broker:
        create_topic(broker.host, broker.port, "orders")
        produce = [produce_frame("orders", 0, batch_of(TINY))]
        # The other half of the page cache's first use, and compiled codecs.
        load(broker, produce, window=5, seconds=0.5)
        fetch = [fetch_frame("orders", 0, offset, max_bytes=1000) for offset in range(200)]
        yield _cost("produce 150 B, 5 in flight", broker, produce, window=5)
        budget = COST_PERCENT_MAX
        yield _cost("produce 150 B, 16 in flight", broker, produce, window=16, budget=budget)
        yield _cost("produce 150 B, 64 in flight", broker, produce, window=64, budget=budget)
        yield _cost("fetch 1000 B, 1 in flight", broker, fetch, window=1)
        yield from _scrape(broker, http)
    yield _memory(http)


def _cost(
    what: str,
    broker: BrokerProcess,
    frames: list[bytes],
    *,
    window: int,
    budget: float | None = None,
) -> Figure:
    """Compares lower quartiles: what disturbs a round only ever makes it dearer."""
    rounds: dict[str, list[float]] = {"without": [], "with": [], "without again": []}
    rates = []
    for number in range(ROUNDS):
        for kind in _in_turn(list(rounds), number):
            os.kill(broker.pid, signal.SIGUSR2 if kind == "with" else signal.SIGUSR1)
            time.sleep(SETTLE_SECONDS)
            found = load(broker, frames, window=window, seconds=ROUND_SECONDS)
            rounds[kind].append(found.cpu_us_per_request)
            rates.append(found.requests_per_second)
    without, counting, again = (statistics.quantiles(each)[0] for each in rounds.values())
    both = statistics.quantiles(rounds["without"] + rounds["without again"])[0]
    return Figure(
        what,
        (counting / both - 1) * 100,
        "% more CPU",
        budget,
        note=f"{both:.2f} -> {counting:.2f} us CPU/request at {statistics.median(rates):,.0f}/s; "
        f"without and without: {(again / without - 1) * 100:+.1f} %",
    )


def _in_turn(kinds: list[str], number: int) -> list[str]:
    """Each comes first, last and in between equally often."""
    first = number % len(kinds)
    return kinds[first:] + kinds[:first]


def _memory(http: str) -> Figure:
    """Of two that have just started."""
    with BrokerProcess() as without, BrokerProcess("--http", http) as counting:
        more_bytes = counting.resident_bytes() - without.resident_bytes()
    return Figure("memory more than without", more_bytes / 1e6, "MB")


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
