"""Which batches belong to aborted transactions, when they are looked at in the order of the log."""

from __future__ import annotations

from collections.abc import Sequence

from ottla.wire.messages.fetch import AbortedTransaction
from ottla.wire.records.control import ControlType, control_type
from ottla.wire.records.header import BatchHeader
from ottla.wire.records.record import iter_records


class AbortedTransactions:
    """Those that a fetch answer lists. Ask about each of its batches once, in their order.

    A transaction begins to count at its first offset and ends at its producer's abort marker:
    what the producer writes behind it is of its next transaction.
    """

    def __init__(self, listed: Sequence[AbortedTransaction]) -> None:
        # The first one last, to be taken from the end.
        self._coming = sorted(listed, key=lambda aborted: -aborted.first_offset)
        self._open: set[int] = set()

    def drops(self, header: BatchHeader, batch: memoryview) -> bool:
        """Whether the records do not count. Raises ProtocolError for a marker that is none."""
        while self._coming and self._coming[-1].first_offset <= header.last_offset:
            self._open.add(self._coming.pop().producer_id)
        if header.is_control:
            if header.producer_id in self._open and _is_abort(batch):
                self._open.discard(header.producer_id)
            return False
        return header.is_transactional and header.producer_id in self._open


def _is_abort(batch: memoryview) -> bool:
    return any(control_type(record.key) is ControlType.ABORT for record in iter_records(batch))
