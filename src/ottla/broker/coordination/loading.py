"""Reading a shard from its log, in small slices, so that the loop serves others meanwhile."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from ottla.base.effects import ProducerIdentity
from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.limits import KIB
from ottla.broker.coordination.shard import Shard
from ottla.broker.partition import Partition
from ottla.wire.payloads.coordinator import RecordTypes
from ottla.wire.records.control import ControlType, control_type
from ottla.wire.records.header import BatchHeader, iter_batches
from ottla.wire.records.record import Record, iter_records

log = logging.getLogger(__name__)

SLICE_BYTES: Final = 128 * KIB
"""About ten milliseconds of decoding: as long as others may wait."""


async def replay_log(partition: Partition, shard: Shard, record_types: RecordTypes) -> int:
    """Replay all of a partition into a shard; the log end that it has come to.

    Records of types that are not known here are left out, as those of newer brokers. Raises
    StorageError, and ProtocolError for a log that cannot be decoded.
    """
    offset: int = partition.log.log_start_offset
    while offset < (end_offset := partition.log.log_end_offset):
        found = partition.log.read(offset, SLICE_BYTES, end_offset=end_offset, min_one_batch=True)
        if found is None:
            break
        content = found.file.read_at(found.position, found.length)
        before = offset
        for header, batch in iter_batches(content):
            _replay_batch(shard, record_types, header, batch, offset)
            offset = header.next_offset
        if offset == before:
            raise ProtocolError(ErrorCode.CORRUPT_MESSAGE, f"no batch at offset {offset}")
        await asyncio.sleep(0)
    return offset


def _replay_batch(
    shard: Shard, record_types: RecordTypes, header: BatchHeader, batch: memoryview, start: int
) -> None:
    producer = None
    if header.is_transactional:
        producer = ProducerIdentity(header.producer_id, header.producer_epoch)
    for record in iter_records(batch):
        if record.offset < start:
            continue
        if header.is_control:
            _replay_marker(shard, record, producer)
        elif record.key is not None:
            _replay_record(shard, record_types, record, producer)


def _replay_marker(shard: Shard, record: Record, producer: ProducerIdentity | None) -> None:
    kind = control_type(record.key)
    if producer is not None and kind in (ControlType.ABORT, ControlType.COMMIT):
        shard.replay_marker(producer, is_committed=kind is ControlType.COMMIT)


def _replay_record(
    shard: Shard,
    record_types: RecordTypes,
    record: Record,
    producer: ProducerIdentity | None,
) -> None:
    assert record.key is not None
    try:
        key = record_types.decode_key(record.key)
        value = None
        if record.value is not None:
            value = record_types.decode_value(key.API_KEY, record.value)
    except ProtocolError as error:
        if error.code is not ErrorCode.UNSUPPORTED_VERSION:
            raise
        log.warning("a coordinator's record is left out: %s", error.message)
        return
    shard.replay(key, value, offset=record.offset, producer=producer)
