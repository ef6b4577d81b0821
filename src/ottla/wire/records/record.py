"""The records inside a batch: reading and writing them.

A record is a length, an attribute byte, deltas of timestamp and offset, key, value and headers;
lengths and deltas are zigzag varints, and -1 as a length means null.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.limits import DECOMPRESSED_BYTES_MAX
from ottla.base.world import Buffer
from ottla.wire.records.compression import Codec, decompress
from ottla.wire.records.header import (
    HEADER_SIZE,
    NO_TIMESTAMP,
    BatchHeader,
    TimestampType,
    read_header,
)

RecordHeader = tuple[str, bytes | None]


class Record(msgspec.Struct, gc=False):
    """One record with its absolute offset and timestamp (milliseconds; -1 for none)."""

    offset: int = 0
    timestamp: int = NO_TIMESTAMP
    key: bytes | None = None
    value: bytes | None = None
    headers: tuple[RecordHeader, ...] = ()


def records_block(
    batch: Buffer, header: BatchHeader, *, limit: int = DECOMPRESSED_BYTES_MAX
) -> Buffer:
    """The encoded records of a batch, decompressed; a view of the batch where it is plain.

    Raises ProtocolError(CORRUPT_MESSAGE) for a broken block or one that exceeds `limit` bytes.
    """
    block = memoryview(batch)[HEADER_SIZE : header.size]
    codec = header.codec
    return block if codec is Codec.NONE else decompress(block, codec, limit=limit)


def iter_records(batch: Buffer, *, limit: int = DECOMPRESSED_BYTES_MAX) -> Iterator[Record]:
    """All records of one whole batch, in order. The checksum is the caller's business.

    Raises ProtocolError(CORRUPT_MESSAGE) where they do not fill the batch exactly, or where the
    batch decompresses to more than `limit` bytes.
    """
    header = read_header(batch)
    return iter_block(bytes(records_block(batch, header, limit=limit)), header)


def iter_block(block: bytes, header: BatchHeader) -> Iterator[Record]:
    """All records of a plain block, as `iter_records` of its batch."""
    if header.record_count < 0:
        raise _corrupt(f"a batch of {header.record_count} records")
    base_offset = header.base_offset
    base_timestamp = header.base_timestamp
    append_time = header.max_timestamp
    by_broker = header.timestamp_type is TimestampType.LOG_APPEND_TIME
    position = 0
    try:
        for _ in range(header.record_count):
            length, start = read_varint(block, position)
            end = start + length
            if length < 0 or end > len(block):
                raise _corrupt(f"a record of {length} bytes does not fit")
            timestamp_delta, position = read_varint(block, start + 1)
            offset_delta, position = read_varint(block, position)
            key, position = _read_nullable(block, position, end)
            value, position = _read_nullable(block, position, end)
            if block[position] == 0 and position + 1 == end:
                headers: tuple[RecordHeader, ...] = ()
                position = end
            else:
                headers, position = _read_headers(block, position, end)
            if position != end:
                raise _corrupt(f"a record ends at {position}, its length says {end}")
            timestamp = append_time if by_broker else base_timestamp + timestamp_delta
            yield Record(base_offset + offset_delta, timestamp, key, value, headers)
    except IndexError as error:
        raise _corrupt("records end too early") from error
    if position != len(block):
        raise _corrupt(f"{len(block) - position} bytes follow the last record")


def _corrupt(reason: str) -> ProtocolError:
    return ProtocolError(ErrorCode.CORRUPT_MESSAGE, reason)


def read_varint(block: bytes, position: int) -> tuple[int, int]:
    """A zigzag varint of up to 64 bits, and where it ends. IndexError at the end of the block."""
    byte = block[position]
    position += 1
    if byte < 0x80:
        return (byte >> 1) ^ -(byte & 1), position
    value = byte & 0x7F
    shift = 7
    while True:
        byte = block[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if shift == 63 and byte > 1:
            raise _corrupt("a varint has more than 64 bits")
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), position
        shift += 7


def _read_nullable(block: bytes, position: int, end: int) -> tuple[bytes | None, int]:
    length, position = read_varint(block, position)
    if length < 0:
        if length != -1:
            raise _corrupt(f"a length of {length}")
        return None, position
    stop = position + length
    if stop > end:
        raise _corrupt(f"a field of {length} bytes does not fit its record")
    return block[position:stop], stop


def _read_headers(block: bytes, position: int, end: int) -> tuple[tuple[RecordHeader, ...], int]:
    count, position = read_varint(block, position)
    if not 0 <= count <= end - position:
        raise _corrupt(f"{count} headers do not fit their record")
    headers: list[RecordHeader] = []
    for _ in range(count):
        key, position = _read_nullable(block, position, end)
        if key is None:
            raise _corrupt("a header without a key")
        value, position = _read_nullable(block, position, end)
        try:
            headers.append((key.decode(), value))
        except UnicodeDecodeError as error:
            raise _corrupt("a header key is not UTF-8") from error
    return tuple(headers), position


def null_key_indexes(batch: Buffer, header: BatchHeader) -> list[int]:
    """The indexes of the records without a key; only compacted topics need to know."""
    return [
        index
        for index, record in enumerate(iter_block(bytes(records_block(batch, header)), header))
        if record.key is None
    ]


def write_varint(out: bytearray, value: int) -> None:
    """Append a zigzag varint of up to 64 bits."""
    value = (value << 1) ^ (value >> 63)
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def encode_record(out: bytearray, offset_delta: int, timestamp_delta: int, record: Record) -> None:
    """Append one record, its length first."""
    body = bytearray(1)  # attributes: none are defined
    write_varint(body, timestamp_delta)
    write_varint(body, offset_delta)
    _write_nullable(body, record.key)
    _write_nullable(body, record.value)
    write_varint(body, len(record.headers))
    for key, value in record.headers:
        _write_nullable(body, key.encode())
        _write_nullable(body, value)
    write_varint(out, len(body))
    out += body


def _write_nullable(out: bytearray, field: bytes | None) -> None:
    if field is None:
        out.append(1)  # -1 in zigzag
        return
    write_varint(out, len(field))
    out += field
