"""How late the loop comes to what is due: whatever holds it up holds up every client."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from time import perf_counter_ns
from typing import Final

from ottla.broker.metrics import catalogue as metrics
from ottla.broker.metrics.families import Part, add_histogram, histogram

INTERVAL_NS: Final = 250_000_000
FIRST_BUCKET_BITS: Final = 20
"""2**20 ns are a millisecond; each bucket reaches twice as far as the one before."""
BUCKETS: Final = 14
_LONGEST: Final = 64 - FIRST_BUCKET_BITS
_ENDS_SECONDS: Final = tuple((1 << (FIRST_BUCKET_BITS + n)) / 1e9 for n in range(BUCKETS))


class LoopDelay:
    """Measures from `start` to `stop`; a collector."""

    def __init__(self) -> None:
        self._counts = [0] * (_LONGEST + 1)
        self._total_ns = 0
        self._due_ns = 0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._due_ns = perf_counter_ns() + INTERVAL_NS
        self._timer = asyncio.get_running_loop().call_later(INTERVAL_NS / 1e9, self._look)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self.note(perf_counter_ns() - self._due_ns)
        self.start()

    def note(self, delay_ns: int) -> None:
        """One measurement; timers may fire a little early."""
        delay_ns = max(delay_ns, 0)
        self._counts[(delay_ns >> FIRST_BUCKET_BITS).bit_length()] += 1
        self._total_ns += delay_ns

    def __call__(self) -> Iterator[Part]:
        found = histogram(metrics.LOOP_DELAY)
        add_histogram(
            found,
            (),
            ends=_ENDS_SECONDS,
            buckets=self._counts[:BUCKETS],
            count=sum(self._counts),
            total=self._total_ns / 1e9,
        )
        yield found
