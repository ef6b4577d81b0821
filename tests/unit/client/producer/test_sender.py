"""The end of a producer, faults of ours, and who waits meanwhile: nobody may wait for ever."""

from __future__ import annotations

import asyncio

import pytest

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.client.producer import Delivery, ProducerClosedError
from ottla.client.producer.producer import _Parts
from tests.support.producer_bench import TOPIC, ProducerBench
from tests.support.producer_cluster import Faults


def parts_of(bench: ProducerBench) -> _Parts:
    assert bench.producer._parts is not None
    return bench.producer._parts


async def _wait(delivery: Delivery) -> object:
    return await delivery


@pytest.mark.parametrize("acks", ["0", "1", "all"])
def test_closing_in_haste_settles_a_record_whose_request_has_not_begun(acks: str) -> None:
    with ProducerBench(linger_ms=10_000, acks=acks) as bench:
        bench.send(b"first", partition=0)
        bench.start(bench.producer.flush())
        bench.settle(400)
        lingers = bench.send(b"1", partition=0)
        waiting = bench.start(_wait(lingers))
        bench.run(bench.producer.close(timeout_s=0))
        assert isinstance(lingers.exception(), ProducerClosedError)
        assert isinstance(waiting.exception(), ProducerClosedError)


def test_closing_that_is_cancelled_twice_settles_all_the_same() -> None:
    with ProducerBench() as bench:
        bench.warm_up()
        bench.cluster.faults = Faults(latency_ms=100_000)
        delivery = bench.send(b"1")
        bench.settle(20)

        async def close_impatiently() -> None:
            closing = asyncio.ensure_future(bench.producer.close())
            await asyncio.sleep(0)
            for _ in range(3):
                closing.cancel()
                await asyncio.sleep(0)
            await asyncio.wait([closing])

        bench.run(close_impatiently())
        assert isinstance(delivery.exception(), ProducerClosedError)


@pytest.mark.parametrize("call", ["flush", "close"])
def test_nobody_waits_for_rows_whose_call_was_cancelled(call: str) -> None:
    with ProducerBench() as bench:
        sending = bench.start(bench.producer.send_batch("missing", [b"1"]))
        waiting = bench.start(getattr(bench.producer, call)())
        bench.settle(10)
        assert not waiting.done()
        sending.cancel()
        bench.settle(10)
        assert sending.cancelled()
        assert waiting.done()


def test_a_fault_while_an_answer_is_read_settles_every_batch_of_the_request(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def has_a_fault(*given: object) -> None:
        raise RuntimeError("ours")

    with ProducerBench(partitions=3) as bench:
        bench.warm_up()
        settlement = parts_of(bench).sender.settlement
        monkeypatch.setattr(settlement, "stored", has_a_fault)
        deliveries = [bench.send(b"x", partition=index) for index in range(3)]
        flushing = bench.start(bench.producer.flush())
        bench.settle(100)
        assert {type(delivery.exception()) for delivery in deliveries} == {ProducerClosedError}
        assert flushing.done()
    assert "the producer has failed" in caplog.text


def test_a_transaction_that_does_not_end_leaves_the_rest_of_a_close(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def is_refused() -> None:
        raise ProtocolError(ErrorCode.UNSUPPORTED_VERSION, "no version of EndTxn in common")

    with ProducerBench(transactional_id="mine") as bench:
        bench.run(bench.producer.begin_transaction())
        bench.warm_up()
        bench.cluster.faults = Faults(latency_ms=100)
        delivery = bench.send(b"1")
        bench.settle(10)
        transactions = parts_of(bench).transactions
        monkeypatch.setattr(transactions, "close", is_refused)
        closing = bench.start(bench.producer.close())
        bench.settle(1000)
        closing.result()
        assert delivery.exception() is None
        assert bench.cluster.values(TOPIC) == [b"first", b"1"]
