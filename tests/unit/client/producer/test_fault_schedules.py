"""A producer under seeded faults: nothing lost, doubled, out of order, or acknowledged in vain."""

from __future__ import annotations

import asyncio
import random

import pytest

from ottla.client.producer import (
    BatchDelivery,
    Delivery,
    DeliveryError,
    OutcomeUnknownError,
    Producer,
    RowsCutOffError,
)
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
        self.batches: list[tuple[list[bytes], BatchDelivery]] = []
        self.cut_off: list[list[bytes]] = []
        """Rows of calls that were cancelled."""

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

    def write_batches(self, count: int) -> None:
        """As `write`, of rows with keys that begin with their partition's number."""
        try:
            self.finish(self.loop.create_task(self._write_batches(count)))
        finally:
            self.loop.close()

    async def _write_batches(self, count: int) -> None:
        await self.producer.start_on(self.cluster, clock=self.clock, rng=self.rng)
        number = 0
        while number < count:
            rows = self.random.randrange(1, 40)
            if self.random.random() < 0.2:
                partition, value = self.random.randrange(PARTITIONS), b"%d" % number
                delivery = await self.producer.put(TOPIC, value, partition=partition)
                self.sent[partition].append((value, delivery))
                rows = 1
            else:
                await self._send_rows([b"%d" % (number + row) for row in range(rows)])
            number += rows
            if self.random.random() < 0.3:
                await asyncio.sleep(self.random.randrange(200) / 1000)
        await self.producer.flush()
        await asyncio.sleep(10)
        await self.producer.close()

    async def _send_rows(self, values: list[bytes]) -> None:
        keys = [b"k%d" % self.random.randrange(9) for _ in values] if len(values) % 2 else None
        call = self.loop.create_task(self.producer.send_batch(TOPIC, values, keys=keys))
        if self.random.random() < 0.2:
            self.loop.call_later(self.random.randrange(50) / 1000, call.cancel)
        try:
            self.batches.append((values, await call))
        except asyncio.CancelledError:
            self.cut_off.append(values)
        except RowsCutOffError as error:
            self.batches.append((values, error.delivery))

    def check_batches(self) -> None:
        """What the logs must be, after what was told of rows."""
        self.check()
        stored = {
            value: (partition, offset)
            for partition in range(PARTITIONS)
            for offset, value in enumerate(self.cluster.values(TOPIC, partition))
        }
        for values, delivery in self.batches:
            error = delivery.exception()
            good = error.stored if error is not None else delivery.result()
            for range_ in good.ranges:
                for row in range_.rows:
                    told, place = good.place(row), stored[values[row]]
                    assert told in (place, (place[0], -1)), "acknowledged at another place"
            for failed in error.failed if error is not None else ():
                for row in failed.rows:
                    assert isinstance(failed.error, DeliveryError)
                    in_doubt = isinstance(failed.error, OutcomeUnknownError)
                    assert in_doubt or values[row] not in stored, "said not to be stored, and is"
        for values in self.cut_off:
            taken = [value in stored for value in values]
            assert taken == sorted(taken, reverse=True), "not the first rows were taken"

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


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_with_idempotence_each_row_is_stored_once_and_in_order(schedule: str) -> None:
    for seed in range(SEEDS):
        run = Run(seed, SCHEDULES[schedule], buffer_memory=900, batch_bytes=300)
        run.write_batches(600)
        run.check_batches()
        assert not [error for _, sent in run.batches if (error := sent.exception())]


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_rows_that_are_given_up_do_not_disturb_those_after_them(schedule: str) -> None:
    settings = {"delivery_timeout_ms": 700, "request_timeout_ms": 500, "max_block_ms": 2000}
    for seed in range(SEEDS):
        run = Run(seed, SCHEDULES[schedule], buffer_memory=5000, batch_bytes=300, **settings)
        run.write_batches(600)
        run.check_batches()
