"""One request to a broker of which it is known what it speaks, past every proxy."""

from __future__ import annotations

import socket
import struct
from typing import Final, TypeVar

from ottla.wire.compiler import codec
from ottla.wire.frames import request_frame
from ottla.wire.headers import decode_response_header
from ottla.wire.schema import Message

R = TypeVar("R", bound=Message)

ANSWER_SECONDS_MAX: Final = 30.0
_SIZE: Final = struct.Struct(">i")
_CLIENT_ID: Final = "ottla-testing"


def ask(
    address: tuple[str, int], request: Message, answer: type[R], *, at_most: int | None = None
) -> R:
    """Connect, ask in the newest version, or in an older one, disconnect.

    Raises OSError where nobody answers.
    """
    newest = request.VERSIONS.max
    version = newest if at_most is None else min(newest, at_most)
    frame = request_frame(request, version=version, correlation_id=0, client_id=_CLIENT_ID)
    with socket.create_connection(address, ANSWER_SECONDS_MAX) as connection:
        connection.sendall(frame)
        (size,) = _SIZE.unpack(_read(connection, _SIZE.size))
        body = memoryview(_read(connection, size))
    _, start = decode_response_header(body, 0, len(body), api_key=request.API_KEY, version=version)
    response, _ = codec(answer, version).decode(body, start, len(body))
    return response


def _read(connection: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            raise ConnectionResetError("the broker closed the connection instead of answering")
        data += piece
    return bytes(data)
