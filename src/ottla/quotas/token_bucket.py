"""Permits that come back with time: for rare operations of very different size (KIP-599)."""

from __future__ import annotations

from ottla.quotas.rate import Windows, wait_ms
from ottla.settings.values import INT_MAX


class TokenBucket:
    """Holds at most what its rate gives in all windows, and may owe any amount.

    Begins full. Its rate may be another one at each call.
    """

    __slots__ = ("_filled_ms", "_tokens")

    def __init__(self, rate: float, windows: Windows, now_ms: int) -> None:
        self._tokens = _burst(rate, windows)
        self._filled_ms = now_ms

    def throttle_ms(self, rate: float, windows: Windows, now_ms: int) -> int:
        """How long until nothing is owed; 0 where nothing is."""
        self._fill(rate, windows, now_ms)
        if self._tokens >= 0:
            return 0
        return wait_ms(-self._tokens / rate * 1000) if rate else INT_MAX

    def take(self, permits: float, rate: float, windows: Windows, now_ms: int) -> None:
        """Take permits, whether or not they are there."""
        self._fill(rate, windows, now_ms)
        self._tokens -= permits

    def _fill(self, rate: float, windows: Windows, now_ms: int) -> None:
        come = rate * (now_ms - self._filled_ms) / 1000
        self._tokens = min(self._tokens + come, _burst(rate, windows))
        self._filled_ms = now_ms


def _burst(rate: float, windows: Windows) -> float:
    return rate * windows.count * windows.length_ms / 1000
