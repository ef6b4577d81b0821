"""What a producer has done so far: counted by batch, so that records cost nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from ottla.client.producer.batch import ProducerBatch


class ProducerMetrics(Struct, frozen=True, kw_only=True):
    """A moment's copy; all but the last two only grow. Bytes are those of uncompressed records."""

    records_stored: int
    records_failed: int
    bytes_stored: int
    batches_stored: int
    batches_sent: int
    """Sent for the first time."""
    batches_repeated: int
    """Sent again, and again."""
    requests: int
    queue_ms_total: float
    """Of all batches sent, from their first record to their first request."""
    queue_ms_max: float
    buffer_bytes_used: int
    buffer_bytes_max: int

    @property
    def queue_ms_mean(self) -> float:
        """Of one batch."""
        return self.queue_ms_total / self.batches_sent if self.batches_sent else 0.0


class Counts:
    """Counts up, where things happen."""

    __slots__ = (
        "_batches_repeated",
        "_batches_sent",
        "_batches_stored",
        "_bytes_stored",
        "_queue_ms_max",
        "_queue_ms_total",
        "_records_failed",
        "_records_stored",
        "_requests",
    )

    def __init__(self) -> None:
        self._records_stored = 0
        self._records_failed = 0
        self._bytes_stored = 0
        self._batches_stored = 0
        self._batches_sent = 0
        self._batches_repeated = 0
        self._requests = 0
        self._queue_ms_total = 0.0
        self._queue_ms_max = 0.0

    def sent(self, batches: Sequence[ProducerBatch], now_ms: float) -> None:
        """One request of these."""
        self._requests += 1
        for batch in batches:
            if batch.attempts > 1:
                self._batches_repeated += 1
                continue
            queue_ms = now_ms - batch.created_ms
            self._batches_sent += 1
            self._queue_ms_total += queue_ms
            self._queue_ms_max = max(self._queue_ms_max, queue_ms)

    def stored(self, batch: ProducerBatch) -> None:
        """The good outcome."""
        self._batches_stored += 1
        self._records_stored += batch.count
        self._bytes_stored += batch.size

    def failed(self, records: int) -> None:
        """The bad one."""
        self._records_failed += records

    def metrics(self, *, buffer_bytes_used: int, buffer_bytes_max: int) -> ProducerMetrics:
        """All of it now."""
        return ProducerMetrics(
            records_stored=self._records_stored,
            records_failed=self._records_failed,
            bytes_stored=self._bytes_stored,
            batches_stored=self._batches_stored,
            batches_sent=self._batches_sent,
            batches_repeated=self._batches_repeated,
            requests=self._requests,
            queue_ms_total=self._queue_ms_total,
            queue_ms_max=self._queue_ms_max,
            buffer_bytes_used=buffer_bytes_used,
            buffer_bytes_max=buffer_bytes_max,
        )
