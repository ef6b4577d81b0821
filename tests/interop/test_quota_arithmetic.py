"""Rates and buckets are measured as Apache Kafka's own classes measure them."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from ottla.quotas.rate import WindowedRate, Windows
from ottla.quotas.token_bucket import TokenBucket
from tests.support.java import CLASS_PATH, ROOT, needs_java

pytestmark = [pytest.mark.interop, needs_java]

ORACLE = ROOT / "tests" / "interop" / "java" / "QuotaOracle.java"
LIVES = 300
START_MS = 1_795_000_000_000
"""Kafka's buckets fill from the epoch on: they are full by then."""


class Life(NamedTuple):
    """What one client uses, and when."""

    windows: Windows
    bound: float
    uses: list[tuple[float, int]]

    def lines(self) -> Iterator[str]:
        yield f"begin {self.windows.count} {self.windows.length_ms // 1000} {self.bound}"
        for amount, now_ms in self.uses:
            yield f"{amount} {now_ms}"


def life(rng: random.Random) -> Life:
    windows = Windows(rng.choice((2, 3, 11)), rng.choice((1000, 2000)))
    pauses = (0, 1, 90, 999, 1000, 1001, 5000, windows.count * windows.length_ms, 40_000)
    now_ms = START_MS
    uses = []
    for _ in range(rng.randrange(2, 60)):
        uses.append((float(rng.choice((0, 1, 50, 1000, 12_345, -50))), now_ms))
        now_ms += rng.choice(pauses)
    return Life(windows, rng.choice((0.5, 10.0, 1000.0)), uses)


def test_every_life_is_measured_alike() -> None:
    rng = random.Random(599)
    lives = [life(rng) for _ in range(LIVES)]
    asked = "\n".join(line for each in lives for line in each.lines())
    ran = subprocess.run(
        ["java", "-cp", CLASS_PATH, str(ORACLE)],
        input=asked,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    told = iter(ran.stdout.splitlines())
    for each in lives:
        rate, bucket = WindowedRate(), TokenBucket(each.bound, each.windows, START_MS)
        for amount, now_ms in each.uses:
            rate.add(amount, each.windows, now_ms)
            measured, covered_ms = rate.measure(each.windows, now_ms)
            bucket.take(amount, each.bound, each.windows, now_ms)
            owed_ms = bucket.throttle_ms(each.bound, each.windows, now_ms)
            their_rate, their_covered, their_tokens = next(told).split()
            assert covered_ms == int(their_covered), each
            assert measured == pytest.approx(float(their_rate)), each
            assert owed_ms == int(max(-float(their_tokens) / each.bound * 1000 + 0.5, 0)), each
    assert next(told, None) is None
