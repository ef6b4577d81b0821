"""AddPartitionsToTxn: what belongs to a transaction, added before it is written to, or verified."""

from __future__ import annotations

from typing import NamedTuple

from ottla.base.errors import ErrorCode
from ottla.base.ids import TopicPartition
from ottla.transactions.step import Step, refused
from ottla.transactions.transaction import (
    EPOCH_OF_CLIENTS_MAX,
    PREPARED,
    State,
    Transaction,
)


class Writing(NamedTuple):
    """A producer that writes, or wants to write, to partitions in its transaction."""

    transactional_id: str
    producer_id: int
    epoch: int
    partitions: frozenset[TopicPartition]


def add(current: Transaction | None, wanted: Writing, *, version: int, now_ms: int) -> Step:
    """Take partitions into the transaction, which begins where none is open.

    `version` is the transaction version that the client speaks.
    """
    error = _check(current, wanted)
    if error or current is None:
        return refused(error)
    is_open = current.state is State.ONGOING
    if is_open and wanted.partitions <= current.partitions:
        return Step()
    return Step(
        transaction=current.changed(
            now_ms,
            state=State.ONGOING,
            partitions=current.partitions | wanted.partitions,
            start_ms=current.start_ms if is_open else now_ms,
            client_version=version,
        )
    )


def verify(current: Transaction | None, writing: Writing) -> dict[TopicPartition, ErrorCode]:
    """Whether each partition is in the open transaction (KIP-890)."""
    error = _check(current, writing)
    if error or current is None:
        return dict.fromkeys(writing.partitions, error)
    members = current.partitions if current.state is State.ONGOING else frozenset()
    return {
        partition: ErrorCode.NONE if partition in members else ErrorCode.TRANSACTION_ABORTABLE
        for partition in writing.partitions
    }


def _check(current: Transaction | None, writing: Writing) -> ErrorCode:
    if current is None:
        return ErrorCode.INVALID_PRODUCER_ID_MAPPING
    if current.state in PREPARED and (writing.producer_id, writing.epoch) == current.current:
        # Its client knows the answer already, while markers are on their way.
        return ErrorCode.CONCURRENT_TRANSACTIONS
    if current.producer_id != writing.producer_id:
        return ErrorCode.INVALID_PRODUCER_ID_MAPPING
    # Of an end that leads to another producer id this is the epoch still, and of no client.
    is_fenced = writing.epoch != current.epoch or writing.epoch > EPOCH_OF_CLIENTS_MAX
    return ErrorCode.PRODUCER_FENCED if is_fenced else ErrorCode.NONE
