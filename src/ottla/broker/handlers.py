"""How an API is served: one function, registered with the versions it serves.

    @handles(MetadataRequest, versions="0-13")
    def metadata(request: MetadataRequest, call: Call, broker: Broker) -> MetadataResponse: ...

A plain function answers at once; an `async` one may wait, and its connection's later requests wait
with it. Produce and Fetch are served by callbacks instead (`produce.py`, `fetch.py`), but register
here too, so that ApiVersions is derived from one table.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from ottla.base.registry import Registry
from ottla.wire.messages.api_versions import ApiVersion
from ottla.wire.schema import Message
from ottla.wire.versions import VersionRange, parse_versions

if TYPE_CHECKING:
    from ottla.broker.broker import Broker
    from ottla.transport.connection import Connection

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)


class Call(msgspec.Struct, frozen=True, gc=False):
    """What a handler may know of a request beside its fields."""

    version: int
    client_id: str | None
    connection: Connection


class Handler(msgspec.Struct, frozen=True):
    """A registered API."""

    api_key: int
    versions: VersionRange
    advertised_min: int
    request_type: type[Message]
    function: Callable[..., Any] | None
    is_async: bool


handlers: Registry[int, Handler] = Registry("handler")


def handles(
    request_type: type[Request], *, versions: str
) -> Callable[
    [Callable[[Request, Call, Broker], Response | Awaitable[Response]]],
    Callable[[Request, Call, Broker], Response | Awaitable[Response]],
]:
    """Register the decorated function for these versions of a request."""

    def register(
        function: Callable[[Request, Call, Broker], Response | Awaitable[Response]],
    ) -> Callable[[Request, Call, Broker], Response | Awaitable[Response]]:
        _add(request_type, versions, function=function)
        return function

    return register


def serves_on_data_path(
    request_type: type[Message], *, versions: str, advertised_min: int | None = None
) -> None:
    """Register an API that the data path serves itself.

    `advertised_min` lets ApiVersions name versions that are refused when used.
    """
    _add(request_type, versions, function=None, advertised_min=advertised_min)


def _add(
    request_type: type[Message],
    versions: str,
    *,
    function: Callable[..., Any] | None,
    advertised_min: int | None = None,
) -> None:
    served = parse_versions(versions)
    handlers.add(
        request_type.API_KEY,
        Handler(
            api_key=request_type.API_KEY,
            versions=served,
            advertised_min=served.min if advertised_min is None else advertised_min,
            request_type=request_type,
            function=function,
            is_async=function is not None and inspect.iscoroutinefunction(function),
        ),
    )


def served_range(handler: Handler) -> ApiVersion:
    """How ApiVersions names one API."""
    return ApiVersion(
        api_key=handler.api_key,
        min_version=handler.advertised_min,
        max_version=handler.versions.max,
    )
