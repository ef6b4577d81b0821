"""Transactions as coordinators tell them."""

from __future__ import annotations

from enum import Enum

from msgspec import Struct

from ottla.base.ids import TopicPartition
from ottla.wire.messages import describe_transactions


class TransactionState(Enum):
    """What a transaction is doing, in Kafka's words."""

    UNKNOWN = "Unknown"
    """A word of a later protocol."""
    EMPTY = "Empty"
    ONGOING = "Ongoing"
    PREPARE_COMMIT = "PrepareCommit"
    PREPARE_ABORT = "PrepareAbort"
    COMPLETE_COMMIT = "CompleteCommit"
    COMPLETE_ABORT = "CompleteAbort"
    PREPARE_EPOCH_FENCE = "PrepareEpochFence"
    DEAD = "Dead"

    @classmethod
    def _missing_(cls, value: object) -> TransactionState:
        return cls.UNKNOWN


class TransactionListing(Struct, frozen=True, kw_only=True):
    """One transactional id of a list."""

    transactional_id: str
    producer_id: int
    state: TransactionState


class TransactionDescription(Struct, frozen=True, kw_only=True):
    """What the coordinator knows of one transactional id."""

    transactional_id: str
    state: TransactionState
    producer_id: int
    producer_epoch: int
    timeout_ms: int
    start_time_ms: int | None
    """None where no transaction is open."""
    partitions: frozenset[TopicPartition]
    """In the transaction; while it ends, those that still have no marker."""


class AbortSpec(Struct, frozen=True, kw_only=True):
    """An open transaction of one partition, and who has it: `producers.describe` tells."""

    partition: TopicPartition
    producer_id: int
    producer_epoch: int
    coordinator_epoch: int = 0
    """Of the last marker of this producer; 0 where it has none."""


class FencedProducer(Struct, frozen=True, kw_only=True):
    """Who a transactional id belongs to from now on: nobody who writes."""

    producer_id: int
    producer_epoch: int


def described(told: describe_transactions.TransactionState) -> TransactionDescription:
    return TransactionDescription(
        transactional_id=told.transactional_id,
        state=TransactionState(told.transaction_state),
        producer_id=told.producer_id,
        producer_epoch=told.producer_epoch,
        timeout_ms=told.transaction_timeout_ms,
        start_time_ms=None
        if told.transaction_start_time_ms < 0
        else told.transaction_start_time_ms,
        partitions=frozenset(
            TopicPartition(topic.topic, index)
            for topic in told.topics
            for index in topic.partitions
        ),
    )
