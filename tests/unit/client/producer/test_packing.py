"""Compressing beside the loop: order, what goes on meanwhile, the end."""

from __future__ import annotations

import pytest

from ottla.base.errors import ErrorCode
from ottla.client.producer import ProducerClosedError
from ottla.client.producer.packing import BYTES_BESIDE_LOOP_MIN
from ottla.wire.records.batch import read_header
from ottla.wire.records.compression import Codec
from tests.support.held_threads import HeldThreads
from tests.support.producer_bench import TOPIC, ProducerBench
from tests.unit.client.producer.test_producer import batch_sizes

CODECS = [codec for codec in Codec if codec is not Codec.NONE]
LARGE = 200_000


@pytest.mark.parametrize("codec", CODECS)
def test_a_large_batch_is_compressed_by_a_thread_and_a_small_one_at_once(codec: Codec) -> None:
    with ProducerBench(compression=codec.name.lower()) as bench:
        bench.warm_up()
        threads = HeldThreads(bench.loop)
        small = bench.send(bytes(BYTES_BESIDE_LOOP_MIN[codec] - 200))
        bench.settle(10)
        assert small.done()
        assert threads.waiting == 0
        large = bench.send(bytes(BYTES_BESIDE_LOOP_MIN[codec]))
        bench.settle(10)
        assert threads.waiting == 1
        assert not large.done()
        threads.run()
        bench.settle(10)
        assert large.result().offset == 2
        (data,) = bench.cluster.requests[-1].topic_data[0].partition_data
        assert read_header(data.records).codec is codec
        threads.let_go()


def test_what_is_full_is_compressed_at_once_and_nothing_overtakes_it() -> None:
    with ProducerBench(compression="zstd", batch_bytes=LARGE, linger_ms=50) as bench:
        bench.warm_up()
        threads = HeldThreads(bench.loop)
        deliveries = [bench.send(bytes([number]) * (LARGE - 30)) for number in range(3)]
        deliveries.append(bench.send(b"small"))
        bench.settle(20)
        assert threads.waiting == 3, "each full batch, before the linger is over"
        bench.settle(100)
        assert bench.cluster.requests == []
        threads.run()
        bench.settle(100)
        assert [delivery.result().offset for delivery in deliveries] == [1, 2, 3, 4]
        threads.let_go()


def test_a_batch_that_is_being_compressed_takes_no_more_records() -> None:
    with ProducerBench(compression="zstd") as bench:
        bench.warm_up()
        threads = HeldThreads(bench.loop)
        first = bench.send(bytes(60_000))
        bench.settle(10)
        second = bench.send(b"late")
        threads.run()
        bench.settle(10)
        assert batch_sizes(bench.cluster.requests) == [1, 1]
        assert (first.result().offset, second.result().offset) == (1, 2)
        threads.let_go()


def test_another_partition_does_not_wait_for_the_thread() -> None:
    with ProducerBench(compression="zstd", partitions=2) as bench:
        bench.warm_up()
        threads = HeldThreads(bench.loop)
        held = bench.send(bytes(60_000), partition=0)
        bench.settle(10)
        free = bench.send(b"small", partition=1)
        bench.settle(300)
        assert free.done()
        assert not held.done()
        threads.run()
        bench.settle(10)
        assert held.done()
        threads.let_go()


def test_what_is_given_up_meanwhile_is_not_sent() -> None:
    with ProducerBench(
        compression="zstd", delivery_timeout_ms=1000, request_timeout_ms=500
    ) as bench:
        bench.warm_up()
        threads = HeldThreads(bench.loop)
        held = bench.send(bytes(60_000))
        bench.settle(1200)
        assert held.exception() is not None
        threads.run()
        bench.settle(100)
        assert bench.cluster.requests == []
        assert bench.producer.metrics().buffer_bytes_used == 0
        after = bench.send(b"after")
        bench.settle(300)
        assert after.result().offset == 1
        threads.let_go()


def test_closing_in_haste_waits_for_no_thread() -> None:
    with ProducerBench(compression="gzip") as bench:
        bench.warm_up()
        threads = HeldThreads(bench.loop)
        held = bench.send(bytes(60_000))
        bench.settle(10)
        task = bench.start(bench.producer.close(timeout_s=0.1))
        bench.settle(200)
        assert task.done()
        assert isinstance(held.exception(), ProducerClosedError)
        assert threads.waiting == 1


def test_a_compressed_batch_that_is_too_large_is_sent_in_parts() -> None:
    with ProducerBench(compression="zstd") as bench:
        bench.warm_up()
        bench.cluster.answer_with = [ErrorCode.MESSAGE_TOO_LARGE]
        values = [bytes([number]) * 10_000 for number in range(8)]
        deliveries = bench.send_many(*values)
        bench.settle(1000)
        assert bench.cluster.values(TOPIC)[1:] == values
        assert [delivery.result().offset for delivery in deliveries] == list(range(1, 9))


def test_a_codec_that_fails_leaves_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*arguments: object, **named: object) -> bytes:
        raise OSError("out of order")

    monkeypatch.setattr("ottla.client.producer.packing.compress", fails)
    with ProducerBench(compression="zstd") as bench:
        lost = bench.send(bytes(60_000))
        bench.settle(300)
        assert isinstance(lost.exception(), ProducerClosedError)
        with pytest.raises(ProducerClosedError, match="out of order"):
            bench.send(b"more")
