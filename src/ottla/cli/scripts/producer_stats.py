"""What `kafka-producer-perf-test` tells of a span of records."""

from __future__ import annotations

import asyncio

from ottla.base.limits import MIB
from ottla.cli.perf.latencies import Latencies

_SHARES = (("50", 0.5), ("95", 0.95), ("99", 0.99), ("99.9", 0.999))


class Stats:
    """Counts from when it is made."""

    def __init__(self) -> None:
        self._began_s = asyncio.get_running_loop().time()
        self._latencies = Latencies()
        self._bytes = 0

    def add(self, count: int, size: int, seconds: float) -> None:
        """So many were in after so long."""
        self._latencies.add(seconds, count)
        self._bytes += size

    def window(self) -> str:
        """How it goes on."""
        rate, mib = self._rates()
        return (
            f"{self._latencies.count} records sent, {rate:.1f} records/sec ({mib:.2f} MB/sec), "
            f"{self._latencies.mean_ms:.1f} ms avg latency, "
            f"{self._latencies.max_ms:.1f} ms max latency."
        )

    def total(self, what: str) -> str:
        """What came out."""
        rate, mib = self._rates()
        shares = ", ".join(
            f"{self._latencies.percentile_ms(share):.0f} ms {name}th" for name, share in _SHARES
        )
        return (
            f"{self._latencies.count}{what} records sent, {rate:f} records/sec ({mib:.2f} MB/sec), "
            f"{self._latencies.mean_ms:.2f} ms avg latency, "
            f"{self._latencies.max_ms:.2f} ms max latency, {shares}."
        )

    @property
    def count(self) -> int:
        """Records."""
        return self._latencies.count

    @property
    def elapsed_ms(self) -> float:
        """Since it was made."""
        return (asyncio.get_running_loop().time() - self._began_s) * 1000

    def _rates(self) -> tuple[float, float]:
        seconds = max(self.elapsed_ms / 1000, 1e-9)
        return self._latencies.count / seconds, self._bytes / seconds / MIB
