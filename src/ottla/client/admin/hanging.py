"""Which open transactions have no end: pure, from what partitions and coordinators say.

Such a transaction holds up all who read committed records. It comes about where a marker is lost,
or a late batch lands after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from ottla.base.ids import TopicPartition
from ottla.client.admin.producers import ProducerState
from ottla.client.admin.transaction_descriptions import (
    AbortSpec,
    TransactionDescription,
    TransactionState,
)

MAX_TIMEOUT_MS: Final = 900_000
"""Kafka's default of `transaction.max.timeout.ms`."""

_UNDECIDED: Final = {
    TransactionState.ONGOING,
    TransactionState.PREPARE_COMMIT,
    TransactionState.PREPARE_ABORT,
    TransactionState.PREPARE_EPOCH_FENCE,
}
"""A coordinator in these states will still write the marker."""


class OpenTransaction(Struct, frozen=True, kw_only=True):
    """A transaction that is open in a partition."""

    partition: TopicPartition
    producer: ProducerState

    @property
    def abort_spec(self) -> AbortSpec:
        """What aborts it."""
        return AbortSpec(
            partition=self.partition,
            producer_id=self.producer.producer_id,
            producer_epoch=self.producer.producer_epoch,
            coordinator_epoch=self.producer.coordinator_epoch or 0,
        )


def open_transactions(
    states: Mapping[TopicPartition, Iterable[ProducerState]],
) -> list[OpenTransaction]:
    """All that are open."""
    return [
        OpenTransaction(partition=partition, producer=state)
        for partition, producers in states.items()
        for state in producers
        if state.transaction_start_offset is not None
    ]


def without_end(
    candidates: Iterable[OpenTransaction],
    names: Mapping[int, str],
    descriptions: Mapping[str, TransactionDescription],
) -> list[OpenTransaction]:
    """Those that no coordinator is going to end.

    `names` are transactional ids by producer id. A producer of none has no coordinator at all.
    """
    return [
        candidate
        for candidate in candidates
        if not _will_end(candidate, descriptions.get(names.get(candidate.producer.producer_id, "")))
    ]


def _will_end(candidate: OpenTransaction, description: TransactionDescription | None) -> bool:
    return (
        description is not None
        and description.producer_id == candidate.producer.producer_id
        and description.state in _UNDECIDED
        and candidate.partition in description.partitions
    )
