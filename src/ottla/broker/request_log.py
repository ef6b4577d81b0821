"""What became of the requests: how many, how long, how large, and which were slow.

It stands on the hot path, so it is lists of ints and nothing else: whoever reads it (the metrics,
`metrics/requests.py`) makes of them what it wants when it is asked. There is none in a broker whose
numbers nobody can read and that logs no slow requests.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from time import perf_counter_ns
from typing import Final, NamedTuple, Protocol

from ottla.base.limits import SLOW_REQUESTS_LOGGED_PER_SECOND_MAX
from ottla.wire.headers import RequestHeader
from ottla.wire.messages.join_group import JoinGroupRequest
from ottla.wire.messages.sync_group import SyncGroupRequest
from ottla.wire.schema import requests
from ottla.wire.versions import VersionRange

log = logging.getLogger(__name__)

SECOND_NS: Final = 1_000_000_000
NEVER_NS: Final = 1 << 63
"""No request takes so long."""

FIRST_BUCKET_BITS: Final = 14
"""The first bucket is what took less than 2**14 ns (16 µs); each next one reaches twice as far."""
BUCKETS: Final = 22
"""The last of them ends at 34 s; what took longer is in none."""

WAIT_FOR_OTHERS: Final = frozenset({JoinGroupRequest.API_KEY, SyncGroupRequest.API_KEY})
"""Their answers come when the group's other members have asked, too: that is not slow."""

# The places in the counts of one API and version. A duration of n bits is counted at n less
# FIRST_BUCKET_BITS, so there is a place for every int of 63 bits, and no comparison.
_LONGEST: Final = 64 - FIRST_BUCKET_BITS
_DURATION_NS: Final = _LONGEST + 1
_REQUEST_BYTES: Final = _LONGEST + 2
_RESPONSE_BYTES: Final = _LONGEST + 3
_PLACES: Final = _LONGEST + 4

Counts = list[int]


class RequestTotals(NamedTuple):
    """All requests of one API and version since the start.

    `buckets[n]` of them took less than `BUCKET_ENDS_SECONDS[n]`, and not less than the one before.
    """

    api_key: int
    version: int
    requests: int
    duration_ns: int
    request_bytes: int
    response_bytes: int
    buckets: tuple[int, ...]


BUCKET_ENDS_SECONDS: Final = tuple(
    (1 << (FIRST_BUCKET_BITS + bucket)) / SECOND_NS for bucket in range(BUCKETS)
)


class Connection(Protocol):
    """Whoever asked."""

    @property
    def peer(self) -> str: ...


class Answered(Protocol):
    """A request that has its answer: see `replies.Exchange`."""

    @property
    def header(self) -> RequestHeader: ...

    @property
    def started_ns(self) -> int: ...

    @property
    def request_bytes(self) -> int: ...

    @property
    def connection(self) -> Connection: ...


class RequestLog:
    """The requests of one broker, told of by `Exchange.send`."""

    __slots__ = (
        "_counts",
        "_slow_allowed",
        "_slow_ns",
        "_slow_second",
        "_slow_unlogged",
        "refusals",
    )

    def __init__(self, served: Mapping[int, VersionRange], *, slow_ms: int | None = None) -> None:
        """`served` are the versions by API. Who takes longer than `slow_ms` is logged, if given."""
        self._counts = {
            api_key: [[0] * _PLACES for _ in range(versions.max + 1)]
            for api_key, versions in served.items()
        }
        # How often each API was answered with each error; few kinds, however many clients.
        self.refusals: Counter[tuple[int, int]] = Counter()
        self._slow_ns = NEVER_NS if slow_ms is None else slow_ms * (SECOND_NS // 1000)
        self._slow_second = -1
        self._slow_allowed = 0
        self._slow_unlogged = 0

    def done(self, exchange: Answered, response_bytes: int) -> None:
        """A request has its answer, which may still wait for those before it and for the peer."""
        header = exchange.header
        counts = self._counts[header.api_key][header.api_version]
        duration_ns = perf_counter_ns() - exchange.started_ns
        counts[(duration_ns >> FIRST_BUCKET_BITS).bit_length()] += 1
        counts[_DURATION_NS] += duration_ns
        counts[_REQUEST_BYTES] += exchange.request_bytes
        counts[_RESPONSE_BYTES] += response_bytes
        if duration_ns > self._slow_ns:
            self._slow(exchange, duration_ns, response_bytes)

    def refused(self, api_key: int, error: int) -> None:
        """A partition of a Produce or a Fetch, or a whole request, was answered with an error."""
        self.refusals[api_key, error] += 1

    def totals(self) -> Iterator[RequestTotals]:
        """Of every API and version that was asked for."""
        for api_key, versions in self._counts.items():
            for version, counts in enumerate(versions):
                buckets = counts[: _LONGEST + 1]
                if any(buckets):
                    yield RequestTotals(
                        api_key,
                        version,
                        sum(buckets),
                        counts[_DURATION_NS],
                        counts[_REQUEST_BYTES],
                        counts[_RESPONSE_BYTES],
                        tuple(buckets[:BUCKETS]),
                    )

    # -- slow requests ---------------------------------------------------------------------------

    def _slow(self, exchange: Answered, duration_ns: int, response_bytes: int) -> None:
        """Log it, but only so many a second: where everything is slow the log must not be, too."""
        header = exchange.header
        if header.api_key in WAIT_FOR_OTHERS:
            return
        second = perf_counter_ns() // SECOND_NS
        if second != self._slow_second:
            self._slow_second = second
            self._slow_allowed = SLOW_REQUESTS_LOGGED_PER_SECOND_MAX
        if not self._slow_allowed:
            self._slow_unlogged += 1
            return
        self._slow_allowed -= 1
        fields: dict[str, object] = {
            "api": requests[header.api_key].__name__.removesuffix("Request"),
            "version": header.api_version,
            "duration_ms": round(duration_ns / 1e6, 1),
            "client_id": header.client_id,
            "peer": exchange.connection.peer,
            "correlation_id": header.correlation_id,
            "request_bytes": exchange.request_bytes,
            "response_bytes": response_bytes,
        }
        if self._slow_unlogged:
            fields["unlogged_before"], self._slow_unlogged = self._slow_unlogged, 0
        log.warning("slow request", extra=fields)
