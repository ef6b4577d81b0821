"""What a guard is: it stands before a handler where the broker has an authorizer.

    @guards(DeleteRecordsRequest)
    async def delete_records(request, gate): ...

It takes out of a request what its sender may not do, lets the handler serve the rest, and adds the
refusals to the answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, Generic, TypeVar

import msgspec

from ottla.base.registry import Registry
from ottla.broker.authorizer import Access
from ottla.broker.broker import Broker
from ottla.broker.handlers import Call
from ottla.security.acl import AclResourceType, Operation
from ottla.wire.schema import Message

Request = TypeVar("Request", bound=Message)
Response = TypeVar("Response", bound=Message)
Item = TypeVar("Item")

OPERATIONS_NOT_TOLD: Final = -(2**31)


class Gate(msgspec.Struct, Generic[Request, Response], frozen=True):
    """What a guard has: who asks, how, of whom; and the way to the handler."""

    access: Access
    call: Call
    broker: Broker
    serve: Callable[[Request], Awaitable[Response]]


Guard = Callable[[Any, Any], Awaitable[Any]]

guard_of: Registry[int, Guard] = Registry("guard")


def guards(
    request_type: type[Request],
) -> Callable[
    [Callable[[Request, Gate[Request, Response]], Awaitable[Response]]],
    Callable[[Request, Gate[Request, Response]], Awaitable[Response]],
]:
    """Register the decorated function as the guard of an API."""

    def register(
        guard: Callable[[Request, Gate[Request, Response]], Awaitable[Response]],
    ) -> Callable[[Request, Gate[Request, Response]], Awaitable[Response]]:
        guard_of.add(request_type.API_KEY, guard)
        return guard

    return register


def apart(items: Iterable[Item], allowed: Callable[[Item], bool]) -> tuple[list[Item], list[Item]]:
    """Those that are allowed, and the others."""
    yes: list[Item] = []
    no: list[Item] = []
    for item in items:
        (yes if allowed(item) else no).append(item)
    return yes, no


def narrowed(bits: int, access: Access, resource_type: AclResourceType, name: str) -> int:
    """Of the operations that a resource knows (KIP-430), those that the sender may do."""
    if bits == OPERATIONS_NOT_TOLD:
        return bits
    return access.bits(resource_type, name, (each for each in Operation if bits >> each & 1))
