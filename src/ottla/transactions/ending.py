"""EndTxn: commit or abort, decided first and told to the partitions then.

Under transaction version 2 the end begins the next epoch, so that a late request of an ended
transaction is known by its epoch (KIP-890). Before, an epoch has many transactions.
"""

from __future__ import annotations

from typing import NamedTuple

from ottla.base.errors import ErrorCode
from ottla.base.ids import NO_PRODUCER
from ottla.transactions.step import NEEDS_PRODUCER_ID, Step, refused
from ottla.transactions.transaction import (
    EPOCH_MAX,
    EPOCH_OF_CLIENTS_MAX,
    EPOCH_PER_TRANSACTION,
    PREPARED,
    State,
    Transaction,
    TransactionEnd,
)


class Ending(NamedTuple):
    """How a client wants its transaction to end; `version` is the transaction version it speaks."""

    transactional_id: str
    producer_id: int
    epoch: int
    is_committed: bool
    version: int


_PREPARE = {True: State.PREPARE_COMMIT, False: State.PREPARE_ABORT}
_COMPLETE = {True: State.COMPLETE_COMMIT, False: State.COMPLETE_ABORT}


def end(
    current: Transaction | None, asked: Ending, *, fresh_producer_id: int | None, now_ms: int
) -> Step:
    """Decide the end; the answer tells the epoch for what comes next."""
    if current is None:
        return refused(ErrorCode.INVALID_PRODUCER_ID_MAPPING)
    if asked.epoch > EPOCH_OF_CLIENTS_MAX:
        return refused(ErrorCode.PRODUCER_FENCED)
    if asked.version < EPOCH_PER_TRANSACTION:
        return _end_in_epoch(current, asked, now_ms)
    return _end_with_epoch(current, asked, fresh_producer_id, now_ms)


def _end_in_epoch(current: Transaction, asked: Ending, now_ms: int) -> Step:
    """Before version 2: the same epoch goes on, so the state alone tells what is asked again."""
    if asked.producer_id != current.producer_id:
        return refused(ErrorCode.INVALID_PRODUCER_ID_MAPPING)
    if asked.epoch != current.epoch:
        return refused(ErrorCode.PRODUCER_FENCED)
    if current.state is State.ONGOING:
        prepared = current.changed(
            now_ms, state=_PREPARE[asked.is_committed], client_version=asked.version
        )
        return Step(transaction=prepared, producer=prepared.current)
    return _answer_again(current, asked)


def _end_with_epoch(
    current: Transaction, asked: Ending, fresh_producer_id: int | None, now_ms: int
) -> Step:
    """Version 2: with the current epoch it is a new end, with the one before the same again."""
    is_again = _is_again(current, asked)
    if asked.producer_id != current.producer_id and not is_again:
        return refused(ErrorCode.INVALID_PRODUCER_ID_MAPPING)
    if current.state in PREPARED or is_again:
        if not is_again or current.state in (State.EMPTY, State.ONGOING):
            return refused(ErrorCode.PRODUCER_FENCED)
        return _answer_again(current, asked)
    if asked.epoch != current.epoch:
        return refused(ErrorCode.PRODUCER_FENCED)
    if asked.is_committed and current.state is not State.ONGOING:
        return refused(ErrorCode.INVALID_TXN_STATE)
    if not current.is_exhausted:
        return _prepared(current, asked, NO_PRODUCER, now_ms)
    if fresh_producer_id is None:
        return NEEDS_PRODUCER_ID
    return _prepared(current, asked, fresh_producer_id, now_ms)


def _is_again(current: Transaction, asked: Ending) -> bool:
    """Whether the client asks once more for an end whose answer it has not got."""
    if asked.producer_id == current.producer_id:
        # The last epoch is for fencing, but for an end that leads to another producer id.
        is_fence = current.epoch == EPOCH_MAX and current.next_producer_id == NO_PRODUCER
        return asked.epoch + 1 == current.epoch and not is_fence
    return (
        asked.producer_id == current.previous_producer_id
        and asked.epoch == EPOCH_OF_CLIENTS_MAX
        and current.epoch == 0
        and current.state not in (State.EMPTY, State.ONGOING)
    )


def _prepared(current: Transaction, asked: Ending, next_producer_id: int, now_ms: int) -> Step:
    """Also without any partition: who aborts may not know whether one was added."""
    is_open = current.state is State.ONGOING
    prepared = current.changed(
        now_ms,
        state=_PREPARE[asked.is_committed],
        epoch=current.epoch + 1,
        next_producer_id=next_producer_id,
        start_ms=current.start_ms if is_open else now_ms,
        client_version=asked.version,
    )
    return Step(transaction=prepared, producer=prepared.current, resumable_epoch=current.epoch)


def _answer_again(current: Transaction, asked: Ending) -> Step:
    if current.state is _COMPLETE[asked.is_committed]:
        return Step(producer=current.current)
    if current.state is _PREPARE[asked.is_committed]:
        return refused(ErrorCode.CONCURRENT_TRANSACTIONS)
    return refused(ErrorCode.INVALID_TXN_STATE)


def fenced(current: Transaction, transaction_version: int, now_ms: int) -> Transaction:
    """Abort an open transaction against its producer's will: its epoch has ended.

    Under version 2 by two epochs, for one alone is what the producer's own end would bring: it must
    not take the abort for the end that it asks for. A client that spoke it before the cluster was
    set back goes on with it for a while.
    """
    version = max(transaction_version, current.client_version)
    bumps = 2 if version >= EPOCH_PER_TRANSACTION else 1
    return current.changed(
        now_ms,
        state=State.PREPARE_ABORT,
        epoch=min(current.epoch + bumps, EPOCH_MAX),
        client_version=version,
    )


def complete(current: Transaction | None, ended: TransactionEnd, now_ms: int) -> Step:
    """Every partition has its marker. INVALID_TXN_STATE where that end is not under way."""
    if current is None or current.state not in PREPARED or current.end != ended:
        return refused(ErrorCode.INVALID_TXN_STATE)
    producer_id, epoch = current.current
    completed = current.changed(
        now_ms,
        state=_COMPLETE[ended.is_committed],
        producer_id=producer_id,
        epoch=epoch,
        partitions=frozenset(),
        next_producer_id=NO_PRODUCER,
    )
    return Step(transaction=completed, producer=completed.current)
