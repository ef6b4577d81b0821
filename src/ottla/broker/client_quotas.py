"""Quotas in force: what each request uses, and how long its client is not listened to then.

While no quota is set `active` is false, and nobody asks anything else here. A client that uses too
much is answered at once, is told for how long it should be silent, and is not read for as long
(KIP-219).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from time import perf_counter_ns
from typing import Final, NamedTuple

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.world import Clock
from ottla.broker.meter import FetchVerdict, Meter
from ottla.metadata.client_quotas import (
    CLIENT_ID,
    CONNECTION_CREATION_RATE,
    CONSUMER_BYTE_RATE,
    CONTROLLER_MUTATION_RATE,
    IP,
    PRODUCER_BYTE_RATE,
    REQUEST_PERCENTAGE,
    USER,
    client_quotas,
)
from ottla.metadata.client_quotas import Entity as MetadataEntity
from ottla.metadata.image import MetadataDelta, MetadataImage
from ottla.metadata.kept import QUOTA
from ottla.quotas.bounds import DEFAULT, UNNAMED, Bounds, Entity, Name
from ottla.quotas.connections import Admission, ConnectionUsage
from ottla.quotas.rate import Windows
from ottla.quotas.usage import PermitUsage, RateUsage
from ottla.settings.broker import BrokerSettings
from ottla.settings.quotas import (
    ANY_RATE,
    CONTROLLER_QUOTA_WINDOW_NUM,
    CONTROLLER_QUOTA_WINDOW_SIZE_SECONDS,
    MAX_CONNECTION_CREATION_RATE,
    QUOTA_WINDOW_NUM,
    QUOTA_WINDOW_SIZE_SECONDS,
)

log = logging.getLogger(__name__)

ANONYMOUS: Final = "ANONYMOUS"
"""The user of every connection that has not said who it is."""
NS_PER_PERCENT: Final = 10_000_000
"""Of a second of one thread."""


class QuotaKind(Enum):
    """What a client may use too much of, as metrics name it."""

    PRODUCE = "produce"
    FETCH = "fetch"
    REQUEST = "request"
    CONTROLLER_MUTATION = "controller_mutation"
    CONNECTION = "connection"


class ThrottleTotals(NamedTuple):
    """How often clients were told to wait for one kind of quota, and for how long in all.

    `followed` is how many users, clients or addresses are measured now.
    """

    kind: QuotaKind
    throttles: int
    throttle_ms: int
    followed: int


class Permits:
    """What one request may change, as partitions created or deleted (KIP-599)."""

    def __init__(self, quotas: ClientQuotas, client_id: str | None, *, strict: bool) -> None:
        self._quotas = quotas
        self._client_id = client_id or ""
        self._strict = strict
        self._wait_until_ms = 0

    def take(self, partitions: int) -> None:
        """Take permits. Raises ProtocolError(THROTTLING_QUOTA_EXCEEDED) where there are none."""
        now_ms = self._quotas.clock.monotonic_ms()
        wait_ms = self._quotas.mutations.take(
            ANONYMOUS, self._client_id, partitions, now_ms, strict=self._strict
        )
        if not wait_ms:
            return
        self._wait_until_ms = now_ms + wait_ms
        if self._strict:
            raise ProtocolError(
                ErrorCode.THROTTLING_QUOTA_EXCEEDED,
                f"the quota of changes is used up: try again in {wait_ms} ms",
            )

    @property
    def throttle_ms(self) -> int:
        """How long the client should wait from now on."""
        return max(self._wait_until_ms - self._quotas.clock.monotonic_ms(), 0)


class ClientQuotas:
    """The quotas of one broker, and what is used of them."""

    def __init__(self, settings: BrokerSettings, clock: Clock) -> None:
        windows = Windows(settings[QUOTA_WINDOW_NUM], settings[QUOTA_WINDOW_SIZE_SECONDS] * 1000)
        self.active = False
        self.clock = clock
        self.produced = RateUsage(windows)
        self.fetched = RateUsage(windows)
        self.worked = RateUsage(windows, throttle_ms_max=windows.length_ms)
        self.mutations = PermitUsage(
            Windows(
                settings[CONTROLLER_QUOTA_WINDOW_NUM],
                settings[CONTROLLER_QUOTA_WINDOW_SIZE_SECONDS] * 1000,
            )
        )
        self.connections = ConnectionUsage(windows)
        self._staged: list[Meter] = []
        self._throttles: dict[QuotaKind, list[int]] = {kind: [0, 0] for kind in QuotaKind}

    # -- what is set -----------------------------------------------------------------------------

    def look(self, image: MetadataImage) -> None:
        """Take all quotas of the image; what is used of them stays."""
        quotas = client_quotas(image)
        bounds = {
            key: Bounds(_of_clients(quotas, key))
            for key in (
                PRODUCER_BYTE_RATE,
                CONSUMER_BYTE_RATE,
                REQUEST_PERCENTAGE,
                CONTROLLER_MUTATION_RATE,
            )
        }
        self.produced.bounds = bounds[PRODUCER_BYTE_RATE]
        self.fetched.bounds = bounds[CONSUMER_BYTE_RATE]
        self.worked.bounds = bounds[REQUEST_PERCENTAGE]
        self.mutations.bounds = bounds[CONTROLLER_MUTATION_RATE]
        self.connections.bound_addresses(*_of_addresses(quotas))
        self.active = any(bounds.values())

    def apply(self, image: MetadataImage, delta: MetadataDelta) -> None:
        """The metadata changed."""
        if any(key[0] == QUOTA for key in delta.kept_changed):
            self.look(image)

    def follow_settings(self, settings: BrokerSettings) -> None:
        """See `LiveSettings.follow`."""
        rate = settings[MAX_CONNECTION_CREATION_RATE]
        self.connections.bound_all(None if rate == ANY_RATE else rate)

    # -- requests --------------------------------------------------------------------------------

    def permits(self, client_id: str | None, *, strict: bool) -> Permits:
        """For a request that changes the cluster; with `strict` it may be refused."""
        return Permits(self, client_id, strict=strict)

    def staged(self, meter: Meter) -> None:
        """The request's records are written with others of the same read event."""
        meter.pause()
        self._staged.append(meter)

    def commit(self, write: Callable[[], None]) -> None:
        """Write what is staged; the time belongs to those whose records it is, in equal parts."""
        before_ns = perf_counter_ns()
        write()
        staged, self._staged = self._staged, []
        if staged:
            each_ns = (perf_counter_ns() - before_ns) / len(staged)
            now_ms = self.clock.monotonic_ms()
            for meter in staged:
                self.worked.add_afterwards(
                    ANONYMOUS, meter.client_id, each_ns / NS_PER_PERCENT, now_ms
                )

    def charge(self, meter: Meter, *, produced: int, promised_ms: int) -> int:
        """See `meter.Account`."""
        now_ms = self.clock.monotonic_ms()
        waits = {
            QuotaKind.REQUEST: self._time(meter, now_ms),
            QuotaKind.CONTROLLER_MUTATION: promised_ms,
        }
        if produced:
            waits[QuotaKind.PRODUCE] = self.produced.add(
                ANONYMOUS, meter.client_id, produced, now_ms
            )
        return self._silence(meter, waits)

    def charge_fetch(self, meter: Meter, fetched: int) -> FetchVerdict:
        """See `meter.Account`.

        To who has used nothing, everything is sent: a batch that is larger than its quota would
        never be otherwise.
        """
        now_ms, client_id = self.clock.monotonic_ms(), meter.client_id
        unused = self.fetched.is_unused(ANONYMOUS, client_id, now_ms)
        of_bytes = self.fetched.add(ANONYMOUS, client_id, fetched, now_ms)
        of_time = self._time(meter, now_ms)
        wait_ms = self._silence(meter, {QuotaKind.FETCH: of_bytes, QuotaKind.REQUEST: of_time})
        withheld = of_time > 0 or (of_bytes > 0 and not unused)
        if withheld:
            self.fetched.add_afterwards(ANONYMOUS, client_id, -fetched, now_ms)
        return FetchVerdict(wait_ms, withheld)

    def _time(self, meter: Meter, now_ms: int) -> int:
        percent = meter.stop() / NS_PER_PERCENT
        return self.worked.add(ANONYMOUS, meter.client_id, percent, now_ms)

    def _silence(self, meter: Meter, waits: Mapping[QuotaKind, int]) -> int:
        """Let the longest wait begin."""
        kind = max(waits, key=waits.__getitem__)
        wait_ms = waits[kind]
        if wait_ms:
            self._throttled(kind, wait_ms)
            meter.connection.mute(wait_ms)
        return wait_ms

    def fetch_bytes_max(self, meter: Meter) -> float:
        """See `meter.Account`."""
        return self.fetched.most_at_once(ANONYMOUS, meter.client_id)

    # -- connections -----------------------------------------------------------------------------

    def admit(self, address: str) -> Admission | None:
        """What becomes of a new connection; None where nothing is bounded."""
        if not self.connections.is_bounded:
            return None
        admission = self.connections.admit(address, self.clock.monotonic_ms())
        if admission.wait_ms:
            self._throttled(QuotaKind.CONNECTION, admission.wait_ms)
        return admission

    # -- metrics ---------------------------------------------------------------------------------

    def throttle_totals(self) -> Iterator[ThrottleTotals]:
        """Since the start, of every kind."""
        followed = {
            QuotaKind.PRODUCE: len(self.produced),
            QuotaKind.FETCH: len(self.fetched),
            QuotaKind.REQUEST: len(self.worked),
            QuotaKind.CONTROLLER_MUTATION: len(self.mutations),
            QuotaKind.CONNECTION: len(self.connections),
        }
        for kind, (throttles, throttle_ms) in self._throttles.items():
            yield ThrottleTotals(kind, throttles, throttle_ms, followed[kind])

    def _throttled(self, kind: QuotaKind, wait_ms: int) -> None:
        totals = self._throttles[kind]
        totals[0] += 1
        totals[1] += wait_ms


def _of_clients(
    quotas: Mapping[MetadataEntity, Mapping[str, float]], key: str
) -> dict[Entity, float]:
    """The quotas of one kind by whom they are for."""
    found = {}
    for parts, values in quotas.items():
        named = dict(parts)
        if key in values and IP not in named:
            found[Entity(_name(named, USER), _name(named, CLIENT_ID))] = values[key]
    return found


def _name(named: Mapping[str, str | None], kind: str) -> Name:
    if kind not in named:
        return UNNAMED
    name = named[kind]
    return DEFAULT if name is None else name


def _of_addresses(
    quotas: Mapping[MetadataEntity, Mapping[str, float]],
) -> tuple[dict[str, float], float | None]:
    """By the shortest spelling of an address, and what holds for all others."""
    found: dict[str, float] = {}
    others = None
    for parts, values in quotas.items():
        named, rate = dict(parts), values.get(CONNECTION_CREATION_RATE)
        if rate is None or IP not in named:
            continue
        name = named[IP]
        if name is None:
            others = rate
        elif (address := _shortest(name)) is not None:
            found[address] = rate
        else:
            # Kafka takes names, too, and a log of its may have one.
            log.warning("a quota of connections has no effect: %r is no IP address", name)
    return found, others


def _shortest(address: str) -> str | None:
    """As peers' addresses are written; None for what is no address."""
    import ipaddress  # milliseconds that only a broker with such quotas pays

    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return None
