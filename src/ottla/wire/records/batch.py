"""Whole record batches: building them, and changing their codec.

The header's names are offered here too: most callers need both.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ottla.base.ids import NO_EPOCH, NO_PRODUCER
from ottla.base.limits import DECOMPRESSED_BYTES_MAX
from ottla.base.world import Buffer, WritableBuffer
from ottla.wire.records.compression import Codec, compress
from ottla.wire.records.header import (
    CODEC_BITS,
    CONTROL_BIT,
    HEADER,
    HEADER_SIZE,
    LENGTH_OVERHEAD,
    LOG_APPEND_TIME_BIT,
    MAGIC,
    NO_SEQUENCE,
    NO_TIMESTAMP,
    TRANSACTIONAL_BIT,
    BatchHeader,
    TimestampType,
    check_crc,
    crc_matches,
    iter_batches,
    iter_headers,
    patch_log_append_time,
    patch_placement,
    read_header,
    seal,
)
from ottla.wire.records.record import Record, encode_record, records_block

__all__ = [
    "HEADER",
    "HEADER_SIZE",
    "NO_SEQUENCE",
    "NO_TIMESTAMP",
    "BatchHeader",
    "Codec",
    "TimestampType",
    "assemble",
    "build_batch",
    "check_crc",
    "complete",
    "crc_matches",
    "iter_batches",
    "iter_headers",
    "patch_log_append_time",
    "patch_placement",
    "read_header",
    "recompress",
]


def assemble(header: BatchHeader, block: Buffer) -> bytearray:
    """A batch of this header and this (compressed) block; sets length and checksum in both."""
    out = bytearray(HEADER_SIZE)
    out += block
    complete(header, out)
    return out


def complete(header: BatchHeader, batch: WritableBuffer) -> None:
    """Write the header into the room before the block; sets length and checksum in both."""
    header.batch_length = len(batch) - LENGTH_OVERHEAD
    HEADER.pack_into(batch, 0, *msgspec.structs.astuple(header))
    seal(batch, header)


def recompress(
    batch: Buffer,
    header: BatchHeader,
    codec: Codec,
    *,
    level: int | None = None,
    limit: int = DECOMPRESSED_BYTES_MAX,
) -> tuple[bytearray, BatchHeader]:
    """The same records in another codec: a new batch and its header; the old ones stay as is."""
    plain = records_block(batch, header, limit=limit)
    changed = msgspec.structs.replace(header, attributes=header.attributes & ~CODEC_BITS | codec)
    return assemble(changed, compress(plain, codec, level=level)), changed


def build_batch(
    records: Sequence[Record],
    *,
    base_offset: int = 0,
    leader_epoch: int = NO_EPOCH,
    codec: Codec = Codec.NONE,
    level: int | None = None,
    timestamp_type: TimestampType = TimestampType.CREATE_TIME,
    producer_id: int = NO_PRODUCER,
    producer_epoch: int = -1,
    base_sequence: int = NO_SEQUENCE,
    transactional: bool = False,
    control: bool = False,
) -> bytearray:
    """A batch of these records, numbered from `base_offset`; their own `offset` does not matter.

    A record without a timestamp (-1) is written with the first record's.
    """
    assert records, "a batch holds at least one record"
    base_timestamp = records[0].timestamp
    plain = bytearray()
    max_timestamp = NO_TIMESTAMP
    for delta, record in enumerate(records):
        timestamp = record.timestamp if record.timestamp >= 0 else base_timestamp
        max_timestamp = max(max_timestamp, timestamp)
        encode_record(plain, delta, timestamp - base_timestamp, record)
    attributes = (
        codec
        | (LOG_APPEND_TIME_BIT if timestamp_type is TimestampType.LOG_APPEND_TIME else 0)
        | (TRANSACTIONAL_BIT if transactional else 0)
        | (CONTROL_BIT if control else 0)
    )
    header = BatchHeader(
        base_offset=base_offset,
        batch_length=0,
        partition_leader_epoch=leader_epoch,
        magic=MAGIC,
        crc=0,
        attributes=attributes,
        last_offset_delta=len(records) - 1,
        base_timestamp=base_timestamp,
        max_timestamp=max_timestamp,
        producer_id=producer_id,
        producer_epoch=producer_epoch,
        base_sequence=base_sequence,
        record_count=len(records),
    )
    return assemble(header, plain if codec is Codec.NONE else compress(plain, codec, level=level))
