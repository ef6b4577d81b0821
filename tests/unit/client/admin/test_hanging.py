"""Which open transactions nobody will end."""

from __future__ import annotations

import pytest

from ottla.base.ids import TopicPartition
from ottla.client.admin.hanging import OpenTransaction, open_transactions, without_end
from ottla.client.admin.producers import ProducerState
from ottla.client.admin.transaction_descriptions import (
    AbortSpec,
    TransactionDescription,
    TransactionState,
)

ORDERS = TopicPartition("orders", 0)


def producer(
    *, start_offset: int | None = 5, coordinator_epoch: int | None = None
) -> ProducerState:
    return ProducerState(
        producer_id=7,
        producer_epoch=2,
        last_sequence=0,
        last_timestamp_ms=1000,
        coordinator_epoch=coordinator_epoch,
        transaction_start_offset=start_offset,
    )


OPEN = OpenTransaction(partition=ORDERS, producer=producer())


def description(
    state: TransactionState = TransactionState.ONGOING,
    *,
    producer_id: int = 7,
    partitions: frozenset[TopicPartition] = frozenset({ORDERS}),
) -> TransactionDescription:
    return TransactionDescription(
        transactional_id="t",
        state=state,
        producer_id=producer_id,
        producer_epoch=2,
        timeout_ms=1,
        start_time_ms=0,
        partitions=partitions,
    )


def test_only_open_transactions_are_looked_at() -> None:
    states = {ORDERS: [producer(start_offset=None), producer(start_offset=0)]}
    assert [each.producer.transaction_start_offset for each in open_transactions(states)] == [0]


@pytest.mark.parametrize(
    "state",
    [
        TransactionState.ONGOING,
        TransactionState.PREPARE_ABORT,
        TransactionState.PREPARE_COMMIT,
        TransactionState.PREPARE_EPOCH_FENCE,
    ],
)
def test_what_its_coordinator_still_works_on_does_not_hang(state: TransactionState) -> None:
    assert without_end([OPEN], {7: "t"}, {"t": description(state)}) == []


@pytest.mark.parametrize(
    ("names", "descriptions"),
    [
        ({}, {}),
        ({7: "t"}, {}),
        ({7: "t"}, {"t": description(TransactionState.COMPLETE_COMMIT)}),
        ({7: "t"}, {"t": description(TransactionState.EMPTY)}),
        ({7: "t"}, {"t": description(producer_id=8)}),
        ({7: "t"}, {"t": description(partitions=frozenset())}),
    ],
    ids=["no id", "gone", "completed", "empty", "of another producer", "elsewhere"],
)
def test_what_no_coordinator_works_on_hangs(
    names: dict[int, str], descriptions: dict[str, TransactionDescription]
) -> None:
    assert without_end([OPEN], names, descriptions) == [OPEN]


@pytest.mark.parametrize(("told", "sent"), [(None, 0), (4, 4)])
def test_it_is_aborted_in_the_name_of_its_last_coordinator(told: int | None, sent: int) -> None:
    found = OpenTransaction(partition=ORDERS, producer=producer(coordinator_epoch=told))
    assert found.abort_spec == AbortSpec(
        partition=ORDERS, producer_id=7, producer_epoch=2, coordinator_epoch=sent
    )
