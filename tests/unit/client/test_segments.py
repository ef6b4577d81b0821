"""Several pieces to one stream: all bytes in their order, whatever the socket takes at once."""

from __future__ import annotations

import asyncio
import os
from asyncio.trsock import TransportSocket
from collections.abc import Iterator
from typing import Any, cast

import pytest

from ottla.client import segments as module
from ottla.client.segments import WRITES_AT_ONCE_MAX, write_segments


class _Descriptor:
    """As much of a socket as is looked at."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def fileno(self) -> int:
        return self._fd


class _Stream:
    """Keeps what it is given, as asyncio's stream does behind a full socket."""

    def __init__(self, fd: int, waiting: bytes = b"") -> None:
        self.kept = bytearray(waiting)
        self.joined = 0
        self._socket = TransportSocket(cast(Any, _Descriptor(fd)))

    def get_extra_info(self, name: str) -> TransportSocket:
        assert name == "socket"
        return self._socket

    def get_write_buffer_size(self) -> int:
        return len(self.kept)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.kept += data

    def writelines(self, pieces: list[bytes]) -> None:
        self.joined += 1
        self.kept += b"".join(pieces)


class _PlainStream(_Stream):
    """What asyncio's loop makes of a TCP socket."""


_PlainStream.__module__ = "asyncio.selector_events"


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    monkeypatch.setattr(module, "_JOINS", True)
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    yield reading, writing
    os.close(reading)
    os.close(writing)


def everything(reading: int) -> bytes:
    found = bytearray()
    while True:
        try:
            found += os.read(reading, 1 << 20)
        except BlockingIOError:
            return bytes(found)


def written(stream: _Stream, pieces: list[bytes]) -> None:
    write_segments(cast(asyncio.Transport, stream), pieces)


PIECES = [bytes([number]) * (50_000 + number) for number in range(5)]


def test_what_the_socket_does_not_take_is_kept_by_the_stream(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    stream = _PlainStream(writing)
    written(stream, PIECES)
    taken = everything(reading)
    assert 0 < len(taken) < sum(map(len, PIECES)), "a pipe takes 64 KiB"
    assert taken + stream.kept == b"".join(PIECES)
    assert stream.joined == 0


def test_nothing_is_kept_where_all_is_taken(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    stream = _PlainStream(writing)
    pieces = [b"head", b"", b"x" * 10_000]
    written(stream, pieces)
    assert everything(reading) == b"".join(pieces)
    assert not stream.kept


def test_nothing_passes_by_what_waits_already(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    stream = _PlainStream(writing, waiting=b"before")
    written(stream, PIECES)
    assert everything(reading) == b""
    assert stream.kept == b"before" + b"".join(PIECES)


def test_a_broken_socket_is_the_streams_to_notice(pipe: tuple[int, int]) -> None:
    stream = _PlainStream(-1)
    written(stream, PIECES)
    assert stream.kept == b"".join(PIECES)


def test_more_pieces_than_one_call_takes_keep_their_order(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    pieces = [number.to_bytes(2, "big") for number in range(2 * WRITES_AT_ONCE_MAX + 3)]
    stream = _PlainStream(writing)
    written(stream, pieces)
    assert everything(reading) + stream.kept == b"".join(pieces)


@pytest.mark.parametrize("joins", [True, False])
def test_other_streams_are_asked_to_write_all(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch, *, joins: bool
) -> None:
    """TLS is between the stream and its socket."""
    reading, writing = pipe
    monkeypatch.setattr(module, "_JOINS", joins)
    stream = _Stream(writing) if joins else _PlainStream(writing)
    written(stream, PIECES)
    assert (stream.joined, everything(reading)) == (1, b"")
    assert stream.kept == b"".join(PIECES)


def test_one_piece_is_simply_written(pipe: tuple[int, int]) -> None:
    stream = _PlainStream(pipe[1])
    written(stream, [b"whole"])
    assert stream.kept == b"whole"
    assert stream.joined == 0
