"""A rate over the last windows, measured as Apache Kafka measures it, and the wait it demands."""

from __future__ import annotations

from collections import deque

from msgspec import Struct

from ottla.settings.values import INT_MAX


class Windows(Struct, frozen=True):
    """How a rate is measured: over `count` windows, the last of which is still filling."""

    count: int
    length_ms: int

    @property
    def full_seconds(self) -> float:
        """What a rate covers where nothing was counted before."""
        return (self.count - 1) * self.length_ms / 1000


class _Window:
    """What was counted from `start_ms` on."""

    __slots__ = ("last_ms", "start_ms", "total")

    def __init__(self, now_ms: int) -> None:
        self.start_ms = now_ms
        self.last_ms = now_ms
        self.total = 0.0


class WindowedRate:
    """What is used, a second."""

    __slots__ = ("_windows",)

    def __init__(self) -> None:
        self._windows: deque[_Window] = deque()

    def add(self, amount: float, windows: Windows, now_ms: int) -> None:
        """Count an amount; a negative one takes back what was counted now."""
        kept = self._windows
        if not kept or now_ms - kept[-1].start_ms >= windows.length_ms:
            kept.append(_Window(now_ms))
            if len(kept) > windows.count + 1:
                kept.popleft()
        last = kept[-1]
        last.total += amount
        last.last_ms = now_ms

    def measure(self, windows: Windows, now_ms: int) -> tuple[float, int]:
        """The rate a second, and the milliseconds that it covers.

        Windows that are missing at the beginning count as empty ones, so that a first burst is
        spread over the whole time.
        """
        self._forget(windows, now_ms)
        covered_ms = now_ms - self._windows[0].start_ms
        missing = windows.count - 1 - covered_ms // windows.length_ms
        if missing > 0:
            covered_ms += missing * windows.length_ms
        # Of a single window that has just begun there is nothing to divide by.
        covered_ms = max(covered_ms, 1)
        return sum(window.total for window in self._windows) * 1000 / covered_ms, covered_ms

    def throttle_ms(self, bound: float, windows: Windows, now_ms: int) -> int:
        """How long nothing more may be counted until the rate is within its bound; 0 where it is.

        Of rate R over W milliseconds with bound B: R * W / (W + wait) = B.
        """
        rate, covered_ms = self.measure(windows, now_ms)
        if rate <= bound:
            return 0
        return wait_ms((rate - bound) / bound * covered_ms) if bound else INT_MAX

    def _forget(self, windows: Windows, now_ms: int) -> None:
        kept = self._windows
        oldest_ms = now_ms - windows.count * windows.length_ms
        while kept and kept[0].last_ms <= oldest_ms:
            kept.popleft()
        if not kept:
            kept.append(_Window(now_ms))


def wait_ms(exact: float) -> int:
    """Whole milliseconds that fit the protocol's int32; a half is rounded up."""
    return int(exact + 0.5) if exact < INT_MAX else INT_MAX
