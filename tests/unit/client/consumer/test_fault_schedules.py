"""A consumer under seeded faults: every record once and in order, whatever is cancelled or lost."""

from __future__ import annotations

import asyncio
import random

import pytest

from ottla.base.ids import TopicPartition
from tests.support.consumer_cluster import Faults
from tests.unit.client.consumer.conftest import MakeCluster

PARTITIONS = [TopicPartition("t", index) for index in range(3)]
SEEDS = 5
BATCHES = 40
PATIENCE_S = 2
ANSWER_MS = 20

SCHEDULES = {
    "lost answers": Faults(lost_answer=6),
    "moving leaders": Faults(moves=6),
    "lost sessions": Faults(lost_sessions=4),
    "refused": Faults(refused=5),
    "all at once": Faults(15, 15, 15, 15),
    "mostly broken": Faults(5, 5, 5, 6),
}
TRUNCATING = {
    "truncations": Faults(truncates=12),
    "truncations and all else": Faults(20, 20, 20, 20, 20),
}


class Run:
    """One consumer of logs that grow; `seen` is the last value of each offset."""

    def __init__(self, make_cluster: MakeCluster, seed: int, faults: Faults) -> None:
        self.random = random.Random(seed)
        self.cluster = make_cluster(seed=seed, faults=faults)
        self.cluster.answer_ms = ANSWER_MS
        self.cluster.waits = seed % 2 == 1
        self.logs = dict(zip(PARTITIONS, self.cluster.make("t", len(PARTITIONS)), strict=True))
        self.consumer = self.cluster.consumer(max_partition_fetch_bytes=2000, buffer_memory=9000)
        self.consumer.assign(PARTITIONS)
        self.next = dict.fromkeys(PARTITIONS, 0)
        self.seen: dict[TopicPartition, dict[int, bytes]] = {found: {} for found in PARTITIONS}
        self.truncates = faults.truncates > 0
        self.writes = 0

    def note(self, partition: TopicPartition, offset: int, value: bytes | None) -> None:
        expected = self.next[partition]
        if self.truncates:
            assert offset <= expected, f"{partition}: {expected} was passed over"
        else:
            assert offset == expected, f"{partition}: not {expected}"
        self.next[partition] = offset + 1
        self.seen[partition][offset] = value or b""

    def write(self) -> None:
        self.writes += 1
        log = self.random.choice(list(self.logs.values()))
        log.append(self.random.randrange(1, 30), timestamp_ms=self.writes)

    async def read_once(self) -> None:
        """In one of all ways; what is handed out is noted in the step in which it is."""
        match self.random.randrange(4):
            case 0:
                for partition, columns in (await self.consumer.poll_batch(0.5)).items():
                    for row in columns.to_list():
                        self.note(partition, row.offset, row.value)
            case 1:
                left = self.random.randrange(1, 20)
                async for record in self.consumer:
                    place = TopicPartition(record.topic, record.partition)
                    self.note(place, record.offset, record.value)
                    left -= 1
                    if not left:
                        break
            case _:
                for record in await self.consumer.poll(self.random.randrange(1, 40), 0.5):
                    place = TopicPartition(record.topic, record.partition)
                    self.note(place, record.offset, record.value)

    def disturb(self) -> None:
        """What a user does between two reads."""
        partition = self.random.choice(PARTITIONS)
        match self.random.randrange(8):
            case 0:
                self.consumer.pause(partition)
            case 1 | 2:
                self.consumer.resume(*PARTITIONS)
            case 3 if not self.truncates:
                self.next[partition] = self.random.randrange(self.next[partition] + 1)
                self.consumer.seek(partition, self.next[partition])
            case 4:
                self.consumer.assign(self.random.sample(PARTITIONS, 3))

    async def read(self) -> None:
        while self.writes < BATCHES:
            self.write()
            self.disturb()
            is_hasty = self.random.random() < 0.5
            await self.read_for(self.random.random() if is_hasty else PATIENCE_S)
        self.cluster.faults = Faults()
        self.cluster.tell_leaders()
        self.consumer.resume(*PARTITIONS)
        for log in self.logs.values():
            # Beyond whatever was read of it, or a truncation could not be noticed.
            log.append(1000, timestamp_ms=self.writes + 1)
        while any(self.next[found] < log.end for found, log in self.logs.items()):
            await self.read_for(PATIENCE_S)

    async def read_for(self, seconds: float) -> None:
        """Read, and be cancelled after a while."""
        reading = asyncio.create_task(self.read_once())
        await asyncio.wait([reading], timeout=seconds)
        if not reading.done():
            reading.cancel()
            await asyncio.wait([reading])
        if not reading.cancelled():
            reading.result()

    def check(self) -> None:
        for partition, log in self.logs.items():
            seen = self.seen[partition]
            assert [(offset, seen[offset]) for offset, _ in log.values()] == log.values()
            assert self.cluster.run(self.consumer.position(partition)) == log.end


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_record_comes_once_and_in_order(schedule: str, make_cluster: MakeCluster) -> None:
    for seed in range(SEEDS):
        run = Run(make_cluster, seed, SCHEDULES[schedule])
        run.cluster.run(run.read(), ms_max=300_000)
        run.check()


@pytest.mark.parametrize("schedule", TRUNCATING)
def test_after_truncations_everything_that_remains_was_read_as_it_is(
    schedule: str, make_cluster: MakeCluster
) -> None:
    for seed in range(SEEDS):
        run = Run(make_cluster, seed, TRUNCATING[schedule])
        run.cluster.run(run.read(), ms_max=300_000)
        run.check()
