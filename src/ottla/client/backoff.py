"""How long to wait before the next try: longer each time, and never the same for all clients."""

from __future__ import annotations

from typing import Final

from ottla.base.world import Rng

FACTOR: Final = 2
JITTER: Final = 0.2
"""A wait is this part longer or shorter, so that clients that failed together come apart."""

_STEPS: Final = 1 << 16


class Backoff:
    """Waits after failures of one thing; `reset` when it has succeeded (KIP-580).

    Backoff(100, 1000, rng) waits about 100, 200, 400, 800, 1000, 1000 ms.
    """

    __slots__ = ("_failures", "_first_ms", "_longest_ms", "_rng")

    def __init__(self, first_ms: int, longest_ms: int, rng: Rng) -> None:
        self._first_ms = min(first_ms, longest_ms)
        self._longest_ms = longest_ms
        self._rng = rng
        self._failures = 0

    @property
    def failures(self) -> int:
        """Waits asked for since the last reset."""
        return self._failures

    def next_ms(self) -> float:
        """One more failure: the milliseconds to wait, jitter included."""
        # Doubled no further than the longest wait: the exponent of endless failures stays small.
        wait_ms = self._first_ms
        for _ in range(self._failures):
            if wait_ms == 0 or wait_ms >= self._longest_ms:
                break
            wait_ms *= FACTOR
        self._failures += 1
        share = self._rng.below(_STEPS + 1) / _STEPS
        return min(wait_ms, self._longest_ms) * (1 - JITTER + 2 * JITTER * share)

    def reset(self) -> None:
        """The thing has succeeded."""
        self._failures = 0
