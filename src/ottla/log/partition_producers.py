"""The producers of one partition together with their `.snapshot` files.

A snapshot says what the producers were below the offset in its name. One is written at each roll,
for the segment that begins, and one for the log end when the log is closed or was opened after a
crash. Losing one costs time, never truth: an older one serves, and the batches behind it are read
again. So a snapshot that cannot be written is no reason to refuse anything.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import Final

from ottla.base.errors import ProtocolError
from ottla.base.world import Buffer, Disk
from ottla.log import names
from ottla.log.aborted_transactions import AbortedTransaction, AbortedTransactions
from ottla.log.errors import storage_error
from ottla.log.flush import Unsynced
from ottla.log.index_file import DamagedIndexError
from ottla.log.producer_snapshots import decode_snapshot, encode_snapshot
from ottla.log.producers import ProducerStates, StoredBatch
from ottla.log.scan import DamagedLogError, Placed, walk
from ottla.log.segment import Segment
from ottla.wire.compiler import codec
from ottla.wire.payloads.control import EndTxnMarker
from ottla.wire.records.control import ControlType, control_type
from ottla.wire.records.header import CONTROL_BIT, BatchHeader
from ottla.wire.records.record import iter_records
from ottla.wire.records.survey import Survey

log = logging.getLogger(__name__)

HISTORY_OFFSETS_MAX: Final = 4096
"""How far back to look for what a producer wrote before a snapshot; some milliseconds at most."""


class PartitionProducers:
    """`states` below `loaded_to` come from a snapshot; `replay` brings what follows."""

    __slots__ = (
        "_directory",
        "_disk",
        "_newest",
        "_strays",
        "aborted",
        "loaded_to",
        "segments",
        "states",
    )

    def __init__(self, directory: str, disk: Disk, folder_names: Iterable[str] = ()) -> None:
        self._directory = directory
        self._disk = disk
        self._newest = 0
        self._strays: list[int] = []
        self.aborted = AbortedTransactions(directory, disk, folder_names)
        self.loaded_to = 0
        self.states = ProducerStates()
        self.segments: Iterable[Segment] = ()

    # --- taking batches ---

    def note(self, batch: Buffer, header: BatchHeader, log_end_offset: int) -> None:
        """Take over a placed batch without checking its sequence; control batches too.

        Raises ProtocolError for a control batch that cannot be read.
        """
        if header.attributes & CONTROL_BIT:
            self._note_marker(batch, header, log_end_offset)
        else:
            self.states.note(header, header.base_offset, header.max_timestamp, log_end_offset)

    def _note_marker(self, batch: Buffer, header: BatchHeader, log_end_offset: int) -> None:
        for record in iter_records(batch):
            kind = control_type(record.key)
            if kind not in (ControlType.ABORT, ControlType.COMMIT):
                return
            value = memoryview(record.value or b"")
            # Two bytes of version come before what the payload declares.
            marker, _ = codec(EndTxnMarker, 0).decode(value, 2, len(value))
            ended = self.states.note_marker(
                header,
                marker.coordinator_epoch,
                log_end_offset,
                is_aborted=kind is ControlType.ABORT,
            )
            if ended is not None and ended.is_aborted:
                self.aborted.note(
                    AbortedTransaction(
                        ended.producer_id,
                        ended.first_offset,
                        ended.marker_offset,
                        self.states.first_open_offset(header.next_offset),
                    )
                )
            return

    def drop_staged(self, log_end_offset: int) -> None:
        """Forget the batches at `log_end_offset` and behind it, which were not written."""
        self.states.drop_staged(log_end_offset)
        self.aborted.drop_staged(log_end_offset)

    def write_aborted(self, segment: Segment, unsynced: Unsynced | None = None) -> None:
        """Write which transactions were aborted in the last segment; see `Unsynced`.

        Without `unsynced` they are on the disk afterwards. Raises OSError.
        """
        path = self.aborted.write(segment.base_offset, segment.next_offset)
        if path is None:
            return
        if unsynced is not None:
            unsynced.note_file(path)
            return
        file = self._disk.open(path)
        try:
            file.sync()
        finally:
            file.close()
        self._disk.sync_dir(self._directory)

    # --- opening ---

    def load(self, offset_max: int) -> None:
        """Begin with the newest whole snapshot at or below `offset_max`; with nothing without one.

        The others above it are removed, durably: the log may go on differently from there.
        """
        found = self._snapshot_offsets()
        useless = [offset for offset in found if offset > offset_max]
        if useless:
            for offset in useless:
                self._disk.unlink(self._path(offset))
            self._disk.sync_dir(self._directory)
        self.states = ProducerStates()
        self.loaded_to = self._newest = 0
        for offset in reversed([offset for offset in found if offset <= offset_max]):
            try:
                content = self._disk.read_file(self._path(offset))
                self.states = ProducerStates(decode_snapshot(content), self._earlier_batches)
            except (OSError, ValueError) as error:
                log.warning(
                    "a snapshot of producers is left aside",
                    extra={"path": self._path(offset), "reason": str(error)},
                )
                continue
            self.loaded_to = self._newest = offset
            break
        # What is behind will be noted again, from the batches themselves.
        self.aborted.truncate_to(self.loaded_to)

    def replay(self, segment: Segment) -> None:
        """Take over the batches of a segment that are behind the snapshot."""
        if segment.next_offset <= self.loaded_to:
            return
        try:
            is_behind = segment.base_offset >= self.loaded_to
            position = 0 if is_behind else segment.position_of(self.loaded_to)
            for placed in walk(segment.log.get(), position, segment.committed_size):
                if placed.header.producer_id >= 0:
                    self.replay_batch(segment, placed)
        except (DamagedLogError, DamagedIndexError) as damage:
            log.error(  # noqa: TRY400 # the rest of the partition can be served
                "producers are not known from a damaged log file", extra={"reason": str(damage)}
            )
        self.write_aborted(segment)

    def replay_batch(self, segment: Segment, placed: Placed) -> None:
        """Take over one batch that the log holds, unless the snapshot knows of it."""
        header = placed.header
        batch: Buffer = b""
        if header.attributes & CONTROL_BIT:
            batch = segment.log.get().read_at(placed.position, header.size)
        self._replay(batch, header)

    def replay_survey(self, found: Survey) -> None:
        """Take over what a recovery has found, as far as it has producers."""
        if max(found.producer_ids) < 0 or found.nexts[-1] <= self.loaded_to:
            return
        for index, producer_id in enumerate(found.producer_ids):
            if producer_id >= 0:
                self._replay(found.batch(index), found.header(index))

    def _replay(self, batch: Buffer, header: BatchHeader) -> None:
        if header.base_offset < self.loaded_to:
            return
        try:
            # All is committed: nothing of it will be taken back.
            self.note(batch, header, header.next_offset)
        except ProtocolError as error:
            log.warning("a control batch cannot be read", extra={"reason": error.message})

    def _earlier_batches(self, producer_id: int, epoch: int, end_offset: int) -> list[StoredBatch]:
        """See `producers.History`: a snapshot tells only the last batch of each producer."""
        start = end_offset - HISTORY_OFFSETS_MAX
        headers: list[BatchHeader] = []
        try:
            for segment in self.segments:
                if segment.base_offset < end_offset and segment.next_offset > start:
                    headers += _headers_between(segment, start, end_offset)
        except (OSError, DamagedLogError, DamagedIndexError) as error:
            raise storage_error("read", self._directory, error) from error
        return [
            StoredBatch(
                header.last_sequence,
                header.last_offset,
                header.last_offset_delta,
                header.max_timestamp,
            )
            for header in headers
            if header.producer_id == producer_id
            and header.producer_epoch == epoch
            and not header.is_control
        ]

    def reload(self, segments: Iterable[Segment], log_end_offset: int) -> None:
        """Begin anew from what the log holds: it was cut. Raises OSError."""
        self.load(log_end_offset)
        for segment in segments:
            self.replay(segment)
        # Segments that were cut took their snapshots along: none may come back after a crash.
        self._disk.sync_dir(self._directory)

    def clear(self) -> None:
        """Forget everything, with all files. Raises OSError."""
        self.load(-1)
        self._strays.clear()
        self._disk.sync_dir(self._directory)

    def keep_strays(self, base_offsets: Iterable[int]) -> None:
        """Of the snapshots that begin no segment only the newest is of use, until the next."""
        strays = set(self._snapshot_offsets()).difference(base_offsets)
        self._strays = sorted(strays)

    # --- snapshots ---

    def write_snapshot(self, offset: int, unsynced: Unsynced, *, begins_segment: bool) -> None:
        """Say what the producers are at `offset`, which is not below what is committed."""
        is_new = offset > self._newest
        if offset in self._strays and (is_new or begins_segment):
            self._strays.remove(offset)
        if not is_new:
            return
        path = self._path(offset)
        try:
            file = self._disk.open(path, create=True)
            try:
                file.truncate(0)
                file.append([encode_snapshot(self.states.at(offset).items())])
            finally:
                file.close()
            self._remove_strays(unsynced)
        except OSError as error:
            log.warning(
                "a snapshot of producers was not written",
                extra={"path": path, "reason": str(error)},
            )
            return
        unsynced.note_file(path)
        self._newest = offset
        if not begins_segment:
            self._strays.append(offset)

    def _remove_strays(self, unsynced: Unsynced) -> None:
        while self._strays:
            path = self._path(self._strays[-1])
            if self._disk.exists(path):
                self._disk.unlink(path)
                unsynced.note_folder(self._directory)
            self._strays.pop()

    def _snapshot_offsets(self) -> list[int]:
        found = (names.snapshot_offset(name) for name in self._disk.list_dir(self._directory))
        return sorted(offset for offset in found if offset is not None)

    def _path(self, offset: int) -> str:
        return f"{self._directory}/{names.segment_stem(offset)}{names.SNAPSHOT_SUFFIX}"


def _headers_between(segment: Segment, start: int, end_offset: int) -> Iterator[BatchHeader]:
    position = 0 if segment.base_offset >= start else segment.position_of(start)
    for placed in walk(segment.log.get(), position, segment.committed_size):
        if placed.header.base_offset >= end_offset:
            return
        yield placed.header
