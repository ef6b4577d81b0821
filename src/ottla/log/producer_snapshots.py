"""The content of `.snapshot` files: the producers of a partition as they are at one offset.

Byte for byte as Kafka writes them (ProducerSnapshot, version 1): of each producer only the last
batch is kept. `decode_snapshot` raises ValueError for content that cannot be one: a file that a
crash has cut.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final

from ottla.log.producers import NONE, ProducerState, StoredBatch
from ottla.wire.records.crc32c import crc32c

VERSION: Final = 1

_HEADER: Final = struct.Struct(">hI")
_COUNT: Final = struct.Struct(">i")
_ENTRY: Final = struct.Struct(">qhiqiqiq")
"""Id, epoch, last sequence, last offset, offset delta, timestamp, coordinator epoch, first offset
of the open transaction."""


def encode_snapshot(states: Iterable[tuple[int, ProducerState]]) -> bytes:
    """The file's content, of (producer id, state)."""
    entries = [_encode_entry(producer_id, state) for producer_id, state in states]
    content = _COUNT.pack(len(entries)) + b"".join(entries)
    return _HEADER.pack(VERSION, crc32c(content)) + content


def _encode_entry(producer_id: int, state: ProducerState) -> bytes:
    last = state.batches[-1] if state.batches else StoredBatch(NONE, NONE, 0, NONE)
    return _ENTRY.pack(
        producer_id,
        state.epoch,
        last.last_sequence,
        last.last_offset,
        last.offset_delta,
        state.timestamp,
        state.coordinator_epoch,
        state.transaction_start,
    )


def decode_snapshot(content: bytes) -> list[tuple[int, ProducerState]]:
    """(producer id, state), in the order of the file."""
    entries_at = _HEADER.size + _COUNT.size
    if len(content) < entries_at:
        raise ValueError(f"{len(content)} bytes are no snapshot of producers")
    version, crc = _HEADER.unpack_from(content)
    if version != VERSION:
        raise ValueError(f"snapshots of producers have version {VERSION}, not {version}")
    if crc32c(content[_HEADER.size :]) != crc:
        raise ValueError("the snapshot's CRC differs from its content's")
    (count,) = _COUNT.unpack_from(content, _HEADER.size)
    if len(content) - entries_at != count * _ENTRY.size:
        raise ValueError(f"a snapshot of {count} producers has {len(content)} bytes")
    return [_decode_entry(*fields) for fields in _ENTRY.iter_unpack(content[entries_at:])]


def _decode_entry(
    producer_id: int,
    epoch: int,
    last_sequence: int,
    last_offset: int,
    offset_delta: int,
    timestamp: int,
    coordinator_epoch: int,
    transaction_start: int,
) -> tuple[int, ProducerState]:
    batches: tuple[StoredBatch, ...] = ()
    if last_offset >= 0:
        batches = (StoredBatch(last_sequence, last_offset, offset_delta, timestamp),)
    state = ProducerState(
        epoch,
        batches,
        offset_delta + 1 if batches else 0,
        timestamp,
        coordinator_epoch,
        transaction_start,
    )
    return producer_id, state
