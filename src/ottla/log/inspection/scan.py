"""Every batch of a log file, and every stretch of bytes that is none: damage does not end it.

Where no batch begins, the next place is looked for at which a whole one does, its checksum
included.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Final, NamedTuple

from ottla.base.limits import MIB
from ottla.base.world import File
from ottla.log.inspection.finding import Problem
from ottla.wire.records.crc32c import crc32c
from ottla.wire.records.header import (
    CRC_FROM,
    HEADER,
    HEADER_SIZE,
    LENGTH_OVERHEAD,
    MAGIC,
    MAGIC_AT,
    BatchHeader,
)

_CHUNK_BYTES: Final = MIB
_LENGTH: Final = struct.Struct(">i")
_LEGACY_MAGICS: Final = (0, 1)


class Whole(NamedTuple):
    """A batch whose checksum is right."""

    position: int
    header: BatchHeader
    batch: memoryview


class Broken(NamedTuple):
    """Bytes from `position` to `end` that are no batch; `header` where something like one leads."""

    position: int
    end: int
    problem: Problem
    detail: str
    header: BatchHeader | None = None


class _Window:
    """A file, read a chunk at a time."""

    def __init__(self, file: File) -> None:
        self._file = file
        self._chunk = memoryview(b"")
        self._at = 0
        self.size = file.size

    def read(self, position: int, length: int) -> memoryview:
        """Up to `length` bytes; fewer only at the end."""
        start = position - self._at
        if start < 0 or start + length > len(self._chunk):
            wanted = min(max(length, _CHUNK_BYTES), max(self.size - position, 0))
            self._chunk = memoryview(self._file.read_at(position, wanted))
            self._at, start = position, 0
        return self._chunk[start : start + length]


def scan(file: File) -> Iterator[Whole | Broken]:
    """All of a file, in order and without a gap. Raises OSError."""
    window = _Window(file)
    position = 0
    while position < window.size:
        found = _at(window, position)
        yield found
        position = found.end if isinstance(found, Broken) else position + found.header.size


def _at(window: _Window, position: int) -> Whole | Broken:
    head = window.read(position, HEADER_SIZE)
    if len(head) < HEADER_SIZE:
        detail = f"{len(head)} bytes are less than a batch header"
        return Broken(position, window.size, Problem.TORN_TAIL, detail)
    header = BatchHeader(*HEADER.unpack_from(head))
    if header.magic != MAGIC or header.size < HEADER_SIZE or position + header.size > window.size:
        return _no_batch(window, position, header)
    batch = window.read(position, header.size)
    actual = crc32c(batch[CRC_FROM:])
    if actual == header.crc:
        return Whole(position, header, batch)
    return Broken(
        position,
        _end_of_damaged(window, position, header),
        Problem.BATCH_CRC,
        f"the CRC is {actual}, the header of offset {header.base_offset} says {header.crc}",
        header,
    )


def _no_batch(window: _Window, position: int, header: BatchHeader) -> Broken:
    legacy = _legacy_size(window, position, header)
    if legacy:
        detail = f"a message of format v{header.magic} at offset {header.base_offset}"
        return Broken(position, position + legacy, Problem.OLD_FORMAT, detail)
    end = _next_batch(window, position + 1)
    if header.magic != MAGIC:
        problem, detail = Problem.BATCH_MAGIC, f"the magic byte is {header.magic}, not {MAGIC}"
        if end == window.size and _is_zeros(window, position, end):
            problem, detail = Problem.TORN_TAIL, f"{end - position} zero bytes"
    elif header.size < HEADER_SIZE:
        problem, detail = Problem.BATCH_LENGTH, f"a batch of {header.size} bytes cannot be"
    else:
        left = window.size - position
        detail = f"a batch of {header.size} bytes, and the file has {left} more"
        problem = Problem.TORN_TAIL if end == window.size else Problem.BATCH_LENGTH
    return Broken(position, end, problem, detail, header if header.magic == MAGIC else None)


def _legacy_size(window: _Window, position: int, header: BatchHeader) -> int:
    """The size of a whole message of a format before v2, by its own checksum; 0 for none."""
    if header.magic not in _LEGACY_MAGICS or header.batch_length < MAGIC_AT - LENGTH_OVERHEAD + 1:
        return 0
    message = window.read(position, min(header.size, window.size - position))
    if len(message) < header.size:
        return 0
    stated = int.from_bytes(message[LENGTH_OVERHEAD:MAGIC_AT], "big")
    return header.size if zlib.crc32(message[MAGIC_AT:]) == stated else 0


def _is_zeros(window: _Window, position: int, end: int) -> bool:
    return not any(
        any(window.read(at, min(_CHUNK_BYTES, end - at)))
        for at in range(position, end, _CHUNK_BYTES)
    )


def _end_of_damaged(window: _Window, position: int, header: BatchHeader) -> int:
    """Where to go on: behind the batch if another follows there, else wherever one begins."""
    end = position + header.size
    return (
        end if end == window.size or _is_batch(window, end) else _next_batch(window, position + 1)
    )


def _next_batch(window: _Window, position: int) -> int:
    """The first place from `position` on where a whole batch begins; the end where none does."""
    last = window.size - HEADER_SIZE
    while position <= last:
        span = min(_CHUNK_BYTES // 2, window.size - position)
        candidates = _magic_places(bytes(window.read(position, span)))
        for at in candidates:
            if _is_batch(window, position + at):
                return position + at
        position += max(span - MAGIC_AT, 1)
    return window.size


def _magic_places(data: bytes) -> Iterator[int]:
    """Where a batch could begin, by its magic byte and the sign of its offset and length."""
    at = data.find(MAGIC, MAGIC_AT)
    while at >= 0:
        start = at - MAGIC_AT
        if data[start] < 0x80 and data[start + 8] < 0x80:
            yield start
        at = data.find(MAGIC, at + 1)


def _is_batch(window: _Window, position: int) -> bool:
    head = window.read(position, HEADER_SIZE)
    if len(head) < HEADER_SIZE or head[MAGIC_AT] != MAGIC:
        return False
    size = _LENGTH.unpack_from(head, 8)[0] + LENGTH_OVERHEAD
    if size < HEADER_SIZE or position + size > window.size:
        return False
    crc = int.from_bytes(head[MAGIC_AT + 1 : CRC_FROM], "big")
    return crc32c(window.read(position, size)[CRC_FROM:]) == crc
