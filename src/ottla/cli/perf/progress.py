"""How a measurement goes on: a line every second on standard error, and what came out."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final

from ottla.base.limits import MIB
from ottla.cli.perf.latencies import Latencies
from ottla.cli.rate import count_text

if TYPE_CHECKING:
    from typing import TextIO

    from ottla.base.errors import UserError

PERIOD_S: Final = 1.0


class Progress:
    """Counts everything, and beside it the last second."""

    def __init__(self, *, live: bool, stream: TextIO | None = None) -> None:
        self.records = 0
        self.bytes = 0
        self.failed = 0
        self.error: UserError | None = None
        self.latencies = Latencies()
        self._live = live
        self._stream = sys.stderr if stream is None else stream
        self._began_s = self._last_s = time.monotonic()
        self._recent = Latencies()
        self._records_before = self._bytes_before = 0

    def add(self, records: int, size: int, seconds: float | None = None) -> None:
        """So many are through; `seconds` is what each of them took."""
        self.records += records
        self.bytes += size
        if seconds is not None:
            self.latencies.add(seconds, records)
            self._recent.add(seconds, records)
        now_s = time.monotonic()
        if self._live and now_s - self._last_s >= PERIOD_S:
            self._tell(now_s)

    def fail(self, records: int, error: UserError) -> None:
        """So many are lost; the first reason is kept."""
        self.failed += records
        self.error = self.error or error

    def _tell(self, now_s: float) -> None:
        seconds = now_s - self._last_s
        records = (self.records - self._records_before) / seconds
        mib = (self.bytes - self._bytes_before) / seconds / MIB
        line = f"{now_s - self._began_s:5.1f} s  {count_text(records):>12}/s  {mib:9.2f} MiB/s"
        if self._recent.count:
            p99_ms = self._recent.percentile_ms(0.99)
            line += f"  mean {self._recent.mean_ms:.2f} ms  p99 {p99_ms:.2f} ms"
        print(line, file=self._stream, flush=True)
        self._last_s, self._recent = now_s, Latencies()
        self._records_before, self._bytes_before = self.records, self.bytes

    @property
    def elapsed_s(self) -> float:
        """Since it was made."""
        return time.monotonic() - self._began_s

    def row(self) -> dict[str, object]:
        """What came out, without latencies."""
        seconds = max(self.elapsed_s, 1e-9)
        return {
            "records": self.records,
            "failed": self.failed,
            "bytes": self.bytes,
            "seconds": round(seconds, 6),
            "took_ms": round(seconds * 1000),
            "records_per_s": round(self.records / seconds, 1),
            "mib_per_s": round(self.bytes / seconds / MIB, 3),
        }


class Bounds:
    """When a measurement ends: after so many records or so many seconds, whichever is first."""

    def __init__(self, *, records: int | None, duration_ms: int | None) -> None:
        self._records = records
        self._duration_s = None if duration_ms is None else duration_ms / 1000
        self._began_s = time.monotonic()

    def room(self, done: int, wanted: int) -> int:
        """How many of `wanted` may come behind those that are done; 0 at the end."""
        if self._duration_s is not None and self.left_s <= 0:
            return 0
        return wanted if self._records is None else min(wanted, self._records - done)

    @property
    def left_s(self) -> float:
        """Of the duration; without one, for ever."""
        if self._duration_s is None:
            return float("inf")
        return self._duration_s - (time.monotonic() - self._began_s)
