"""Snapshots as `<next offset>-<epoch>.checkpoint` files in Kafka's form (KIP-630).

A header control record, batches of records from offset 1 on, a footer control record. A file is
there whole or not at all: it is written under another name first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.world import Disk
from ottla.quorum.batches import (
    VOTERS_BATCHES_LENGTH,
    control_types,
    decode_batch,
    encode_batch,
    snapshot_footer_batch,
    snapshot_header_batch,
    snapshot_timestamp,
    voters_batches,
)
from ottla.quorum.contract import Snapshot
from ottla.wire.payloads.control import VotersRecord
from ottla.wire.records.control import ControlType
from ottla.wire.records.header import crc_matches, iter_batches
from ottla.wire.schema import Payload

_NAME = re.compile(r"([0-9]{20})-([0-9]{10})\.checkpoint")
_UNFINISHED = ".checkpoint.part"
_RECORDS_PER_BATCH = 1000


class SnapshotId(NamedTuple):
    """What a snapshot stands for: the records before an offset, the last of them of an epoch."""

    next_offset: int
    epoch: int

    @property
    def file_name(self) -> str:
        return f"{self.next_offset:020d}-{self.epoch:010d}.checkpoint"


def list_snapshots(directory: str, disk: Disk) -> list[SnapshotId]:
    """All snapshots of a folder, the oldest first."""
    if not disk.exists(directory):
        return []
    found = (_NAME.fullmatch(name) for name in disk.list_dir(directory))
    return sorted(SnapshotId(int(name[1]), int(name[2])) for name in found if name)


def write_snapshot(
    directory: str,
    snapshot: Snapshot,
    *,
    disk: Disk,
    now_ms: int,
    voters: VotersRecord | None = None,
) -> None:
    """Write durably; then remove older ones and unfinished ones. Raises OSError.

    `voters` are those in the log that the snapshot takes the place of.
    """
    snapshot_id = SnapshotId(snapshot.next_offset, snapshot.epoch)
    path = f"{directory}/{snapshot_id.file_name}"
    unfinished = path.removesuffix(".checkpoint") + _UNFINISHED
    if disk.exists(unfinished):
        disk.unlink(unfinished)
    file = disk.open(unfinished, create=True)
    try:
        for batch in _batches(snapshot, now_ms, voters):
            file.append([batch])
        file.sync()
    finally:
        file.close()
    disk.rename(unfinished, path)
    disk.sync_dir(directory)
    _remove_older(directory, snapshot_id, disk)


def read_snapshot(directory: str, snapshot_id: SnapshotId, disk: Disk) -> Snapshot:
    """Read and verify. Raises OSError, and ProtocolError(CORRUPT_MESSAGE) for a damaged file."""
    data = disk.read_file(f"{directory}/{snapshot_id.file_name}")
    records: list[Payload] = []
    timestamp_ms = -1
    finished = False
    for header, batch in iter_batches(data):
        if not crc_matches(batch, header):
            raise _damaged(snapshot_id, f"the batch at offset {header.base_offset} is damaged")
        if header.is_control:
            types = control_types(batch)
            if ControlType.SNAPSHOT_HEADER in types:
                timestamp_ms = snapshot_timestamp(batch)
            finished = ControlType.SNAPSHOT_FOOTER in types
        else:
            records.extend(decode_batch(batch, header).records)
    if not finished:
        raise _damaged(snapshot_id, "it is cut short")
    return Snapshot(
        next_offset=snapshot_id.next_offset,
        epoch=snapshot_id.epoch,
        timestamp_ms=timestamp_ms,
        records=tuple(records),
    )


def _batches(snapshot: Snapshot, now_ms: int, voters: VotersRecord | None) -> Iterator[bytearray]:
    yield snapshot_header_batch(last_timestamp_ms=snapshot.timestamp_ms, now_ms=now_ms)
    first = 1
    if voters is not None:
        yield from voters_batches(voters, base_offset=first, now_ms=now_ms)
        first += VOTERS_BATCHES_LENGTH
    records = snapshot.records
    for start in range(0, len(records), _RECORDS_PER_BATCH):
        part = records[start : start + _RECORDS_PER_BATCH]
        yield encode_batch(part, base_offset=first + start, epoch=0, now_ms=now_ms)
    yield snapshot_footer_batch(base_offset=first + len(records), now_ms=now_ms)


def _remove_older(directory: str, newest: SnapshotId, disk: Disk) -> None:
    for older in list_snapshots(directory, disk):
        if older < newest:
            disk.unlink(f"{directory}/{older.file_name}")
    for name in disk.list_dir(directory):
        if name.endswith(_UNFINISHED):
            disk.unlink(f"{directory}/{name}")
    disk.sync_dir(directory)


def _damaged(snapshot_id: SnapshotId, how: str) -> ProtocolError:
    return ProtocolError(
        ErrorCode.CORRUPT_MESSAGE, f"the snapshot {snapshot_id.file_name} cannot be read: {how}"
    )
