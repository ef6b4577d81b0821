"""Control records: what brokers write for each other between the records of clients.

The key says the type; the values are payloads of their own.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Final

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.world import Buffer

_KEY: Final = struct.Struct(">hh")
_VERSION: Final = 0


class ControlType(IntEnum):
    """The second int16 of a control record's key."""

    ABORT = 0
    COMMIT = 1
    LEADER_CHANGE = 2
    SNAPSHOT_HEADER = 3
    SNAPSHOT_FOOTER = 4
    KRAFT_VERSION = 5
    KRAFT_VOTERS = 6


def control_key(control_type: ControlType) -> bytes:
    """The key of a control record."""
    return _KEY.pack(_VERSION, control_type)


def control_type(key: Buffer | None) -> ControlType:
    """Raises ProtocolError(INVALID_RECORD) for a key that is none, or of an unknown type."""
    if key is None or len(key) < _KEY.size:
        raise ProtocolError(ErrorCode.INVALID_RECORD, "a control record's key has four bytes")
    _, number = _KEY.unpack_from(key)
    try:
        return ControlType(number)
    except ValueError as error:
        raise ProtocolError(
            ErrorCode.INVALID_RECORD, f"no control record has the type {number}"
        ) from error
