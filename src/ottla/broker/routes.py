"""What is known of a request by its API and version alone, found once for all such requests."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from ottla.base.registry import Registry
from ottla.broker.handlers import Handler
from ottla.broker.request_log import RequestAccount, RequestLog
from ottla.wire.compiler import codec
from ottla.wire.headers import RequestHeader
from ottla.wire.schema import Message


class Route(msgspec.Struct, frozen=True, gc=False):
    """One API in one version, as a broker serves it.

    `decode(buffer, position, end)` is its request codec's; there is no account where nobody reads
    it.
    """

    handler: Handler
    decode: Callable[[memoryview, int, int], tuple[Message, int]]
    account: RequestAccount | None


class Routes:
    """The routes of one broker; each is made when it is first asked for."""

    def __init__(self, served: Registry[int, Handler], requests: RequestLog | None) -> None:
        self._served = served
        self._requests = requests
        # By API and version; no more than are served.
        self._routes: dict[int, dict[int, Route]] = {key: {} for key in served}

    def find(self, header: RequestHeader) -> Route | None:
        """The route of a request; None where its API or its version is not served."""
        try:
            return self._routes[header.api_key][header.api_version]
        except KeyError:
            return self._open(header.api_key, header.api_version)

    def handler(self, api_key: int) -> Handler | None:
        """Of an API in whatever version."""
        return self._served.get(api_key)

    def make(self, handler: Handler, version: int) -> Route:
        """The route of an API in a version that its codec knows."""
        requests = self._requests
        return Route(
            handler,
            codec(handler.request_type, version).decode,
            None if requests is None else requests.account(handler.api_key, version),
        )

    def _open(self, api_key: int, version: int) -> Route | None:
        handler = self._served.get(api_key)
        if handler is None or version not in handler.versions:
            return None
        route = self._routes[api_key][version] = self.make(handler, version)
        return route
