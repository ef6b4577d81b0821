"""InitProducerId: who has a transactional id, and who had it."""

from __future__ import annotations

import pytest

from ottla.base.errors import ErrorCode
from ottla.transactions.transaction import EPOCH_MAX, EPOCH_OF_CLIENTS_MAX, State
from tests.unit.transactions.support import TIMEOUT_MS_MAX, Coordinator

VERSIONS = pytest.mark.parametrize("version", [0, 1, 2])


def test_a_new_transactional_id_gets_a_producer_id_of_its_own_and_epoch_0() -> None:
    coordinator = Coordinator()
    answer = coordinator.init()
    assert (answer.error, answer.producer_id, answer.producer_epoch) == (ErrorCode.NONE, 1000, 0)
    assert coordinator.init(transactional_id="other").producer_id == 1001


@VERSIONS
def test_each_takeover_is_one_epoch_above_the_one_before(version: int) -> None:
    coordinator = Coordinator(version)
    assert [coordinator.initialised() for _ in range(3)] == [(1000, 0), (1000, 1), (1000, 2)]


@pytest.mark.parametrize("timeout_ms", [0, -1, TIMEOUT_MS_MAX + 1])
def test_a_timeout_that_is_none_or_too_long_is_refused(timeout_ms: int) -> None:
    answer = Coordinator().init(timeout_ms=timeout_ms)
    assert answer.error is ErrorCode.INVALID_TRANSACTION_TIMEOUT


def test_the_longest_timeout_is_allowed() -> None:
    assert Coordinator().init(timeout_ms=TIMEOUT_MS_MAX).error is ErrorCode.NONE


@pytest.mark.parametrize(("version", "fencing_epoch"), [(0, 1), (1, 1), (2, 2)])
def test_an_open_transaction_is_aborted_above_its_epoch_and_the_client_comes_again(
    version: int, fencing_epoch: int
) -> None:
    coordinator = Coordinator(version)
    producer = coordinator.initialised()
    coordinator.add(producer, 0, 1)
    answer = coordinator.init()
    assert answer.error is ErrorCode.CONCURRENT_TRANSACTIONS
    assert answer.end is not None
    assert not answer.end.is_committed
    assert answer.end.producer_epoch == fencing_epoch
    assert {where.partition for where in answer.end.partitions} == {0, 1}
    assert coordinator.init().error is ErrorCode.CONCURRENT_TRANSACTIONS
    coordinator.complete(answer.end)
    assert coordinator.initialised() == (1000, fencing_epoch + 1)


@VERSIONS
def test_the_older_producer_is_fenced_everywhere(version: int) -> None:
    coordinator = Coordinator(version)
    older = coordinator.initialised()
    newer = coordinator.initialised()
    assert coordinator.add(older, 0) is ErrorCode.PRODUCER_FENCED
    assert coordinator.verify(older, 0) == {0: ErrorCode.PRODUCER_FENCED}
    assert coordinator.init(older).error is ErrorCode.PRODUCER_FENCED
    coordinator.add(newer, 0)
    assert coordinator.end(older, commit=True).error is ErrorCode.PRODUCER_FENCED
    assert coordinator.init(older).error is ErrorCode.PRODUCER_FENCED
    assert coordinator.state is State.ONGOING


def test_a_producer_that_goes_on_after_an_error_gets_the_next_epoch() -> None:
    coordinator = Coordinator()
    producer = coordinator.initialised()
    answer = coordinator.init(producer)
    assert (answer.error, answer.producer_epoch) == (ErrorCode.NONE, 1)


def test_a_producer_that_missed_the_answer_gets_the_same_epoch_again() -> None:
    coordinator = Coordinator()
    producer = coordinator.initialised()
    first = coordinator.init(producer)
    assert coordinator.init(producer)[:3] == first[:3]


def test_nobody_resumes_what_another_has_taken_over() -> None:
    coordinator = Coordinator()
    producer = coordinator.initialised()
    coordinator.init(producer)
    coordinator.initialised()
    assert coordinator.init(producer).error is ErrorCode.PRODUCER_FENCED


def test_a_missed_answer_is_forgotten_by_a_reload_so_that_nobody_is_let_in_wrongly() -> None:
    coordinator = Coordinator()
    producer = coordinator.initialised()
    coordinator.init(producer)
    coordinator.reload()
    assert coordinator.init(producer).error is ErrorCode.PRODUCER_FENCED


def test_another_producer_id_cannot_resume() -> None:
    coordinator = Coordinator()
    coordinator.initialised()
    assert coordinator.init((7, 0)).error is ErrorCode.PRODUCER_FENCED


def test_who_resumes_an_id_that_was_forgotten_begins_anew() -> None:
    coordinator = Coordinator()
    answer = coordinator.init((7, 3))
    assert (answer.error, answer.producer_id, answer.producer_epoch) == (ErrorCode.NONE, 1000, 0)


@VERSIONS
def test_when_epochs_are_used_up_there_is_a_new_producer_id(version: int) -> None:
    coordinator = Coordinator(version)
    coordinator.initialised()
    coordinator.set_epoch(EPOCH_OF_CLIENTS_MAX - 1)
    assert coordinator.initialised() == (1000, EPOCH_OF_CLIENTS_MAX)
    assert coordinator.initialised() == (1001, 0)


def test_who_missed_the_new_producer_id_is_told_again() -> None:
    coordinator = Coordinator()
    coordinator.initialised()
    coordinator.set_epoch(EPOCH_OF_CLIENTS_MAX)
    assert coordinator.init((1000, EPOCH_OF_CLIENTS_MAX))[1:3] == (1001, 0)
    assert coordinator.init((1000, EPOCH_OF_CLIENTS_MAX))[1:3] == (1001, 0)
    assert coordinator.init((1000, EPOCH_OF_CLIENTS_MAX - 1)).error is ErrorCode.PRODUCER_FENCED


@VERSIONS
def test_fencing_never_runs_out_of_epochs(version: int) -> None:
    coordinator = Coordinator(version)
    coordinator.initialised()
    coordinator.set_epoch(EPOCH_OF_CLIENTS_MAX)
    coordinator.add((1000, EPOCH_OF_CLIENTS_MAX), 0)
    answer = coordinator.init()
    assert answer.end is not None
    assert answer.end.producer_epoch == EPOCH_MAX
    coordinator.complete(answer.end)
    assert (
        coordinator.end((1000, EPOCH_OF_CLIENTS_MAX), commit=False).error
        is ErrorCode.PRODUCER_FENCED
    )
    assert coordinator.initialised() == (1001, 0)
