"""Metrics that clients push (KIP-714): who shall push what, when they may, and what they said.

A client that asks or pushes earlier than its interval allows is refused; one that was told of an
older subscription is sent to ask again.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.ids import RESERVED_UUIDS, ZERO_UUID, format_uuid
from ottla.base.limits import (
    TELEMETRY_CLIENTS_MAX,
    TELEMETRY_EXPANSION_MAX,
    TELEMETRY_SERIES_MAX,
    TELEMETRY_TEXT_LENGTH_MAX,
)
from ottla.base.world import Clock, Rng
from ottla.broker.telemetry_metrics import ClientSeries, Sample, opened
from ottla.broker.telemetry_subscriptions import (
    Subscription,
    Wanted,
    subscription_id,
    subscriptions_of,
    wanted_of,
)
from ottla.metadata.image import MetadataDelta, MetadataImage, ResourceType
from ottla.settings.broker import BrokerSettings
from ottla.settings.telemetry import TELEMETRY_MAX_BYTES
from ottla.transport.connection import Connection
from ottla.wire.messages.get_telemetry_subscriptions import GetTelemetrySubscriptionsResponse
from ottla.wire.messages.push_telemetry import PushTelemetryRequest
from ottla.wire.records.compression import Codec, decompress

log = logging.getLogger(__name__)

ACCEPTED: Final = (Codec.ZSTD, Codec.LZ4, Codec.GZIP, Codec.SNAPPY)
"""The best first: clients take the first one that they have."""
KEPT_MS_MIN: Final = 60_000
KEPT_INTERVALS: Final = 3
"""A client that was silent for so many intervals is taken for gone."""
NEVER_MS: Final = -1


class ClientSoftware(NamedTuple):
    """What a client says it is (KIP-511)."""

    name: str
    version: str


def selectors_of(client_id: str | None, connection: Connection) -> dict[str, str]:
    """What subscriptions may look at, no longer than they look at it."""
    software = connection.session
    if not isinstance(software, ClientSoftware):
        software = ClientSoftware("", "")
    address, port = connection.peer_address
    selectors = {
        "client_id": client_id or "",
        "client_software_name": software.name,
        "client_software_version": software.version,
        "client_source_address": address,
        "client_source_port": str(port),
    }
    return {name: text[:TELEMETRY_TEXT_LENGTH_MAX] for name, text in selectors.items()}


class TelemetryClient:
    """One client that asked which metrics it shall push."""

    def __init__(self, instance_id: bytes, selectors: Mapping[str, str]) -> None:
        self.instance_id = instance_id
        self.selectors = selectors
        self.series = ClientSeries()
        self.wanted = Wanted((), 0)
        self.subscription_id = 0
        self.version = -1
        self.seen_ms = 0
        self.asked_ms = NEVER_MS
        self.pushed_ms = NEVER_MS
        self.has_ended = False
        self.may_ask_again = False
        self._push_follows = False

    def subscribe(self, wanted: Wanted, version: int) -> None:
        """Something else may be wanted now: it may ask at once."""
        self.wanted = wanted
        self.version = version
        self.subscription_id = subscription_id(wanted, self.instance_id)
        self.asked_ms = self.pushed_ms = NEVER_MS
        self.has_ended = self.may_ask_again = self._push_follows = False

    def may_ask(self, now_ms: int) -> bool:
        last_ms = max(self.asked_ms, self.pushed_ms)
        is_due = last_ms == NEVER_MS or now_ms - last_ms >= self.wanted.interval_ms
        if not is_due and not self.may_ask_again:
            return False
        self.asked_ms = now_ms
        self.may_ask_again = False
        self._push_follows = True
        return True

    def may_push(self, now_ms: int) -> bool:
        """Soon after it asked, too: clients spread their first pushes."""
        is_due = (
            self._push_follows
            or self.pushed_ms == NEVER_MS
            or now_ms - self.pushed_ms >= self.wanted.interval_ms
        )
        if is_due:
            self.pushed_ms = now_ms
            self._push_follows = False
        return is_due

    def is_gone(self, now_ms: int) -> bool:
        kept_ms = max(KEPT_MS_MIN, KEPT_INTERVALS * self.wanted.interval_ms)
        return now_ms - self.seen_ms >= kept_ms


class ClientTelemetry:
    """All clients of one broker."""

    def __init__(self, settings: BrokerSettings, clock: Clock, rng: Rng) -> None:
        self._settings = settings
        self._clock = clock
        self._rng = rng
        self._subscriptions: list[Subscription] = []
        self._version = 0
        self._clients: dict[bytes, TelemetryClient] = {}

    def look(self, image: MetadataImage) -> None:
        """Take the subscriptions of the image."""
        self._subscriptions = subscriptions_of(image)
        self._version += 1

    def apply(self, image: MetadataImage, delta: MetadataDelta) -> None:
        """The metadata changed."""
        changed = delta.configs_changed
        if any(resource.type == ResourceType.CLIENT_METRICS for resource in changed):
            self.look(image)

    # -- clients ---------------------------------------------------------------------------------

    def subscribe(
        self, instance_id: bytes, selectors: Mapping[str, str]
    ) -> GetTelemetrySubscriptionsResponse:
        """What a client shall push. Raises ProtocolError where it asks too often."""
        now_ms = self._clock.monotonic_ms()
        known_as = self._rng.uuid() if instance_id == ZERO_UUID else instance_id
        client = self._client(known_as, selectors, now_ms)
        if not client.may_ask(now_ms):
            raise _too_early(client)
        return GetTelemetrySubscriptionsResponse(
            client_instance_id=client.instance_id,
            subscription_id=client.subscription_id,
            accepted_compression_types=list(ACCEPTED),
            push_interval_ms=client.wanted.interval_ms,
            telemetry_max_bytes=self._settings[TELEMETRY_MAX_BYTES],
            delta_temporality=True,
            requested_metrics=list(client.wanted.metrics),
        )

    def push(self, request: PushTelemetryRequest, selectors: Mapping[str, str]) -> None:
        """Take what a client pushes. Raises ProtocolError."""
        if request.client_instance_id in RESERVED_UUIDS:
            raise ProtocolError(ErrorCode.INVALID_REQUEST, "ask for a client instance id first")
        now_ms = self._clock.monotonic_ms()
        client = self._client(request.client_instance_id, selectors, now_ms)
        try:
            self._check(client, request, now_ms)
            if request.metrics:
                self._take(client, request)
        except ProtocolError as refused:
            client.may_ask_again = refused.code in MAY_ASK_AGAIN
            raise
        finally:
            client.has_ended = request.terminating
        client.may_ask_again = False

    def _check(self, client: TelemetryClient, request: PushTelemetryRequest, now_ms: int) -> None:
        if client.has_ended:
            raise ProtocolError(ErrorCode.INVALID_REQUEST, "it said that it ends, and pushes again")
        if not client.may_push(now_ms) and not request.terminating:
            raise _too_early(client)
        if request.subscription_id != client.subscription_id:
            raise ProtocolError(
                ErrorCode.UNKNOWN_SUBSCRIPTION_ID, "other metrics are wanted by now: ask for them"
            )
        if request.compression_type not in Codec.__members__.values():
            raise ProtocolError(
                ErrorCode.UNSUPPORTED_COMPRESSION_TYPE, "choose zstd, lz4, gzip, snappy or none"
            )
        most = self._settings[TELEMETRY_MAX_BYTES]
        if len(request.metrics) > most:
            raise ProtocolError(
                ErrorCode.TELEMETRY_TOO_LARGE, f"{len(request.metrics)} bytes are more than {most}"
            )

    def _take(self, client: TelemetryClient, request: PushTelemetryRequest) -> None:
        codec = Codec(request.compression_type)
        limit = self._settings[TELEMETRY_MAX_BYTES] * TELEMETRY_EXPANSION_MAX
        try:
            payload = decompress(request.metrics, codec, limit=limit)
        except ProtocolError as error:
            raise ProtocolError(ErrorCode.INVALID_RECORD, error.message) from None
        room = TELEMETRY_SERIES_MAX - sum(len(each.series) for each in self._clients.values())
        client.series.apply(opened(payload), room=room)

    def _client(
        self, instance_id: bytes, selectors: Mapping[str, str], now_ms: int
    ) -> TelemetryClient:
        """The client of an id, with what is wanted of it now."""
        instance_id = bytes(instance_id)
        client = self._clients.pop(instance_id, None)
        if client is None:
            own = {**selectors, "client_instance_id": format_uuid(instance_id)}
            client = TelemetryClient(instance_id, own)
        if client.version != self._version:
            client.subscribe(wanted_of(client.selectors, self._subscriptions), self._version)
        client.seen_ms = now_ms
        self._clients[instance_id] = client
        if len(self._clients) > TELEMETRY_CLIENTS_MAX:
            del self._clients[next(iter(self._clients))]
        return client

    # -- metrics ---------------------------------------------------------------------------------

    def samples(self) -> Iterable[Sample]:
        """The last numbers of all clients that are still there.

        With the labels `client_id` and `client_instance_id` beside those that they gave.
        """
        self._forget_gone()
        for client in list(self._clients.values()):
            who = {
                name: client.selectors.get(name, "")[:TELEMETRY_TEXT_LENGTH_MAX]
                for name in ("client_id", "client_instance_id")
            }
            for name, kind, labels, value in client.series.samples():
                yield Sample(name, kind, tuple(sorted({**dict(labels), **who}.items())), value)

    @property
    def series_left_out(self) -> int:
        """Of the last push of each client, for want of room."""
        return sum(client.series.left_out for client in self._clients.values())

    def _forget_gone(self) -> None:
        now_ms = self._clock.monotonic_ms()
        gone = [key for key, client in self._clients.items() if client.is_gone(now_ms)]
        for key in gone:
            del self._clients[key]


MAY_ASK_AGAIN: Final = (
    ErrorCode.UNKNOWN_SUBSCRIPTION_ID,
    ErrorCode.UNSUPPORTED_COMPRESSION_TYPE,
)
"""After these a client asks at once, whenever it asked before."""


def _too_early(client: TelemetryClient) -> ProtocolError:
    return ProtocolError(
        ErrorCode.THROTTLING_QUOTA_EXCEEDED,
        f"it is heard every {client.wanted.interval_ms} ms, and not before",
    )
