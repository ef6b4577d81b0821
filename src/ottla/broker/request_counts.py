"""The counts of one API and version: how many requests, how long, how large.

One call a request, on the hot path: so it has two forms that do the same, Python here and C in
`_request_counts.c` (decision 4). Whoever reads it makes of the numbers what it wants.
"""

from __future__ import annotations

from typing import Final, Protocol

from ottla.wire.records.twins import is_c_refused

try:
    from ottla.broker import _request_counts
except ImportError:  # no C compiler at installation
    IS_COMPILED = False
else:
    IS_COMPILED = True

FIRST_BUCKET_BITS: Final = 14
"""The first bucket is what took less than 2**14 ns (16 µs); each next one reaches twice as far."""
PLACES: Final = 64 - FIRST_BUCKET_BITS
"""Buckets enough for every int of 63 bits, so that nothing need be compared when one is counted."""


class RequestCounts(Protocol):
    """What both forms do; `RequestCounts(slow_ns)` begins at nothing."""

    def add(self, duration_ns: int, request_bytes: int, response_bytes: int, /) -> bool:
        """Count a request; whether it took longer than `slow_ns`.

        Raises ValueError for a negative duration.
        """
        ...

    def read(self) -> tuple[int, int, int, tuple[int, ...]]:
        """The sums of what was added, and the requests by the bits of their duration.

        Of `PLACES` places the first counts durations of up to FIRST_BUCKET_BITS, each next one
        those of one bit more.
        """
        ...


class RequestCountsInPython:
    """See `RequestCounts`."""

    __slots__ = ("_duration_ns", "_places", "_request_bytes", "_response_bytes", "_slow_ns")

    def __init__(self, slow_ns: int) -> None:
        self._slow_ns = slow_ns
        self._places = [0] * PLACES
        self._duration_ns = self._request_bytes = self._response_bytes = 0

    def add(self, duration_ns: int, request_bytes: int, response_bytes: int, /) -> bool:
        """See `RequestCounts`."""
        if duration_ns < 0:
            raise ValueError("a request took less than no time")
        self._places[(duration_ns >> FIRST_BUCKET_BITS).bit_length()] += 1
        self._duration_ns += duration_ns
        self._request_bytes += request_bytes
        self._response_bytes += response_bytes
        return duration_ns > self._slow_ns

    def read(self) -> tuple[int, int, int, tuple[int, ...]]:
        """See `RequestCounts`."""
        return self._duration_ns, self._request_bytes, self._response_bytes, tuple(self._places)


def new_counts(slow_ns: int) -> RequestCounts:
    """In the form that is in use; whoever takes longer than `slow_ns` is slow."""
    if IS_COMPILED and not is_c_refused():
        return _request_counts.RequestCounts(slow_ns)
    return RequestCountsInPython(slow_ns)
