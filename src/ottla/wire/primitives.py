"""The protocol's smallest parts: varints, tagged fields, and what is wrong with bad bytes.

The generated codecs read and write the common case in line and call these for the rest. Every
reader takes a buffer that ends where the message ends, and raises IndexError or MalformedError
when the bytes do not hold what they claim; `malformed` makes the one error that leaves here.
"""

from __future__ import annotations

import struct
from functools import cache

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.limits import STRING_BYTES_MAX


class MalformedError(ValueError):
    """Bytes that no message can have; never leaves the codecs."""


def malformed(what: str, position: int, error: Exception) -> ProtocolError:
    """The error for a peer whose bytes did not decode."""
    reason = str(error) if isinstance(error, MalformedError | UnicodeDecodeError) else "cut short"
    return ProtocolError(ErrorCode.INVALID_REQUEST, f"{what}: {reason}, near byte {position}")


def unsupported(what: str, field: str) -> ProtocolError:
    """The error for a value that the asked version has no place for."""
    return ProtocolError(ErrorCode.UNSUPPORTED_VERSION, f"{what} cannot carry {field}")


@cache
def packed(formats: str) -> struct.Struct:
    """Big-endian fixed-size fields, made once per combination."""
    return struct.Struct(">" + formats)


def read_uvarint(buffer: memoryview, position: int) -> tuple[int, int]:
    """An unsigned varint and the position after it."""
    first = buffer[position]
    if first < 0x80:
        return first, position + 1
    return read_long_uvarint(buffer, position + 1, first)


def read_long_uvarint(buffer: memoryview, position: int, first: int) -> tuple[int, int]:
    """The rest of an unsigned varint whose first byte, read already, says that more follow."""
    value = first & 0x7F
    for shift in (7, 14, 21, 28):
        byte = buffer[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value > 0xFFFFFFFF:
                break
            return value, position
    raise MalformedError("a varint of more than 32 bits")


def read_long_string_length(buffer: memoryview, position: int, first: int) -> tuple[int, int]:
    """As `read_long_uvarint`, for a compact string: one more than its length in bytes."""
    length, position = read_long_uvarint(buffer, position, first)
    if length > STRING_BYTES_MAX + 1:
        raise MalformedError(f"a string of {length - 1} bytes")
    return length, position


def write_uvarint(out: bytearray, value: int) -> None:
    """Append an unsigned varint. Raises ValueError outside 32 bits."""
    if not 0 <= value <= 0xFFFFFFFF:
        raise ValueError(f"not an unsigned 32-bit number: {value}")
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def write_long_string_length(out: bytearray, length: int) -> None:
    """As `write_uvarint`, for a compact string: one more than its length in bytes."""
    if length > STRING_BYTES_MAX + 1:
        raise ValueError(f"a string of {length - 1} bytes; at most {STRING_BYTES_MAX} fit")
    write_uvarint(out, length)


def skip_tags(buffer: memoryview, position: int, first: int) -> int:
    """Pass over tagged fields that this version does not know; `first` began their count.

    The position may come out beyond the end of the buffer: the caller's next read tells.
    """
    count = first
    if first > 0x7F:
        count, position = read_long_uvarint(buffer, position, first)
    for _ in range(count):
        _, position = read_uvarint(buffer, position)
        size, position = read_uvarint(buffer, position)
        position += size
    return position
