"""A producer under seeded faults: nothing lost, doubled, out of order, or acknowledged in vain."""

from __future__ import annotations

import asyncio
import random

import pytest

from ottla.client.producer import Delivery, DeliveryError, OutcomeUnknownError, Producer
from tests.support.cluster import SeededRng
from tests.support.producer_cluster import Faults, ModelCluster
from tests.support.stepped_loop import SteppedClock, SteppedLoop

PARTITIONS = 3
TOPIC = "t"
STEP_MS = 7
SEEDS = 5

SCHEDULES = {
    "lost requests": Faults(lost_request=6),
    "lost answers": Faults(lost_answer=6),
    "late requests": Faults(late=8),
    "refused": Faults(refused=5),
    "in doubt": Faults(in_doubt=5),
    "moving leaders": Faults(moves=8),
    "too large": Faults(too_large=5),
    "all at once": Faults(20, 20, 20, 12, 12, 20, 15, 40),
    "mostly broken": Faults(5, 5, 5, 5, 5, 10, 10, 200),
}


class Run:
    """One producer that writes numbered records, and what it was told of them."""

    def __init__(self, seed: int, faults: Faults, **settings: object) -> None:
        self.random = random.Random(seed)
        self.clock = SteppedClock()
        self.loop = SteppedLoop(self.clock)
        self.cluster = ModelCluster(seed=seed, faults=faults)
        self.cluster.create(TOPIC, PARTITIONS)
        self.producer = Producer("unused:1", **settings)
        self.rng = SeededRng(seed)
        self.sent: list[list[tuple[bytes, Delivery]]] = [[] for _ in range(PARTITIONS)]

    def finish(self, work: asyncio.Task[None], *, seconds_max: int = 600) -> None:
        for _ in range(seconds_max * 1000 // STEP_MS):
            self.loop.advance(STEP_MS)
            if work.done():
                return work.result()
        raise AssertionError(f"not done within {seconds_max} s")

    def write(self, count: int) -> None:
        try:
            self.finish(self.loop.create_task(self._write(count)))
        finally:
            self.loop.close()

    async def _write(self, count: int) -> None:
        await self.producer.start_on(self.cluster, clock=self.clock, rng=self.rng)
        waiting: list[asyncio.Task[object]] = []
        for number in range(count):
            self._send(number)
            if self.random.random() < 0.1:
                waiting.append(self._await_and_cancel())
            if self.random.random() < 0.3:
                await asyncio.sleep(self.random.randrange(200) / 1000)
        # What may come late comes before the end: it must not be stored any more.
        await self.producer.flush()
        await asyncio.sleep(10)
        await self.producer.close()
        await asyncio.gather(*waiting, return_exceptions=True)

    def _send(self, number: int) -> None:
        partition = self.random.randrange(PARTITIONS)
        value = b"%d" % number
        delivery = self.producer.send(TOPIC, value, partition=partition)
        self.sent[partition].append((value, delivery))

    def _await_and_cancel(self) -> asyncio.Task[object]:
        """Somebody waits for a record and gives up at some time."""
        _, delivery = self.random.choice([sent for sent in self.sent if sent])[-1]

        async def wait() -> object:
            return await delivery

        task: asyncio.Task[object] = self.loop.create_task(wait())
        self.loop.call_later(self.random.randrange(300) / 1000, task.cancel)
        return task

    def check(self) -> None:
        """What the logs must be, after what was told."""
        for partition in range(PARTITIONS):
            values = self.cluster.values(TOPIC, partition)
            place = {value: offset for offset, value in enumerate(values)}
            assert len(place) == len(values), "a record is stored twice"
            numbers = [int(value or b"") for value in values]
            assert numbers == sorted(numbers), "records are out of order"
            for value, delivery in self.sent[partition]:
                self._check_one(value, delivery, place)

    @staticmethod
    def _check_one(value: bytes, delivery: Delivery, place: dict[bytes | None, int]) -> None:
        assert delivery.done()
        error = delivery.exception()
        if error is None:
            offset = delivery.result().offset
            assert value in place, "acknowledged and not stored"
            assert offset in (place[value], -1), "acknowledged at another offset"
        elif not isinstance(error, OutcomeUnknownError):
            assert isinstance(error, DeliveryError)
            assert value not in place, "said not to be stored, and is"


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_with_idempotence_each_record_is_stored_once_and_in_order(schedule: str) -> None:
    for seed in range(SEEDS):
        run = Run(seed, SCHEDULES[schedule])
        run.write(120)
        run.check()
        lost = [d for sent in run.sent for _, d in sent if d.exception() is not None]
        assert not lost, f"seed {seed}: there was time for every record, {lost[0].exception()}"


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_what_is_given_up_does_not_disturb_what_comes_after_it(schedule: str) -> None:
    for seed in range(SEEDS):
        run = Run(seed, SCHEDULES[schedule], delivery_timeout_ms=700, request_timeout_ms=500)
        run.write(120)
        run.check()


def test_without_idempotence_what_is_acknowledged_is_stored() -> None:
    for seed in range(SEEDS):
        run = Run(seed, SCHEDULES["all at once"], enable_idempotence=False)
        run.write(100)
        for partition in range(PARTITIONS):
            stored = set(run.cluster.values(TOPIC, partition))
            for value, delivery in run.sent[partition]:
                assert delivery.exception() is not None or value in stored
