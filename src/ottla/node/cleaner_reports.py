"""What the process that compacts answers, and how both sides cut their messages.

Apart from the process, so that the broker need not load what compacts.
"""

from __future__ import annotations

from typing import Final

import msgspec

from ottla.log.compaction.result import CompactionResult

LENGTH_BYTES: Final = 4
"""Before each order and each report: the length of what follows, in msgpack, as a big endian."""


class Done(msgspec.Struct, tag="done"):
    """The order is carried out."""

    result: CompactionResult


class Damaged(msgspec.Struct, tag="damaged"):
    """The log cannot be read."""

    reason: str


class Refused(msgspec.Struct, tag="refused"):
    """The disk refused something; `number` as in OSError."""

    number: int
    reason: str


Report = Done | Damaged | Refused
