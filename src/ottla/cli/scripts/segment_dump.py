"""Batches and records of a segment, as `kafka-dump-log` prints them.

A batch whose checksum is wrong is shown like any other, and says so; where no batch can follow,
the rest of the file is counted.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from ottla.base.errors import ProtocolError, UserError
from ottla.cli.scripts.dump_faults import GAPS, DumpFaults
from ottla.cli.scripts.member_bytes import with_members_read
from ottla.log.inspection.decoders import Decoder, tell_control
from ottla.wire.records.header import (
    HEADER_SIZE,
    MAGIC,
    BatchHeader,
    TimestampType,
    crc_matches,
    read_header,
)
from ottla.wire.records.record import Record, iter_records

Show = Callable[[bytes], bytes]

_SNAPSHOT_SUFFIX: Final = ".checkpoint"
_BOOTSTRAP: Final = "bootstrap.checkpoint"
_CONTROL_NAMES: Final = {
    "LEADER_CHANGE": "LeaderChange: ",
    "SNAPSHOT_HEADER": "SnapshotHeader ",
    "SNAPSHOT_FOOTER": "SnapshotFooter ",
    "KRAFT_VERSION": "KRaftVersion ",
    "KRAFT_VOTERS": "KRaftVoters ",
}


class Shown(NamedTuple):
    """What of the records is printed."""

    records: bool
    """A line for each."""
    contents: bool
    """With keys and values."""
    metadata: bool
    """With offsets, times and sizes."""
    key: Show
    value: Show
    decoder: Decoder | None = None
    """Reads keys and values that mean something to the cluster."""


def dump_segment(path: Path, shown: Shown, faults: DumpFaults, *, bytes_max: int) -> Iterator[str]:
    """Its lines. Raises OSError, ProtocolError for records that cannot be read, UserError."""
    yield _title(path)
    last_offset = -1
    position = 0
    size = path.stat().st_size
    for position, header, batch in whole_batches(path, min(size, bytes_max)):
        yield _batch_line(position, header, is_valid=crc_matches(batch, header))
        if not shown.records:
            continue
        for record in iter_records(batch):
            if record.offset != last_offset + 1:
                line = f"{last_offset} is followed by {record.offset}"
                faults.add(GAPS, str(path.absolute()), line)
            last_offset = record.offset
            yield _record_line(record, header, shown)
    rest = size - _end_of(path, min(size, bytes_max))
    if rest > 0 and size <= bytes_max:
        yield f"Found {rest} invalid bytes at the end of {path.name}"


def _title(path: Path) -> str:
    """Raises UserError for a name that no segment has."""
    if path.name == _BOOTSTRAP:
        return "KRaft bootstrap snapshot"
    stem = path.name.partition(".")[0]
    if path.name.endswith(_SNAPSHOT_SUFFIX):
        end, _, epoch = stem.partition("-")
        if end.isdecimal() and epoch.isdecimal():
            return f"Snapshot end offset: {int(end)}, epoch: {int(epoch)}"
    elif stem.isdecimal():
        return f"Log starting offset: {int(stem)}"
    raise UserError(f"{path.name} is no name of a segment: it begins with an offset")


def whole_batches(path: Path, end: int) -> Iterator[tuple[int, BatchHeader, bytes]]:
    """Those that end before `end`, with their positions; the first that does not is the last."""
    with path.open("rb") as file:
        position = 0
        while position + HEADER_SIZE <= end:
            head = file.read(HEADER_SIZE)
            header = read_header(head)
            if header.size < HEADER_SIZE or header.magic != MAGIC or position + header.size > end:
                return
            yield position, header, head + file.read(header.size - HEADER_SIZE)
            position += header.size


def _end_of(path: Path, end: int) -> int:
    ends = (position + header.size for position, header, _ in whole_batches(path, end))
    return max(ends, default=0)


def _batch_line(position: int, header: BatchHeader, *, is_valid: bool) -> str:
    horizon = header.delete_horizon_ms
    told = "OptionalLong.empty" if horizon is None else f"OptionalLong[{horizon}]"
    return (
        f"baseOffset: {header.base_offset} lastOffset: {header.last_offset} "
        f"count: {header.record_count} baseSequence: {header.base_sequence} "
        f"lastSequence: {header.last_sequence} producerId: {header.producer_id} "
        f"producerEpoch: {header.producer_epoch} "
        f"partitionLeaderEpoch: {header.partition_leader_epoch} "
        f"isTransactional: {_word(header.is_transactional)} "
        f"isControl: {_word(header.is_control)} deleteHorizonMs: {told} position: {position} "
        f"{_time_name(header)}: {header.max_timestamp} size: {header.size} "
        f"magic: {header.magic} compresscodec: {header.codec.name.lower()} crc: {header.crc} "
        f"isvalid: {_word(is_valid)}"
    )


def _word(value: bool) -> str:
    return "true" if value else "false"


def _time_name(header: BatchHeader) -> str:
    by_broker = header.timestamp_type is TimestampType.LOG_APPEND_TIME
    return "LogAppendTime" if by_broker else "CreateTime"


def _record_line(record: Record, header: BatchHeader, shown: Shown) -> str:
    parts = ["|"]
    if shown.metadata:
        names = ",".join(name for name, _ in record.headers)
        parts.append(
            f"offset: {record.offset} {_time_name(header)}: {record.timestamp} "
            f"keySize: {-1 if record.key is None else len(record.key)} "
            f"valueSize: {-1 if record.value is None else len(record.value)} "
            f"sequence: {_sequence(record, header)} headerKeys: [{names}]"
        )
    if header.is_control:
        parts.append(_control(record))
    elif shown.contents:
        parts += _contents(record, shown)
    return " ".join(parts)


def _sequence(record: Record, header: BatchHeader) -> int:
    if header.base_sequence < 0:
        return -1
    return (header.base_sequence + record.offset - header.base_offset) & 0x7FFF_FFFF


def _control(record: Record) -> str:
    told = tell_control(record)
    name = _CONTROL_NAMES.get(str(told.key))
    if name is not None:
        return name + _json(told.value)
    if isinstance(told.value, dict) and "coordinatorEpoch" in told.value:
        return f"endTxnMarker: {told.key} coordinatorEpoch: {told.value['coordinatorEpoch']}"
    return f"controlType: {told.key}"


def _contents(record: Record, shown: Shown) -> Iterator[str]:
    key, value = record.key, record.value
    if shown.decoder is None:
        if key is not None:
            yield f"key: {shown.key(key).decode(errors='replace')}"
        if value is not None:
            yield f"payload: {shown.value(value).decode(errors='replace')}"
        return
    try:
        told = shown.decoder(record)
    except ProtocolError as error:
        yield f"Error at offset {record.offset}, skipping. {error.message}"
        return
    if key is not None:
        yield f"key: {told.key if isinstance(told.key, str) else _json(told.key)}"
    if told.value is not None or key is not None:
        yield f"payload: {_NOTHING if told.value is None else _json(with_members_read(told.value))}"


_NOTHING: Final = "<DELETE>"


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
