"""The guards of one broker: before every handler, where there is an authorizer.

An API without a guard is not served by a broker with an authorizer, so that a new one cannot be
forgotten; `EXEMPT` names those that anybody may ask for, and why.
"""

from __future__ import annotations

from typing import Final

import msgspec

from ottla.base.errors import UserError
from ottla.base.registry import Registry, import_siblings
from ottla.broker import guards
from ottla.broker.authorizer import Authorizer
from ottla.broker.broker import Broker
from ottla.broker.guard import Gate, guard_of
from ottla.broker.handlers import Call, Handler
from ottla.wire.schema import Message

EXEMPT: Final = {
    17: "SaslHandshake: how to log in",
    18: "ApiVersions: how to talk at all",
    36: "SaslAuthenticate: how to log in",
    38: "CreateDelegationToken: its handler asks, for it knows the owner",
    39: "RenewDelegationToken: the token's secret is the permission",
    40: "ExpireDelegationToken: the token's secret is the permission",
    41: "DescribeDelegationToken: its handler asks about each token",
    71: "GetTelemetrySubscriptions: what to tell of oneself",
    72: "PushTelemetry: what a client tells of itself",
}
"""APIs, by their keys, that no ACL is about."""


def load_guards() -> None:
    """Make every guard of the folder known."""
    import_siblings(guards, lambda: len(guard_of))


def guarded_apis(served: Registry[int, Handler], authorizer: Authorizer) -> Registry[int, Handler]:
    """The handlers, each behind its guard. Raises UserError for one that has none."""
    load_guards()
    guarded: Registry[int, Handler] = Registry("handler")
    for handler in served.values():
        guarded.add(handler.api_key, _guarded(handler, authorizer))
    return guarded


def _guarded(handler: Handler, authorizer: Authorizer) -> Handler:
    if handler.api_key in EXEMPT or handler.function is None:
        return handler  # the data path asks by itself: see `guarded_data`
    guard = guard_of.get(handler.api_key)
    if guard is None:
        raise UserError(
            f"{handler.request_type.__name__} has no guard: this version of Ottla cannot run "
            "with an authorizer"
        )
    function, is_async = handler.function, handler.is_async

    async def serve(request: Message, call: Call, broker: Broker) -> Message:
        async def unguarded(request: Message) -> Message:
            answer = function(request, call, broker)
            response: Message = await answer if is_async else answer
            return response

        access = authorizer.access_of(call.connection)
        answer: Message = await guard(request, Gate(access, call, broker, unguarded))
        return answer

    return msgspec.structs.replace(handler, function=serve, is_async=True)
