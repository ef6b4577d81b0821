"""Random lives of a consumer group, from seeds: members join, leave, stall, die and come back,
answers are lost, partitions are given back late, topics come, grow and go, appends fail, and the
shard is read again. In every second life some members speak the classic protocol.

A failing seed runs alone with `-k "life[123]"` in its name's place.
"""

from __future__ import annotations

import random
from collections import Counter

import pytest

from ottla.base.effects import Effects
from ottla.base.errors import ErrorCode
from ottla.groups.classic_group import ClassicGroup
from ottla.groups.consumer_group import ConsumerGroup
from ottla.groups.topics_view import TopicPartition
from ottla.wire.payloads.records import CoordinatorRecord
from tests.support.consumer_bench import (
    HEARTBEAT_MS,
    SESSION_MS,
    ClassicClient,
    Client,
    ConsumerBench,
)
from tests.support.group_invariants import check_shard

SEEDS = range(300)
STEPS = 250
CLIENTS = 5
ROUNDS_TO_SETTLE = 60
TOPICS = ("t", "u", "v")


class FailingBench(ConsumerBench):
    """Refuses some appends, as a full disk does: then the shard is read again."""

    appends_fail = False

    def take(self, effects: Effects[CoordinatorRecord]) -> None:
        if self.appends_fail and effects.records:
            self.appends_fail = False
            self.reload(ErrorCode.COORDINATOR_NOT_AVAILABLE)
            return
        super().take(effects)


class Life:
    """One group, its members, and what has been seen of it."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.bench = FailingBench({"t": 4, "u": 2})
        self.number = 0
        self.clients: list[Client | ClassicClient] = []
        for index in range(CLIENTS):
            if seed % 2 and index >= 3:
                self.clients.append(ClassicClient(self.bench, f"classic-{index}", "t", "u"))
            else:
                self.clients.append(self._new_client(f"i{index}" if index == 0 else None))
        self.stalled: set[int] = set()
        self.group_epoch = 0
        self.member_epochs: dict[str, int] = {}

    def _new_client(self, instance: str | None) -> Client:
        self.number += 1
        regex = "[tu]|v.*" if self.dice.random() < 0.3 else None
        topics = self.dice.sample(TOPICS, self.dice.randint(0 if regex else 1, 3))
        return Client(
            self.bench,
            f"m{self.number}",
            *topics,
            instance=instance,
            regex=regex,
            assignor=self.dice.choice([None, "range", "uniform"]),
        )

    # -- steps -----------------------------------------------------------------------------------

    def step(self) -> None:
        dice = self.dice.random()
        if dice < 0.80:
            self._speak(self.dice.randrange(CLIENTS))
        elif dice < 0.84:
            self._end(self.dice.randrange(CLIENTS))
        elif dice < 0.88:
            self.stalled ^= {self.dice.randrange(CLIENTS)}
        elif dice < 0.91:
            counts = {name: self.dice.randint(1, 5) for name in TOPICS if self.dice.random() < 0.8}
            self.bench.set_topics(counts)
        elif dice < 0.93:
            self._read_again()
        elif dice < 0.94:
            self.bench.appends_fail = True
        elif dice < 0.95:
            self._leave_to_classic_members()
        else:
            self.bench.advance(self.dice.choice([100, HEARTBEAT_MS, SESSION_MS // 3]))
        self.check()

    def _speak(self, index: int) -> None:
        client = self.clients[index]
        if index in self.stalled:
            return
        if isinstance(client, ClassicClient):
            client.beat()
            return
        client.revokes = self.dice.random() < 0.7
        client.beat(is_whole=self.dice.random() < 0.1, loses_answer=self.dice.random() < 0.1)

    def _end(self, index: int) -> None:
        """A member leaves, leaves for now, or dies; another process takes its place."""
        client = self.clients[index]
        dice = self.dice.random()
        if isinstance(client, ClassicClient):
            if dice < 0.5 and client.member_id:
                client.leave()
            client.forget()
            return
        if dice < 0.7 and client.epoch > 0:
            client.leave(-2 if client.instance and dice < 0.4 else -1)
        self.clients[index] = self._new_client(client.instance)
        if isinstance(fresh := self.clients[index], Client) and client.instance:
            fresh.topics, fresh.regex = client.topics, client.regex

    def _leave_to_classic_members(self) -> None:
        """All others go, and stay away until they wake up."""
        for index, client in enumerate(self.clients):
            if isinstance(client, Client) and client.epoch > 0:
                client.leave()
                self.stalled.add(index)

    def _read_again(self) -> None:
        group = self.bench.shard.groups.get("g")
        if isinstance(group, ConsumerGroup):
            kept = self.bench.kept()
            self.bench.reload()
            assert self.bench.kept() == kept
        else:
            self.bench.reload()

    # -- what must hold --------------------------------------------------------------------------

    def check(self) -> None:
        held = Counter(
            partition
            for client in self.clients
            if self._counts(client)
            for partition in client.holds
        )
        assert all(count == 1 for count in held.values()), "two members hold a partition"
        check_shard(self.bench.shard, self.bench.waiting)
        group = self.bench.shard.groups.get("g")
        if isinstance(group, ConsumerGroup):
            self._check_epochs(group)
        else:
            self.group_epoch = 0
            self.member_epochs.clear()

    def _counts(self, client: Client | ClassicClient) -> bool:
        """Whether the group believes that the client is in it: others have lost what they had."""
        group = self.bench.shard.groups.get("g")
        if group is None or client.member_id not in group.members:
            return False
        if isinstance(client, Client):
            return client.epoch > 0
        return not isinstance(group, ClassicGroup) or group.generation == client.generation

    def _check_epochs(self, group: ConsumerGroup) -> None:
        assert group.epoch >= self.group_epoch or group.epoch <= 1
        self.group_epoch = group.epoch
        for member in group.members.values():
            if member.epoch >= 0:
                known = self.member_epochs.get(member.member_id, 0)
                assert member.epoch >= known or group.epoch < known
                self.member_epochs[member.member_id] = member.epoch

    # -- the end ---------------------------------------------------------------------------------

    def settle(self) -> None:
        """Everybody behaves; in the end everything that anybody reads has its owner."""
        self.stalled.clear()
        self.bench.appends_fail = False
        for _ in range(ROUNDS_TO_SETTLE):
            for client in self.clients:
                if isinstance(client, Client):
                    client.revokes = True
                client.beat()
                self.check()
            self.bench.advance(HEARTBEAT_MS // 2)
            self.check()
        group = self.bench.shard.groups["g"]
        assert group.state_name == "Stable"
        assert len(group.members) >= CLIENTS
        held = Counter(partition for client in self.clients for partition in client.holds)
        assert held == Counter(self._read_partitions())

    def _read_partitions(self) -> list[TopicPartition]:
        view = self.bench.known.view
        read = {name for client in self.clients for name in client.topics}
        if any(isinstance(client, Client) and client.regex for client in self.clients):
            read |= set(TOPICS)
        topics = [topic for name in read if (topic := view.named(name)) is not None]
        return [partition for topic in topics for partition in topic.partitions()]


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_happens_in_its_life_a_partition_has_one_owner(seed: int) -> None:
    life = Life(seed)
    for _ in range(STEPS):
        life.step()
    life.settle()
