"""What one request uses: the time in which it is served, waits left out."""

from __future__ import annotations

from collections.abc import Awaitable, Generator
from time import perf_counter_ns
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from ottla.transport.connection import Connection
from ottla.wire.headers import RequestHeader
from ottla.wire.messages.produce import ProduceRequest
from ottla.wire.messages.write_txn_markers import WriteTxnMarkersRequest

T = TypeVar("T")

OF_BROKERS = frozenset({WriteTxnMarkersRequest.API_KEY})
"""What brokers ask each other is not held up: clients would wait for it."""


class FetchVerdict(NamedTuple):
    """For how long the client must be silent, and whether its records are withheld as long."""

    wait_ms: int
    withheld: bool


class Account(Protocol):
    """What requests are charged to."""

    def charge(self, meter: Meter, *, produced: int, promised_ms: int) -> int:
        """Count what a request has used; for how many milliseconds its client must be silent.

        `promised_ms` is what its answer asks for already.
        """
        ...

    def charge_fetch(self, meter: Meter, fetched: int) -> FetchVerdict:
        """Count what a fetch is to send; what is withheld is not counted."""
        ...

    def fetch_bytes_max(self, meter: Meter) -> float:
        """More than this would always be too much."""
        ...


class Meter:
    """Belongs to one request, while any quota is set."""

    __slots__ = (
        "_account",
        "_busy_ns",
        "_header",
        "_is_charged",
        "_request_bytes",
        "_since_ns",
        "client_id",
        "connection",
    )

    def __init__(
        self,
        account: Account,
        header: RequestHeader,
        connection: Connection,
        *,
        started_ns: int,
        request_bytes: int,
    ) -> None:
        """`started_ns` is of `perf_counter_ns`."""
        self._account = account
        self._header = header
        self._request_bytes = request_bytes
        self._busy_ns = 0
        self._since_ns: int | None = started_ns
        self._is_charged = False
        self.connection = connection
        self.client_id = header.client_id or ""

    # -- time ------------------------------------------------------------------------------------

    def pause(self) -> None:
        """Others are served meanwhile."""
        if self._since_ns is not None:
            self._busy_ns += perf_counter_ns() - self._since_ns
            self._since_ns = None

    def resume(self) -> None:
        """This request is served again."""
        if self._since_ns is None:
            self._since_ns = perf_counter_ns()

    def stop(self) -> int:
        """The nanoseconds that it took."""
        self.pause()
        return self._busy_ns

    def timed(self, work: Awaitable[T]) -> Awaitable[T]:
        """The same work; only the steps in which it runs count."""
        self.pause()
        return _Timed(self, work)

    # -- charging --------------------------------------------------------------------------------

    def exempt(self) -> None:
        """Nobody pays for this one."""
        self._is_charged = True

    def charge(self, response: Any) -> None:
        """Count the request once, and tell its client in the response how long to be silent.

        Where no answer is expected the response is None.
        """
        key = self._header.api_key
        if self._is_charged or key in OF_BROKERS:
            return
        self._is_charged = True
        promised_ms = getattr(response, "throttle_time_ms", None)
        wait_ms = self._account.charge(
            self,
            produced=self._request_bytes if key == ProduceRequest.API_KEY else 0,
            promised_ms=promised_ms or 0,
        )
        if promised_ms is not None:
            response.throttle_time_ms = wait_ms

    @property
    def fetch_bytes_max(self) -> float:
        """What one fetch may send: more would always be too much."""
        return self._account.fetch_bytes_max(self)

    def charge_fetch(self, fetched: int) -> FetchVerdict:
        """Count the request, and these bytes, before they are sent."""
        self._is_charged = True
        return self._account.charge_fetch(self, fetched)


class _Timed(Generic[T]):
    """Awaits a work step by step."""

    __slots__ = ("_meter", "_work")

    def __init__(self, meter: Meter, work: Awaitable[T]) -> None:
        self._meter = meter
        self._work = work

    def __await__(self) -> Generator[Any, Any, T]:
        steps = self._work.__await__()
        meter = self._meter
        meter.resume()
        try:
            waited = next(steps)
            while True:
                meter.pause()
                try:
                    got = yield waited
                except BaseException as error:  # noqa: BLE001 # it is the work's: a cancellation
                    meter.resume()
                    waited = steps.throw(error)
                else:
                    meter.resume()
                    waited = steps.send(got)
        except StopIteration as done:
            result: T = done.value
            return result
