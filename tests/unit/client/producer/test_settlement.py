"""Records that get no place, batches that are split, and what is told to whom of either."""

from __future__ import annotations

import pytest

from ottla.base.errors import ErrorCode
from ottla.client.producer import Delivery, DeliveryTimeoutError, OutcomeUnknownError
from ottla.client.producer.errors import (
    PartitionerError,
    ProducerFencedError,
    TransactionAbortedError,
    TransactionError,
)
from ottla.wire.messages.end_txn import EndTxnRequest
from tests.support.producer_bench import TOPIC, ProducerBench
from tests.support.producer_cluster import Faults

PARTITIONS_JOIN = pytest.mark.parametrize("version", [1, 2])


def ends(bench: ProducerBench) -> list[bool]:
    return [
        request.committed for request in bench.cluster.asked if isinstance(request, EndTxnRequest)
    ]


def bytes_left(bench: ProducerBench) -> int:
    assert bench.producer._parts is not None
    return bench.producer._parts.accumulator.bytes_left


def send_to(bench: ProducerBench, topic: str, value: bytes) -> Delivery:
    return bench.loop.call(lambda: bench.producer.send(topic, value))


# -- records without a place, in a transaction ---------------------------------------------------


@PARTITIONS_JOIN
def test_a_record_whose_topic_is_not_found_lets_its_transaction_only_be_aborted(
    version: int,
) -> None:
    with ProducerBench(
        transaction_version=version, transactional_id="mine", max_block_ms=1000
    ) as bench:
        bench.run(bench.producer.begin_transaction())
        lost, kept = send_to(bench, "missing", b"1"), bench.send(b"2")
        committing = bench.start(bench.producer.commit_transaction())
        bench.settle(3000)
        assert isinstance(lost.exception(), DeliveryTimeoutError)
        assert kept.done()
        with pytest.raises(TransactionError, match="missing"):
            committing.result()
        aborting = bench.start(bench.producer.abort_transaction())
        bench.settle(1000)
        aborting.result()
        assert ends(bench) == [False]


def test_a_record_without_a_partition_lets_its_transaction_only_be_aborted() -> None:
    def has_no_idea(*asked: object) -> int:
        raise ValueError("no idea")

    with ProducerBench(transactional_id="mine", partitioner=has_no_idea) as bench:
        bench.run(bench.producer.begin_transaction())
        lost = bench.send(b"1")
        committing = bench.start(bench.producer.commit_transaction())
        bench.settle(500)
        assert isinstance(lost.exception(), PartitionerError)
        with pytest.raises(TransactionError, match="no idea"):
            committing.result()
        assert bench.producer.metrics().records_failed == 1


def test_an_abort_drops_a_record_whose_topic_is_not_known_yet() -> None:
    with ProducerBench(transactional_id="mine") as bench:
        bench.run(bench.producer.begin_transaction())
        lost = send_to(bench, "missing", b"1")
        aborting = bench.start(bench.producer.abort_transaction())
        bench.settle(100)
        aborting.result()
        assert isinstance(lost.exception(), TransactionAbortedError)
        assert bytes_left(bench) == bench.producer.options.buffer_memory


def test_a_commit_whose_producer_is_fenced_meanwhile_does_not_ask_for_it() -> None:
    with ProducerBench(transactional_id="mine") as bench:
        bench.run(bench.producer.begin_transaction())
        bench.warm_up()
        bench.cluster.faults = Faults(latency_ms=100)
        bench.send(b"1")
        sender = bench.producer._parts.sender  # type: ignore[union-attr]  # it runs
        committing = bench.start(bench.producer.commit_transaction())
        bench.loop.call(lambda: sender.fail(ProducerFencedError(ErrorCode.PRODUCER_FENCED, "x")))
        bench.settle(300)
        with pytest.raises(ProducerFencedError):
            committing.result()
        assert ends(bench) == []


def test_a_fenced_producer_gives_up_any_number_of_batches() -> None:
    with ProducerBench(
        partitions=400, transactional_id="mine", linger_ms=60_000, buffer_memory=1 << 26
    ) as bench:
        bench.run(bench.producer.begin_transaction())
        lost = [bench.send(b"x", partition=index) for index in range(400)]
        bench.settle(100)
        transactions = bench.producer._parts.transactions  # type: ignore[union-attr]  # it runs
        assert transactions is not None
        fenced = ProducerFencedError(ErrorCode.PRODUCER_FENCED, "somebody else is")
        bench.loop.call(lambda: transactions._failed(fenced))
        assert {type(delivery.exception()) for delivery in lost} == {ProducerFencedError}


# -- who hears of it -----------------------------------------------------------------------------


def test_who_hears_that_a_topic_is_not_found_may_send_to_another_one() -> None:
    with ProducerBench(max_block_ms=1000) as bench:
        again: list[Delivery] = []
        lost = send_to(bench, "missing", b"1")
        lost.add_done_callback(lambda _: again.append(bench.producer.send(TOPIC, b"1")))
        bench.settle(3000)
        assert isinstance(lost.exception(), DeliveryTimeoutError)
        assert [delivery.result().offset for delivery in again] == [0]


def test_who_hears_that_all_is_given_up_may_send_to_another_topic() -> None:
    with ProducerBench(transactional_id="mine") as bench:
        heard: list[str] = []

        def send_again(_: Delivery) -> None:
            accumulator = bench.producer._parts.accumulator  # type: ignore[union-attr]  # it runs
            heard.extend(accumulator.topic(f"letters-{number}").name for number in range(3))

        bench.run(bench.producer.begin_transaction())
        for topic in ("missing-1", "missing-2"):
            send_to(bench, topic, b"1").add_done_callback(send_again)
        aborting = bench.start(bench.producer.abort_transaction())
        bench.settle(100)
        aborting.result()
        assert len(heard) == 6
        bench.run(bench.producer.begin_transaction())


def test_room_that_a_record_without_a_place_leaves_is_told_to_who_waits_for_it() -> None:
    with ProducerBench(buffer_memory=1000, max_block_ms=1000) as bench:
        bench.warm_up()
        for _ in range(2):
            send_to(bench, "missing", bytes(600))
        bench.settle(500)
        more = bench.start(bench.producer.put(TOPIC, bytes(900)))
        assert not more.done()
        bench.settle(600)
        assert more.result().result().offset == 1


def test_headers_of_a_record_without_a_place_are_those_it_was_sent_with() -> None:
    with ProducerBench() as bench:
        headers = [("number", b"1")]

        def send_two() -> None:
            bench.producer.send(TOPIC, b"1", headers=headers)
            headers[0] = ("number", b"2")
            bench.producer.send(TOPIC, b"2", headers=headers)
            headers.append(("no", 3))  # type: ignore[arg-type]  # what could not be sent

        bench.loop.call(send_two)
        bench.settle(200)
        stored = bench.cluster.log(TOPIC).records
        assert [record.headers for record in stored] == [(("number", b"1"),), (("number", b"2"),)]


# -- splits --------------------------------------------------------------------------------------


def test_all_memory_is_free_when_split_batches_are_settled() -> None:
    with ProducerBench(batch_bytes=100_000) as bench:
        bench.warm_up()
        bench.cluster.answer_with = [ErrorCode.MESSAGE_TOO_LARGE] * 2
        taken = bench.send_many(*[b"x"] * 2000, partition=0)
        bench.settle(1000)
        assert all(delivery.done() for delivery in taken)
        assert len(bench.cluster.requests) == 5
        assert bytes_left(bench) == bench.producer.options.buffer_memory


def in_doubt_and_too_large(bench: ProducerBench, then: list[ErrorCode]) -> list[Delivery]:
    """The first answer is lost, then the batch has become too large; `then` is of its parts."""
    bench.warm_up()
    bench.cluster.faults = Faults(lost_answer=1, latency_ms=0)
    deliveries = bench.send_many(b"1", b"2")
    bench.settle(6)
    assert bench.cluster.values(TOPIC) == [b"first", b"1", b"2"]
    bench.cluster.faults = Faults(latency_ms=0)
    bench.cluster.answer_with = [ErrorCode.MESSAGE_TOO_LARGE, *then]
    bench.settle(3000)
    return deliveries


def test_parts_of_a_batch_that_may_be_stored_are_not_sent_under_another_epoch() -> None:
    """Kafka calls them out of order: it knows a duplicate by its first and last sequence."""
    with ProducerBench() as bench:
        out_of_order = [ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER] * 2
        deliveries = in_doubt_and_too_large(bench, out_of_order)
        assert [type(delivery.exception()) for delivery in deliveries] == [OutcomeUnknownError] * 2
        assert bench.cluster.values(TOPIC) == [b"first", b"1", b"2"]
        after = bench.send(b"3")
        bench.settle(1000)
        assert after.exception() is None
        assert bench.cluster.values(TOPIC) == [b"first", b"1", b"2", b"3"]


def test_parts_of_a_batch_that_was_stored_may_be_duplicates() -> None:
    with ProducerBench() as bench:
        deliveries = in_doubt_and_too_large(bench, [ErrorCode.DUPLICATE_SEQUENCE_NUMBER] * 2)
        assert [delivery.exception() for delivery in deliveries] == [None, None]
        assert bench.cluster.values(TOPIC) == [b"first", b"1", b"2"]
