"""What stands before every message: the two request headers and the two response headers.

Headers follow their API's version: where it is flexible they carry tagged fields. The client id
stays an ordinary nullable string even there. ApiVersions responses never have tagged fields in the
header, because the client does not know yet what the broker speaks.
"""

from __future__ import annotations

import struct

import msgspec

from ottla.wire.primitives import MalformedError, malformed, skip_tags
from ottla.wire.schema import flexible_headers

API_VERSIONS_KEY = 18

_PREFIX = struct.Struct(">hhih")  # key, version, correlation id, length of the client id
_CORRELATION_ID = struct.Struct(">i")
_NEVER = range(0)


class RequestHeader(msgspec.Struct, gc=False):
    """Who asks what, in which version."""

    api_key: int
    api_version: int
    correlation_id: int
    client_id: str | None


def decode_request_header(buffer: memoryview, position: int, end: int) -> tuple[RequestHeader, int]:
    """The header and the position of the body.

    Of an API or a version that is not declared only the part common to all headers is read, so
    that the caller can tell the client what it lacks; there the position means nothing.
    Raises ProtocolError(INVALID_REQUEST) for what is no header.
    """
    buffer = buffer[:end]
    try:
        key, version, correlation_id, length = _PREFIX.unpack_from(buffer, position)
        position += 10
        client_id = None
        if length > 0:
            client_id = str(buffer[position : position + length], "utf-8")
            position += length
        elif length == 0:
            client_id = ""
        elif length < -1:
            raise MalformedError("the client id has a negative length")
        if version in flexible_headers.get(key, _NEVER):
            tags = buffer[position]
            position += 1
            if tags:
                position = skip_tags(buffer, position, tags)
        if position > end:
            raise MalformedError("cut short")
    except (IndexError, struct.error, ValueError) as error:
        raise malformed("request header", position, error) from None
    return RequestHeader(key, version, correlation_id, client_id), position


def encode_request_header(header: RequestHeader) -> bytearray:
    """What `decode_request_header` reads. Raises ValueError for a client id that is too long."""
    name = b"" if header.client_id is None else header.client_id.encode()
    if len(name) > 0x7FFF:
        raise ValueError(f"a client id of {len(name)} bytes")
    length = -1 if header.client_id is None else len(name)
    out = bytearray(_PREFIX.pack(header.api_key, header.api_version, header.correlation_id, length))
    out += name
    if header.api_version in flexible_headers.get(header.api_key, _NEVER):
        out.append(0)
    return out


def _has_tags(api_key: int, version: int) -> bool:
    return api_key != API_VERSIONS_KEY and version in flexible_headers.get(api_key, _NEVER)


def response_header(api_key: int, version: int, correlation_id: int) -> bytes:
    """The header of an answer to `version` of an API."""
    header = _CORRELATION_ID.pack(correlation_id)
    return header + b"\0" if _has_tags(api_key, version) else header


def decode_response_header(
    buffer: memoryview, position: int, end: int, *, api_key: int, version: int
) -> tuple[int, int]:
    """The correlation id and the position of the body.

    Raises ProtocolError(INVALID_REQUEST) for what is no header.
    """
    buffer = buffer[:end]
    try:
        (correlation_id,) = _CORRELATION_ID.unpack_from(buffer, position)
        position += 4
        if _has_tags(api_key, version):
            tags = buffer[position]
            position = skip_tags(buffer, position + 1, tags)
        if position > end:
            raise MalformedError("cut short")
    except (IndexError, struct.error, ValueError) as error:
        raise malformed("response header", position, error) from None
    else:
        return correlation_id, position
