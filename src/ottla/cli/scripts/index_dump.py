"""Entries of the files beside a segment, as `kafka-dump-log` prints them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ottla.base.errors import UserError
from ottla.cli.scripts.dump_faults import DISORDER, MISMATCHES, TIMES, DumpFaults
from ottla.cli.scripts.segment_dump import whole_batches
from ottla.log.aborted_transactions import decode_aborted
from ottla.log.inspection.index_check import OFFSET_ENTRY, TIME_ENTRY
from ottla.log.producer_snapshots import decode_snapshot


class Wish(NamedTuple):
    """What is done with an index."""

    checks_only: bool
    """Only whether it could be an index, without its log."""
    prints: bool


class _Batch(NamedTuple):
    last_offset: int
    position: int
    max_timestamp: int


def dump_offset_index(path: Path, wish: Wish, faults: DumpFaults) -> Iterator[str]:
    """Its lines. Raises OSError, UserError where it is no index or has no log beside it."""
    base_offset = _base_offset(path)
    content = path.read_bytes()
    entries = [
        (base_offset + relative, position)
        for relative, position in OFFSET_ENTRY.iter_unpack(_whole(content, OFFSET_ENTRY.size, path))
    ]
    # A broker preallocates the file, and cuts it when it stops.
    while entries and entries[-1] == (base_offset, 0):
        entries.pop()
    if not entries:
        yield f"{path} is empty."
        return
    if wish.checks_only:
        if entries[-1][0] <= base_offset:
            raise UserError(f"{path} is corrupt: its last offset is not above its base offset")
        yield f"{path} passed sanity check."
        return
    batches = _batches_beside(path)
    positions = [batch.position for batch in batches]
    for offset, position in entries:
        at = bisect_left(positions, position)
        found = batches[at].last_offset if at < len(batches) else -1
        if found != offset:
            line = f"Index offset: {offset}, log offset: {found}"
            faults.add(MISMATCHES, str(path.absolute()), line)
        if wish.prints:
            yield f"offset: {offset} position: {position}"


def dump_time_index(path: Path, wish: Wish, faults: DumpFaults) -> Iterator[str]:
    """As `dump_offset_index`."""
    base_offset = _base_offset(path)
    content = path.read_bytes()
    entries = [
        (timestamp, base_offset + relative)
        for timestamp, relative in TIME_ENTRY.iter_unpack(_whole(content, TIME_ENTRY.size, path))
    ]
    while entries and entries[-1][0] <= 0:
        entries.pop()
    if wish.checks_only:
        yield f"{path} passed sanity check."
        return
    if not entries:
        return
    batches = _batches_beside(path)
    last_offsets = [batch.last_offset for batch in batches]
    before = -1
    for timestamp, offset in entries:
        at = bisect_left(last_offsets, offset)
        found = batches[at].max_timestamp if at < len(batches) else -1
        if found != timestamp:
            line = f"Index timestamp: {timestamp}, log timestamp: {found}"
            faults.add(TIMES, str(path.absolute()), line)
        if before > timestamp:
            line = f"Index timestamp: {timestamp}, Previously indexed timestamp: {before}"
            faults.add(DISORDER, str(path.absolute()), line)
        before = timestamp
        if wish.prints:
            yield f"timestamp: {timestamp} offset: {offset}"


def _base_offset(path: Path) -> int:
    stem = path.name.partition(".")[0]
    if not stem.isdecimal():
        raise UserError(f"{path.name} is no name of an index: it begins with an offset")
    return int(stem)


def _whole(content: bytes, size: int, path: Path) -> bytes:
    if len(content) % size:
        raise UserError(f"{path} is corrupt: {len(content)} bytes are no entries of {size}")
    return content


def _batches_beside(path: Path) -> Sequence[_Batch]:
    log = path.with_suffix(".log")
    if not log.exists():
        raise UserError(f"{path} is compared with {log.name}, and that is not there")
    return [
        _Batch(header.last_offset, position, header.max_timestamp)
        for position, header, _ in whole_batches(log, log.stat().st_size)
    ]


def dump_producers(path: Path) -> Iterator[str]:
    """Of a snapshot. Raises OSError, UserError."""
    try:
        states = decode_snapshot(path.read_bytes())
    except ValueError as error:
        raise UserError(f"{path}: {error}") from error
    for producer_id, state in states:
        start = state.transaction_start
        begun = "OptionalLong.empty" if start < 0 else f"OptionalLong[{start}]"
        line = (
            f"producerId: {producer_id} producerEpoch: {state.epoch} "
            f"coordinatorEpoch: {state.coordinator_epoch} currentTxnFirstOffset: {begun} "
            f"lastTimestamp: {state.timestamp} "
        )
        last = state.batches[-1] if state.batches else None
        if last is not None:
            line += (
                f"firstSequence: {last.base_sequence} lastSequence: {last.last_sequence} "
                f"lastOffset: {last.last_offset} offsetDelta: {last.offset_delta} "
                f"timestamp: {last.timestamp}"
            )
        yield line


def dump_aborted(path: Path) -> Iterator[str]:
    """Of a transaction index. Raises OSError, DamagedIndexError."""
    for entry in decode_aborted(path.read_bytes()):
        yield (
            f"version: 0 producerId: {entry.producer_id} firstOffset: {entry.first_offset} "
            f"lastOffset: {entry.last_offset} lastStableOffset: {entry.last_stable_offset}"
        )
