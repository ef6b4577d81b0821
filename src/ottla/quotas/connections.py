"""How many connections may be made a second: by one address, and by all together (KIP-612)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ottla.quotas.bounds import Bound, Sharers
from ottla.quotas.rate import WindowedRate, Windows
from ottla.quotas.usage import Gauges


class Admission(NamedTuple):
    """What becomes of a new connection: served, or closed, after so many milliseconds."""

    may_stay: bool
    wait_ms: int


AT_ONCE = Admission(may_stay=True, wait_ms=0)


class ConnectionUsage:
    """Connections a second.

    An address that makes too many loses them, after a while; too many in all are served later.
    """

    def __init__(self, windows: Windows) -> None:
        self._windows = windows
        self._of_addresses: dict[str, float] = {}
        self._of_others: float | None = None
        self._of_all: float | None = None
        self._all = WindowedRate()
        self._gauges = Gauges(lambda bound, now_ms: WindowedRate())

    def __len__(self) -> int:
        """Addresses whose connections are counted."""
        return len(self._gauges)

    @property
    def is_bounded(self) -> bool:
        """Whether anybody has to ask."""
        return bool(self._of_addresses) or self._of_others is not None or self._of_all is not None

    def bound_addresses(self, quotas: Mapping[str, float], others: float | None) -> None:
        """From now on these addresses may make so many, and each of the `others` so many."""
        self._of_addresses = dict(quotas)
        self._of_others = others

    def bound_all(self, per_second: float | None) -> None:
        """From now on all together may make so many; None for any number."""
        self._of_all = per_second

    def admit(self, address: str, now_ms: int) -> Admission:
        """Count a connection, unless it is to be closed."""
        wait = self._wait_of_address(address, now_ms)
        if wait:
            return Admission(may_stay=False, wait_ms=wait)
        if self._of_all is None:
            return AT_ONCE
        self._all.add(1, self._windows, now_ms)
        return Admission(
            may_stay=True, wait_ms=self._all.throttle_ms(self._of_all, self._windows, now_ms)
        )

    def _wait_of_address(self, address: str, now_ms: int) -> int:
        per_second = self._of_addresses.get(address, self._of_others)
        if per_second is None:
            return 0
        rate = self._gauges.of(Bound(Sharers(address, ""), per_second), now_ms)
        rate.add(1, self._windows, now_ms)
        wait = rate.throttle_ms(per_second, self._windows, now_ms)
        if wait:
            rate.add(-1, self._windows, now_ms)
        # It is not known whether the peer will wait: no longer than until the next window.
        return min(wait, self._windows.length_ms)
