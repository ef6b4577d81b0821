"""Transactions of a producer: what the coordinator is asked, and what an error does to them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ottla.base.errors import ErrorCode, UserError
from ottla.base.ids import TopicPartition
from ottla.client.producer.errors import (
    ProducerFencedError,
    TransactionAbortedError,
    TransactionError,
)
from ottla.wire.messages.add_offsets_to_txn import AddOffsetsToTxnRequest
from ottla.wire.messages.add_partitions_to_txn import AddPartitionsToTxnRequest
from ottla.wire.messages.end_txn import EndTxnRequest
from ottla.wire.messages.init_producer_id import InitProducerIdRequest
from ottla.wire.messages.txn_offset_commit import TxnOffsetCommitRequest
from ottla.wire.records.batch import read_header
from tests.support.producer_bench import TOPIC, ProducerBench
from tests.support.producer_cluster import Faults

VERSIONS = pytest.mark.parametrize("version", [1, 2])
OFFSETS = {TopicPartition("x", 0): 5}


def bench_of(version: int, **settings: Any) -> ProducerBench:
    return ProducerBench(transaction_version=version, transactional_id="mine", **settings)


def ends(bench: ProducerBench) -> list[bool]:
    return [
        request.committed for request in bench.cluster.asked if isinstance(request, EndTxnRequest)
    ]


def kinds(bench: ProducerBench) -> list[type]:
    return [type(request) for request in bench.cluster.asked]


def identities(bench: ProducerBench) -> list[tuple[int, int]]:
    """Epoch and first sequence of every batch that was sent."""
    headers = [
        read_header(data.records)
        for request in bench.cluster.requests
        for topic in request.topic_data
        for data in topic.partition_data
    ]
    assert all(header.is_transactional for header in headers)
    return [(header.producer_epoch, header.base_sequence) for header in headers]


def write_one(bench: ProducerBench, value: bytes, *, ends_by: str = "commit") -> None:
    producer = bench.producer
    bench.run(producer.begin_transaction())
    bench.send(value)
    bench.settle(300)
    ending = producer.commit_transaction() if ends_by == "commit" else producer.abort_transaction()
    task = bench.start(ending)
    bench.settle(1000)
    task.result()


@VERSIONS
def test_a_commit_waits_for_its_records(version: int) -> None:
    with bench_of(version, linger_ms=10_000) as bench:
        bench.run(bench.producer.begin_transaction())
        delivery = bench.send(b"1")
        task = bench.start(bench.producer.commit_transaction())
        bench.settle(1000)
        task.result()
        assert delivery.done()
        assert ends(bench) == [True]


def test_the_older_protocol_adds_partitions_first_and_keeps_its_epoch() -> None:
    with bench_of(1) as bench:
        write_one(bench, b"1")
        write_one(bench, b"2", ends_by="abort")
        add, end = AddPartitionsToTxnRequest, EndTxnRequest
        assert kinds(bench) == [InitProducerIdRequest, add, end, add, end]
        assert identities(bench) == [(0, 0), (0, 1)]


def test_the_newer_protocol_adds_nothing_and_counts_anew_in_each_transaction() -> None:
    with bench_of(2) as bench:
        write_one(bench, b"1")
        write_one(bench, b"2", ends_by="abort")
        assert kinds(bench) == [InitProducerIdRequest, EndTxnRequest, EndTxnRequest]
        assert identities(bench) == [(0, 0), (1, 0)]


@VERSIONS
def test_an_empty_transaction_asks_nobody(version: int) -> None:
    with bench_of(version) as bench:
        bench.run(bench.producer.begin_transaction())
        bench.run(bench.producer.commit_transaction())
        assert kinds(bench) == [InitProducerIdRequest]


@pytest.mark.parametrize(
    ("version", "asked"),
    [(1, [AddOffsetsToTxnRequest, TxnOffsetCommitRequest]), (2, [TxnOffsetCommitRequest])],
)
def test_positions_of_a_group_are_part_of_it(version: int, asked: list[type]) -> None:
    with bench_of(version) as bench:
        bench.run(bench.producer.begin_transaction())
        task = bench.start(bench.producer.send_offsets(OFFSETS, "group"))
        bench.settle(10)
        task.result()
        end = bench.start(bench.producer.commit_transaction())
        bench.settle(10)
        end.result()
        assert kinds(bench) == [InitProducerIdRequest, *asked, EndTxnRequest]


@VERSIONS
def test_passing_errors_of_the_coordinator_are_tried_again(version: int) -> None:
    with bench_of(version) as bench:
        bench.cluster.coordinator_answers = {
            AddPartitionsToTxnRequest: [ErrorCode.CONCURRENT_TRANSACTIONS],
            EndTxnRequest: [ErrorCode.NOT_COORDINATOR, ErrorCode.COORDINATOR_LOAD_IN_PROGRESS],
        }
        bench.run(bench.producer.begin_transaction())
        bench.send(b"1")
        task = bench.start(bench.producer.commit_transaction())
        bench.settle(3000)
        task.result()
        assert ends(bench) == [True, True, True]
        assert bench.cluster.values(TOPIC) == [b"1"]


@VERSIONS
def test_a_record_that_is_not_stored_lets_the_transaction_only_be_aborted(version: int) -> None:
    with bench_of(version) as bench:
        write_one(bench, b"0")
        bench.run(bench.producer.begin_transaction())
        bench.cluster.answer_with = [ErrorCode.INVALID_RECORD]
        refused = bench.send(b"1")
        bench.settle(300)
        assert refused.exception() is not None
        with pytest.raises(TransactionError):
            bench.send(b"2")
        with pytest.raises(TransactionError):
            bench.run(bench.producer.commit_transaction())
        task = bench.start(bench.producer.abort_transaction())
        bench.settle(100)
        task.result()
        assert ends(bench) == [True, False]
        write_one(bench, b"3")
        # Of a new epoch, by whichever way: what was lost must not come later.
        assert identities(bench)[-1] == (2 if version == 2 else 1, 0)


@VERSIONS
def test_a_gap_in_the_sequences_breaks_the_transaction(version: int) -> None:
    with bench_of(version) as bench:
        bench.run(bench.producer.begin_transaction())
        bench.cluster.answer_with = [ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER]
        delivery = bench.send(b"1")
        bench.settle(300)
        assert delivery.exception() is not None
        with pytest.raises(TransactionError):
            bench.run(bench.producer.commit_transaction())


@VERSIONS
def test_an_abort_drops_what_was_not_sent(version: int) -> None:
    with bench_of(version, linger_ms=10_000) as bench:
        write_one(bench, b"0")
        bench.cluster.requests.clear()
        bench.run(bench.producer.begin_transaction())
        delivery = bench.send(b"1")
        task = bench.start(bench.producer.abort_transaction())
        bench.settle(500)
        task.result()
        assert isinstance(delivery.exception(), TransactionAbortedError)
        assert bench.cluster.requests == []


def test_a_transaction_of_which_the_coordinator_never_heard_can_be_aborted() -> None:
    """What would have begun it was cut off; the coordinator has nothing to abort."""
    with bench_of(1) as bench:
        loading = [ErrorCode.COORDINATOR_LOAD_IN_PROGRESS]
        bench.cluster.coordinator_answers = {AddOffsetsToTxnRequest: loading}
        bench.run(bench.producer.begin_transaction())
        cut_off = bench.start(bench.producer.send_offsets(OFFSETS, "group"))
        bench.settle(0)
        cut_off.cancel()
        bench.settle(100)
        assert cut_off.cancelled()
        bench.cluster.coordinator_answers = {EndTxnRequest: [ErrorCode.INVALID_TXN_STATE]}
        ending = bench.start(bench.producer.abort_transaction())
        bench.settle(1000)
        ending.result()
        assert ends(bench) == [False]
        write_one(bench, b"1")
        assert identities(bench) == [(1, 0)]


@VERSIONS
def test_a_fenced_producer_can_only_be_closed(version: int) -> None:
    with bench_of(version) as bench:
        bench.cluster.coordinator_answers = {EndTxnRequest: [ErrorCode.PRODUCER_FENCED]}
        bench.run(bench.producer.begin_transaction())
        bench.send(b"1")
        bench.settle(300)
        task = bench.start(bench.producer.commit_transaction())
        bench.settle(10)
        with pytest.raises(ProducerFencedError):
            task.result()
        with pytest.raises(ProducerFencedError):
            bench.run(bench.producer.begin_transaction())
        with pytest.raises(ProducerFencedError):
            bench.send(b"2")


@VERSIONS
def test_a_commit_that_is_cancelled_goes_on_and_the_next_begin_waits_for_it(version: int) -> None:
    with bench_of(version) as bench:
        bench.run(bench.producer.begin_transaction())
        bench.send(b"1")
        bench.settle(300)
        bench.cluster.coordinator_answers = {EndTxnRequest: [ErrorCode.CONCURRENT_TRANSACTIONS]}
        task = bench.start(bench.producer.commit_transaction())
        task.cancel()
        bench.settle(1)
        assert task.cancelled()
        begin = bench.start(bench.producer.begin_transaction())
        assert not begin.done()
        bench.settle(1000)
        begin.result()
        assert ends(bench) == [True, True]


def test_records_are_written_inside_transactions_only() -> None:
    with bench_of(2) as bench:
        with pytest.raises(UserError, match="inside a transaction"):
            bench.send(b"1")
        bench.run(bench.producer.begin_transaction())
        with pytest.raises(UserError, match="in a transaction"):
            bench.run(bench.producer.begin_transaction())


@VERSIONS
def test_closing_aborts_what_is_open(version: int) -> None:
    with bench_of(version) as bench:
        bench.run(bench.producer.begin_transaction())
        bench.send(b"1")
        bench.settle(300)
        task = bench.start(bench.producer.close())
        bench.settle(500)
        task.result()
        assert ends(bench) == [False]


# -- positions that are still being given --------------------------------------------------------


def positions(bench: ProducerBench) -> list[int]:
    """The epoch of each commit of positions that a coordinator was asked for."""
    return [
        request.producer_epoch
        for request in bench.cluster.asked
        if isinstance(request, TxnOffsetCommitRequest)
    ]


@VERSIONS
def test_an_abort_cuts_off_positions_that_are_still_being_given(version: int) -> None:
    """Their next try would commit them with the transaction after this one."""
    with bench_of(version) as bench:
        loading = [ErrorCode.COORDINATOR_LOAD_IN_PROGRESS] * 3
        bench.cluster.coordinator_answers = {TxnOffsetCommitRequest: loading}
        bench.run(bench.producer.begin_transaction())
        giving = bench.start(bench.producer.send_offsets(OFFSETS, "group"))
        bench.settle(5)
        assert positions(bench) == [0]
        aborting = bench.start(bench.producer.abort_transaction())
        bench.settle(50)
        aborting.result()
        with pytest.raises(TransactionAbortedError):
            giving.result()
        write_one(bench, b"1")
        assert positions(bench) == [0]
        assert ends(bench) == [False, True]
        assert identities(bench) == [(1, 0)]


@VERSIONS
def test_a_commit_waits_for_positions_that_are_still_being_given(version: int) -> None:
    with bench_of(version) as bench:
        loading = [ErrorCode.COORDINATOR_LOAD_IN_PROGRESS] * 3
        bench.cluster.coordinator_answers = {TxnOffsetCommitRequest: loading}
        bench.run(bench.producer.begin_transaction())
        giving = bench.start(bench.producer.send_offsets(OFFSETS, "group"))
        committing = bench.start(bench.producer.commit_transaction())
        bench.settle(5)
        assert not committing.done()
        bench.settle(3000)
        giving.result()
        committing.result()
        assert kinds(bench)[-2:] == [TxnOffsetCommitRequest, EndTxnRequest]


@VERSIONS
def test_a_commit_fails_with_the_positions_that_it_has_waited_for(version: int) -> None:
    with bench_of(version) as bench:
        refused = [ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, ErrorCode.GROUP_AUTHORIZATION_FAILED]
        bench.cluster.coordinator_answers = {TxnOffsetCommitRequest: refused}
        bench.run(bench.producer.begin_transaction())
        giving = bench.start(bench.producer.send_offsets(OFFSETS, "group"))
        committing = bench.start(bench.producer.commit_transaction())
        bench.settle(3000)
        assert giving.exception() is not None
        with pytest.raises(TransactionError, match="GROUP_AUTHORIZATION_FAILED"):
            committing.result()
        assert ends(bench) == []


def test_positions_that_are_cancelled_break_their_transaction() -> None:
    with bench_of(2) as bench:
        loading = [ErrorCode.COORDINATOR_LOAD_IN_PROGRESS]
        bench.cluster.coordinator_answers = {TxnOffsetCommitRequest: loading}
        bench.run(bench.producer.begin_transaction())
        giving = bench.start(bench.producer.send_offsets(OFFSETS, "group"))
        giving.cancel()
        bench.settle(5)
        assert giving.cancelled()
        with pytest.raises(TransactionError, match="cut off"):
            bench.run(bench.producer.commit_transaction())


def test_closing_in_haste_ends_positions_that_are_still_being_given() -> None:
    with bench_of(2) as bench:
        bench.run(bench.producer.begin_transaction())
        bench.cluster.faults = Faults(latency_ms=100_000)
        giving = bench.start(bench.producer.send_offsets(OFFSETS, "group"))
        closing = bench.start(bench.producer.close(timeout_s=0.01))
        bench.settle(100)
        closing.result()
        with pytest.raises(TransactionAbortedError):
            giving.result()


@VERSIONS
def test_positions_that_were_not_begun_to_be_given_are_part_of_nothing(version: int) -> None:
    with bench_of(version) as bench:
        bench.run(bench.producer.begin_transaction())

        async def change_ones_mind() -> None:
            giving = asyncio.ensure_future(bench.producer.send_offsets(OFFSETS, "group"))
            await asyncio.sleep(0)
            giving.cancel()
            await asyncio.wait([giving])
            assert giving.cancelled()

        bench.run(change_ones_mind())
        bench.run(bench.producer.commit_transaction())
        assert kinds(bench) == [InitProducerIdRequest]
