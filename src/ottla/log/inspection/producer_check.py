"""Producers as the batches tell them, held against `.snapshot` and `.txnindex` files."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from ottla.base.errors import ProtocolError
from ottla.log.aborted_transactions import AbortedTransaction, decode_aborted
from ottla.log.index_file import DamagedIndexError
from ottla.log.inspection.finding import Finding, Problem
from ottla.log.inspection.scan import Whole
from ottla.log.producer_snapshots import decode_snapshot
from ottla.log.producers import NONE, EndedTransaction, ProducerState, ProducerStates
from ottla.wire.compiler import codec
from ottla.wire.payloads.control import EndTxnMarker
from ottla.wire.records.control import ControlType, control_type
from ottla.wire.records.header import BatchHeader
from ottla.wire.records.record import iter_records

_TXN_ENTRY: Final = struct.Struct(">hqqqq")
TXN_ENTRY_SIZE: Final = _TXN_ENTRY.size
_MARKER_AT: Final = 2
"""An int16, the version, stands before the fields of a marker."""


class ProducerReplay:
    """Follows the whole batches of a log, segment by segment.

    `aborted` has what the `.txnindex` of the segment that is being read should hold.
    """

    def __init__(self, snapshot_offsets: set[int]) -> None:
        self._wanted = sorted(snapshot_offsets)
        self.states = ProducerStates()
        self.at_snapshot: dict[int, dict[int, ProducerState]] = {}
        self.aborted: list[AbortedTransaction] = []

    def begin_segment(self) -> None:
        self.aborted = []

    def visit(self, found: Whole) -> None:
        header = found.header
        self._remember_up_to(header.base_offset)
        if header.producer_id < 0:
            return
        if not header.is_control:
            self.states.note(
                header, header.base_offset, header.max_timestamp, header.next_offset + 1
            )
            return
        ended = self._marker(found)
        stable = self.states.last_stable_offset(header.next_offset)
        if ended is not None and ended.is_aborted:
            self.aborted.append(
                AbortedTransaction(
                    ended.producer_id, ended.first_offset, ended.marker_offset, stable
                )
            )

    def finish(self, end_offset: int) -> None:
        """No batch follows."""
        self._remember_up_to(end_offset)

    def _remember_up_to(self, offset: int) -> None:
        while self._wanted and self._wanted[0] <= offset:
            self.at_snapshot[self._wanted.pop(0)] = dict(self.states)

    def _marker(self, found: Whole) -> EndedTransaction | None:
        try:
            record = next(iter(iter_records(found.batch)))
            kind = control_type(record.key)
            if kind not in (ControlType.ABORT, ControlType.COMMIT):
                return None
            value = memoryview(record.value or b"")
            marker, _ = codec(EndTxnMarker, 0).decode(value, _MARKER_AT, len(value))
        except (ProtocolError, StopIteration):
            return None  # the batch itself is reported where batches are
        return self.states.note_marker(
            found.header,
            marker.coordinator_epoch,
            _behind(found.header),
            is_aborted=kind is ControlType.ABORT,
        )


def _behind(header: BatchHeader) -> int:
    return header.next_offset + 1


def check_snapshot(
    path: str,
    content: bytes,
    offset: int,
    known: Mapping[int, ProducerState],
    *,
    log_start: int,
    compacted: bool,
) -> Iterator[Finding]:
    """`known`: the producers below `offset`, as far as there are batches from `log_start` on.

    A producer may be missing: those that write nothing for a day are forgotten.
    """
    try:
        entries = dict(decode_snapshot(content))
    except ValueError as error:
        yield Finding(path, 0, Problem.SNAPSHOT, str(error))
        return
    for producer_id, stored in entries.items():
        detail = _contradiction(
            stored, known.get(producer_id), offset, log_start, compacted=compacted
        )
        if detail is not None:
            yield Finding(path, 0, Problem.SNAPSHOT, f"producer {producer_id}: {detail}")
    for producer_id, state in known.items():
        if state.transaction_start != NONE and producer_id not in entries:
            detail = f"producer {producer_id}: its transaction, open since offset "
            detail += f"{state.transaction_start}, is missing"
            yield Finding(path, 0, Problem.SNAPSHOT, detail)


def _contradiction(
    stored: ProducerState,
    known: ProducerState | None,
    offset: int,
    log_start: int,
    *,
    compacted: bool,
) -> str | None:
    last = stored.batches[-1].last_offset if stored.batches else NONE
    if last >= offset:
        return f"its last offset, {last}, is not below the snapshot's, {offset}"
    if known is None:
        is_expected = last >= log_start and not compacted
        return f"its last offset is {last}, and no batch of it is there" if is_expected else None
    if stored.epoch != known.epoch:
        return f"its epoch is {stored.epoch}, and the batches say {known.epoch}"
    if not known.batches:
        return None
    newest = known.batches[-1]
    if last != newest.last_offset and not (compacted and last > newest.last_offset):
        return f"its last offset is {last}, and the batches say {newest.last_offset}"
    if last == newest.last_offset and stored.batches[-1].last_sequence != newest.last_sequence:
        return (
            f"its last sequence is {stored.batches[-1].last_sequence}, and the batches say "
            f"{newest.last_sequence}"
        )
    if stored.transaction_start != known.transaction_start:
        return (
            f"its transaction begins at {stored.transaction_start}, and by the batches at "
            f"{known.transaction_start}"
        )
    return None


def encode_txn_index(transactions: Iterable[AbortedTransaction]) -> bytes:
    """The content of a `.txnindex` file."""
    return b"".join(_TXN_ENTRY.pack(0, *transaction) for transaction in transactions)


def check_txn_index(
    path: str, content: bytes, expected: list[AbortedTransaction], *, compacted: bool, whole: bool
) -> Iterator[Finding]:
    """`whole`: the log has every batch of the transactions that end in this segment.

    Compaction removes the records of aborted transactions and may keep their entries.
    """
    rest = len(content) % TXN_ENTRY_SIZE
    if rest:
        detail = f"{rest} bytes at the end are no whole entry of {TXN_ENTRY_SIZE}"
        yield Finding(path, len(content) - rest, Problem.TXN_INDEX, detail)
    try:
        entries = decode_aborted(content[: len(content) - rest])
    except DamagedIndexError as error:
        yield Finding(path, 0, Problem.TXN_INDEX, str(error))
        return
    by_marker = {(entry.producer_id, entry.last_offset): entry for entry in expected}
    before = -1
    for index, entry in enumerate(entries):
        at = index * TXN_ENTRY_SIZE
        if entry.last_offset <= before:
            detail = f"the marker at {entry.last_offset} goes back"
            yield Finding(path, at, Problem.TXN_INDEX, detail)
        before = max(before, entry.last_offset)
        said = by_marker.pop((entry.producer_id, entry.last_offset), None)
        if said is None and whole and not compacted:
            detail = f"producer {entry.producer_id} aborted nothing at offset {entry.last_offset}"
            yield Finding(path, at, Problem.TXN_INDEX, detail)
        elif said is not None and said != entry and whole and not compacted:
            yield Finding(path, at, Problem.TXN_INDEX, f"{entry} differs from the batches: {said}")
    for missing in by_marker.values():
        detail = f"the transaction of producer {missing.producer_id} that was aborted at offset "
        detail += f"{missing.last_offset} is missing"
        yield Finding(path, len(content), Problem.TXN_INDEX, detail)
