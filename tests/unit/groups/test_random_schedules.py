"""Random lives of a group, from seeds: members come, go and stall, answers are late, requests are
sent twice, appends fail, the broker crashes. Whatever happens, the rules below hold.

A failing seed runs alone with `-k "schedule[1234]"` in its name's place.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable

import pytest

from ottla.base.effects import Effects, Ticket
from ottla.base.errors import ErrorCode
from ottla.groups.classic_group import ClassicGroup
from ottla.groups.classic_state import State
from ottla.wire.messages.join_group import JoinGroupResponse
from ottla.wire.messages.leave_group import MemberIdentity
from ottla.wire.messages.sync_group import SyncGroupResponse
from ottla.wire.payloads.coordinator import GROUP_RECORDS
from ottla.wire.payloads.group_metadata import GroupMetadataKey, GroupMetadataValue
from ottla.wire.payloads.records import CoordinatorRecord
from tests.support.group_bench import GroupBench, reads
from tests.support.group_invariants import check_shard

SEEDS = range(400)
STEPS = 600
PARTITIONS = 5
CLIENTS = 5
EXPIRES_TOO_LATE_MS = 10**9
"""Of offsets and empty groups; so a generation never begins at 0 again."""
STEPS_OF_TIME_MAX = 10_000
WAIT_IN_THE_END_MS = 20 * 60_000


class FailingBench(GroupBench):
    """Refuses some appends, as a full disk does: then the shard is read again."""

    appends_fail = False

    def take(self, effects: Effects[CoordinatorRecord]) -> None:
        if self.appends_fail and effects.records:
            self.appends_fail = False
            self.reload(ErrorCode.COORDINATOR_NOT_AVAILABLE)
            return
        super().take(effects)


class Member:
    """A client that does what it is told, when the dice let it."""

    def __init__(self, world: World, name: str, instance: str | None) -> None:
        self.world = world
        self.name = name
        self.instance = instance
        self.member_id = ""
        self.generation = -1
        self.topics: tuple[str, ...] = ("t",)
        self.plan: dict[str, bytes] = {}
        self.ticket: Ticket | None = None
        self.wants_sync = False

    @property
    def who(self) -> str:
        """What stays the same when a static member restarts."""
        return self.instance or self.name

    def step(self) -> None:
        """Take an answer that has come, or ask for what is next."""
        if self.ticket is not None:
            self._look()
        elif self.wants_sync:
            self._sync()
        elif self.generation < 0:
            self._join()
        else:
            self._live()

    def _look(self) -> None:
        assert self.ticket is not None
        answer = self.world.bench.answers.get(self.ticket)
        if answer is None:
            if self.world.rng.random() < 0.003:
                self.ticket = None  # the client's own patience is over: it asks again
                self.generation = -1
                self.wants_sync = False
            return
        self.ticket = None
        if isinstance(answer, JoinGroupResponse):
            self._joined(answer)
        elif isinstance(answer, SyncGroupResponse) and not answer.error_code:
            self.wants_sync = False
            self.world.owns(self, self.generation, answer.assignment)
        else:
            self._start_over(answer if isinstance(answer, ErrorCode) else answer.error_code)

    def _joined(self, answer: JoinGroupResponse) -> None:
        if answer.error_code == ErrorCode.MEMBER_ID_REQUIRED:
            self.member_id = answer.member_id
        elif answer.error_code:
            self._start_over(answer.error_code)
        else:
            self.member_id, self.generation = answer.member_id, answer.generation_id
            self.wants_sync = True
            self.plan = {}
            if answer.leader == self.member_id and not answer.skip_assignment:
                self.plan = shared([each.member_id for each in answer.members])

    def _start_over(self, error: int) -> None:
        self.generation = -1
        self.wants_sync = False
        if error in (ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.FENCED_INSTANCE_ID):
            self.member_id = ""

    def _join(self) -> None:
        protocols = [("range", reads(*self.topics))]
        member_id, id_first = self.member_id, self.instance is None

        def ask() -> Ticket:
            return self.world.bench.join(
                member_id,
                client=self.name,
                instance=self.instance,
                protocols=protocols,
                id_first=id_first,
                rebalance_ms=30_000,
            )

        self.ticket = self.world.send(ask)

    def _sync(self) -> None:
        member_id, generation, plan = self.member_id, self.generation, dict(self.plan)
        bench = self.world.bench
        self.ticket = self.world.send(
            lambda: bench.sync(member_id, generation, plan, instance=self.instance)
        )

    def _live(self) -> None:
        match self.world.rng.randrange(12):
            case 0 if self.world.rng.random() < 0.2:
                self.topics = ("t", "u") if len(self.topics) == 1 else ("t",)
                self._join()
            case 1 if self.world.rng.random() < 0.2:
                self._leave()
                self._start_over(ErrorCode.UNKNOWN_MEMBER_ID)
            case 2 | 3 | 4 | 5:
                self._commit()
            case _:
                error = self.world.bench.heartbeat(self.member_id, self.generation, self.instance)
                if error:
                    self._start_over(error)

    def _leave(self) -> None:
        leaving = [MemberIdentity(member_id=self.member_id, group_instance_id=self.instance)]
        self.world.bench.run(lambda shard, ticket, now: shard.leave("g", leaving, ticket, now))

    def _commit(self) -> None:
        owned = self.world.owned_by(self, self.generation)
        if owned:
            partition = self.world.rng.choice(owned)
            member_id, generation = self.member_id, self.generation
            offset = self.world.next_offset()
            self.world.send(
                lambda: self.world.commit(partition, offset, member_id, generation, self.instance)
            )


def shared(members: list[str]) -> dict[str, bytes]:
    """Which partitions each member gets."""
    return {
        member_id: bytes(range(number, PARTITIONS, len(members)))
        for number, member_id in enumerate(members)
    }


class World:
    """A group's clients, its coordinator, and the rules."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.bench = FailingBench(
            initial_rebalance_delay_ms=self.rng.choice([0, 0, 1000]),
            offsets_check_interval_ms=EXPIRES_TOO_LATE_MS,
            size_max=self.rng.choice([3, 100]),
        )
        self._names = 0
        self.members = [self.new_member() for _ in range(CLIENTS)]
        self.owners: dict[tuple[int, int], str] = {}
        self.committed: dict[int, int] = {}
        self._sent: list[Callable[[], object]] = []
        self._offsets = 0

    def new_member(self, instance: str | None = None) -> Member:
        self._names += 1
        if instance is None and self._names % 3 == 0:
            instance = f"static{self._names}"
        return Member(self, f"m{self._names}", instance)

    def next_offset(self) -> int:
        self._offsets += 1
        return self._offsets

    def send(self, ask: Callable[[], Ticket]) -> Ticket:
        """Ask, and remember it: the network may bring it once more, much later."""
        self._sent.append(ask)
        del self._sent[:-20]
        return ask()

    # -- what happens ------------------------------------------------------------------------------

    def step(self) -> None:
        match self.rng.randrange(1000):
            case dice if dice < 20:
                if self._sent:
                    self.rng.choice(self._sent)()
            case dice if dice < 27:
                self.crash()
            case dice if dice < 32:
                self.bench.appends_fail = True
            case dice if dice < 38:
                self.restart(self.rng.randrange(CLIENTS))
            case dice if dice < 45:
                self.advance(self.rng.choice([5000, 12_000, 40_000]))
            case dice if dice < 200:
                self.advance(self.rng.randrange(1500))
            case _:
                self.rng.choice(self.members).step()
        self.check()

    def restart(self, number: int) -> None:
        """A client dies without a word; another one begins, a static one under the same name."""
        self.members[number] = self.new_member(self.members[number].instance)

    def crash(self) -> None:
        """What is read again is what was there, if that was no rebalance."""
        group = self.bench.shard.groups.get("g")
        assert group is None or isinstance(group, ClassicGroup)
        told = None
        if group is not None and group.state in (State.STABLE, State.EMPTY) and group.is_recorded:
            told = group.described()
        self.bench.reload()
        if told is not None:
            assert self.bench.group.described() == told

    def advance(self, ms: int) -> None:
        end_ms = self.bench.elapsed_ms + ms
        for _ in range(STEPS_OF_TIME_MAX):
            due_ms = self.bench.shard.next_deadline_ms
            if due_ms > end_ms:
                break
            self.bench.advance(max(due_ms - self.bench.elapsed_ms, 0))
        else:
            pytest.fail("time stands still")
        self.bench.advance(end_ms - self.bench.elapsed_ms)

    # -- the rules ---------------------------------------------------------------------------------

    def owns(self, member: Member, generation: int, partitions: Iterable[int]) -> None:
        """A partition has one owner in each generation."""
        for partition in partitions:
            owner = self.owners.setdefault((generation, partition), member.who)
            assert owner == member.who, f"{partition} has two owners in generation {generation}"

    def owned_by(self, member: Member, generation: int) -> list[int]:
        return [
            partition
            for (begun, partition), owner in self.owners.items()
            if begun == generation and owner == member.who
        ]

    def commit(
        self, partition: int, offset: int, member_id: str, generation: int, instance: str | None
    ) -> int:
        """No commit of an old generation is taken."""
        failing = self.bench.appends_fail
        error = self.bench.commit(
            offset, member_id, generation, partition=partition, instance=instance
        )
        was_refused_by_the_disk = failing and not self.bench.appends_fail
        if not error and not was_refused_by_the_disk:
            assert generation >= self.last_generation, "a stale generation commits"
            self.committed[partition] = offset
        return 0

    @property
    def last_generation(self) -> int:
        """The last one that the log tells of."""
        for logged in reversed(self.bench.log):
            key = GROUP_RECORDS.decode_key(logged.key)
            if isinstance(key, GroupMetadataKey) and logged.value is not None:
                value = GROUP_RECORDS.decode_value(key.API_KEY, logged.value)
                assert isinstance(value, GroupMetadataValue)
                return value.generation
        return 0

    def check(self) -> None:
        """Offsets are what was committed last, and nothing is overdue."""
        known = self.bench.shard.offsets.of("g").committed
        assert {place.partition: each.offset for place, each in known.items()} == self.committed
        check_shard(self.bench.shard, self.bench.waiting)

    def finish(self) -> None:
        """All clients are gone: everybody who waits is told, and nobody stays."""
        self.bench.appends_fail = False
        self.advance(WAIT_IN_THE_END_MS)
        assert not self.bench.waiting
        group = self.bench.shard.groups.get("g")
        assert group is None or group.is_empty


@pytest.mark.parametrize("seed", SEEDS)
def test_schedule(seed: int) -> None:
    world = World(seed)
    for _ in range(STEPS):
        world.step()
    world.finish()


def test_schedules_are_lively() -> None:
    worlds = [World(seed) for seed in range(20)]
    for world in worlds:
        for _ in range(STEPS):
            world.step()
    assert sum(world.last_generation for world in worlds) > 5 * len(worlds)
    assert sum(len(world.bench.log) for world in worlds) > 20 * len(worlds)
