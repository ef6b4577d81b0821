"""Durations, counted so that any number of them takes a bounded memory.

Each is kept to within a 64th of itself: percentiles are that exact, mean and maximum are exact.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Final

PERCENTILES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "p999": 0.999}
_STEPS: Final = 64
"""Of one power of two; with 60 powers of two there are fewer than 4000 counters."""


class Latencies:
    """`add` seconds, ask for milliseconds."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()
        self._total_s = 0.0
        self.count = 0
        self.max_ms = 0.0

    def add(self, seconds: float, count: int = 1) -> None:
        """So many took so long."""
        self._counts[_bucket(seconds)] += count
        self._total_s += seconds * count
        self.count += count
        self.max_ms = max(self.max_ms, seconds * 1000)

    @property
    def mean_ms(self) -> float:
        """0 where there is none."""
        return self._total_s * 1000 / self.count if self.count else 0.0

    def percentile_ms(self, share: float) -> float:
        """The least duration that this share does not exceed; 0 where there is none."""
        left = max(1, math.ceil(self.count * share))
        for bucket in sorted(self._counts):
            left -= self._counts[bucket]
            if left <= 0:
                return min(_upper_s(bucket) * 1000, self.max_ms)
        return 0.0

    def row(self, prefix: str) -> dict[str, object]:
        """All that is told, in milliseconds."""
        told = {name: self.percentile_ms(share) for name, share in PERCENTILES.items()}
        every = {"mean": self.mean_ms, **told, "max": self.max_ms}
        return {f"{prefix}_{name}_ms": round(value, 3) for name, value in every.items()}


def _bucket(seconds: float) -> int:
    """Whole microseconds by their power of two and the six bits behind it."""
    mantissa, exponent = math.frexp(max(seconds * 1e6, 1.0))
    return exponent * _STEPS + int((mantissa - 0.5) * 2 * _STEPS)


def _upper_s(bucket: int) -> float:
    exponent, step = divmod(bucket, _STEPS)
    return math.ldexp(0.5 + (step + 1) / (2 * _STEPS), exponent) / 1e6
