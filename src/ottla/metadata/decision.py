"""What a decision is: records to append, and the answer to give once they are."""

from __future__ import annotations

from typing import Generic, TypeVar

from msgspec import Struct

from ottla.wire.schema import Payload

R = TypeVar("R")


class Decision(Struct, Generic[R], frozen=True):
    """`reply` holds only once `records` are committed; without records it holds at once."""

    records: tuple[Payload, ...]
    reply: R
