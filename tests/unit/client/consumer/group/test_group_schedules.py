"""Groups in seeded trouble: members come, go, are killed, cancelled, cut off and slow.

Every record is handed out, one member at a time has a partition, and nothing is committed that
nobody has dealt with.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ottla.base.ids import TopicPartition
from ottla.client.consumer import Consumer
from ottla.client.consumer.group.commits import Positions
from ottla.client.consumer.group.listener import RebalanceListener
from tests.support.group_cluster import GroupCluster
from tests.unit.client.consumer.group.test_group import KINDS

SEEDS = 3
STEPS = 40
RECORDS = 400
PARTITIONS = [TopicPartition("t", index) for index in range(4)]
MEMBERS_MAX = 4


class _Listener(RebalanceListener):
    """Sometimes slow."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    async def on_assigned(self, partitions: Sequence[TopicPartition]) -> None:
        await asyncio.sleep(self._chance.choice([0, 0.2]))

    async def on_revoked(self, partitions: Sequence[TopicPartition]) -> None:
        await asyncio.sleep(self._chance.choice([0, 0, 0.3]))


class Member:
    """A consumer whose program deals with what it reads before it reads again."""

    def __init__(self, run: Run, number: int) -> None:
        self.run = run
        self.number = number
        self.in_hand: set[tuple[TopicPartition, int]] = set()
        self.consumer: Consumer = run.cluster.consumer(auto_commit_interval_ms=700, **run.settings)
        self.consumer.subscribe(["t"], listener=_Listener(run.chance))
        group = self.consumer._group
        assert group is not None
        send = group.commits._commit

        async def checked(offsets: Positions) -> None:
            for partition, position in offsets.items():
                run.check_commit(partition, position.offset)
            await send(offsets)

        group.commits._commit = checked  # type: ignore[method-assign]  # to see what is sent

    async def read(self) -> None:
        self.deal_with()
        match self.run.chance.randrange(3):
            case 0:
                async for record in self.consumer:
                    self.note(TopicPartition(record.topic, record.partition), [record.offset])
                    if self.run.chance.random() < 0.2:
                        break
                    self.deal_with()
            case 1:
                for partition, columns in (await self.consumer.poll_batch(0.5)).items():
                    self.note(partition, list(columns.offsets))
            case _:
                for record in await self.consumer.poll(self.run.chance.randrange(1, 20), 0.5):
                    self.note(TopicPartition(record.topic, record.partition), [record.offset])

    def deal_with(self) -> None:
        self.run.dealt_with |= self.in_hand
        self.in_hand = set()

    def note(self, partition: TopicPartition, offsets: list[int]) -> None:
        place = (self.consumer.group_metadata().generation, partition)
        owner = self.run.owners.setdefault(place, self.number)
        assert owner == self.number, f"{place} is read by {owner} and {self.number}"
        self.in_hand |= {(partition, offset) for offset in offsets}


class Run:
    """One schedule."""

    def __init__(self, folder: Path, settings: dict[str, Any], seed: int) -> None:
        self.chance = random.Random(seed)
        self.settings = settings
        self.cluster = GroupCluster(
            folder,
            group_min_session_timeout_ms="100",
            group_consumer_min_session_timeout_ms="2000",
            group_consumer_session_timeout_ms="2000",
            group_consumer_min_heartbeat_interval_ms="200",
            group_consumer_heartbeat_interval_ms="500",
        )
        self.cluster.broker.create_topic("t", len(PARTITIONS))
        self.written = 0
        self.members: list[Member] = []
        self.made = 0
        self.dealt_with: set[tuple[TopicPartition, int]] = set()
        self.owners: dict[tuple[int, TopicPartition], int] = {}

    def check_commit(self, partition: TopicPartition, offset: int) -> None:
        missed = [number for number in range(offset) if (partition, number) not in self.dealt_with]
        assert not missed, f"{partition}: {offset} is committed, {missed} was not dealt with"

    def run(self) -> None:
        try:
            for _ in range(STEPS):
                self.step()
            self.cluster.network.delay_ms = lambda: 1
            for _ in range(60):
                if self.is_complete:
                    break
                self.read_all(cancelled=False)
            for member in self.members:
                member.deal_with()
            assert self.is_complete, f"{RECORDS * 4 - len(self.dealt_with)} were not read"
        finally:
            self.cluster.close()

    @property
    def is_complete(self) -> bool:
        held = set().union(*(member.in_hand for member in self.members))
        return len(self.dealt_with | held) == self.written

    def step(self) -> None:
        match self.chance.randrange(9):
            case 0 | 1 if len(self.members) < MEMBERS_MAX:
                self.made += 1
                self.members.append(Member(self, self.made))
            case 2 if self.members:
                member = self.members.pop(self.chance.randrange(len(self.members)))
                member.deal_with()
                self.cluster.run(member.consumer.close())
            case 3 if self.members:
                member = self.members.pop(self.chance.randrange(len(self.members)))
                self.cluster.kill(member.consumer)
            case 4:
                streams = list(self.cluster.network.streams)
                for stream in self.chance.sample(streams, len(streams) // 2):
                    stream.end()
            case 5:
                late_ms = self.chance.choice([1, 1, 20, 60])
                self.cluster.network.delay_ms = lambda: self.chance.randrange(1, late_ms + 1)
            case 6 if self.chance.random() < 0.5:
                self.cluster.kill_broker()
        if self.written < RECORDS * len(PARTITIONS):
            for partition in PARTITIONS:
                values = [b"x"] * (RECORDS // STEPS)
                self.cluster.write("t", values, partition.partition)
                self.written += len(values)
        self.read_all(cancelled=True)

    def read_all(self, *, cancelled: bool) -> None:
        if not self.members:
            self.made += 1
            self.members.append(Member(self, self.made))

        async def read(member: Member) -> None:
            reading = asyncio.ensure_future(member.read())
            hasty = cancelled and self.chance.random() < 0.4
            await asyncio.wait([reading], timeout=self.chance.random() if hasty else 3)
            if not reading.done():
                reading.cancel()
                await asyncio.wait([reading])
            if not reading.cancelled():
                reading.result()

        async def all_of_them() -> None:
            await asyncio.gather(*map(read, self.members))

        self.cluster.run(all_of_them())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_record_is_read_and_only_what_was_dealt_with_is_committed(
    kind: str, seed: int, tmp_path: Path
) -> None:
    Run(tmp_path, KINDS[kind], seed).run()
