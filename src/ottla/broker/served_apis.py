"""The APIs of one broker and their versions: all that registered, or fewer by a setting."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import msgspec

from ottla.base.errors import UserError
from ottla.base.registry import Registry
from ottla.broker.handlers import Handler, handlers
from ottla.broker.request_log import RequestLog
from ottla.broker.telemetry_metrics import can_open
from ottla.settings.broker import API_VERSIONS, BrokerSettings
from ottla.settings.observation import HTTP_LISTENERS, NO_SLOW_REQUESTS, SLOW_REQUEST_MS
from ottla.wire.messages.get_telemetry_subscriptions import GetTelemetrySubscriptionsRequest
from ottla.wire.messages.push_telemetry import PushTelemetryRequest
from ottla.wire.schema import Message, requests
from ottla.wire.versions import VersionRange, parse_versions

TELEMETRY = (GetTelemetrySubscriptionsRequest.API_KEY, PushTelemetryRequest.API_KEY)


def served_apis(settings: BrokerSettings) -> Registry[int, Handler]:
    """The handlers of this broker. Raises UserError where `ottla.api.versions` cannot be read."""
    limits = _read(settings[API_VERSIONS])
    if not limits:
        return _offered(settings)
    known = {_name(request) for request in requests.values()}
    if unknown := limits.keys() - known:
        raise UserError(
            f"{API_VERSIONS.name} names {', '.join(sorted(unknown))}; "
            f"there are {', '.join(sorted(known))}"
        )
    served: Registry[int, Handler] = Registry("handler")
    for handler in _offered(settings).values():
        narrowed = _narrowed(handler, limits.get(_name(handler.request_type)))
        if narrowed.versions:
            served.add(handler.api_key, narrowed)
    return served


def _offered(settings: BrokerSettings) -> Registry[int, Handler]:
    """Clients are asked for metrics only where somebody can read them, as with Apache Kafka."""
    return handlers if settings[HTTP_LISTENERS] and can_open() else _without_telemetry()


@cache
def _without_telemetry() -> Registry[int, Handler]:
    """Call it when all handlers are known: every connection asks for this."""
    offered: Registry[int, Handler] = Registry("handler")
    for handler in handlers.values():
        if handler.api_key not in TELEMETRY:
            offered.add(handler.api_key, handler)
    return offered


def wanted_request_log(settings: BrokerSettings) -> RequestLog | None:
    """One only where somebody reads it, over HTTP or in the log."""
    slow_ms = settings[SLOW_REQUEST_MS]
    logs_slow = slow_ms != NO_SLOW_REQUESTS
    if not logs_slow and not settings[HTTP_LISTENERS]:
        return None
    return RequestLog(slow_ms=slow_ms if logs_slow else None)


def _name(request: type[Message]) -> str:
    """The API as Kafka names it."""
    return request.__name__.removesuffix("Request")


def _read(items: Iterable[str]) -> dict[str, VersionRange]:
    limits = {}
    for item in items:
        name, _, versions = item.partition(":")
        try:
            limits[name.strip()] = parse_versions(versions.strip())
        except ValueError as error:
            raise UserError(
                f"{API_VERSIONS.name} takes items like Fetch:4-10 or Fetch:none, not {item!r}"
            ) from error
    return limits


def _narrowed(handler: Handler, limit: VersionRange | None) -> Handler:
    if limit is None:
        return handler
    versions = handler.versions.intersection(limit)
    return msgspec.structs.replace(
        handler, versions=versions, advertised_min=max(handler.advertised_min, limit.min)
    )
