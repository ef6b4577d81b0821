"""Requests of any kind, in any order, with any numbers: the core answers each, and stays whole."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

import pytest

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.ids import TopicPartition
from ottla.transactions.ending import Ending
from ottla.transactions.initialising import Takeover
from ottla.transactions.listing import Filter
from ottla.transactions.partitions import Writing
from ottla.transactions.shard import Answer
from ottla.transactions.transaction import PREPARED, State, Transaction, TransactionEnd
from ottla.wire.messages.list_transactions import ListTransactionsRequest
from tests.unit.transactions.support import TIMEOUT_MS_MAX, Coordinator

SEEDS = 40
STEPS = 1200
IDS = ("payments", "other", "", "a" * 32_767, "\x00é🙂")
EPOCHS = (-(2**15), -2, -1, 0, 1, 2, 3, 32_764, 32_765, 32_766, 32_767)
PRODUCER_IDS = (-(2**63), -2, -1, 0, 1000, 1001, 1002, 2**63 - 1)
TIMEOUTS_MS = (-(2**31), -1, 0, 1, 60_000, TIMEOUT_MS_MAX, TIMEOUT_MS_MAX + 1, 2**31 - 1)
VERSIONS = (-1, 0, 1, 2, 9)
PATTERNS = (None, "", "pay.*", "(", "a*a*a*b", "(?=x)", "[", "a" * 600, "\\", "a?" * 30)


class Identity(NamedTuple):
    transactional_id: str
    producer_id: int
    epoch: int


class Attacker:
    """Asks with what it makes up, and often with what is nearly right."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.coordinator = Coordinator(self.rng.choice((0, 1, 2)))
        self.ends: list[TransactionEnd] = []
        self.refusals = 0
        self.commands: list[Callable[[], None]] = [
            self.initialise,
            self.add,
            self.verify,
            self.end,
            self.end,
            self.complete,
            self.complete,
            self.look,
            self.let_time_pass,
            self.jump,
        ]

    def identity(self) -> Identity:
        pick = self.rng.choice
        transactional_id = pick(IDS)
        current = self.coordinator.shard.transaction(transactional_id)
        if current is None or self.rng.random() < 0.3:
            return Identity(transactional_id, pick(PRODUCER_IDS), pick(EPOCHS))
        producer_id = pick((current.producer_id, current.producer_id, current.previous_producer_id))
        return Identity(transactional_id, producer_id, current.epoch + pick((0, 0, 0, -1, 1, -2)))

    def partitions(self) -> frozenset[TopicPartition]:
        topics = ("orders", "", "__consumer_offsets", "x" * 300)
        count = self.rng.choice((0, 1, 1, 3, 50))
        return frozenset(
            TopicPartition(self.rng.choice(topics), self.rng.choice((-1, 0, 1, 2**31 - 1)))
            for _ in range(count)
        )

    def step(self) -> None:
        before = self.snapshot()
        self.rng.choice(self.commands)()
        self.check(before)

    def ask(self, command: Callable[..., object], *args: object) -> object:
        """Fails the test where a ticket is not answered."""
        return self.coordinator.ask(command, *args)  # type: ignore[arg-type]  # one of the shard's

    def snapshot(self) -> dict[str, Transaction | None]:
        return {name: self.coordinator.shard.transaction(name) for name in IDS}

    # -- commands --------------------------------------------------------------------------------

    def initialise(self) -> None:
        identity = self.identity()
        wanted = Takeover(
            identity.transactional_id,
            self.rng.choice(TIMEOUTS_MS),
            *(identity[1:] if self.rng.random() < 0.5 else (-1, -1)),
        )
        self.note(self.coordinator.with_producer_id(self.coordinator.shard.initialise, wanted))

    def add(self) -> None:
        writing = Writing(*self.identity(), self.partitions())
        answer = self.ask(self.coordinator.shard.add_partitions, writing, self.rng.choice(VERSIONS))
        assert isinstance(answer, Answer)
        self.note(answer)

    def verify(self) -> None:
        writing = Writing(*self.identity(), self.partitions())
        found = self.ask(self.coordinator.shard.verify_partitions, writing)
        assert isinstance(found, dict)
        assert set(found) == writing.partitions
        assert self.coordinator.shard.is_member(writing) is not any(found.values())

    def end(self) -> None:
        asked = Ending(*self.identity(), self.rng.random() < 0.5, self.rng.choice(VERSIONS))
        self.note(self.coordinator.with_producer_id(self.coordinator.shard.end, asked))

    def note(self, answer: Answer) -> None:
        assert isinstance(answer.error, ErrorCode)
        if answer.end is not None:
            self.ends.append(answer.end)

    def complete(self) -> None:
        if self.ends:
            ended = self.rng.choice(self.ends)
            self.coordinator.shard.note_marked(ended, self.partitions())
            self.coordinator.complete(ended)

    def look(self) -> None:
        shard, pick = self.coordinator.shard, self.rng.choice
        self.ask(shard.describe, pick(IDS))
        request = ListTransactionsRequest(
            state_filters=[pick(("Ongoing", "Lost", ""))] if self.rng.random() < 0.3 else [],
            producer_id_filters=[pick(PRODUCER_IDS)] if self.rng.random() < 0.3 else [],
            duration_filter=pick((-(2**63), -1, 0, 2**63 - 1)),
            transactional_id_pattern=pick(PATTERNS),
        )
        try:
            self.ask(shard.list_transactions, Filter.of(request))
        except ProtocolError:
            self.refusals += 1

    def let_time_pass(self) -> None:
        self.coordinator.now_ms += self.rng.choice((-5_000, 0, 1, 61_000, 700_000_000))
        self.ends += self.coordinator.abort_timed_out()
        assert isinstance(self.ask(self.coordinator.shard.forget_expired), int)
        if self.rng.random() < 0.3:
            self.coordinator.reload()
            self.ends = self.coordinator.unfinished()

    def jump(self) -> None:
        """Go on with nearly used up epochs."""
        current = self.coordinator.shard.transaction("payments")
        if current is not None and current.state not in PREPARED and self.rng.random() < 0.3:
            self.coordinator.set_epoch(max(current.epoch, self.rng.choice((32_764, 32_766))))

    # -- what must hold --------------------------------------------------------------------------

    def check(self, before: dict[str, Transaction | None]) -> None:
        for name, was in before.items():
            now = self.coordinator.shard.transaction(name)
            if now is None:
                assert was is None or was.state not in (*PREPARED, State.ONGOING), "forgotten"
                continue
            assert 0 <= now.epoch <= 32_767
            assert now.producer_id >= 0
            assert now.timeout_ms in TIMEOUTS_MS
            if now.state is State.ONGOING:
                assert now.epoch < 32_767, "no epoch is left to fence with"
            if was is not None:
                self.check_change(was, now)

    @staticmethod
    def check_change(was: Transaction, now: Transaction) -> None:
        if was.state in PREPARED and now != was:
            assert now.state.label == was.state.label.replace("Prepare", "Complete"), (
                "the outcome that was decided did not come"
            )
        if was.state is State.ONGOING and now.state is State.ONGOING:
            assert was.partitions <= now.partitions, "a partition would miss its marker"
        if was.state is State.ONGOING and now.state in PREPARED:
            assert was.partitions == now.partitions
        if now.producer_id == was.producer_id:
            assert now.epoch >= was.epoch, "an epoch came back"


@pytest.mark.parametrize("seed", range(SEEDS))
def test_hostile_requests_are_answered_and_change_nothing_that_was_decided(seed: int) -> None:
    attacker = Attacker(seed)
    for _ in range(STEPS):
        attacker.step()


def test_the_attacks_reach_every_state() -> None:
    reached = set()
    for seed in range(10):
        attacker = Attacker(seed)
        for _ in range(STEPS):
            attacker.step()
            reached |= {found.state for found in attacker.snapshot().values() if found}
    assert reached >= {*PREPARED, State.EMPTY, State.ONGOING, State.COMPLETE_ABORT}
    assert State.COMPLETE_COMMIT in reached
