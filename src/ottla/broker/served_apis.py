"""The APIs of one broker and their versions: all that registered, or fewer by a setting."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from ottla.base.errors import UserError
from ottla.base.registry import Registry
from ottla.broker.handlers import Handler, handlers
from ottla.settings.broker import API_VERSIONS, BrokerSettings
from ottla.wire.schema import Message, requests
from ottla.wire.versions import VersionRange, parse_versions


def served_apis(settings: BrokerSettings) -> Registry[int, Handler]:
    """The handlers of this broker. Raises UserError where `ottla.api.versions` cannot be read."""
    limits = _read(settings[API_VERSIONS])
    if not limits:
        return handlers
    known = {_name(request) for request in requests.values()}
    if unknown := limits.keys() - known:
        raise UserError(
            f"{API_VERSIONS.name} names {', '.join(sorted(unknown))}; "
            f"there are {', '.join(sorted(known))}"
        )
    served: Registry[int, Handler] = Registry("handler")
    for handler in handlers.values():
        narrowed = _narrowed(handler, limits.get(_name(handler.request_type)))
        if narrowed.versions:
            served.add(handler.api_key, narrowed)
    return served


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
