"""What clients use of one kind of quota: a gauge for each that shares one, as many as are bounded.

Whoever has no quota is not counted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from ottla.base.limits import QUOTA_GAUGES_MAX
from ottla.quotas.bounds import UNBOUNDED, Bound, Bounds, Sharers
from ottla.quotas.rate import WindowedRate, Windows
from ottla.quotas.token_bucket import TokenBucket

G = TypeVar("G")


class Gauges(Generic[G]):
    """The gauges of those who were seen last; who was not seen for longest is forgotten first."""

    def __init__(self, make: Callable[[Bound, int], G], *, most: int = QUOTA_GAUGES_MAX) -> None:
        self._make = make
        self._most = most
        self._gauges: dict[Sharers, G] = {}

    def __len__(self) -> int:
        return len(self._gauges)

    def of(self, bound: Bound, now_ms: int) -> G:
        gauge = self._gauges.pop(bound.sharers, None)
        if gauge is None:
            gauge = self._make(bound, now_ms)
        self._gauges[bound.sharers] = gauge
        if len(self._gauges) > self._most:
            del self._gauges[next(iter(self._gauges))]
        return gauge


class RateUsage:
    """Bytes, or milliseconds of work, a second."""

    def __init__(self, windows: Windows, *, throttle_ms_max: int | None = None) -> None:
        self.bounds = Bounds()
        self._windows = windows
        self._throttle_ms_max = throttle_ms_max
        self._gauges = Gauges(lambda bound, now_ms: WindowedRate())

    def __len__(self) -> int:
        return len(self._gauges)

    def add(self, user: str, client_id: str, amount: float, now_ms: int) -> int:
        """Count what was used; for how many milliseconds the client must wait now."""
        bound = self.bounds.find(user, client_id)
        if bound is None:
            return 0
        rate = self._gauges.of(bound, now_ms)
        rate.add(amount, self._windows, now_ms)
        wait = rate.throttle_ms(bound.per_second, self._windows, now_ms)
        return wait if self._throttle_ms_max is None else min(wait, self._throttle_ms_max)

    def add_afterwards(self, user: str, client_id: str, amount: float, now_ms: int) -> None:
        """Count what nobody waits for now: the next request will."""
        bound = self.bounds.find(user, client_id)
        if bound is not None:
            self._gauges.of(bound, now_ms).add(amount, self._windows, now_ms)

    def is_unused(self, user: str, client_id: str, now_ms: int) -> bool:
        """Whether nothing counts of what was used before."""
        bound = self.bounds.find(user, client_id)
        if bound is None:
            return True
        return self._gauges.of(bound, now_ms).measure(self._windows, now_ms)[0] <= 0

    def most_at_once(self, user: str, client_id: str) -> float:
        """The largest amount that can be used without a wait, by who has used nothing."""
        bound = self.bounds.find(user, client_id)
        return UNBOUNDED if bound is None else bound.per_second * self._windows.full_seconds


class PermitUsage:
    """Changes of the cluster: each takes as many permits as it touches partitions."""

    def __init__(self, windows: Windows) -> None:
        self.bounds = Bounds()
        self._windows = windows
        self._gauges = Gauges(lambda bound, now_ms: TokenBucket(bound.per_second, windows, now_ms))

    def __len__(self) -> int:
        return len(self._gauges)

    def take(self, user: str, client_id: str, permits: int, now_ms: int, *, strict: bool) -> int:
        """Take permits; for how many milliseconds the client must wait now.

        With `strict` nothing is taken while something is owed, and then the change must not be
        made; without, all is taken, and the client waits for what is owed after that.
        """
        bound = self.bounds.find(user, client_id)
        if bound is None or bound.per_second == UNBOUNDED:
            return 0
        bucket, rate = self._gauges.of(bound, now_ms), bound.per_second
        if strict:
            wait = bucket.throttle_ms(rate, self._windows, now_ms)
            if not wait:
                bucket.take(permits, rate, self._windows, now_ms)
            return wait
        bucket.take(permits, rate, self._windows, now_ms)
        return bucket.throttle_ms(rate, self._windows, now_ms)
