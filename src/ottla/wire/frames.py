"""Whole frames: a size of four bytes, a header, a message.

Pieces are joined where that is cheap: a frame without records is one bytearray, and records that
are file regions or long stay segments of their own.
"""

from __future__ import annotations

import struct

from ottla.wire.compiler import Segment, codec
from ottla.wire.headers import RequestHeader, encode_request_header, response_header
from ottla.wire.schema import Message

COPIED_RECORDS_BYTES_MAX = 4096
"""Bytes-like records up to this size are copied beside their neighbours: cheaper than a segment."""

_SIZE = struct.Struct(">i")
_NO_SIZE_YET = bytes(_SIZE.size)


def response_frame(
    api_key: int, version: int, correlation_id: int, response: Message
) -> list[Segment]:
    """The segments of an answer, in order; the first is a bytearray.

    Raises what `Codec.write` raises.
    """
    out = bytearray(_NO_SIZE_YET)
    out += response_header(api_key, version, correlation_id)
    return _finish(version, response, out)


def request_segments(
    request: Message, *, version: int, correlation_id: int, client_id: str | None
) -> list[Segment]:
    """The segments of a request, in order; the first is a bytearray, long records are their own.

    Raises what `Codec.write` raises.
    """
    header = RequestHeader(request.API_KEY, version, correlation_id, client_id)
    out = bytearray(_NO_SIZE_YET)
    out += encode_request_header(header)
    return _finish(version, request, out)


def request_frame(
    request: Message, *, version: int, correlation_id: int, client_id: str | None
) -> bytearray:
    """A request in one piece; records in it must be bytes-like.

    Raises what `Codec.write` raises.
    """
    segments = request_segments(
        request, version=version, correlation_id=correlation_id, client_id=client_id
    )
    first: bytearray = segments[0]
    return first if len(segments) == 1 else bytearray().join(segments)


def _finish(version: int, message: Message, out: bytearray) -> list[Segment]:
    """Write the message after its header, and the size before it."""
    segments: list[Segment] = []
    last = codec(type(message), version).write(message, out, segments)
    if not segments:
        _SIZE.pack_into(out, 0, len(out) - _SIZE.size)
        return [out]
    if last:
        segments.append(last)
    segments = _joined(segments)
    _SIZE.pack_into(segments[0], 0, sum(map(len, segments)) - _SIZE.size)
    return segments


def _joined(segments: list[Segment]) -> list[Segment]:
    """Copy small neighbours into one bytearray each; what is large or no bytes stays as it is."""
    joined: list[Segment] = []
    tail: bytearray | None = None
    for segment in segments:
        if isinstance(segment, bytes | bytearray | memoryview) and (
            len(segment) <= COPIED_RECORDS_BYTES_MAX
        ):
            if tail is None:
                tail = bytearray(segment)
                joined.append(tail)
            else:
                tail += segment
        else:
            joined.append(segment)
            tail = None
    return joined
