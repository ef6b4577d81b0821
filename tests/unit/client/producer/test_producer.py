"""One producer and a model of a cluster: batches, outcomes, memory, time, the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from ottla.base.errors import ErrorCode, UserError
from ottla.client.producer import (
    BufferFullError,
    Delivery,
    DeliveryError,
    DeliveryTimeoutError,
    OutcomeUnknownError,
    Producer,
    ProducerClosedError,
    RecordMetadata,
    RecordTooLargeError,
)
from ottla.wire.messages.produce import ProduceRequest
from ottla.wire.records.batch import read_header
from ottla.wire.records.compression import Codec
from tests.support.producer_bench import TOPIC, ProducerBench
from tests.support.producer_cluster import Faults
from tests.support.stepped_loop import START_MS


def batch_sizes(requests: list[ProduceRequest]) -> list[int]:
    return [
        read_header(partition.records).record_count
        for request in requests
        for topic in request.topic_data
        for partition in topic.partition_data
    ]


# -- batches -------------------------------------------------------------------------------------


def test_a_record_s_delivery_is_its_place() -> None:
    with ProducerBench() as bench:
        first, second = bench.send_many(b"a", b"b", key=b"k")
        assert not first.done()
        bench.settle(200)
        assert first.result() == RecordMetadata(TOPIC, 0, 0, START_MS)
        assert second.result().offset == 1
        record = bench.cluster.log(TOPIC).records[1]
        assert (record.key, record.value, record.timestamp) == (b"k", b"b", START_MS)


def test_null_keys_values_and_headers_and_times_of_one_s_own_are_kept() -> None:
    with ProducerBench() as bench:
        headers = (("h", None), ("h", b"2"), ("é", b""))
        bench.send(None, headers=headers, timestamp_ms=7)
        bench.settle(200)
        record = bench.cluster.log(TOPIC).records[0]
        assert (record.key, record.value, record.timestamp) == (None, None, 7)
        assert record.headers == headers


def test_records_wait_for_company_until_the_linger_is_over() -> None:
    with ProducerBench(linger_ms=50) as bench:
        bench.warm_up()
        bench.send(b"1", partition=0)
        bench.settle(49)
        bench.send(b"2", partition=0)
        assert bench.cluster.requests == []
        bench.settle(2)
        assert batch_sizes(bench.cluster.requests) == [2]


def test_a_full_batch_does_not_wait() -> None:
    with ProducerBench(linger_ms=10_000, batch_bytes=200) as bench:
        deliveries = bench.send_many(*[bytes(60)] * 6, partition=0)
        bench.settle(300)
        assert [delivery.done() for delivery in deliveries] == [True] * 4 + [False] * 2


def test_flush_sends_what_lingers_and_waits_for_it() -> None:
    with ProducerBench(linger_ms=10_000) as bench:
        delivery = bench.send(b"1")
        task = bench.start(bench.producer.flush())
        bench.settle(200)
        assert task.done()
        assert delivery.result().offset == 0


def test_a_flush_with_nothing_there_returns_at_once() -> None:
    with ProducerBench() as bench:
        bench.run(bench.producer.flush())


def test_records_without_a_key_rotate_over_the_partitions_by_batch() -> None:
    with ProducerBench(partitions=3, linger_ms=0) as bench:
        for number in range(60):
            bench.send_many(b"%d" % number, b"%d" % number)
            bench.settle(10 if number else 300)
        stored = [len(bench.cluster.log(TOPIC, index).records) for index in range(3)]
        assert sum(stored) == 120
        assert all(count >= 20 for count in stored)
        assert all(count % 2 == 0 for count in stored)


def test_records_of_one_key_are_in_one_partition_and_in_order() -> None:
    with ProducerBench(partitions=7) as bench:
        bench.send_many(b"a", b"b", key=b"foobar")
        bench.settle(200)
        assert bench.cluster.values(TOPIC, (-790332482 & 0x7FFF_FFFF) % 7) == [b"a", b"b"]


@pytest.mark.parametrize("codec", list(Codec))
def test_batches_are_compressed(codec: Codec) -> None:
    with ProducerBench(compression=codec.name.lower()) as bench:
        bench.send(b"a" * 1000)
        bench.settle(200)
        (data,) = bench.cluster.requests[0].topic_data[0].partition_data
        assert read_header(data.records).codec is codec
        assert bench.cluster.values(TOPIC) == [b"a" * 1000]


def test_no_more_requests_are_on_their_way_than_allowed() -> None:
    with ProducerBench(partitions=6, max_in_flight_requests_per_connection=2, linger_ms=0) as bench:
        bench.warm_up()
        bench.cluster.faults = Faults(latency_ms=1000)
        for index in range(6):
            bench.send(b"x", partition=index)
            bench.settle(1)
        assert len(bench.cluster.requests) == 2
        bench.settle(9000)
        assert sum(batch_sizes(bench.cluster.requests)) == 6


def test_a_batch_grows_for_as_long_as_no_request_may_leave() -> None:
    with ProducerBench(max_in_flight_requests_per_connection=1, linger_ms=0) as bench:
        bench.warm_up()
        bench.cluster.faults = Faults(latency_ms=1000)
        for _ in range(20):
            bench.send(b"x", partition=0)
            bench.settle(5)
        bench.settle(3000)
        assert batch_sizes(bench.cluster.requests) == [1, 19]


def test_a_batch_grows_for_as_long_as_its_node_is_not_reached() -> None:
    with ProducerBench(linger_ms=0) as bench:
        bench.run(bench.cluster.refresh([TOPIC]))
        bench.cluster.is_reachable = False
        for _ in range(20):
            bench.send(b"x", partition=0)
            bench.settle(5)
        bench.cluster.is_reachable = True
        bench.settle(3000)
        assert batch_sizes(bench.cluster.requests) == [20]


def test_a_request_holds_one_batch_of_many_partitions() -> None:
    with ProducerBench(partitions=4) as bench:
        bench.warm_up()
        for index in range(4):
            bench.send(b"x", partition=index)
        bench.settle(20)
        assert len(bench.cluster.requests) == 1
        assert batch_sizes(bench.cluster.requests) == [1, 1, 1, 1]


def test_a_record_for_one_partition_stays_there_when_its_batch_is_full() -> None:
    with ProducerBench(partitions=3, batch_bytes=200) as bench:
        bench.warm_up()
        wanted = [None, *[index for index in range(3) for _ in range(9)]]
        # One of the three is the one that records without a key fill now.
        deliveries = bench.loop.call(
            lambda: [bench.producer.send(TOPIC, bytes(60), partition=index) for index in wanted]
        )
        bench.settle(100)
        assert [delivery.result().partition for delivery in deliveries[1:]] == wanted[1:]


def test_metrics_count_what_was_done() -> None:
    with ProducerBench() as bench:
        with pytest.raises(ProducerClosedError):
            Producer("unused:1").metrics()
        bench.warm_up()
        bench.cluster.answer_with = [ErrorCode.NOT_ENOUGH_REPLICAS, ErrorCode.INVALID_RECORD]
        bench.send_many(b"1", b"2")
        assert bench.producer.metrics().buffer_bytes_used > 0
        bench.settle(1000)
        bench.send_many(b"3", b"4", b"5")
        bench.settle(1000)
        told = bench.producer.metrics()
        assert (told.records_stored, told.records_failed) == (4, 2)
        assert (told.batches_sent, told.batches_stored, told.batches_repeated) == (3, 2, 1)
        assert told.requests == 4
        assert told.buffer_bytes_used == 0
        assert told.buffer_bytes_max == bench.producer.options.buffer_memory
        assert told.queue_ms_max >= told.queue_ms_mean >= bench.producer.options.linger_ms
        assert told.bytes_stored > 4


# -- topics --------------------------------------------------------------------------------------


def test_records_for_a_topic_that_is_not_there_wait_for_it() -> None:
    with ProducerBench(partitions=0) as bench:
        heard: list[Delivery] = []
        deliveries = bench.send_many(b"1", b"2")
        deliveries[0].add_done_callback(heard.append)
        bench.settle(500)
        assert not deliveries[0].done()
        bench.cluster.create(TOPIC, 1)
        bench.settle(2000)
        assert [delivery.result().offset for delivery in deliveries] == [0, 1]
        assert heard == [deliveries[0]]


def test_records_for_a_topic_that_never_comes_fail() -> None:
    with ProducerBench(partitions=0, max_block_ms=1000) as bench:
        delivery = bench.send(b"1")
        bench.settle(3000)
        with pytest.raises(DeliveryTimeoutError, match="UNKNOWN_TOPIC_OR_PARTITION"):
            delivery.result()


def test_a_topic_that_may_not_be_seen_fails_its_records_at_once() -> None:
    with ProducerBench(partitions=0) as bench:
        bench.cluster.missing_topic = ErrorCode.TOPIC_AUTHORIZATION_FAILED
        delivery = bench.send(b"1")
        bench.settle(500)
        with pytest.raises(DeliveryError, match="TOPIC_AUTHORIZATION_FAILED"):
            delivery.result()
        # The next record asks anew: by then the right may be there.
        bench.cluster.create(TOPIC, 1)
        after = bench.send(b"2")
        bench.settle(3000)
        assert after.result().offset == 0


def test_a_partition_that_is_not_there_holds_nobody_else_up() -> None:
    with ProducerBench(max_block_ms=1000) as bench:
        bench.warm_up()
        wrong, right = bench.send(b"1", partition=5), bench.send(b"2")
        bench.settle(100)
        assert right.done()
        bench.settle(3000)
        assert isinstance(wrong.exception(), DeliveryTimeoutError)


def test_a_cluster_that_cannot_be_reached_is_tried_until_it_can() -> None:
    with ProducerBench() as bench:
        bench.cluster.is_reachable = False
        delivery = bench.send(b"1")
        bench.settle(5000)
        assert not delivery.done()
        bench.cluster.is_reachable = True
        bench.settle(3000)
        assert delivery.result().offset == 0


# -- outcomes ------------------------------------------------------------------------------------


def test_an_error_for_good_fails_the_batch_and_the_next_one_is_stored() -> None:
    with ProducerBench() as bench:
        bench.warm_up()
        bench.cluster.answer_with = [ErrorCode.TOPIC_AUTHORIZATION_FAILED]
        refused = bench.send_many(b"1", b"2")
        bench.settle(100)
        for delivery in refused:
            with pytest.raises(DeliveryError) as caught:
                delivery.result()
            assert caught.value.code is ErrorCode.TOPIC_AUTHORIZATION_FAILED
        after = bench.send(b"3")
        bench.settle(500)
        assert after.result().offset == 1


def test_a_passing_error_is_tried_again() -> None:
    with ProducerBench() as bench:
        bench.warm_up()
        bench.cluster.answer_with = [ErrorCode.NOT_ENOUGH_REPLICAS] * 3
        delivery = bench.send(b"1")
        bench.settle(2000)
        assert delivery.result().offset == 1
        assert len(bench.cluster.requests) == 4


def test_no_more_retries_than_allowed() -> None:
    with ProducerBench(retries=1) as bench:
        bench.warm_up()
        bench.cluster.answer_with = [ErrorCode.NOT_ENOUGH_REPLICAS] * 3
        delivery = bench.send(b"1")
        bench.settle(3000)
        assert isinstance(delivery.exception(), DeliveryError)
        assert len(bench.cluster.requests) == 2


def test_a_batch_that_is_too_large_is_sent_in_parts() -> None:
    with ProducerBench() as bench:
        bench.warm_up()
        bench.cluster.answer_with = [ErrorCode.MESSAGE_TOO_LARGE]
        heard: list[Delivery] = []
        deliveries = bench.send_many(b"1", b"2", b"3")
        deliveries[2].add_done_callback(heard.append)
        waiting = [bench.start(_wait(delivery)) for delivery in deliveries]
        bench.settle(2000)
        assert bench.cluster.values(TOPIC)[1:] == [b"1", b"2", b"3"]
        assert [task.result().offset for task in waiting] == [1, 2, 3]
        assert heard == [deliveries[2]]
        assert batch_sizes(bench.cluster.requests) == [3, 1, 2]


async def _wait(delivery: Delivery) -> RecordMetadata:
    return await delivery


def test_one_record_that_is_too_large_for_the_broker_fails() -> None:
    with ProducerBench() as bench:
        bench.warm_up()
        bench.cluster.answer_with = [ErrorCode.MESSAGE_TOO_LARGE]
        delivery = bench.send(b"1")
        bench.settle(100)
        with pytest.raises(DeliveryError, match="MESSAGE_TOO_LARGE"):
            delivery.result()


def test_a_record_larger_than_a_request_is_refused_at_once() -> None:
    with ProducerBench(max_request_size=1000) as bench:
        bench.warm_up()
        with pytest.raises(RecordTooLargeError):
            bench.send(bytes(1000))
        bench.send(bytes(900))
        bench.settle(100)
        assert len(bench.cluster.values(TOPIC)) == 2


def test_what_is_never_answered_is_unknown_after_the_delivery_timeout() -> None:
    with ProducerBench(delivery_timeout_ms=2000, request_timeout_ms=500) as bench:
        bench.warm_up()
        bench.cluster.faults = Faults(lost_answer=1, latency_ms=0)
        delivery = bench.send(b"1")
        bench.settle(4000)
        assert isinstance(delivery.exception(), OutcomeUnknownError)
        bench.cluster.faults = Faults(latency_ms=0)
        after = bench.send(b"2")
        bench.settle(1000)
        assert after.done()
        assert bench.cluster.values(TOPIC) == [b"first", b"1", b"2"]


def test_what_was_never_sent_is_surely_not_stored_after_the_delivery_timeout() -> None:
    with ProducerBench(delivery_timeout_ms=2000, request_timeout_ms=500) as bench:
        bench.warm_up()
        bench.cluster.answer_with = [ErrorCode.NOT_ENOUGH_REPLICAS] * 100
        delivery = bench.send(b"1")
        bench.settle(4000)
        error = delivery.exception()
        assert isinstance(error, DeliveryTimeoutError)
        assert not isinstance(error, OutcomeUnknownError)


def test_a_broker_that_has_forgotten_the_producer_gets_a_new_epoch() -> None:
    with ProducerBench() as bench:
        bench.warm_up()
        bench.cluster.answer_with = [ErrorCode.UNKNOWN_PRODUCER_ID]
        delivery = bench.send(b"1")
        bench.settle(2000)
        assert delivery.result().offset == 1
        (data,) = bench.cluster.requests[-1].topic_data[0].partition_data
        header = read_header(data.records)
        assert (header.producer_epoch, header.base_sequence) == (1, 0)


def test_without_acks_records_are_done_when_they_have_left() -> None:
    with ProducerBench(acks=0) as bench:
        delivery = bench.send(b"1")
        bench.settle(200)
        assert delivery.result().offset == -1
        assert bench.cluster.values(TOPIC) == [b"1"]


def test_a_callback_that_fails_disturbs_nobody(caplog: pytest.LogCaptureFixture) -> None:
    def fails(delivery: Delivery) -> None:
        raise RuntimeError("mine")

    heard: list[Delivery] = []
    with ProducerBench() as bench:
        deliveries = bench.send_many(b"1", b"2")
        deliveries[0].add_done_callback(fails)
        deliveries[1].add_done_callback(heard.append)
        bench.settle(200)
        assert heard == [deliveries[1]]
        deliveries[0].add_done_callback(heard.append)
        assert heard == [deliveries[1], deliveries[0]]
    assert "a delivery callback failed" in caplog.text


def test_who_waits_may_be_cancelled_and_others_wait_on() -> None:
    with ProducerBench() as bench:
        delivery = bench.send(b"1")
        first, second = bench.start(_wait(delivery)), bench.start(_wait(delivery))
        first.cancel()
        bench.settle(200)
        assert first.cancelled()
        assert second.result().offset == 0
        assert bench.run(_wait(delivery)).offset == 0


def test_asking_for_an_outcome_too_early_is_an_error() -> None:
    with ProducerBench() as bench:
        delivery = bench.send(b"1")
        with pytest.raises(asyncio.InvalidStateError):
            delivery.result()


# -- memory --------------------------------------------------------------------------------------


def test_a_full_buffer_refuses_and_put_waits_for_room() -> None:
    with ProducerBench(buffer_memory=5000, batch_bytes=2000, linger_ms=10_000) as bench:
        bench.cluster.is_reachable = False
        bench.send_many(*[bytes(1000)] * 5)
        with pytest.raises(BufferFullError):
            bench.send(bytes(1000))
        task = bench.start(bench.producer.put(TOPIC, b"more"))
        assert not task.done()
        bench.cluster.is_reachable = True
        bench.settle(3000)
        bench.start(bench.producer.flush())
        bench.settle(500)
        assert task.result().result().offset == 5


def test_put_gives_up_after_max_block() -> None:
    with ProducerBench(buffer_memory=1000, max_block_ms=1000) as bench:
        bench.warm_up()
        bench.cluster.faults = Faults(latency_ms=100_000)
        bench.send_many(bytes(900), bytes(900))
        task = bench.start(bench.producer.put(TOPIC, b"more"))
        bench.settle(990)
        assert not task.done()
        bench.settle(100)
        with pytest.raises(BufferFullError):
            task.result()


def test_put_gives_up_after_max_block_however_often_others_take_the_room() -> None:
    with ProducerBench(buffer_memory=1000, max_block_ms=1000) as bench:
        bench.warm_up()
        bench.cluster.faults = Faults(latency_ms=100_000)
        bench.send_many(bytes(900), bytes(900))
        task = bench.start(bench.producer.put(TOPIC, b"more"))
        for _ in range(11):
            bench.settle(100)
            bench.loop.call(bench.producer._parts.sender._tell_room)  # type: ignore[union-attr]  # it runs
        with pytest.raises(BufferFullError):
            task.result()


def test_put_that_is_cancelled_has_taken_nothing() -> None:
    with ProducerBench(buffer_memory=1000, linger_ms=0) as bench:
        bench.cluster.is_reachable = False
        bench.send_many(bytes(600), bytes(600))
        task = bench.start(bench.producer.put(TOPIC, b"more"))
        task.cancel()
        bench.settle(10)
        assert task.cancelled()
        bench.cluster.is_reachable = True
        bench.settle(3000)
        assert bench.cluster.values(TOPIC) == [bytes(600), bytes(600)]


def test_all_memory_is_free_when_all_is_settled() -> None:
    faults = Faults(lost_answer=4, refused=4, latency_ms=3)
    with ProducerBench(partitions=3, faults=faults) as bench:
        for number in range(100):
            bench.send(b"%d" % number)
            bench.settle(3)
        bench.settle(20_000)
        parts = bench.producer._parts
        assert parts is not None
        assert parts.accumulator.bytes_left == bench.producer.options.buffer_memory
        assert parts.accumulator.busy == {}


# -- the end -------------------------------------------------------------------------------------


def test_closing_sends_what_is_there() -> None:
    with ProducerBench(linger_ms=10_000) as bench:
        delivery = bench.send(b"1")
        task = bench.start(bench.producer.close())
        bench.settle(300)
        assert task.done()
        assert delivery.result().offset == 0
        with pytest.raises(ProducerClosedError):
            bench.send(b"2")
        bench.run(bench.producer.close())


def test_closing_in_haste_tells_what_has_no_outcome() -> None:
    with ProducerBench() as bench:
        bench.warm_up()
        bench.cluster.faults = Faults(latency_ms=100_000)
        delivery = bench.send(b"1")
        bench.settle(20)
        task = bench.start(bench.producer.close(timeout_s=1))
        bench.settle(1100)
        task.result()
        assert isinstance(delivery.exception(), ProducerClosedError)


def test_closing_that_is_cancelled_leaves_no_record_without_an_outcome() -> None:
    with ProducerBench() as bench:
        bench.cluster.is_reachable = False
        delivery = bench.send(b"1")
        task = bench.start(bench.producer.close())
        task.cancel()
        bench.settle(10)
        assert task.cancelled()
        assert isinstance(delivery.exception(), ProducerClosedError)


# -- settings and arguments ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {"acks": "2"},
        {"acks": 1, "enable_idempotence": True},
        {"transactional_id": "x", "enable_idempotence": False},
        {"transactional_id": "x", "acks": 0},
        {"max_in_flight_requests_per_connection": 6, "enable_idempotence": True},
        {"max_in_flight_requests_per_connection": 0},
        {"retries": 0, "enable_idempotence": True},
        {"compression": "brotli"},
        {"delivery_timeout_ms": 100},
        {"batch_bytes": 0},
        {"batch_size": 1},
    ],
    ids=str,
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(UserError):
        Producer("localhost:9092", **settings)


def test_idempotence_is_on_where_the_other_settings_allow_it() -> None:
    assert Producer("localhost:9092").options.is_idempotent
    assert not Producer("localhost:9092", acks=1).options.is_idempotent
    assert not Producer("localhost:9092", retries=0).options.is_idempotent


@pytest.mark.parametrize(
    ("send", "kind"),
    [
        (lambda producer: producer.send(TOPIC, "text"), TypeError),
        (lambda producer: producer.send(TOPIC, b"x", key=1), TypeError),
        (lambda producer: producer.send(TOPIC, b"x", partition=-1), ValueError),
        (lambda producer: producer.send(TOPIC, b"x", timestamp_ms=-5), ValueError),
    ],
)
def test_arguments_that_cannot_be_are_refused_and_harm_nobody(
    send: Callable[[Producer], object], kind: type[Exception]
) -> None:
    with ProducerBench() as bench:
        bench.warm_up()
        with pytest.raises(kind):
            bench.loop.call(lambda: send(bench.producer))
        bench.settle(100)
        assert bench.cluster.requests == []
        after = bench.send(b"fine")
        bench.settle(100)
        assert after.result().offset == 1


def test_a_producer_without_a_transactional_id_has_no_transactions() -> None:
    with ProducerBench() as bench, pytest.raises(UserError, match="transactional_id"):
        bench.run(bench.producer.begin_transaction())
