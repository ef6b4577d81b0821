"""What becomes of records: stored, sent again, split, given up.

Whatever frees memory for good goes through here, and tells who waits for room.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from itertools import chain

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.client.backoff import FACTOR, Backoff
from ottla.client.metadata import ClusterMetadata
from ottla.client.producer.accumulator import Accumulator, Unplaced
from ottla.client.producer.batch import ProducerBatch
from ottla.client.producer.errors import (
    DeliveryError,
    DeliveryTimeoutError,
    OutcomeUnknownError,
)
from ottla.client.producer.metrics import Counts
from ottla.client.producer.outcomes import Outcome, outcome_of
from ottla.client.producer.partition_queue import NEVER, Gap, PartitionQueue
from ottla.client.producer.produce_requests import answers, learn_leaders
from ottla.client.remedies import known_error
from ottla.wire.messages.produce import PartitionProduceResponse, ProduceRequest, ProduceResponse

_log = logging.getLogger(__name__)

BACKOFF_STEPS_MAX = 16
"""Doublings of a wait after which every wait is the longest."""


class Settlement:
    """Of all batches of one producer."""

    def __init__(
        self,
        accumulator: Accumulator,
        metadata: Callable[[], ClusterMetadata],
        on_stale: Callable[[str], None],
        counts: Counts,
    ) -> None:
        """`on_stale` is called with a topic whose leaders are not where they were thought."""
        self._accumulator = accumulator
        self._options = accumulator.options
        self._clock = accumulator.clock
        self._metadata = metadata
        self._on_stale = on_stale
        self._counts = counts
        self.on_failure: Callable[[Exception], None] = lambda error: None
        """Called with the error of each batch, and of each record without a batch, given up."""
        self.on_room: Callable[[], None] = lambda: None
        """Called when memory is free again."""

    def queue_of(self, batch: ProducerBatch) -> PartitionQueue:
        """Where the batch belongs."""
        return self._accumulator.topics[batch.partition.topic].queues[batch.partition.partition]

    def all_lost(self, batches: list[ProducerBatch], error: Exception) -> None:
        """No answer: stored or not, nobody knows."""
        _log.info("a request was not answered", extra={"reason": str(error)})
        for batch in batches:
            self._on_stale(batch.partition.topic)
            queue = self.queue_of(batch)
            queue.returned(batch)
            self._repeat(queue, batch, ErrorCode.NETWORK_EXCEPTION, str(error), in_doubt=True)

    def all_refused(self, batches: list[ProducerBatch], error: ProtocolError) -> None:
        """Nothing was sent that the node can read, or it answers what we cannot read."""
        in_doubt = error.code is ErrorCode.INVALID_REQUEST
        for batch in batches:
            queue = self.queue_of(batch)
            queue.returned(batch)
            batch.in_doubt |= in_doubt
            self._give_up(queue, batch, error.code, error.message)

    def answered(
        self, batches: list[ProducerBatch], request: ProduceRequest, response: ProduceResponse
    ) -> None:
        """An answer, for each of the batches."""
        told = dict(answers(request, response))
        for batch in batches:
            queue = self.queue_of(batch)
            queue.returned(batch)
            answer = told.get(batch.partition)
            if answer is None:
                self._repeat(
                    queue, batch, ErrorCode.UNKNOWN_SERVER_ERROR, "not answered", in_doubt=True
                )
            else:
                self._judge(queue, batch, answer, response)

    def _judge(
        self,
        queue: PartitionQueue,
        batch: ProducerBatch,
        answer: PartitionProduceResponse,
        response: ProduceResponse,
    ) -> None:
        code = known_error(answer.error_code)
        text = answer.error_message or f"for a batch of {batch.count} records"
        match outcome_of(code, idempotent=queue.counts, transactional=queue.is_transactional):
            case Outcome.STORED:
                self.stored(batch, answer.base_offset, answer.log_append_time_ms)
            case Outcome.STORED_BEFORE:
                self.stored(batch, -1, -1)
            case Outcome.OUT_OF_ORDER:
                queue.out_of_order(batch, at_ms=self._retry_at_ms(batch))
                if queue.gap is Gap.CLOSED or (batch.in_doubt and queue.sent[0] is batch):
                    self._give_up(queue, batch, code, text)
            case Outcome.TOO_LARGE if batch.count > 1:
                self._split(queue, batch)
            case Outcome.REPEAT | Outcome.REPEAT_IN_DOUBT as outcome:
                if not learn_leaders(self._metadata(), batch.partition, answer, response):
                    self._on_stale(batch.partition.topic)
                in_doubt = outcome is Outcome.REPEAT_IN_DOUBT
                self._repeat(queue, batch, code, text, in_doubt=in_doubt)
            case _:
                self._give_up(queue, batch, code, text)

    def _split(self, queue: PartitionQueue, batch: ProducerBatch) -> None:
        queue.split(batch)
        # Records that stand nearer to their batch's first take fewer bytes.
        self._release(batch.size - sum(part.size for part in batch.onward()))

    def stored(self, batch: ProducerBatch, base_offset: int, log_append_time_ms: int) -> None:
        """The good outcome."""
        self._counts.stored(batch)
        self._release(batch.size)
        self.queue_of(batch).stored(batch, base_offset, log_append_time_ms)

    def _retry_at_ms(self, batch: ProducerBatch) -> float:
        options = self._options
        doublings = min(batch.attempts, BACKOFF_STEPS_MAX) - 1
        first_ms = options.retry_backoff_ms * FACTOR**doublings
        backoff = Backoff(first_ms, options.retry_backoff_max_ms, self._accumulator.rng)
        return self._clock.monotonic_ms() + backoff.next_ms()

    def _repeat(
        self,
        queue: PartitionQueue,
        batch: ProducerBatch,
        code: ErrorCode,
        text: str,
        *,
        in_doubt: bool,
    ) -> None:
        queue.repeat(batch, at_ms=self._retry_at_ms(batch), in_doubt=in_doubt)
        if batch.attempts > self._options.retries:
            self._give_up(queue, batch, code, text)

    def _give_up(
        self, queue: PartitionQueue, batch: ProducerBatch, code: ErrorCode, text: str
    ) -> None:
        kind = OutcomeUnknownError if batch.in_doubt else DeliveryError
        self._drop(queue, batch, kind(code, f"{batch.partition}: {text}"))

    def _drop(self, queue: PartitionQueue, batch: ProducerBatch, error: Exception) -> None:
        _log.warning(
            "records are given up",
            extra={"partition": str(batch.partition), "records": batch.count, "reason": str(error)},
        )
        self._counts.failed(batch.count)
        self._release(batch.size)
        queue.give_up(batch, error)
        self.on_failure(error)

    def drop_all(self, error: Exception) -> None:
        """Give up all that is not on its way; what is, ends by its answer."""
        for queue in list(self._accumulator.busy.values()):
            for batch in queue.unsettled:
                if not batch.in_flight and not batch.settled:
                    self._drop(queue, batch, error)
        # A copy: who hears of a failure may send to a topic that is new.
        for topic in list(self._accumulator.topics.values()):
            waiting, topic.unplaced = topic.unplaced, []
            for unplaced in waiting:
                self.drop_unplaced(unplaced, error)

    def drop_unplaced(self, unplaced: Unplaced, error: Exception) -> None:
        """Give up what stands in no topic's list any more, and never had a partition."""
        self._counts.failed(unplaced.count)
        self._release(unplaced.size)
        unplaced.settle(error)
        if unplaced.count:
            # Rows that were not taken are part of nothing: their caller is told, and no one else.
            self.on_failure(error)

    def expires_at_ms(self, queue: PartitionQueue) -> float:
        """When its first batch that is not on its way is too old."""
        for batch in chain(queue.sent, queue.fresh):
            if not batch.in_flight:
                return batch.created_ms + self._options.delivery_timeout_ms
        return NEVER

    def expire(self, queue: PartitionQueue, now_ms: float) -> None:
        """Give up what is too old."""
        late_ms = now_ms - self._options.delivery_timeout_ms
        for batch in queue.unsettled:
            if batch.created_ms <= late_ms and not batch.in_flight:
                kind = OutcomeUnknownError if batch.in_doubt else DeliveryTimeoutError
                text = (
                    f"{batch.partition}: no outcome within {self._options.delivery_timeout_ms} ms"
                )
                self._drop(queue, batch, kind(ErrorCode.REQUEST_TIMED_OUT, text))

    def _release(self, size: int) -> None:
        self._accumulator.release(size)
        self.on_room()
