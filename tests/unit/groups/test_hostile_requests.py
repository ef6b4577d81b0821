"""Requests of every API of groups as no client sends them, from seeds: names that are empty or
endless, everything twice, numbers at their ends, ids of others, noise for subscriptions, odd
expressions; with time passing, topics going, and the shard read again in between.

Whatever comes: it is refused or answered, or it waits for something that is due; every member can
expire; and in the end nobody is there.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from ottla.base.effects import Effects, Moment, ProducerIdentity, Ticket
from ottla.base.errors import ProtocolError
from ottla.groups.classic_group import ClassicGroup
from ottla.groups.classic_join import Joining
from ottla.groups.consumer_group import ConsumerGroup
from ottla.groups.consumer_heartbeat import Caller
from ottla.groups.group import Committer
from ottla.groups.offset_commits import OffsetToCommit, OffsetToDelete
from ottla.groups.shard import GroupShard
from ottla.wire.compiler import codec
from ottla.wire.messages.consumer_group_heartbeat import (
    ConsumerGroupHeartbeatRequest,
    OwnedTopicPartitions,
)
from ottla.wire.messages.heartbeat import HeartbeatRequest
from ottla.wire.messages.leave_group import MemberIdentity
from ottla.wire.messages.offset_fetch import OffsetFetchRequestGroup, OffsetFetchRequestTopics
from ottla.wire.messages.sync_group import SyncGroupRequest, SyncGroupRequestAssignment
from ottla.wire.payloads.consumer_protocol import (
    AssignedPartitions,
    ConsumerProtocolAssignment,
    encode_consumer_protocol,
)
from ottla.wire.payloads.records import CoordinatorRecord
from ottla.wire.schema import Message
from tests.support.consumer_bench import ConsumerBench, topic_id
from tests.support.group_bench import reads
from tests.support.group_invariants import check_shard

T = TypeVar("T")

SEEDS = range(100)
STEPS = 250
WAIT_IN_THE_END_MS = 40 * 60_000
"""Longer than the longest session."""
STRING_BYTES_MAX = 2**15 - 1
"""Longer ones do not come in."""

GROUPS = ("g", "g", "g", "h", "", "ü" * (STRING_BYTES_MAX // 2))
TOPICS = ("t", "u", "v", "", "no such topic", "x" * 249)
NAMES = ("", " ", "a", "i1", "i1", "i2", "\0", "x" * STRING_BYTES_MAX)
PROTOCOLS = ("range", "range", "sticky", "", "p" * STRING_BYTES_MAX)
PROTOCOL_TYPES = ("consumer", "consumer", "consumer", "connect", "")
INT32 = (-(2**31), -3, -2, -1, 0, 1, 2, 3, 4, 2**31 - 1)
INT64 = (*INT32, -(2**63), 2**63 - 1)
SESSIONS_MS = (-(2**31), 0, 6000, 6000, 10_000, 10_000, 1_800_000, 1_800_001, 2**31 - 1)
REGEXES = (
    "",
    "t",
    "[tu]|v.*",
    "(",
    "*",
    "(?=t)",
    "(a*)*b",
    "(((){1000}){1000}){1000}",
    "((){1000}){1000}",
    "(|t{0}){1000}",
    "\\Qt",
    "\\p{Han}",
    "t{1000}{1000}",
    "(" * 60 + ")" * 60,
    "é" * 5000,
    "\\x{D800}",
    "(t|u|v|.){800}",
)


class Stranger:
    """Whoever sends all that, and looks what becomes of it."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.bench = ConsumerBench({"t": 4, "u": 2})
        self.seen_ids = [""]
        self.fresh = 0
        self.asked = 0
        self.requests: list[Callable[[], None]] = [
            *[self.join] * 4,
            *[self.sync] * 3,
            *[self.consumer_heartbeat] * 4,
            self.heartbeat,
            self.leave,
            self.commit,
            self.fetch,
            self.delete_offsets,
            self.describe,
            self.delete,
        ]

    def step(self) -> None:
        dice = self.dice.random()
        if dice < 0.92:
            self.dice.choice(self.requests)()
        elif dice < 0.95:
            self.bench.advance(self.dice.choice([10, 1000, 7000, 70_000]))
        elif dice < 0.97:
            self.change_topics()
        elif dice < 0.98:
            self.end_transaction()
        else:
            self.bench.reload()
        check_shard(self.bench.shard, self.bench.waiting)
        self.look_at_answers()

    def finish(self) -> None:
        self.bench.advance(WAIT_IN_THE_END_MS)
        assert not self.bench.waiting
        assert all(not group.members for group in self.bench.shard.groups.values())

    def look_at_answers(self) -> None:
        """Each can be sent, whatever names it has to repeat."""
        for answer in self.bench.answers.values():
            if isinstance(answer, Message):
                codec(type(answer), type(answer).VERSIONS.max).encode(answer)
            member_id = getattr(answer, "member_id", None)
            if member_id is not None:
                self.seen_ids.append(member_id)
        self.bench.answers.clear()

    def ask(
        self, command: Callable[[GroupShard, Ticket, Moment], Effects[CoordinatorRecord]]
    ) -> None:
        """Refused, answered, or waiting."""
        self.asked += 1
        waiting = set(self.bench.waiting)
        try:
            self.bench.run(command)
        except ProtocolError:
            self.bench.waiting &= waiting

    # -- what requests are made of -----------------------------------------------------------------

    def one_of(self, *options: T) -> T:
        return self.dice.choice(options)

    def group_id(self) -> str:
        return self.dice.choice(GROUPS)

    def group(self, group_id: str) -> ClassicGroup | ConsumerGroup | None:
        return self.bench.shard.groups.get(group_id)

    def member_id(self, group_id: str) -> str:
        group = self.group(group_id)
        ids: list[str] = [] if group is None else [*group.members]
        if isinstance(group, ClassicGroup):
            ids += [*group.pending_members]
        if ids and self.dice.random() < 0.7:
            return self.dice.choice(ids)
        return self.one_of("", "", *NAMES, self.dice.choice(self.seen_ids))

    def instance_id(self) -> str | None:
        return self.one_of(None, None, None, *NAMES)

    def generation(self, group_id: str, member_id: str) -> int:
        group = self.group(group_id)
        if self.dice.random() < 0.3 or group is None:
            return self.dice.choice(INT32)
        if isinstance(group, ClassicGroup):
            return group.generation
        member = group.members.get(member_id)
        return self.one_of(-1, -2, 0, group.epoch, *([member.epoch] * 4 if member else []))

    def some(self, make: Callable[[], Any], *, most: int = 3) -> list[Any]:
        """A few; now and then one of them twice."""
        made = [make() for _ in range(self.dice.randint(0, most))]
        if made and self.dice.random() < 0.3:
            made.append(self.dice.choice(made))
        return made

    def noise(self, meant: bytes) -> bytes:
        """What was meant, a part of it, with a byte changed, or nothing like it."""
        dice = self.dice.random()
        if dice < 0.6 or not meant:
            return meant
        if dice < 0.7:
            return meant[: self.dice.randrange(len(meant))]
        if dice < 0.9:
            place = self.dice.randrange(len(meant))
            return meant[:place] + self.dice.randbytes(1) + meant[place + 1 :]
        return self.dice.randbytes(self.dice.randint(0, 30))

    def subscription(self) -> bytes:
        return self.noise(reads(*self.some(lambda: self.dice.choice(TOPICS))))

    def assignment(self) -> bytes:
        topics = self.some(
            lambda: AssignedPartitions(
                topic=self.dice.choice(TOPICS),
                partitions=self.some(lambda: self.dice.choice(INT32)),
            )
        )
        assignment = ConsumerProtocolAssignment(assigned_partitions=topics)
        return self.noise(encode_consumer_protocol(assignment))

    # -- requests ----------------------------------------------------------------------------------

    def join(self) -> None:
        group_id = self.group_id()
        self.fresh += 1
        joining = Joining(
            member_id=self.member_id(group_id),
            fresh_id=f"fresh-{self.fresh}",
            group_instance_id=self.instance_id(),
            client_id=self.dice.choice(NAMES),
            client_host="/192.0.2.7",
            session_timeout_ms=self.dice.choice(SESSIONS_MS),
            rebalance_timeout_ms=self.one_of(0, 1000, 5000, 2**31 - 1),
            protocol_type=self.dice.choice(PROTOCOL_TYPES),
            protocols=self.some(lambda: (self.dice.choice(PROTOCOLS), self.subscription())),
            reason=self.one_of(None, *NAMES),
            id_first=self.dice.random() < 0.5,
            may_skip_assignment=self.dice.random() < 0.5,
        )
        self.ask(lambda shard, ticket, now: shard.join(group_id, joining, ticket, now))

    def sync(self) -> None:
        group_id = self.group_id()
        member_id = self.member_id(group_id)
        group = self.group(group_id)
        if isinstance(group, ClassicGroup) and group.leader and self.dice.random() < 0.5:
            member_id = group.leader
        request = SyncGroupRequest(
            group_id=group_id,
            generation_id=self.generation(group_id, member_id),
            member_id=member_id,
            group_instance_id=None if self.dice.random() < 0.7 else self.instance_id(),
            protocol_type=self.one_of(None, None, *PROTOCOL_TYPES),
            protocol_name=self.one_of(None, None, None, *PROTOCOLS),
            assignments=self.some(
                lambda: SyncGroupRequestAssignment(
                    member_id=self.member_id(group_id), assignment=self.assignment()
                )
            ),
        )
        self.ask(lambda shard, ticket, now: shard.sync(request, ticket, now))

    def heartbeat(self) -> None:
        group_id = self.group_id()
        member_id = self.member_id(group_id)
        request = HeartbeatRequest(
            group_id=group_id,
            generation_id=self.generation(group_id, member_id),
            member_id=member_id,
            group_instance_id=self.instance_id(),
        )
        self.ask(lambda shard, ticket, now: shard.heartbeat(request, ticket, now))

    def leave(self) -> None:
        group_id = self.group_id()
        leaving = self.some(
            lambda: MemberIdentity(
                member_id=self.member_id(group_id), group_instance_id=self.instance_id()
            )
        )
        self.ask(lambda shard, ticket, now: shard.leave(group_id, leaving, ticket, now))

    def consumer_heartbeat(self) -> None:
        group_id = self.group_id()
        member_id = self.member_id(group_id)
        epoch = self.one_of(0, self.generation(group_id, member_id))
        request = ConsumerGroupHeartbeatRequest(
            group_id=group_id,
            member_id=member_id,
            member_epoch=epoch,
            instance_id=self.instance_id(),
            rack_id=self.one_of(None, None, None, *NAMES),
            rebalance_timeout_ms=self.one_of(5000, 5000, *INT32),
            subscribed_topic_names=self.one_of(
                None, self.some(lambda: self.dice.choice([*TOPICS, *NAMES]))
            ),
            subscribed_topic_regex=self.one_of(None, None, self.dice.choice(REGEXES)),
            server_assignor=self.one_of(None, None, "range", "uniform", "", "none"),
            topic_partitions=[] if not epoch else self.owned(),
        )
        caller = Caller(self.dice.choice(NAMES), "/192.0.2.7", self.dice.randint(0, 1))
        self.ask(lambda shard, ticket, now: shard.consumer_heartbeat(request, caller, ticket, now))

    def owned(self) -> list[OwnedTopicPartitions] | None:
        return self.one_of(
            None,
            self.some(
                lambda: OwnedTopicPartitions(
                    topic_id=self.one_of(topic_id("t"), topic_id("u"), b"\0" * 16),
                    partitions=self.some(lambda: self.dice.choice(INT32)),
                )
            ),
        )

    def commit(self) -> None:
        group_id = self.group_id()
        member_id = self.one_of("", self.member_id(group_id))
        committer = Committer(
            self.generation(group_id, member_id), member_id, self.one_of(None, self.instance_id())
        )
        offsets = self.some(
            lambda: OffsetToCommit(
                self.one_of("t", "u", "v"),
                self.one_of(0, 1, 2**31 - 1),
                self.dice.choice(INT64),
                self.dice.choice(INT32),
                self.one_of(None, "", "m", "é" * 21, "x" * STRING_BYTES_MAX),
            )
        )
        producer = self.one_of(None, None, ProducerIdentity(self.dice.randint(0, 3), 0))
        retention_ms = -1 if self.dice.random() < 0.5 else self.dice.choice(INT64)
        version = self.dice.randint(0, 10)
        self.ask(
            lambda shard, ticket, now: shard.commit(
                group_id,
                committer,
                offsets,
                ticket,
                now,
                version=version,
                retention_ms=retention_ms,
                producer=producer,
            )
        )

    def end_transaction(self) -> None:
        producer = ProducerIdentity(self.dice.randint(0, 3), 0)
        self.bench.end_transaction(producer, is_committed=self.dice.random() < 0.5)

    def fetch(self) -> None:
        group_id = self.group_id()
        member_id = self.member_id(group_id)
        asked = OffsetFetchRequestGroup(
            group_id=group_id,
            member_id=self.one_of(None, member_id),
            member_epoch=self.generation(group_id, member_id),
            topics=self.one_of(
                None,
                self.some(
                    lambda: OffsetFetchRequestTopics(
                        name=self.dice.choice(TOPICS),
                        partition_indexes=self.some(lambda: self.dice.choice(INT32)),
                    )
                ),
            ),
        )
        stable = self.dice.random() < 0.5
        self.ask(lambda shard, ticket, now: shard.fetch(asked, ticket, now, require_stable=stable))

    def delete_offsets(self) -> None:
        group_id = self.group_id()
        wanted = self.some(lambda: OffsetToDelete(self.one_of("t", "u"), self.dice.randint(0, 2)))
        self.ask(lambda shard, ticket, now: shard.delete_offsets(group_id, wanted, ticket, now))

    def describe(self) -> None:
        group_id = self.group_id()
        self.ask(lambda shard, ticket, now: shard.describe(group_id, ticket, now))
        self.ask(lambda shard, ticket, now: shard.consumer_describe(group_id, ticket, now))
        self.ask(lambda shard, ticket, now: shard.listed(lambda _: True, ticket, now))

    def delete(self) -> None:
        group_id = self.group_id()
        self.ask(lambda shard, ticket, now: shard.delete(group_id, ticket, now))

    def change_topics(self) -> None:
        names = {name: self.dice.randint(1, 4) for name in "tuv" if self.dice.random() < 0.8}
        gone = frozenset(self.bench.known.view.by_name.keys() - names.keys())
        self.bench.set_topics(names)
        self.ask(lambda shard, ticket, now: shard.topics_deleted(gone, ticket, now))


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_strangers_send_is_answered_and_ends(seed: int) -> None:
    stranger = Stranger(seed)
    for _ in range(STEPS):
        stranger.step()
    stranger.finish()
