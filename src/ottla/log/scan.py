"""Walking through the batches of a log file.

`walk` trusts the file and reads headers only; `surveys` trusts nothing and reads everything.
"""

from __future__ import annotations

import zlib
from bisect import bisect_right
from collections.abc import Iterator
from typing import Final, NamedTuple

from ottla.base.limits import KIB, MIB
from ottla.base.world import File
from ottla.log.errors import StorageError
from ottla.wire.records.header import (
    HEADER,
    HEADER_SIZE,
    LENGTH_OVERHEAD,
    MAGIC,
    MAGIC_AT,
    BatchHeader,
)
from ottla.wire.records.survey import Stop, Survey, survey

_STEP_BYTES: Final = 8 * KIB
"""A sparse index leads to within `index.interval.bytes` (4 KiB) of a batch: one read, mostly."""

_VERIFY_BYTES: Final = MIB

_LEGACY_MAGICS: Final = (0, 1)

OFFSETS_PER_FILE_MAX: Final = 1 << 31
"""Indexes keep int32 offsets relative to the first one that the file may hold."""


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


def surveys(file: File, first_offset: int) -> Iterator[Survey]:
    """The batches of a file up to the first that is cut, damaged or out of order, in large pieces.

    `first_offset` is the least offset that may come. Where the last batch ends, the valid part
    does. Raises StorageError for whole messages of formats older than v2: those must not be cut.
    """
    position, next_offset, end = 0, first_offset, file.size
    while position < end:
        chunk = _read_batches(file, position, end)
        found = survey(chunk, position, next_offset)
        if len(found) and found.nexts[-1] - first_offset > OFFSETS_PER_FILE_MAX:
            found = _below(found, first_offset + OFFSETS_PER_FILE_MAX)
        if len(found):
            yield found
            next_offset = found.nexts[-1]
            position += found.size
        if found.stop is Stop.INVALID or not len(found):
            _refuse_legacy(file.path, position, _read_batches(file, position, end))
            return


def _below(found: Survey, end_offset: int) -> Survey:
    """Offsets are not under the CRC: the first that is too high is damaged, and ends the file."""
    count = bisect_right(found.nexts, end_offset)
    end = found.positions[count] - found.position
    columns = (column[:count] for column in found[4:])
    return Survey(found.buffer, found.position, Stop.INVALID, end, *columns)


def _read_batches(file: File, position: int, end: int) -> memoryview:
    """What begins at `position`: the first batch whole, where the file has it."""
    left = end - position
    chunk = memoryview(file.read_at(position, min(_VERIFY_BYTES, left)))
    if len(chunk) < HEADER_SIZE:
        return chunk
    size = int.from_bytes(chunk[8:LENGTH_OVERHEAD], "big", signed=True) + LENGTH_OVERHEAD
    if len(chunk) < size <= left:
        chunk = memoryview(file.read_at(position, size))
    return chunk


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
