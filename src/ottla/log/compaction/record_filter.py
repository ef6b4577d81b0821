"""Which records of one batch stay, and the batch without the others.

Only what the decision needs is read of a record; what stays is copied as it is, its length, its
deltas and its headers included. Raises DamagedLogError for records that do not fit their batch.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from ottla.base.errors import ProtocolError
from ottla.base.world import Buffer
from ottla.log.compaction.offset_map import OffsetMap
from ottla.log.compaction.source import damaged
from ottla.wire.records.batch import assemble
from ottla.wire.records.compression import Codec, compress
from ottla.wire.records.header import (
    CODEC_BITS,
    DELETE_HORIZON_BIT,
    LOG_APPEND_TIME_BIT,
    NO_TIMESTAMP,
    BatchHeader,
)
from ottla.wire.records.record import read_varint, write_varint

_NULL: Final = 1
"""The length of a field that is null, -1 in zigzag."""


class Kept(NamedTuple):
    """What of a batch's records stays: their bytes in pieces, as they were in the block.

    `delta_max` is the largest timestamp delta among them.
    """

    record_count: int
    pieces: list[bytes]
    delta_max: int
    has_tombstone: bool
    without_key: int


def filter_records(
    block: bytes,
    header: BatchHeader,
    key_map: OffsetMap,
    end_offset: int,
    *,
    drops_tombstones: bool,
) -> Kept:
    """The records that are the last of their key, as far as the map knows: up to `end_offset`.

    What lies at `end_offset` or behind it stays. A record without a key goes.
    """
    last_of = key_map.get
    base_offset = header.base_offset
    pieces: list[bytes] = []
    position = run_start = 0
    count = without_key = 0
    delta_max = -(1 << 63)
    has_tombstone = False
    try:
        for _ in range(header.record_count):
            length, body = read_varint(block, position)
            timestamp_delta, at = read_varint(block, body + 1)
            offset_delta, at = read_varint(block, at)
            key_length, at = read_varint(block, at)
            end = body + length
            key_end = at + max(key_length, 0)
            if length < 0 or key_end >= end:
                raise damaged(header, f"a record of {length} bytes has a key of {key_length}")
            offset = base_offset + offset_delta
            is_tombstone = block[key_end] == _NULL
            if offset >= end_offset:
                stays = True
            elif key_length < 0:
                stays = False
                without_key += 1
            else:
                stays = offset >= last_of(block[at:key_end]) and not (
                    is_tombstone and drops_tombstones
                )
            if stays:
                count += 1
                has_tombstone |= is_tombstone
                delta_max = max(delta_max, timestamp_delta)
            else:
                if run_start < position:
                    pieces.append(block[run_start:position])
                run_start = end
            position = end
    except (IndexError, ProtocolError) as error:
        raise damaged(header, str(error)) from error
    if position != len(block):
        raise damaged(header, f"{len(block) - position} bytes follow its last record")
    if run_start < position:
        pieces.append(block[run_start:position])
    return Kept(count, pieces, delta_max, has_tombstone, without_key)


def rewrite(header: BatchHeader, kept: Kept, *, horizon_ms: int | None) -> bytearray:
    """A batch of the records that stay, at the same offsets; `horizon_ms` where it gets one now.

    Everything else of the header stays, so that sequences and gaps can still be understood.
    """
    changed = _copy(header)
    changed.record_count = kept.record_count
    if not header.attributes & LOG_APPEND_TIME_BIT:
        changed.max_timestamp = header.base_timestamp + kept.delta_max
    block: Buffer = b"".join(kept.pieces)
    if horizon_ms is not None:
        block = _rebased(bytes(block), kept.record_count, header.base_timestamp - horizon_ms)
        changed.base_timestamp = horizon_ms
        changed.attributes |= DELETE_HORIZON_BIT
    codec = header.codec
    return assemble(changed, block if codec is Codec.NONE else compress(block, codec))


def emptied(header: BatchHeader) -> bytearray:
    """The batch without any record: it keeps its offsets, its producer and its sequences."""
    changed = _copy(header)
    changed.record_count = 0
    changed.attributes &= ~(CODEC_BITS | DELETE_HORIZON_BIT)
    changed.base_timestamp = NO_TIMESTAMP if header.max_timestamp < 0 else header.max_timestamp
    return assemble(changed, b"")


def _copy(header: BatchHeader) -> BatchHeader:
    return BatchHeader(
        header.base_offset,
        header.batch_length,
        header.partition_leader_epoch,
        header.magic,
        header.crc,
        header.attributes,
        header.last_offset_delta,
        header.base_timestamp,
        header.max_timestamp,
        header.producer_id,
        header.producer_epoch,
        header.base_sequence,
        header.record_count,
    )


def _rebased(block: bytes, count: int, delta_ms: int) -> bytearray:
    """The same records, their timestamps counted from a base that is `delta_ms` earlier."""
    out = bytearray()
    position = 0
    for _ in range(count):
        length, body = read_varint(block, position)
        timestamp_delta, rest = read_varint(block, body + 1)
        position = body + length
        record = bytearray(block[body : body + 1])
        write_varint(record, timestamp_delta + delta_ms)
        record += block[rest:position]
        write_varint(out, len(record))
        out += record
    return out
