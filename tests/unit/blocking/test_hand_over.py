"""Records from many threads to a producer that is a stub on the loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from ottla.base.errors import UserError
from ottla.base.limits import BLOCKING_HANDED_BYTES_MAX
from ottla.blocking.background import Background, borrow, give_back
from ottla.blocking.delivery import Delivery
from ottla.blocking.errors import BackgroundLostError, ClientForkedError
from ottla.blocking.hand_over import HandOver
from ottla.client.producer import BufferFullError, ProducerClosedError, RecordMetadata
from ottla.client.producer import Delivery as AsyncioDelivery
from ottla.client.producer.delivery import Settling


class StubBatch(Settling):
    """Has every record."""

    def record(self, index: int) -> RecordMetadata:
        return RecordMetadata("t", 0, index, 0)


class StubProducer:
    """Takes records while it has room."""

    def __init__(self) -> None:
        self.batch = StubBatch()
        self.taken: list[bytes] = []
        self.room = 1 << 60
        self.refusal: Exception | None = None
        self.has_room = asyncio.Event()

    def send(self, topic: str, value: bytes, *rest: Any, **fields: Any) -> AsyncioDelivery:
        if self.refusal is not None:
            raise self.refusal
        if self.room <= 0:
            raise BufferFullError("full")
        self.room -= 1
        self.taken.append(value)
        return AsyncioDelivery(self.batch, len(self.taken) - 1)

    async def put(self, topic: str, value: bytes, *rest: Any, **fields: Any) -> AsyncioDelivery:
        while self.room <= 0:
            self.has_room.clear()
            await self.has_room.wait()
        return self.send(topic, value)


class Bench:
    """A hand-over, and what it counts."""

    def __init__(self, background: Background) -> None:
        self.background = background
        self.producer = StubProducer()
        self.posts = 0
        self.hand_over = HandOver(self, self.producer)  # type: ignore[arg-type]  # stubs

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        return self.background.loop

    @property
    def is_here(self) -> bool:
        return self.background.is_here

    def post(self, function: Any) -> None:
        self.posts += 1
        self.background.post(function)

    def send(self, value: bytes, *, on_delivery: Any = None, timeout_s: float = 10) -> Delivery:
        delivery = Delivery(self.hand_over)
        self.hand_over.put(
            (delivery, on_delivery, len(value), ("t", value, None, None, 0, ())), timeout_s
        )
        return delivery

    def on_loop(self, function: Any) -> Any:
        async def main() -> Any:
            return function()

        return self.background.run(main)

    def drain(self) -> None:
        self.background.run(self.hand_over.handed_over)

    def make_room(self, records: int) -> None:
        self.producer.room = records
        self.on_loop(self.producer.has_room.set)


@pytest.fixture
def bench() -> Iterator[Bench]:
    borrowed = borrow()
    made = Bench(borrowed)
    yield made
    give_back(borrowed)


def hold(bench: Bench) -> threading.Event:
    """The loop stands still until this is set."""
    held, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        held.set()
        go_on.wait()

    bench.background.post(wait)
    held.wait()
    return go_on


def test_many_records_wake_the_loop_once_and_keep_their_order(bench: Bench) -> None:
    go_on = hold(bench)
    values = [b"%d" % number for number in range(5000)]
    for value in values:
        bench.send(value)
    assert bench.posts == 1
    go_on.set()
    bench.drain()
    assert bench.producer.taken == values


def test_an_outcome_is_waited_for_by_threads_and_told_by_callbacks(bench: Bench) -> None:
    told: list[Delivery] = []
    first, second = bench.send(b"1"), bench.send(b"2", on_delivery=told.append)
    assert not first.done()
    with pytest.raises(TimeoutError):
        first.result(0)
    bench.drain()
    second.add_done_callback(told.append)
    bench.on_loop(bench.producer.batch.settle)
    assert (first.result().offset, second.result(5).offset) == (0, 1)
    assert first.done()
    assert first.exception() is None
    bench.on_loop(lambda: None)
    assert told == [second, second]
    first.add_done_callback(told.append)
    assert told[2] is first, "what is done is told here and now"


def test_a_failure_is_the_outcome_of_every_record_of_the_batch(bench: Bench) -> None:
    deliveries = [bench.send(b"%d" % number) for number in range(3)]
    bench.drain()
    bench.on_loop(lambda: bench.producer.batch.settle(UserError("not stored")))
    for delivery in deliveries:
        with pytest.raises(UserError, match="not stored"):
            delivery.result()


def test_what_the_producer_refuses_is_that_records_outcome_alone(bench: Bench) -> None:
    bench.producer.refusal = UserError("refused")
    told: list[Delivery] = []
    refused = bench.send(b"1", on_delivery=told.append)
    assert str(refused.exception(5)) == "refused"
    assert told == [refused]
    bench.producer.refusal = None
    bench.send(b"2")
    bench.drain()
    assert bench.producer.taken == [b"2"]


def test_a_full_producer_is_waited_for_in_order(bench: Bench) -> None:
    bench.producer.room = 2
    go_on = hold(bench)
    for number in range(5):
        bench.send(b"%d" % number)
    go_on.set()
    assert bench.on_loop(lambda: list(bench.producer.taken)) == [b"0", b"1"]
    bench.make_room(3)
    bench.drain()
    assert bench.producer.taken == [b"%d" % number for number in range(5)]


def test_senders_are_held_back_where_nothing_is_taken_and_let_go_when_it_is(bench: Bench) -> None:
    bench.producer.room = 0
    big = bytes(BLOCKING_HANDED_BYTES_MAX)
    bench.send(big)
    with pytest.raises(BufferFullError):
        bench.send(b"no room", timeout_s=0)
    sender = threading.Thread(target=lambda: bench.send(b"later", timeout_s=3600))
    sender.start()
    bench.make_room(2)
    sender.join()
    bench.drain()
    assert bench.producer.taken == [big, b"later"]


def test_a_callback_is_refused_at_once_where_waiting_would_stop_everything(bench: Bench) -> None:
    bench.producer.room = 0
    bench.send(bytes(BLOCKING_HANDED_BYTES_MAX))
    with pytest.raises(BufferFullError):
        bench.on_loop(lambda: bench.send(b"from a callback"))
    with pytest.raises(UserError, match="cannot wait"):
        bench.on_loop(lambda: Delivery(bench.hand_over).result())


def test_closing_gives_every_record_that_is_left_its_outcome(bench: Bench) -> None:
    bench.producer.room = 1
    told: list[Delivery] = []
    deliveries = [bench.send(b"%d" % number, on_delivery=told.append) for number in range(4)]
    closed = ProducerClosedError("closed")
    bench.background.run(lambda: bench.hand_over.close(0.01, closed))
    assert bench.producer.taken == [b"0"]
    assert [delivery.exception(5) for delivery in deliveries[1:]] == [closed] * 3
    assert told == deliveries[1:]
    late = bench.send(b"late")
    assert late.exception(5) is closed


def test_a_fault_of_a_callback_ends_nothing(bench: Bench) -> None:
    def fail(delivery: Delivery) -> None:
        raise SystemExit("a mistake")

    bench.send(b"1", on_delivery=fail)
    bench.drain()
    bench.on_loop(bench.producer.batch.settle)
    assert bench.send(b"2").result(5).offset == 1


@pytest.mark.parametrize("was_waited_for", [False, True])
def test_what_waits_for_an_outcome_in_a_forked_child_is_told_each_time(
    was_waited_for: bool, bench: Bench
) -> None:
    delivery = bench.send(b"1")
    if was_waited_for:
        with pytest.raises(TimeoutError):
            delivery.result(0)
    bench.hand_over.leave(ClientForkedError("made before"))
    for _ in range(2):
        with pytest.raises(ClientForkedError):
            delivery.result(0)


def test_what_could_not_be_watched_is_told_each_time(bench: Bench) -> None:
    delivery = bench.send(b"1")
    bench.background.stop()
    for _ in range(2):
        with pytest.raises(BackgroundLostError):
            delivery.result(0)
