"""Which batches belong to aborted transactions, and which markers nobody needs any more.

Markers of transactions whose records are still there must stay, or nobody could tell the outcome;
so a marker may go only when a run meets none of its transaction's batches.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from ottla.base.errors import ProtocolError
from ottla.log.aborted_transactions import AbortedTransaction
from ottla.log.compaction.source import damaged
from ottla.wire.records.control import ControlType, control_type
from ottla.wire.records.header import TRANSACTIONAL_BIT, BatchHeader
from ottla.wire.records.record import iter_records


class TransactionFates:
    """Follows the batches of a log in order of their offsets."""

    def __init__(self, aborted: Iterable[AbortedTransaction]) -> None:
        self._coming = deque(sorted(aborted, key=lambda entry: entry.first_offset))
        # Aborted transactions that are open here, by producer: the entry, and whether a batch of
        # it was met.
        self._aborted: dict[int, tuple[AbortedTransaction, bool]] = {}
        self._committed: set[int] = set()
        self.still_needed: list[AbortedTransaction] = []
        """Aborted ones whose batches and marker were met; the caller takes them."""

    def is_aborted(self, header: BatchHeader) -> bool:
        """Whether a data batch is of a transaction that was aborted."""
        if self._coming:
            self._open_up_to(header.last_offset)
        if not header.attributes & TRANSACTIONAL_BIT:
            return False
        found = self._aborted.get(header.producer_id)
        if found is None:
            self._committed.add(header.producer_id)
            return False
        self._aborted[header.producer_id] = found[0], True
        return True

    def is_marker_done(self, header: BatchHeader, batch: memoryview) -> bool:
        """Whether a control batch ends a transaction of which no batch is left."""
        if self._coming:
            self._open_up_to(header.last_offset)
        match _kind(header, batch):
            case None:  # its records went before: it is here for its producer's sake
                return True
            case ControlType.COMMIT:
                is_met = header.producer_id in self._committed
                self._committed.discard(header.producer_id)
                return not is_met
            case ControlType.ABORT:
                entry, is_met = self._aborted.pop(header.producer_id, (None, False))
                if entry is not None and is_met:
                    self.still_needed.append(entry)
                return not is_met
            case _:
                return False

    def _open_up_to(self, offset: int) -> None:
        while self._coming and self._coming[0].first_offset <= offset:
            entry = self._coming.popleft()
            self._aborted[entry.producer_id] = entry, False


def _kind(header: BatchHeader, batch: memoryview) -> ControlType | None:
    try:
        for record in iter_records(batch):
            return control_type(record.key)
    except ProtocolError as error:
        raise damaged(header, error.message) from error
    return None
