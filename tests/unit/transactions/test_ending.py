"""EndTxn: what is decided, what is refused, and what is answered again."""

from __future__ import annotations

import pytest

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.transactions.transaction import (
    EPOCH_MAX,
    EPOCH_OF_CLIENTS_MAX,
    State,
    transaction_of,
)
from ottla.wire.payloads.transaction_log import TransactionLogKey, TransactionLogValue
from tests.unit.transactions.support import EXPIRATION_MS, ID, TIMEOUT_MS, Coordinator, Producer

OUTCOMES = pytest.mark.parametrize("commit", [True, False])
VERSIONS = pytest.mark.parametrize("version", [0, 2])


def opened(version: int) -> tuple[Coordinator, Producer]:
    coordinator = Coordinator(version)
    producer = coordinator.initialised()
    coordinator.add(producer, 0, 1)
    return coordinator, producer


@OUTCOMES
def test_before_version_2_markers_have_the_epoch_of_the_records(commit: bool) -> None:
    coordinator, producer = opened(0)
    answer = coordinator.end(producer, commit=commit)
    assert answer.end is not None
    assert (answer.end.is_committed, answer.end.producer_epoch) == (commit, 0)
    assert answer.end.transaction_version == 0
    assert (answer.producer_id, answer.producer_epoch) == producer


@OUTCOMES
def test_under_version_2_markers_and_the_answer_have_the_next_epoch(commit: bool) -> None:
    coordinator, producer = opened(2)
    answer = coordinator.end(producer, commit=commit)
    assert answer.end is not None
    assert (answer.end.is_committed, answer.end.producer_epoch) == (commit, 1)
    assert answer.end.transaction_version == 2
    assert (answer.producer_id, answer.producer_epoch) == (1000, 1)


@VERSIONS
@OUTCOMES
def test_it_is_complete_when_every_partition_has_its_marker(version: int, commit: bool) -> None:
    coordinator, producer = opened(version)
    answer = coordinator.end(producer, commit=commit)
    assert answer.end is not None
    assert coordinator.state is (State.PREPARE_COMMIT if commit else State.PREPARE_ABORT)
    assert coordinator.complete(answer.end).error is ErrorCode.NONE
    ended = State.COMPLETE_COMMIT if commit else State.COMPLETE_ABORT
    assert coordinator.transaction.state is ended
    assert coordinator.transaction.partitions == frozenset()


@VERSIONS
def test_an_end_is_completed_once(version: int) -> None:
    coordinator, producer = opened(version)
    answer = coordinator.end(producer, commit=True)
    assert answer.end is not None
    coordinator.complete(answer.end)
    assert coordinator.complete(answer.end).error is ErrorCode.INVALID_TXN_STATE


@VERSIONS
@OUTCOMES
def test_who_asks_again_while_markers_are_written_waits(version: int, commit: bool) -> None:
    coordinator, producer = opened(version)
    coordinator.end(producer, commit=commit)
    again = coordinator.end(producer, commit=commit)
    assert again.error is ErrorCode.CONCURRENT_TRANSACTIONS
    assert coordinator.end(producer, commit=not commit).error is ErrorCode.INVALID_TXN_STATE


@VERSIONS
@OUTCOMES
def test_who_asks_again_afterwards_gets_the_same_answer(version: int, commit: bool) -> None:
    coordinator, producer = opened(version)
    following = coordinator.ended(producer, commit=commit)
    records = len(coordinator.log)
    again = coordinator.end(producer, commit=commit)
    assert (again.error, again.producer_id, again.producer_epoch) == (ErrorCode.NONE, *following)
    assert coordinator.end(producer, commit=not commit).error is ErrorCode.INVALID_TXN_STATE
    assert len(coordinator.log) == records


def test_before_version_2_nothing_ends_where_nothing_was_begun() -> None:
    coordinator = Coordinator(0)
    producer = coordinator.initialised()
    assert coordinator.end(producer, commit=True).error is ErrorCode.INVALID_TXN_STATE
    assert coordinator.end(producer, commit=False).error is ErrorCode.INVALID_TXN_STATE


@pytest.mark.parametrize("before", [None, True, False])
def test_under_version_2_an_abort_needs_no_partitions_but_a_commit_does(
    before: bool | None,
) -> None:
    coordinator = Coordinator(2)
    producer = coordinator.initialised()
    if before is not None:
        coordinator.add(producer, 0)
        producer = coordinator.ended(producer, commit=before)
    assert coordinator.end(producer, commit=True).error is ErrorCode.INVALID_TXN_STATE
    answer = coordinator.end(producer, commit=False)
    assert answer.error is ErrorCode.NONE
    assert answer.end is not None
    assert answer.end.partitions == frozenset()
    assert answer.producer_epoch == producer[1] + 1
    coordinator.complete(answer.end)
    assert coordinator.state is State.COMPLETE_ABORT


def test_under_version_2_an_epoch_that_never_had_a_transaction_is_fenced() -> None:
    coordinator = Coordinator(2)
    older = coordinator.initialised()
    coordinator.initialised()
    assert coordinator.end(older, commit=False).error is ErrorCode.PRODUCER_FENCED
    assert coordinator.end(older, commit=True).error is ErrorCode.PRODUCER_FENCED


@VERSIONS
def test_the_late_end_of_a_transaction_that_timed_out_is_fenced(version: int) -> None:
    coordinator, producer = opened(version)
    coordinator.now_ms += TIMEOUT_MS + 1
    (ended,) = coordinator.abort_timed_out()
    assert coordinator.end(producer, commit=True).error is ErrorCode.PRODUCER_FENCED
    coordinator.complete(ended)
    assert coordinator.end(producer, commit=True).error is ErrorCode.PRODUCER_FENCED
    assert coordinator.end(producer, commit=False).error is ErrorCode.PRODUCER_FENCED


@VERSIONS
def test_a_transaction_times_out_behind_its_timeout_and_not_at_it(version: int) -> None:
    coordinator, _ = opened(version)
    coordinator.now_ms += TIMEOUT_MS
    assert coordinator.abort_timed_out() == []
    coordinator.now_ms += 1
    (ended,) = coordinator.abort_timed_out()
    assert not ended.is_committed
    assert coordinator.abort_timed_out() == []


def test_an_end_under_way_does_not_time_out() -> None:
    coordinator, producer = opened(2)
    coordinator.end(producer, commit=True)
    coordinator.now_ms += TIMEOUT_MS * 2
    assert coordinator.abort_timed_out() == []


def test_nobody_ends_what_is_not_known_or_of_another_producer() -> None:
    coordinator = Coordinator()
    unknown = coordinator.end((1000, 0), commit=True)
    assert unknown.error is ErrorCode.INVALID_PRODUCER_ID_MAPPING
    coordinator.initialised()
    foreign = coordinator.end((7, 0), commit=True)
    assert foreign.error is ErrorCode.INVALID_PRODUCER_ID_MAPPING


@OUTCOMES
def test_with_the_last_epoch_a_transaction_ends_and_another_producer_id_goes_on(
    commit: bool,
) -> None:
    coordinator = Coordinator(2)
    coordinator.initialised()
    coordinator.set_epoch(EPOCH_OF_CLIENTS_MAX)
    producer = 1000, EPOCH_OF_CLIENTS_MAX
    coordinator.add(producer, 0)
    answer = coordinator.end(producer, commit=commit)
    assert answer.end is not None
    assert (answer.end.producer_id, answer.end.producer_epoch) == (1000, EPOCH_MAX)
    assert (answer.producer_id, answer.producer_epoch) == (1001, 0)
    assert coordinator.end(producer, commit=commit).error is ErrorCode.CONCURRENT_TRANSACTIONS
    coordinator.reload()
    coordinator.complete(answer.end)
    again = coordinator.end(producer, commit=commit)
    assert again[:3] == (ErrorCode.NONE, 1001, 0)
    assert coordinator.add((1001, 0), 0) is ErrorCode.NONE
    late = coordinator.end(producer, commit=commit)
    assert late.error is ErrorCode.INVALID_PRODUCER_ID_MAPPING


@VERSIONS
@OUTCOMES
def test_what_was_decided_goes_on_after_a_reload(version: int, commit: bool) -> None:
    coordinator, producer = opened(version)
    answer = coordinator.end(producer, commit=commit)
    coordinator.reload()
    assert coordinator.unfinished() == [answer.end]
    assert answer.end is not None
    coordinator.complete(answer.end)
    coordinator.reload()
    assert coordinator.unfinished() == []
    assert coordinator.end(producer, commit=commit).error is ErrorCode.NONE


@pytest.mark.parametrize("step", ["init", "add", "complete"])
def test_an_unused_id_is_forgotten_and_one_in_use_is_not(step: str) -> None:
    coordinator = Coordinator()
    producer = coordinator.initialised()
    if step != "init":
        coordinator.add(producer, 0)
    if step == "complete":
        coordinator.ended(producer, commit=True)
    coordinator.now_ms += EXPIRATION_MS - 1
    assert coordinator.ask(coordinator.shard.forget_expired) == 0
    coordinator.now_ms += 1
    assert coordinator.ask(coordinator.shard.forget_expired) == (0 if step == "add" else 1)
    coordinator.reload()
    assert (coordinator.shard.transaction("payments") is None) is (step != "add")


def test_time_never_runs_backwards_in_records() -> None:
    coordinator, producer = opened(2)
    before = coordinator.transaction.last_update_ms
    coordinator.now_ms -= 1000
    coordinator.end(producer, commit=True)
    assert coordinator.transaction.last_update_ms == before


def test_a_client_of_version_2_is_fenced_by_two_epochs_in_a_cluster_that_was_set_back() -> None:
    coordinator = Coordinator(2)
    producer_id, epoch = coordinator.initialised()
    coordinator.add((producer_id, epoch), 0)
    coordinator.version = 1
    coordinator.now_ms += TIMEOUT_MS + 1
    (ended,) = coordinator.abort_timed_out()
    coordinator.complete(ended)
    late = coordinator.end((producer_id, epoch), commit=False, version=2)
    assert late.error is ErrorCode.PRODUCER_FENCED


def test_a_record_of_a_state_that_is_none_is_a_refusal() -> None:
    value = TransactionLogValue(
        producer_id=1,
        producer_epoch=0,
        transaction_timeout_ms=1,
        transaction_status=99,
        transaction_partitions=None,
        transaction_last_update_timestamp_ms=0,
        transaction_start_timestamp_ms=0,
    )
    with pytest.raises(ProtocolError):
        transaction_of(TransactionLogKey(transactional_id=ID), value)


@pytest.mark.parametrize("version", [0, 2])
def test_nobody_ends_or_begins_anything_with_the_epoch_that_only_fences(version: int) -> None:
    coordinator = Coordinator(2)
    producer_id, _ = coordinator.initialised()
    coordinator.set_epoch(EPOCH_MAX)
    asked = coordinator.end((producer_id, EPOCH_MAX), commit=False, version=version)
    assert asked.error is ErrorCode.PRODUCER_FENCED
    assert coordinator.add((producer_id, EPOCH_MAX), 0, version=version) is (
        ErrorCode.PRODUCER_FENCED
    )
