"""Walking through the batches of a log file.

`walk` trusts the file and reads headers only; `verified` trusts nothing and reads everything.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final, NamedTuple

from ottla.base.limits import KIB, MIB
from ottla.base.world import File
from ottla.log.errors import StorageError
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

_STEP_BYTES: Final = 8 * KIB
"""A sparse index leads to within `index.interval.bytes` (4 KiB) of a batch: one read, mostly."""

_VERIFY_BYTES: Final = MIB

_LEGACY_MAGICS: Final = (0, 1)


class DamagedLogError(Exception):
    """No batch begins where one should."""


class Placed(NamedTuple):
    """A batch and where it begins in its file."""

    position: int
    header: BatchHeader


def walk(file: File, position: int, end: int) -> Iterator[Placed]:
    """Every batch from `position`, which is the begin of one, to `end`.

    Raises DamagedLogError where the bytes cannot be a batch, or one reaches beyond `end`.
    """
    step = _STEP_BYTES
    while position < end:
        chunk = file.read_at(position, min(step, end - position))
        at = 0
        while at + HEADER_SIZE <= len(chunk):
            header = BatchHeader(*HEADER.unpack_from(chunk, at))
            size = header.batch_length + LENGTH_OVERHEAD
            if header.magic != MAGIC or size < HEADER_SIZE or position + at + size > end:
                raise DamagedLogError(f"{file.path} has no batch at {position + at}")
            yield Placed(position + at, header)
            at += size
        if at == 0:
            raise DamagedLogError(f"{file.path} ends inside a batch header at {position}")
        position += at
        # Behind a large batch another one follows, mostly: then only its header is wanted.
        step = _STEP_BYTES if at <= 2 * _STEP_BYTES else HEADER_SIZE


def verified(file: File, first_offset: int) -> Iterator[Placed]:
    """Every batch from the begin of the file up to the first that is cut, damaged or out of order.

    `first_offset` is the least offset that may come. Where the last batch ends, the valid part
    does. Raises StorageError for whole messages of formats older than v2: those must not be cut.
    """
    position = 0
    next_offset = first_offset
    end = file.size
    chunk, chunk_at = memoryview(b""), 0
    while True:
        at = position - chunk_at
        size = _size_at(chunk, at)
        if size > len(chunk) - at:
            chunk = _read_batch(file, position, end)
            chunk_at, at = position, 0
            size = _size_at(chunk, 0)
        if size > len(chunk) - at:
            return
        header = BatchHeader(*HEADER.unpack_from(chunk, at))
        if not _is_valid(chunk[at : at + size], header, next_offset):
            _refuse_legacy(file.path, position, chunk[at:])
            return
        yield Placed(position, header)
        next_offset = header.next_offset
        position += size


def _size_at(chunk: memoryview, at: int) -> int:
    """The size that the batch at `at` claims; at least a header's."""
    if len(chunk) - at < HEADER_SIZE:
        return HEADER_SIZE
    length = int.from_bytes(chunk[at + 8 : at + LENGTH_OVERHEAD], "big", signed=True)
    return max(length + LENGTH_OVERHEAD, HEADER_SIZE)


def _read_batch(file: File, position: int, end: int) -> memoryview:
    """The batch at `position`, whole where the file has it, and some of what follows."""
    left = end - position
    chunk = memoryview(file.read_at(position, min(_VERIFY_BYTES, left)))
    size = _size_at(chunk, 0)
    if len(chunk) < size <= left:
        chunk = memoryview(file.read_at(position, size))
    return chunk


def _is_valid(batch: memoryview, header: BatchHeader, next_offset: int) -> bool:
    return (
        header.magic == MAGIC
        and header.batch_length + LENGTH_OVERHEAD == len(batch)
        and header.base_offset >= next_offset
        and header.last_offset_delta >= 0
        and crc32c(batch[CRC_FROM:]) == header.crc
    )


def _refuse_legacy(path: str, position: int, rest: memoryview) -> None:
    length = int.from_bytes(rest[8:LENGTH_OVERHEAD], "big", signed=True)
    message = rest[MAGIC_AT : LENGTH_OVERHEAD + length] if length > 0 else rest[:0]
    if not message or message[0] not in _LEGACY_MAGICS:
        return
    stated = int.from_bytes(rest[LENGTH_OVERHEAD:MAGIC_AT], "big")
    if zlib.crc32(message) == stated:
        raise StorageError(
            f"{path} at {position} holds messages of format v{message[0]}; only v2 is read here. "
            "A Kafka of before 4.0 can rewrite the topic"
        )
