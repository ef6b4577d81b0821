"""What DescribeTransactions and ListTransactions tell (KIP-664, KIP-994, KIP-1152)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from ottla.base.errors import ErrorCode
from ottla.base.ids import TopicPartition
from ottla.transactions.id_pattern import IdPattern
from ottla.transactions.transaction import (
    NO_TIME,
    State,
    Transaction,
    by_topic,
)
from ottla.wire.messages.describe_transactions import TopicData, TransactionState
from ottla.wire.messages.list_transactions import ListTransactionsRequest
from ottla.wire.messages.list_transactions import TransactionState as ListedTransaction


class Filter(NamedTuple):
    """Which transactions to list; an empty part lets all pass.

    `open_ms_min` below 0 lets all pass; otherwise those that are open for longer.
    """

    states: frozenset[str] = frozenset()
    producer_ids: frozenset[int] = frozenset()
    open_ms_min: int = -1
    pattern: IdPattern | None = None

    @classmethod
    def of(cls, request: ListTransactionsRequest) -> Filter:
        """Raises ProtocolError(INVALID_REGULAR_EXPRESSION)."""
        pattern = request.transactional_id_pattern
        return cls(
            frozenset(request.state_filters),
            frozenset(request.producer_id_filters),
            request.duration_filter,
            IdPattern(pattern) if pattern else None,
        )

    @property
    def unknown_states(self) -> list[str]:
        known = {state.label for state in State}
        return sorted(self.states - known)

    def passes(self, found: Transaction, now_ms: int) -> bool:
        """Whether a transaction is asked for. Raises as `IdPattern.matches`."""
        if self.states and found.state.label not in self.states:
            return False
        if self.producer_ids and found.producer_id not in self.producer_ids:
            return False
        if self.open_ms_min >= 0 and not _open_longer(found, self.open_ms_min, now_ms):
            return False
        return self.pattern is None or self.pattern.matches(found.transactional_id)


def _open_longer(found: Transaction, open_ms_min: int, now_ms: int) -> bool:
    return found.start_ms != NO_TIME and now_ms - found.start_ms > open_ms_min


def passing(found: Iterable[Transaction], wanted: Filter, now_ms: int) -> list[ListedTransaction]:
    """Those that are asked for."""
    return [
        ListedTransaction(
            transactional_id=transaction.transactional_id,
            producer_id=transaction.producer_id,
            transaction_state=transaction.state.label,
        )
        for transaction in found
        if wanted.passes(transaction, now_ms)
    ]


def described(
    transactional_id: str,
    found: Transaction | None,
    marked: Collection[TopicPartition],
) -> TransactionState:
    """One id; of an end under way only what is not `marked` yet."""
    if found is None:
        return TransactionState(
            error_code=ErrorCode.TRANSACTIONAL_ID_NOT_FOUND, transactional_id=transactional_id
        )
    return TransactionState(
        transactional_id=transactional_id,
        transaction_state=found.state.label,
        transaction_timeout_ms=found.timeout_ms,
        transaction_start_time_ms=found.start_ms,
        producer_id=found.producer_id,
        producer_epoch=found.epoch,
        topics=[
            TopicData(topic=topic, partitions=indexes)
            for topic, indexes in by_topic(found.partitions.difference(marked)).items()
        ],
    )
