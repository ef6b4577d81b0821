"""What a decision is: records to append, and the answer to give once they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from msgspec import Struct

from ottla.wire.schema import Payload

R = TypeVar("R")

TakePermits = Callable[[int], None]
"""Takes as many permits as a change touches partitions; raises ProtocolError where there are none.
"""


def without_quota(partitions: int) -> None:
    """Permits of who has as many as are wanted."""


class Decision(Struct, Generic[R], frozen=True):
    """`reply` holds only once `records` are committed; without records it holds at once."""

    records: tuple[Payload, ...]
    reply: R
