"""A committed position."""

from __future__ import annotations

from msgspec import Struct

from ottla.base.ids import NO_EPOCH


class OffsetAndMetadata(Struct, frozen=True):
    """The next offset to read, with the leader epoch of the record before it (-1 unknown).

    `metadata` is whatever the program wants to find again.
    """

    offset: int
    leader_epoch: int = NO_EPOCH
    metadata: str = ""
