"""The batches of one partition, in their order, from the first record to the outcome.

Pure: time comes in as numbers, what to send goes out as batches. The rules of KIP-98 and KIP-360:

- at most five batches are on their way, and the sequences they carry have no gap;
- of a new epoch the first batch travels alone: a broker that knows nothing of a producer takes any
  sequence, so a second batch could be stored before the first;
- what has failed goes again before anything new, one batch at a time, unchanged;
- a batch in doubt keeps its identity until the cluster has said whether it is stored;
- once a batch is given up, those after it can never be stored under their sequences. When none of
  them is in doubt any more, the partition begins a new epoch and counts from 0. A late copy of
  the given-up batch is of the old epoch, and refused: nothing is stored twice or out of order.
"""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import Final

from ottla.base.ids import TopicPartition
from ottla.client.producer.batch import NOBODY, Identity, ProducerBatch
from ottla.client.producer.options import IDEMPOTENT_IN_FLIGHT_MAX

EPOCH_MAX: Final = 32767 - 1
"""The last epoch a client may take by itself; the one after it would leave brokers no room."""

NEVER: Final = float("inf")


class Gap(Enum):
    """What a partition does once its sequences can no longer go on."""

    NONE = "goes on"
    NEW_EPOCH = "begins a new epoch when nothing is in doubt"
    CLOSED = "sends nothing until its transaction ends"


class PartitionQueue:
    """Batches of one partition. `muted` holds everything back, for a transaction."""

    __slots__ = (
        "_linger_ms",
        "counts",
        "fresh",
        "gap",
        "identity",
        "in_flight",
        "is_known",
        "is_transactional",
        "muted",
        "next_sequence",
        "open",
        "partition",
        "sent",
    )

    def __init__(
        self,
        partition: TopicPartition,
        *,
        linger_ms: float,
        idempotent: bool,
        transactional: bool = False,
    ) -> None:
        self.partition = partition
        self.fresh: deque[ProducerBatch] = deque()
        """Never sent."""
        self.open: ProducerBatch | None = None
        """The last of them, while it may still grow."""
        self.sent: list[ProducerBatch] = []
        """Sent and without an outcome, in order: on their way, or to be sent again."""
        self.in_flight = 0
        self.identity = NOBODY
        self.next_sequence = 0
        self.is_known = False
        """Whether the cluster has stored something of this epoch."""
        self.gap = Gap.NONE
        self.muted = False
        self.is_transactional = transactional
        self._linger_ms = linger_ms
        self.counts = idempotent

    @property
    def is_idle(self) -> bool:
        """Nothing to do."""
        return not self.fresh and not self.sent

    @property
    def unsettled(self) -> list[ProducerBatch]:
        """Every batch without an outcome."""
        return [*self.sent, *self.fresh]

    # -- what may be sent ------------------------------------------------------------------------

    def due(self, now_ms: float, identity: Identity, *, hurry: bool) -> ProducerBatch | None:
        """The batch that may be sent now, if there is one; `hurry` waits for no more records."""
        if self.muted or self.gap is Gap.CLOSED:
            return None
        again = self._to_repeat()
        if again is not None:
            waits = self.in_flight or again.is_being_packed or again.retry_at_ms > now_ms
            return None if waits else again
        if not self.fresh or (self.counts and not self._may_count(identity)):
            return None
        batch = self.fresh[0]
        if batch.is_being_packed:
            return None
        ripe = hurry or batch is not self.open or batch.created_ms + self._linger_ms <= now_ms
        return batch if ripe else None

    def due_at_ms(self, now_ms: float) -> float:
        """When to look again, should nothing else happen; NEVER where only an answer helps."""
        if self.muted or self.gap is Gap.CLOSED:
            return NEVER
        again = self._to_repeat()
        if again is not None:
            waits = self.in_flight or again.is_being_packed
            at_ms = NEVER if waits else again.retry_at_ms
        elif self.fresh:
            at_ms = self.fresh[0].created_ms + self._linger_ms
        else:
            return NEVER
        # What is due already waits for a request to come back.
        return at_ms if at_ms > now_ms else NEVER

    def _to_repeat(self) -> ProducerBatch | None:
        """The first batch that waits for its next try.

        After a gap only those in doubt: the others wait for the new epoch.
        """
        for batch in self.sent:
            if not batch.in_flight and (self.gap is Gap.NONE or batch.in_doubt):
                return batch
        return None

    def _may_count(self, identity: Identity) -> bool:
        if self.gap is not Gap.NONE or self.in_flight >= IDEMPOTENT_IN_FLIGHT_MAX:
            return False
        if self.in_flight and not self.is_known:
            return False
        if self.identity is NOBODY and identity is not NOBODY:
            self.identity = identity
            self.next_sequence = 0
        return self.identity is not NOBODY

    def take(self, batch: ProducerBatch) -> None:
        """The batch is being sent."""
        if not batch.attempts:
            assert batch is self.fresh[0]
            self.sent.append(self.fresh.popleft())
            if batch is self.open:
                self.open = None
            if self.counts:
                self._number(batch)
        assert not batch.in_flight
        batch.in_flight = True
        batch.attempts += 1
        self.in_flight += 1

    def _number(self, batch: ProducerBatch) -> None:
        batch.identity = self.identity
        batch.sequence = self.next_sequence
        self.next_sequence = batch.next_sequence

    # -- what became of it -----------------------------------------------------------------------

    def returned(self, batch: ProducerBatch) -> None:
        """The batch is not on its way any more; one of the words below follows."""
        assert batch.in_flight
        batch.in_flight = False
        self.in_flight -= 1

    def stored(self, batch: ProducerBatch, base_offset: int, log_append_time_ms: int) -> None:
        """The good outcome."""
        self.sent.remove(batch)
        self.is_known = True
        batch.stored(base_offset, log_append_time_ms)

    def repeat(self, batch: ProducerBatch, *, at_ms: float, in_doubt: bool) -> None:
        """Send it again, not before `at_ms`."""
        batch.retry_at_ms = at_ms
        batch.in_doubt |= in_doubt

    def out_of_order(self, batch: ProducerBatch, *, at_ms: float) -> None:
        """The cluster misses what comes before it: the batch is surely not stored.

        Where an earlier one is without an outcome that is why, and its turn comes again. Part of a
        batch that may be stored stays in doubt: Kafka knows a duplicate by its first and last
        sequence, and answers this also where the whole is stored.
        """
        batch.in_doubt = batch.is_part_in_doubt
        batch.retry_at_ms = at_ms
        if self.sent[0] is batch:
            self._break()

    def split(self, batch: ProducerBatch) -> None:
        """Send it as two, in its place and under its sequences; it was refused as too large."""
        at = self.sent.index(batch)
        self.sent[at : at + 1] = batch.split()

    def give_up(self, batch: ProducerBatch, error: Exception) -> None:
        """The bad outcome, of a batch that is not on its way."""
        assert not batch.in_flight
        if batch.attempts:
            self.sent.remove(batch)
            if self.counts:
                self._break()
        else:
            self.fresh.remove(batch)
            if batch is self.open:
                self.open = None
        batch.settle(error)

    def _break(self) -> None:
        if self.gap is Gap.NONE:
            self.gap = Gap.CLOSED if self.is_transactional else Gap.NEW_EPOCH

    # -- a new life ------------------------------------------------------------------------------

    def mend(self, identity: Identity) -> None:
        """Begin a new epoch after a gap, once nothing can be stored under the old one.

        Where the epochs are used up, `identity` is taken when it is another producer id.
        """
        if self.gap is not Gap.NEW_EPOCH or self.in_flight:
            return
        if any(batch.in_doubt for batch in self.sent):
            return
        if not self.is_worn:
            self.begin(Identity(self.identity.producer_id, self.identity.epoch + 1))
        elif identity.producer_id != self.identity.producer_id and identity is not NOBODY:
            self.begin(identity)

    @property
    def is_worn(self) -> bool:
        """Whether this producer id has no further epoch, and one is needed."""
        return self.gap is Gap.NEW_EPOCH and self.identity.epoch >= EPOCH_MAX

    def begin(self, identity: Identity) -> None:
        """Count from 0 under this identity; what was sent before and refused is numbered anew."""
        assert not self.in_flight
        self.identity = identity
        self.next_sequence = 0
        self.is_known = False
        self.gap = Gap.NONE
        for batch in self.sent:
            self._number(batch)
