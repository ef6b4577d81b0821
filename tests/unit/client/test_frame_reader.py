"""Frames out of a stream that comes in pieces."""

from __future__ import annotations

import struct

import pytest

from ottla.base.limits import CLIENT_ANSWER_BYTES_MAX, CLIENT_READ_SCRATCH_BYTES
from ottla.client.frame_reader import FrameReader


def framed(*bodies: bytes) -> bytes:
    return b"".join(struct.pack(">i", len(body)) + body for body in bodies)


def read(stream: bytes, piece_bytes: int) -> list[bytes]:
    frames: list[memoryview] = []
    reader = FrameReader(frames.append)
    while stream:
        buffer = reader.buffer
        count = min(len(buffer), piece_bytes, len(stream))
        assert count > 0
        buffer[:count] = stream[:count]
        stream = stream[count:]
        reader.received(count)
    # Read at the end only: what comes later must not change a frame that was handed out.
    return [bytes(frame) for frame in frames]


BODIES = [b"1234", b"x" * 300, b"12345", bytes(range(256)) * 2]


@pytest.mark.parametrize("piece_bytes", [*range(1, 40), 305, 1 << 20])
def test_small_frames_are_cut_wherever_the_pieces_end(piece_bytes: int) -> None:
    assert read(framed(*BODIES), piece_bytes) == BODIES


@pytest.mark.parametrize("piece_bytes", [1000, 4096, 65_535, 1 << 20])
@pytest.mark.parametrize("excess", [-5, -4, -3, 0, 1, 300_000])
def test_large_frames_between_small_ones_are_whole(piece_bytes: int, excess: int) -> None:
    large = (bytes(range(251)) * 2000)[: CLIENT_READ_SCRATCH_BYTES + excess]
    bodies = [b"before", large, b"after", large, large, b"end."]
    assert read(framed(*bodies), piece_bytes) == bodies


@pytest.mark.parametrize("size", [-1, 0, 3, CLIENT_ANSWER_BYTES_MAX + 1])
def test_a_size_that_no_answer_has_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match=str(size)):
        read(framed(b"good") + struct.pack(">i", size), 1 << 20)
