"""AddPartitionsToTxn, and its question whether partitions are in the transaction."""

from __future__ import annotations

import pytest

from ottla.base.errors import ErrorCode
from ottla.transactions.transaction import EPOCH_OF_CLIENTS_MAX, State
from tests.unit.transactions.support import NOW_MS, Coordinator


def test_the_first_partition_begins_the_transaction_and_its_time() -> None:
    coordinator = Coordinator()
    producer = coordinator.initialised()
    coordinator.now_ms += 5
    assert coordinator.add(producer, 0) is ErrorCode.NONE
    coordinator.now_ms += 5
    assert coordinator.add(producer, 1) is ErrorCode.NONE
    assert coordinator.state is State.ONGOING
    assert coordinator.transaction.start_ms == NOW_MS + 5
    assert {where.partition for where in coordinator.transaction.partitions} == {0, 1}


def test_a_partition_that_is_in_it_is_not_written_down_again() -> None:
    coordinator = Coordinator()
    producer = coordinator.initialised()
    coordinator.add(producer, 0, 1)
    records = len(coordinator.log)
    assert coordinator.add(producer, 1) is ErrorCode.NONE
    assert len(coordinator.log) == records


@pytest.mark.parametrize("version", [0, 2])
def test_the_next_transaction_begins_with_nothing_of_the_one_before(version: int) -> None:
    coordinator = Coordinator(version)
    producer = coordinator.initialised()
    coordinator.add(producer, 0)
    producer = coordinator.ended(producer, commit=True)
    assert coordinator.add(producer, 1) is ErrorCode.NONE
    assert {where.partition for where in coordinator.transaction.partitions} == {1}


def test_nobody_adds_to_an_id_that_is_not_known_or_of_another_producer() -> None:
    coordinator = Coordinator()
    assert coordinator.add((1000, 0), 0) is ErrorCode.INVALID_PRODUCER_ID_MAPPING
    coordinator.initialised()
    assert coordinator.add((7, 0), 0) is ErrorCode.INVALID_PRODUCER_ID_MAPPING


@pytest.mark.parametrize("epoch", [0, 2])
def test_only_the_current_epoch_may_add(epoch: int) -> None:
    coordinator = Coordinator()
    coordinator.initialised()
    coordinator.initialised()
    assert coordinator.add((1000, epoch), 0) is ErrorCode.PRODUCER_FENCED


@pytest.mark.parametrize("version", [0, 2])
def test_while_the_end_is_under_way_clients_wait(version: int) -> None:
    coordinator = Coordinator(version)
    producer = coordinator.initialised()
    coordinator.add(producer, 0)
    answer = coordinator.end(producer, commit=True)
    following = answer.producer_id, answer.producer_epoch
    assert coordinator.add(following, 0) is ErrorCode.CONCURRENT_TRANSACTIONS
    assert coordinator.verify(following, 0) == {0: ErrorCode.CONCURRENT_TRANSACTIONS}


def test_clients_that_go_on_under_a_new_producer_id_wait_too() -> None:
    coordinator = Coordinator()
    coordinator.initialised()
    coordinator.set_epoch(EPOCH_OF_CLIENTS_MAX)
    coordinator.add((1000, EPOCH_OF_CLIENTS_MAX), 0)
    coordinator.end((1000, EPOCH_OF_CLIENTS_MAX), commit=True)
    assert coordinator.add((1001, 0), 0) is ErrorCode.CONCURRENT_TRANSACTIONS


def test_verifying_tells_partition_by_partition_and_changes_nothing() -> None:
    coordinator = Coordinator(0)
    producer = coordinator.initialised()
    coordinator.add(producer, 0)
    records = len(coordinator.log)
    assert coordinator.verify(producer, 0, 1) == {
        0: ErrorCode.NONE,
        1: ErrorCode.TRANSACTION_ABORTABLE,
    }
    assert len(coordinator.log) == records


def test_after_the_end_nothing_is_verified() -> None:
    coordinator = Coordinator(0)
    producer = coordinator.initialised()
    coordinator.add(producer, 0)
    producer = coordinator.ended(producer, commit=True)
    assert coordinator.verify(producer, 0) == {0: ErrorCode.TRANSACTION_ABORTABLE}


def test_the_epoch_of_an_end_that_leads_to_another_producer_id_is_nobodys() -> None:
    coordinator = Coordinator()
    producer_id, _ = coordinator.initialised()
    coordinator.set_epoch(EPOCH_OF_CLIENTS_MAX)
    coordinator.add((producer_id, EPOCH_OF_CLIENTS_MAX), 0)
    assert coordinator.end((producer_id, EPOCH_OF_CLIENTS_MAX), commit=True).end is not None
    assert coordinator.add((producer_id, EPOCH_OF_CLIENTS_MAX + 1), 1) is ErrorCode.PRODUCER_FENCED
    assert coordinator.state is State.PREPARE_COMMIT
