"""The coordinators' runtime: decide, replay, append, answer once it is committed."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Coroutine
from typing import Any

import msgspec
import pytest

from ottla.base.effects import Effects, ProducerIdentity, Ticket
from ottla.base.errors import ErrorCode, ProtocolError
from ottla.broker.coordination.internal_topics import partition_for
from ottla.broker.coordination.runtime import CoordinatorRuntime
from ottla.broker.coordination.shard import NEVER, Moment
from ottla.wire.payloads.coordinator import GROUP_RECORDS
from ottla.wire.payloads.internal_topics import CONSUMER_OFFSETS
from ottla.wire.payloads.offset_commits import OffsetCommitKey, OffsetCommitValue
from ottla.wire.payloads.records import CoordinatorRecord
from ottla.wire.records.batch import build_batch
from ottla.wire.records.header import iter_batches
from ottla.wire.records.record import Record
from ottla.wire.schema import Payload
from tests.support.held_threads import HeldThreads
from tests.support.memory_broker import MemoryBroker
from tests.unit.broker.conftest import StartBroker

Deciding = Effects[CoordinatorRecord]


def commit(topic: str, offset: int) -> CoordinatorRecord:
    return CoordinatorRecord(
        OffsetCommitKey(group="g", topic=topic, partition=0),
        OffsetCommitValue(offset=offset, metadata="", commit_timestamp=0),
        3,
    )


class Offsets:
    """A shard that remembers the last offset of each topic, and what it was told."""

    def __init__(self) -> None:
        self.known: dict[str, int] = {}
        self.seen_at: list[int] = []
        self.ended: list[tuple[ProducerIdentity, bool]] = []
        self.deadline_ms = NEVER
        self.expired_at: list[int] = []
        self.parked: list[Ticket] = []

    @property
    def next_deadline_ms(self) -> int:
        return self.deadline_ms

    def replay(
        self, key: Payload, value: Payload | None, *, offset: int, producer: ProducerIdentity | None
    ) -> None:
        assert isinstance(key, OffsetCommitKey)
        self.seen_at.append(offset)
        if isinstance(value, OffsetCommitValue):
            self.known[key.topic] = value.offset
        else:
            del self.known[key.topic]

    def replay_marker(self, producer: ProducerIdentity, *, is_committed: bool) -> None:
        self.ended.append((producer, is_committed))

    def loaded(self, moment: Moment) -> Deciding:
        return Effects()

    def expire(self, moment: Moment) -> Deciding:
        self.expired_at.append(moment.monotonic_ms)
        self.deadline_ms = NEVER
        return Effects([commit("expired", len(self.expired_at))])

    def unloaded(self, error: ErrorCode) -> list[tuple[Ticket, object]]:
        return [(ticket, error) for ticket in self.parked]


class Bench:
    """A broker with the topic, a runtime over it, and commands on their way."""

    def __init__(self, broker: MemoryBroker, *, flush_messages: str = "1000000") -> None:
        self.broker = broker
        broker.create_topic(CONSUMER_OFFSETS, partitions=2, flush_messages=flush_messages)
        self.runtime = self.new_runtime()

    def new_runtime(self) -> CoordinatorRuntime[Offsets]:
        return CoordinatorRuntime(
            CONSUMER_OFFSETS,
            GROUP_RECORDS,
            lambda _: Offsets(),
            self.broker.broker.replicas,
            self.broker.clock,
        )

    def start(self, work: Coroutine[Any, Any, object]) -> asyncio.Task[object]:
        return self.broker.loop.create_task(work)

    def set(self, topic: str, offset: int, index: int = 0) -> asyncio.Task[object]:
        def decide(shard: Offsets, ticket: Ticket, _: Moment) -> Deciding:
            return Effects([commit(topic, offset)], [(ticket, shard.known.get(topic, -1))])

        return self.start(self.runtime.run(index, decide))

    def get(self, topic: str, index: int = 0) -> asyncio.Task[object]:
        def look(shard: Offsets, ticket: Ticket, _: Moment) -> Deciding:
            return Effects(replies=[(ticket, shard.known.get(topic, -1))])

        return self.start(self.runtime.run(index, look))

    def done(self, *tasks: asyncio.Task[object]) -> list[object]:
        self.broker.loop.settle()
        return [self.result(task) for task in tasks]

    @staticmethod
    def result(task: asyncio.Task[object]) -> object:
        if not task.done():
            return "waits"
        error = task.exception()
        if error is None:
            return task.result()
        assert isinstance(error, ProtocolError)
        return error.code

    def batches(self, index: int = 0) -> list[int]:
        """How many records each batch of the log has."""
        log = self.broker.partition(CONSUMER_OFFSETS, index).log
        end_offset = log.log_end_offset
        found = log.read(0, 1 << 20, end_offset=end_offset, min_one_batch=True)
        if found is None:
            return []
        content = found.file.read_at(found.position, found.length)
        return [header.record_count for header, _ in iter_batches(content)]


@pytest.fixture
def bench(broker: MemoryBroker) -> Bench:
    return Bench(broker)


def test_a_decision_is_replayed_before_the_next_one_and_written_once_a_turn(bench: Bench) -> None:
    first, second, other = bench.set("a", 1), bench.set("a", 2), bench.set("b", 9)
    assert bench.done(first, second, other) == [-1, 1, -1]
    assert bench.batches() == [3]
    assert bench.runtime.peek(0).seen_at == [0, 1, 2]
    assert bench.done(bench.set("a", 3)) == [2]
    assert bench.batches() == [3, 1]


def test_partitions_are_shards_of_their_own(bench: Bench) -> None:
    bench.done(bench.set("a", 1, index=0), bench.set("a", 2, index=1))
    assert bench.done(bench.get("a", index=0), bench.get("a", index=1)) == [1, 2]
    assert bench.runtime.led == [0, 1]


def test_another_runtime_reads_all_of_it_from_the_log(bench: Bench) -> None:
    for offset in range(50):
        bench.done(bench.set(f"t{offset % 7}", offset))
    known = bench.runtime.peek(0).known
    bench.runtime = bench.new_runtime()
    assert bench.done(bench.get("t0")) == [ErrorCode.COORDINATOR_LOAD_IN_PROGRESS]
    assert bench.done(bench.get("t0")) == [49]
    assert bench.runtime.peek(0).known == known
    assert bench.done(bench.set("t0", 50)) == [49]
    assert bench.runtime.peek(0).seen_at[-1] == 50


def test_what_only_takes_back_may_be_torn_into_batches_that_the_log_takes(bench: Bench) -> None:
    known = [f"{number:0200d}" for number in range(100)]
    log = bench.broker.partition(CONSUMER_OFFSETS).log

    def make(shard: Offsets, ticket: Ticket, _: Moment) -> Deciding:
        return Effects([commit(topic, 1) for topic in known], [(ticket, "made")])

    def take_back(shard: Offsets, ticket: Ticket, _: Moment) -> Deciding:
        gone = [CoordinatorRecord(commit(topic, 1).key, None) for topic in known]
        return Effects(gone, [(ticket, "gone")])

    log.config = msgspec.structs.replace(log.config, max_message_bytes=10_000)
    assert bench.done(bench.start(bench.runtime.run(0, make))) == ["made"]
    assert bench.batches() == [100]
    gone, later = bench.start(bench.runtime.run(0, take_back)), bench.set("a", 5)
    assert bench.done(gone, later) == ["gone", -1]
    _, *torn = bench.batches()
    assert len(torn) > 1
    assert sum(torn) == 101
    assert bench.runtime.peek(0).seen_at == list(range(201))
    assert bench.runtime.peek(0).known == {"a": 5}


def test_records_of_unknown_types_are_left_out(bench: Bench) -> None:
    bench.done(bench.set("a", 1))
    partition = bench.broker.partition(CONSUMER_OFFSETS)
    unknown = Record(timestamp=0, key=b"\x7f\x00abc", value=b"\0\0")
    partition.log.append(build_batch([unknown]), leader_epoch=0, now_ms=0)
    partition.appended()
    bench.runtime = bench.new_runtime()
    bench.done(bench.get("a"))
    assert bench.done(bench.get("a")) == [1]


def test_nobody_is_answered_before_it_is_committed(start_broker: StartBroker) -> None:
    broker = start_broker()
    bench = Bench(broker, flush_messages="1")
    broker.partition(CONSUMER_OFFSETS).log.flush()
    bench.done(bench.get("a"))
    held = HeldThreads(broker.loop)
    decided, asked = bench.set("a", 5), bench.get("a")
    assert bench.done(decided, asked) == ["waits", "waits"]
    later = bench.get("a")
    assert bench.done(later) == ["waits"]
    held.let_go()
    assert bench.done(decided, asked, later) == [-1, 5, 5]


def test_what_the_disk_refuses_never_happened(bench: Bench) -> None:
    bench.done(bench.set("a", 1))
    bench.broker.disk.fail("append", f"{CONSUMER_OFFSETS}-0", errno.ENOSPC)
    refused, asked = bench.set("a", 2), bench.get("a")
    unavailable = ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert bench.done(refused, asked) == [unavailable, unavailable]
    bench.broker.disk.heal()
    bench.done(bench.get("a"))
    assert bench.done(bench.get("a"), bench.set("a", 3), bench.get("a")) == [1, 1, 3]
    assert bench.runtime.peek(0).seen_at == [0, 1]


def test_a_fault_in_a_shard_is_told_and_takes_back_what_it_left_half_done(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    def stumble(shard: Offsets, ticket: Ticket, _: Moment) -> Deciding:
        shard.known["a"] = 99
        raise ZeroDivisionError

    bench.done(bench.set("a", 1))
    unavailable = ErrorCode.COORDINATOR_NOT_AVAILABLE
    assert bench.done(bench.start(bench.runtime.run(0, stumble))) == [unavailable]
    assert "a fault in a coordinator" in caplog.text
    caplog.clear()
    bench.done(bench.get("a"))
    assert bench.done(bench.get("a")) == [1]


def test_a_refusal_keeps_the_shard(bench: Bench) -> None:
    def refuse(shard: Offsets, ticket: Ticket, _: Moment) -> Deciding:
        raise ProtocolError(ErrorCode.GROUP_ID_NOT_FOUND, "no such group")

    bench.done(bench.set("a", 1))
    refused, asked = bench.start(bench.runtime.run(0, refuse)), bench.get("a")
    assert bench.done(refused, asked) == [ErrorCode.GROUP_ID_NOT_FOUND, 1]


def test_a_shard_that_is_thrown_away_answers_whom_it_let_wait(bench: Bench) -> None:
    def park(shard: Offsets, ticket: Ticket, _: Moment) -> Deciding:
        shard.parked.append(ticket)
        return Effects()

    waiting = bench.start(bench.runtime.run(0, park))
    assert bench.done(waiting) == ["waits"]
    bench.broker.loop.finish(bench.runtime.stop())
    assert bench.done(waiting) == [ErrorCode.COORDINATOR_NOT_AVAILABLE]


def test_a_later_command_may_answer_an_earlier_one(bench: Bench) -> None:
    def park(shard: Offsets, ticket: Ticket, _: Moment) -> Deciding:
        shard.parked.append(ticket)
        return Effects()

    def answer(shard: Offsets, ticket: Ticket, _: Moment) -> Deciding:
        return Effects([commit("a", 1)], [(shard.parked.pop(), "at last"), (ticket, "done")])

    waiting = bench.start(bench.runtime.run(0, park))
    bench.broker.loop.settle()
    answering = bench.start(bench.runtime.run(0, answer))
    assert bench.done(waiting, answering) == ["at last", "done"]


def test_deadlines_are_kept(bench: Bench) -> None:
    def wait_until(due_ms: int) -> asyncio.Task[object]:
        def decide(shard: Offsets, ticket: Ticket, moment: Moment) -> Deciding:
            shard.deadline_ms = due_ms
            return Effects(replies=[(ticket, moment.monotonic_ms)])

        return bench.start(bench.runtime.run(0, decide))

    bench.done(wait_until(500))
    bench.done(wait_until(300))
    bench.broker.loop.advance(299)
    assert bench.runtime.peek(0).expired_at == []
    bench.broker.loop.advance(1)
    assert bench.runtime.peek(0).expired_at == [300]
    assert bench.done(bench.get("expired")) == [1]
    bench.done(wait_until(900))
    bench.done(wait_until(1200))
    bench.broker.loop.advance(700)
    assert bench.runtime.peek(0).expired_at == [300]
    bench.broker.loop.advance(200)
    assert bench.runtime.peek(0).expired_at == [300, 1200]


def test_what_is_not_led_here_is_refused(bench: Bench) -> None:
    assert bench.done(bench.get("a", index=7)) == [ErrorCode.NOT_COORDINATOR]
    bench.done(bench.get("a"))
    bench.broker.delete_topic(CONSUMER_OFFSETS)
    assert bench.done(bench.get("a")) == [ErrorCode.NOT_COORDINATOR]


def test_a_producers_records_have_a_batch_of_their_own(bench: Bench) -> None:
    producer = ProducerIdentity(7, 1)

    def decide(shard: Offsets, ticket: Ticket, _: Moment) -> Deciding:
        return Effects([commit("t", 1)], [(ticket, "taken")], producer=producer)

    tasks = [bench.set("a", 1), bench.start(bench.runtime.run(0, decide)), bench.set("a", 2)]
    assert bench.done(*tasks) == [-1, "taken", 1]
    assert bench.batches() == [1, 1, 1]
    assert bench.runtime.peek(0).seen_at == [0, 1, 2]


def test_partitions_are_chosen_as_java_hashes_strings() -> None:
    assert partition_for("", 50) == 0
    assert partition_for("a", 50) == 97 % 50
    assert partition_for("hello", 50) == 99162322 % 50
    # The hash of this one is the least int32: its sign is dropped, as Kafka does.
    assert partition_for("polygenelubricants", 50) == 0
    assert partition_for("grüße-\U0001f600", 50) == _hash("grüße-\U0001f600") % 50


def _hash(text: str) -> int:
    encoded = text.encode("utf-16-be")
    hashed = 0
    for at in range(0, len(encoded), 2):
        hashed = hashed * 31 + int.from_bytes(encoded[at : at + 2], "big")
    return hashed % 2**32 & 0x7FFFFFFF
