"""Reading the batches of a closed segment whole, each checked by its CRC."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from ottla.base.errors import ProtocolError
from ottla.base.world import Disk, File
from ottla.log import names
from ottla.log.compaction.plan import SourceSegment
from ottla.log.scan import DamagedLogError
from ottla.wire.records.header import (
    HEADER,
    HEADER_SIZE,
    LENGTH_OVERHEAD,
    MAGIC,
    BatchHeader,
    crc_matches,
)
from ottla.wire.records.record import records_block

Throttle = Callable[[int], None]
"""Is told of every read and write, in bytes, and may take its time."""

_CHUNK_BYTES_MIN: Final = HEADER_SIZE


def batches_of(
    segment: SourceSegment, directory: str, disk: Disk, chunk_bytes: int, throttle: Throttle
) -> Iterator[tuple[BatchHeader, memoryview]]:
    """Every batch with its header; valid until the next one is asked for.

    Raises OSError where the file has gone, DamagedLogError where a batch is not what it was.
    """
    file = disk.open(names.log_path(directory, segment.base_offset))
    try:
        position, next_offset = 0, segment.base_offset
        while position < segment.size:
            chunk = _read(file, position, segment.size, max(chunk_bytes, _CHUNK_BYTES_MIN))
            throttle(len(chunk))
            at = 0
            while (size := _size_at(chunk, at)) <= len(chunk) - at:
                header = BatchHeader(*HEADER.unpack_from(chunk, at))
                if header.base_offset < next_offset or not _is_whole(chunk, header, at):
                    raise DamagedLogError(f"{file.path} has a damaged batch at {position + at}")
                yield header, chunk[at : at + size]
                next_offset = header.next_offset
                at += size
            if not at:
                raise DamagedLogError(f"{file.path} has no whole batch at {position}")
            position += at
    finally:
        file.close()


def block_of(batch: memoryview, header: BatchHeader) -> bytes:
    """The records of a batch, decompressed. Raises DamagedLogError where they cannot be."""
    try:
        return bytes(records_block(batch, header))
    except ProtocolError as error:
        raise damaged(header, error.message) from error


def damaged(header: BatchHeader, reason: str) -> DamagedLogError:
    return DamagedLogError(f"the batch at offset {header.base_offset} cannot be read: {reason}")


def _read(file: File, position: int, end: int, chunk_bytes: int) -> memoryview:
    """What begins at `position`: at least one whole batch, where the file has it."""
    chunk = memoryview(file.read_at(position, min(chunk_bytes, end - position)))
    size = _size_at(chunk, 0)
    if len(chunk) < size <= end - position:
        chunk = memoryview(file.read_at(position, size))
    return chunk


def _size_at(chunk: memoryview, at: int) -> int:
    """The size that the batch at `at` claims; at least a header's."""
    if len(chunk) - at < HEADER_SIZE:
        return HEADER_SIZE
    length = int.from_bytes(chunk[at + 8 : at + LENGTH_OVERHEAD], "big", signed=True)
    return max(length + LENGTH_OVERHEAD, HEADER_SIZE)


def _is_whole(chunk: memoryview, header: BatchHeader, at: int) -> bool:
    return (
        header.magic == MAGIC
        and header.last_offset_delta >= 0
        and header.batch_length + LENGTH_OVERHEAD >= HEADER_SIZE
        and crc_matches(chunk, header, at)
    )
