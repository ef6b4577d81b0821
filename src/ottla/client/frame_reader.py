"""Frames out of a byte stream, each in memory of its own, which views of its records may keep.

Small frames are copied out of one buffer; a large one is read straight to its place.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

from ottla.base.limits import CLIENT_ANSWER_BYTES_MAX, CLIENT_READ_SCRATCH_BYTES
from ottla.wire.records.memory import block

_SIZE: Final = struct.Struct(">i")
_BYTES_MIN: Final = 4
"""A shorter answer has no room for its correlation id."""


class FrameReader:
    """Calls `on_frame` with each frame, without its size."""

    __slots__ = ("_filled", "_large", "_large_filled", "_on_frame", "_scratch")

    def __init__(self, on_frame: Callable[[memoryview], None]) -> None:
        self._on_frame = on_frame
        self._scratch = memoryview(bytearray(CLIENT_READ_SCRATCH_BYTES))
        self._filled = 0
        self._large: memoryview | None = None
        self._large_filled = 0

    @property
    def buffer(self) -> memoryview:
        """Where the next bytes go; never empty."""
        if self._large is not None:
            return self._large[self._large_filled :]
        return self._scratch[self._filled :]

    def received(self, count: int) -> None:
        """`count` bytes are in the buffer. Raises ValueError for a size that no answer has."""
        if self._large is None:
            self._filled += count
            self._cut()
            return
        self._large_filled += count
        if self._large_filled == len(self._large):
            frame, self._large = self._large, None
            self._on_frame(frame)

    def _cut(self) -> None:
        """Hand out every whole frame of the scratch, and keep the rest at its beginning."""
        scratch, position, filled = self._scratch, 0, self._filled
        size = 0
        while filled - position >= _SIZE.size:
            size = self._size_at(position)
            end = position + _SIZE.size + size
            if end > filled:
                break
            self._on_frame(memoryview(bytes(scratch[position + _SIZE.size : end])))
            position = end
            size = 0
        rest = filled - position
        if _SIZE.size + size > len(scratch):
            self._begin_large(position + _SIZE.size, size)
        else:
            scratch[:rest] = bytes(scratch[position:filled])
            self._filled = rest

    def _size_at(self, position: int) -> int:
        size: int = _SIZE.unpack_from(self._scratch, position)[0]
        if not _BYTES_MIN <= size <= CLIENT_ANSWER_BYTES_MAX:
            raise ValueError(f"an answer claims to have {size} bytes")
        return size

    def _begin_large(self, begin: int, size: int) -> None:
        received = self._filled - begin
        self._large = block(size)
        self._large[:received] = self._scratch[begin : self._filled]
        self._large_filled = received
        self._filled = 0
