"""What became of the requests: how many, how long, how large, and which were slow.

Of this only the counts are on the hot path (`request_counts.py`); whoever reads them (the metrics,
`metrics/requests.py`) makes of them what it wants when it is asked. A broker whose numbers nobody
can read, and that logs no slow requests, has no such log.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from operator import itemgetter
from typing import Final, NamedTuple, Protocol

import msgspec

from ottla.base.limits import SLOW_REQUESTS_LOGGED_PER_SECOND_MAX
from ottla.broker.log_rate import LogRate
from ottla.broker.request_counts import FIRST_BUCKET_BITS, RequestCounts, new_counts
from ottla.wire.headers import RequestHeader
from ottla.wire.messages.join_group import JoinGroupRequest
from ottla.wire.messages.sync_group import SyncGroupRequest
from ottla.wire.schema import requests

log = logging.getLogger(__name__)

SECOND_NS: Final = 1_000_000_000
NEVER_NS: Final = (1 << 63) - 1
"""No request takes so long."""

BUCKETS: Final = 22
"""The last of them ends at 34 s; what took longer is in none."""

WAIT_FOR_OTHERS: Final = frozenset({JoinGroupRequest.API_KEY, SyncGroupRequest.API_KEY})
"""Their answers come when the group's other members have asked, too: that is not slow."""


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
    def request_bytes(self) -> int: ...

    @property
    def connection(self) -> Connection: ...


class RequestAccount(msgspec.Struct, frozen=True, gc=False):
    """Where the requests of one API and version are told of."""

    requests: RequestLog
    counts: RequestCounts


class RequestLog:
    """The requests of one broker."""

    def __init__(self, *, slow_ms: int | None = None) -> None:
        """Who takes longer than `slow_ms` is logged, if it is given."""
        self._counts: dict[tuple[int, int], RequestCounts] = {}
        # How often each API was answered with each error; few kinds, however many clients.
        self.refusals: Counter[tuple[int, int]] = Counter()
        self._slow_ns = NEVER_NS if slow_ms is None else slow_ms * (SECOND_NS // 1000)
        self._slow_rate = LogRate(SLOW_REQUESTS_LOGGED_PER_SECOND_MAX)

    def account(self, api_key: int, version: int) -> RequestAccount:
        """Where its requests are told of. Ask for what is served only: nothing is forgotten."""
        key = api_key, version
        if key not in self._counts:
            self._counts[key] = new_counts(self._slow_ns)
        return RequestAccount(self, self._counts[key])

    def refused(self, api_key: int, error: int) -> None:
        """A partition of a Produce or a Fetch, or a whole request, was answered with an error."""
        self.refusals[api_key, error] += 1

    def totals(self) -> Iterator[RequestTotals]:
        """Of every API and version that was asked for, in their order."""
        for (api_key, version), counts in sorted(self._counts.items(), key=itemgetter(0)):
            duration_ns, request_bytes, response_bytes, places = counts.read()
            if requests := sum(places):
                yield RequestTotals(
                    api_key,
                    version,
                    requests,
                    duration_ns,
                    request_bytes,
                    response_bytes,
                    places[:BUCKETS],
                )

    # -- slow requests ---------------------------------------------------------------------------

    def slow(self, exchange: Answered, duration_ns: int, response_bytes: int) -> None:
        """Log it, but only so many a second: where everything is slow the log must not be, too."""
        header = exchange.header
        if header.api_key in WAIT_FOR_OTHERS or not self._slow_rate.admits():
            return
        fields: dict[str, object] = {
            "api": requests[header.api_key].__name__.removesuffix("Request"),
            "version": header.api_version,
            "duration_ms": round(duration_ns / 1e6, 1),
            "client_id": header.client_id,
            "peer": exchange.connection.peer,
            "correlation_id": header.correlation_id,
            "request_bytes": exchange.request_bytes,
            "response_bytes": response_bytes,
            **self._slow_rate.unlogged_before(),
        }
        log.warning("slow request", extra=fields)
