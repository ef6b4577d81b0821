"""InitProducerId: a producer takes over a transactional id, and fences whoever had it before.

With the id and epoch that it has (KIP-360) it goes on after an error, and only if nobody else has
taken over meanwhile.
"""

from __future__ import annotations

from typing import NamedTuple

from ottla.base.errors import ErrorCode
from ottla.base.ids import NO_PRODUCER
from ottla.transactions.ending import fenced
from ottla.transactions.step import NEEDS_PRODUCER_ID, Step, refused
from ottla.transactions.transaction import (
    EPOCH_OF_CLIENTS_MAX,
    NO_TIME,
    PREPARED,
    State,
    Transaction,
)

NOBODY = -1


class Takeover(NamedTuple):
    """Who wants a transactional id. `producer_id` -1: somebody new."""

    transactional_id: str
    timeout_ms: int
    producer_id: int = NO_PRODUCER
    epoch: int = -1

    @property
    def resumes(self) -> bool:
        return self.producer_id != NO_PRODUCER


def take_over(
    current: Transaction | None,
    wanted: Takeover,
    *,
    resumable_epoch: int,
    fresh_producer_id: int | None,
    transaction_version: int,
    now_ms: int,
) -> Step:
    """Give out the next epoch. `resumable_epoch`: see `Step`, of the current one."""
    if current is None:
        return _created(wanted, fresh_producer_id, now_ms)
    if wanted.resumes and not _may_resume(current, wanted, resumable_epoch):
        return refused(ErrorCode.PRODUCER_FENCED)
    if current.state in PREPARED:
        return refused(ErrorCode.CONCURRENT_TRANSACTIONS)
    if current.state is State.ONGOING:
        # The epoch that fences is told nobody; the client comes again when the abort is done.
        aborted = fenced(current, transaction_version, now_ms)
        return Step(ErrorCode.CONCURRENT_TRANSACTIONS, aborted, resumable_epoch=NOBODY)
    if wanted.resumes and wanted.epoch != current.epoch:  # it asks again
        return Step(producer=(current.producer_id, current.epoch))
    if current.is_exhausted:
        return _renewed(current, wanted, fresh_producer_id, now_ms)
    return _next_epoch(current, wanted, now_ms)


def _may_resume(current: Transaction, wanted: Takeover, resumable_epoch: int) -> bool:
    """Whether nobody else had the id since this client got its epoch."""
    if wanted.producer_id == current.producer_id:
        return wanted.epoch in (current.epoch, resumable_epoch)
    is_before_rotation = (
        wanted.producer_id == current.previous_producer_id and wanted.epoch >= EPOCH_OF_CLIENTS_MAX
    )
    return is_before_rotation and wanted.epoch == resumable_epoch


def _created(wanted: Takeover, fresh_producer_id: int | None, now_ms: int) -> Step:
    if fresh_producer_id is None:
        return NEEDS_PRODUCER_ID
    transaction = Transaction(
        transactional_id=wanted.transactional_id,
        producer_id=fresh_producer_id,
        epoch=0,
        timeout_ms=wanted.timeout_ms,
        last_update_ms=now_ms,
        previous_producer_id=fresh_producer_id,
    )
    return Step(transaction=transaction, producer=transaction.current, resumable_epoch=NOBODY)


def _renewed(
    current: Transaction, wanted: Takeover, fresh_producer_id: int | None, now_ms: int
) -> Step:
    if fresh_producer_id is None:
        return NEEDS_PRODUCER_ID
    return _emptied(current, wanted, fresh_producer_id, 0, now_ms)


def _next_epoch(current: Transaction, wanted: Takeover, now_ms: int) -> Step:
    return _emptied(current, wanted, current.producer_id, current.epoch + 1, now_ms)


def _emptied(
    current: Transaction, wanted: Takeover, producer_id: int, epoch: int, now_ms: int
) -> Step:
    transaction = current.changed(
        now_ms,
        producer_id=producer_id,
        epoch=epoch,
        timeout_ms=wanted.timeout_ms,
        state=State.EMPTY,
        partitions=frozenset(),
        start_ms=NO_TIME,
    )
    return Step(
        transaction=transaction,
        producer=transaction.current,
        resumable_epoch=wanted.epoch if wanted.resumes else NOBODY,
    )
