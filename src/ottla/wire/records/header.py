"""The 61 bytes before the records of a batch, format v2: all that a broker looks at.

Reading them, checking the batch against them, and changing them in place.
Layout: https://kafka.apache.org/documentation/#recordbatch
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import Final

import msgspec

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.world import Buffer
from ottla.wire.records.compression import Codec
from ottla.wire.records.crc32c import crc32c

MAGIC: Final = 2
MAGIC_AT: Final = 16
"""Where every format since the first keeps its magic number."""

HEADER: Final = struct.Struct(">qiiBIhiqqqhii")
HEADER_SIZE: Final = HEADER.size

LENGTH_OVERHEAD: Final = 12
"""Base offset and batch length: `batch_length` counts what follows them."""

NO_TIMESTAMP: Final = -1
NO_SEQUENCE: Final = -1

CRC_FROM: Final = 21
"""The checksum covers everything from the attributes on, so that placing a batch keeps it."""

CODEC_BITS: Final = 0x07
LOG_APPEND_TIME_BIT: Final = 0x08
TRANSACTIONAL_BIT: Final = 0x10
CONTROL_BIT: Final = 0x20
DELETE_HORIZON_BIT: Final = 0x40

_CODECS: Final = tuple(Codec)
PLACEMENT: Final = struct.Struct(">qii")
_CRC_AND_ATTRIBUTES: Final = struct.Struct(">Ih")
_MAX_TIMESTAMP_AT: Final = 35
_INT64: Final = struct.Struct(">q")


class TimestampType(IntEnum):
    """Bit 3 of the attributes: who set the timestamps (KIP-32)."""

    CREATE_TIME = 0
    LOG_APPEND_TIME = 1


class BatchHeader(msgspec.Struct, gc=False):
    """The fields of a header, in order of the bytes."""

    base_offset: int
    batch_length: int
    partition_leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_offset_delta: int
    base_timestamp: int
    max_timestamp: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    record_count: int

    @property
    def size(self) -> int:
        """All bytes of the batch."""
        return self.batch_length + LENGTH_OVERHEAD

    @property
    def last_offset(self) -> int:
        return self.base_offset + self.last_offset_delta

    @property
    def next_offset(self) -> int:
        return self.base_offset + self.last_offset_delta + 1

    @property
    def codec_id(self) -> int:
        return self.attributes & CODEC_BITS

    @property
    def codec(self) -> Codec:
        """Raises ProtocolError(UNSUPPORTED_COMPRESSION_TYPE) for an id that Kafka does not know."""
        number = self.attributes & CODEC_BITS
        if number >= len(_CODECS):
            raise ProtocolError(
                ErrorCode.UNSUPPORTED_COMPRESSION_TYPE, f"no codec has the id {number}"
            )
        return _CODECS[number]

    @property
    def timestamp_type(self) -> TimestampType:
        if self.attributes & LOG_APPEND_TIME_BIT:
            return TimestampType.LOG_APPEND_TIME
        return TimestampType.CREATE_TIME

    @property
    def is_transactional(self) -> bool:
        return bool(self.attributes & TRANSACTIONAL_BIT)

    @property
    def is_control(self) -> bool:
        return bool(self.attributes & CONTROL_BIT)

    @property
    def delete_horizon_ms(self) -> int | None:
        """When tombstones of a compacted batch may go; it takes the place of the base timestamp."""
        return self.base_timestamp if self.attributes & DELETE_HORIZON_BIT else None

    @property
    def last_sequence(self) -> int:
        """-1 without one. Sequences wrap from 2**31 - 1 to 0."""
        if self.base_sequence == NO_SEQUENCE:
            return NO_SEQUENCE
        return (self.base_sequence + self.last_offset_delta) & 0x7FFF_FFFF


def read_header(buffer: Buffer, position: int = 0) -> BatchHeader:
    """Raises ProtocolError(CORRUPT_MESSAGE) where 61 bytes are not left."""
    try:
        return BatchHeader(*HEADER.unpack_from(buffer, position))
    except struct.error as error:
        raise ProtocolError(
            ErrorCode.CORRUPT_MESSAGE,
            f"{len(buffer) - position} bytes are not a batch header ({HEADER_SIZE})",
        ) from error


def crc_matches(buffer: Buffer, header: BatchHeader, position: int = 0) -> bool:
    """Whether the checksum of the batch at `position` is the one its header states."""
    end = position + header.batch_length + LENGTH_OVERHEAD
    return crc32c(memoryview(buffer)[position + CRC_FROM : end]) == header.crc


def check_crc(buffer: Buffer, position: int, size: int) -> None:
    """Raises ProtocolError(CORRUPT_MESSAGE) where the batch of `size` bytes is damaged."""
    stated = int.from_bytes(memoryview(buffer)[position + 17 : position + 21], "big")
    actual = crc32c(memoryview(buffer)[position + CRC_FROM : position + size])
    if stated != actual:
        raise ProtocolError(
            ErrorCode.CORRUPT_MESSAGE, f"batch CRC is {actual}, its header says {stated}"
        )


def iter_batches(buffer: Buffer) -> Iterator[tuple[BatchHeader, memoryview]]:
    """Every whole batch with its header; a cut one at the end is left out, as in a fetch.

    Raises ProtocolError(CORRUPT_MESSAGE) for a header that cannot be one.
    """
    view = memoryview(buffer)
    position = 0
    end = len(view)
    while end - position >= HEADER_SIZE:
        header = BatchHeader(*HEADER.unpack_from(view, position))
        size = header.batch_length + LENGTH_OVERHEAD
        if size < HEADER_SIZE or header.magic != MAGIC:
            raise ProtocolError(
                ErrorCode.CORRUPT_MESSAGE,
                f"no batch at {position}: {size} bytes, magic {header.magic}",
            )
        if position + size > end:
            return
        yield header, view[position : position + size]
        position += size


def iter_headers(buffer: Buffer) -> Iterator[BatchHeader]:
    """The headers of `iter_batches`."""
    for header, _ in iter_batches(buffer):
        yield header


def patch_placement(
    buffer: bytearray | memoryview, position: int, base_offset: int, leader_epoch: int
) -> None:
    """Give a batch its offset and epoch in place; both are outside of the checksum."""
    length = int.from_bytes(buffer[position + 8 : position + 12], "big")
    PLACEMENT.pack_into(buffer, position, base_offset, length, leader_epoch)


def patch_log_append_time(
    buffer: bytearray | memoryview, header: BatchHeader, timestamp_ms: int
) -> None:
    """Make the whole batch carry the broker's time (KIP-32); updates `header` and the checksum."""
    header.attributes |= LOG_APPEND_TIME_BIT
    header.max_timestamp = timestamp_ms
    _INT64.pack_into(buffer, _MAX_TIMESTAMP_AT, timestamp_ms)
    seal(buffer, header)


def seal(buffer: bytearray | memoryview, header: BatchHeader) -> None:
    """Write the attributes, then the checksum over all that follows it."""
    _CRC_AND_ATTRIBUTES.pack_into(buffer, CRC_FROM - 4, 0, header.attributes)
    with memoryview(buffer) as view:
        header.crc = crc32c(view[CRC_FROM : header.size])
    _CRC_AND_ATTRIBUTES.pack_into(buffer, CRC_FROM - 4, header.crc, header.attributes)
