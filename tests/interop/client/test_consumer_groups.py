"""Groups of our consumers: alone and with other clients, on our broker and on Apache Kafka."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer as Librdkafka

from ottla.base.ids import TopicPartition
from ottla.client.consumer import CommitFailedError, Consumer, GroupError, RebalanceListener
from ottla.client.producer import Producer
from tests.clients.admin import Admin
from tests.conftest import BrokerFactory
from tests.support.broker_process import BrokerProcess
from tests.support.java import needs_java
from tests.support.kafka_process import KafkaProcess

pytestmark = pytest.mark.interop

SESSION_MS = 6_000
PARTITIONS = 6
PATIENCE_S = 60
GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "consumer.md"
QUICK = {"retry_backoff_max_ms": 200, "reconnect_backoff_max_ms": 200, "metadata_max_age_ms": 1000}
CLASSIC = {"session_timeout_ms": SESSION_MS, "heartbeat_interval_ms": 500}
KINDS: dict[str, dict[str, Any]] = {
    "range": {"partition_assignment_strategy": ["range"], **CLASSIC},
    "cooperative-sticky": {"partition_assignment_strategy": ["cooperative-sticky"], **CLASSIC},
    "consumer": {"group_protocol": "consumer"},
}


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("kafka")
    with KafkaProcess(folder, folder / "data") as process:
        yield process.bootstrap


@pytest.fixture(params=["ottla", pytest.param("kafka", marks=needs_java)])
def bootstrap(request: pytest.FixtureRequest, start_broker: BrokerFactory) -> str:
    if request.param == "kafka":
        return str(request.getfixturevalue("kafka"))
    process = start_broker(
        *("--set", "group.consumer.heartbeat.interval.ms=500"),
        *("--set", "group.consumer.min.heartbeat.interval.ms=500"),
        *("--set", f"group.consumer.session.timeout.ms={SESSION_MS}"),
        *("--set", f"group.consumer.min.session.timeout.ms={SESSION_MS}"),
        *("--set", "group.initial.rebalance.delay.ms=0"),
    )
    return process.bootstrap


@pytest.fixture
def topic(bootstrap: str, request: pytest.FixtureRequest) -> str:
    name = "".join(letter if letter.isalnum() else "-" for letter in request.node.name)
    Admin(bootstrap).create(name, PARTITIONS)
    return name


@pytest.fixture(params=list(KINDS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def member(bootstrap: str, topic: str, kind: str, **settings: Any) -> Consumer:
    settings = {"auto_offset_reset": "earliest", **QUICK, **KINDS[kind], **settings}
    return Consumer(bootstrap, group_id=topic, **settings)


async def read_until(wanted: Sequence[int], *consumers: Consumer) -> list[bytes]:
    """Let all read until they have so many partitions each; the values that they read."""
    found: list[bytes] = []

    async def read() -> None:
        while [len(consumer.assignment) for consumer in consumers] != list(wanted):
            for records in await asyncio.gather(*(one.poll(timeout_s=0.2) for one in consumers)):
                found.extend(record.value or b"" for record in records)

    await asyncio.wait_for(read(), PATIENCE_S)
    return found


async def read_all(count: int, *consumers: Consumer) -> list[bytes]:
    """Let all read until so many different values have come."""
    found: list[bytes] = []

    async def read() -> None:
        while len(set(found)) < count:
            for records in await asyncio.gather(*(one.poll(timeout_s=0.2) for one in consumers)):
                found.extend(record.value or b"" for record in records)

    await asyncio.wait_for(read(), PATIENCE_S)
    return found


async def write(bootstrap: str, topic: str, first: int, end: int) -> None:
    async with Producer(bootstrap) as producer:
        for number in range(first, end):
            await producer.put(topic, b"%d" % number, partition=number % PARTITIONS)


def test_members_share_hand_over_and_read_everything_once(
    bootstrap: str, topic: str, kind: str
) -> None:
    async def run() -> None:
        await write(bootstrap, topic, 0, 300)
        async with member(bootstrap, topic, kind) as first:
            first.subscribe([topic])
            values = await read_all(300, first)
            async with member(bootstrap, topic, kind) as second:
                second.subscribe([topic])
                values += await read_until([3, 3], first, second)
                await write(bootstrap, topic, 300, 600)
                values += await read_all(300, first, second)
            values += await read_until([6], first)
            assert sorted(map(int, values)) == list(range(600))
            await first.commit()
            places = [TopicPartition(topic, index) for index in range(PARTITIONS)]
            committed = await first.committed(*places)
            assert {at.offset for at in committed.values() if at is not None} == {100}

    asyncio.run(run())


class _Confluent:
    """A member of librdkafka's in a thread."""

    def __init__(self, bootstrap: str, topic: str, kind: str) -> None:
        settings: dict[str, Any] = {
            "bootstrap.servers": bootstrap,
            "group.id": topic,
            "auto.offset.reset": "earliest",
        }
        if kind == "consumer":
            settings["group.protocol"] = "consumer"
        else:
            settings |= {
                "partition.assignment.strategy": kind,
                "session.timeout.ms": SESSION_MS,
                "heartbeat.interval.ms": 500,
            }
        self._consumer = Librdkafka(settings)
        self._consumer.subscribe([topic])
        self._stopped = threading.Event()
        self.owned = 0
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._consumer.poll(0.1)
            self.owned = len(self._consumer.assignment())
        self._consumer.close()

    def close(self) -> None:
        self._stopped.set()
        self._thread.join()


class _KafkaPython(_Confluent):
    """One of kafka-python's."""

    def __init__(self, bootstrap: str, topic: str, kind: str) -> None:
        with warnings.catch_warnings():
            # It uses what Python has deprecated.
            warnings.simplefilter("ignore")
            from kafka import KafkaConsumer  # type: ignore[import-untyped]  # has no types
            from kafka.coordinator.assignors import (  # type: ignore[import-untyped]  # has no types
                cooperative_sticky,
            )
            from kafka.coordinator.assignors import (
                range as ranges,  # the library's name for it
            )
        strategies = {
            "range": ranges.RangePartitionAssignor,
            "cooperative-sticky": cooperative_sticky.CooperativeStickyAssignor,
        }
        self._other = KafkaConsumer(
            topic,
            bootstrap_servers=bootstrap,
            group_id=topic,
            partition_assignment_strategy=[strategies[kind]],
            session_timeout_ms=SESSION_MS,
            heartbeat_interval_ms=500,
            auto_offset_reset="earliest",
        )
        self._stopped = threading.Event()
        self.owned = 0
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._other.poll(100)
            self.owned = len(self._other.assignment())
        self._other.close()


@pytest.mark.parametrize(
    ("kind", "library"),
    [
        *((name, _Confluent) for name in KINDS),
        # It has no `group_protocol=consumer`.
        ("range", _KafkaPython),
        ("cooperative-sticky", _KafkaPython),
    ],
)
@pytest.mark.parametrize("leads", ["ours", "theirs"])
def test_a_group_is_shared_with_other_clients(
    bootstrap: str, topic: str, kind: str, library: type[_Confluent], leads: str
) -> None:
    def other() -> _Confluent:
        return library(bootstrap, topic, kind)

    async def wait_for(theirs: _Confluent, ours: Consumer, wanted: tuple[int, int]) -> None:
        async def read() -> None:
            while (theirs.owned, len(ours.assignment)) != wanted:
                await ours.poll(timeout_s=0.2)

        await asyncio.wait_for(read(), PATIENCE_S)

    async def run() -> None:
        theirs = other() if leads == "theirs" else None
        try:
            async with member(bootstrap, topic, kind) as ours:
                ours.subscribe([topic])
                await read_until([6], ours) if theirs is None else None
                theirs = theirs or other()
                await wait_for(theirs, ours, (3, 3))
                await asyncio.to_thread(theirs.close)
                await read_until([6], ours)
        finally:
            if theirs is not None:
                await asyncio.to_thread(theirs.close)

    asyncio.run(run())


PROGRAM = """
import asyncio, sys
from tests.interop.client.test_consumer_groups import member
async def main(bootstrap, topic, kind):
    async with member(bootstrap, topic, kind, enable_auto_commit=False) as consumer:
        consumer.subscribe([topic])
        async for record in consumer:
            print(record.value.decode(), flush=True)
            if int(record.value) % 2:
                await consumer.commit()
asyncio.run(main(*sys.argv[1:]))
"""


def seen_before_it_is_killed(bootstrap: str, topic: str, kind: str) -> list[int]:
    """What a process of its own reads of the topic."""
    command = [sys.executable, "-c", PROGRAM, bootstrap, topic, kind]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        try:
            seen = [int(killed.stdout.readline()) for _ in range(20)]
        finally:
            killed.kill()
        return seen + [int(line) for line in killed.stdout.read().split("\n")[:-1]]


def test_who_is_killed_is_replaced_from_what_it_has_committed(
    bootstrap: str, topic: str, kind: str
) -> None:
    if kind == "consumer" and "kafka" in topic:
        pytest.skip("Kafka's own session of the consumer protocol lasts 45 seconds")

    asyncio.run(write(bootstrap, topic, 0, 60))
    seen = seen_before_it_is_killed(bootstrap, topic, kind)

    async def run() -> None:
        async with member(bootstrap, topic, kind) as heir:
            heir.subscribe([topic])
            values = list(map(int, await read_all(60 - len(seen), heir)))
            while set(seen) | set(values) != set(range(60)):
                values += [int(record.value or b"") for record in await heir.poll(timeout_s=1)]
            # All it has seen but the last of a partition was committed before the kill.
            assert len(set(seen) & set(values)) <= PARTITIONS + 2

    asyncio.run(asyncio.wait_for(run(), 90))


class _Calls(RebalanceListener):
    def __init__(self) -> None:
        self.count = 0

    def on_assigned(self, partitions: Sequence[TopicPartition]) -> None:
        self.count += 1

    def on_revoked(self, partitions: Sequence[TopicPartition]) -> None:
        self.count += 1


def test_a_static_member_comes_back_and_nobody_notices(
    bootstrap: str, topic: str, kind: str
) -> None:
    async def run() -> None:
        calls = _Calls()
        async with member(bootstrap, topic, kind, group_instance_id="stays") as stays:
            stays.subscribe([topic], listener=calls)
            async with member(bootstrap, topic, kind, group_instance_id="goes") as goes:
                goes.subscribe([topic])
                await read_until([3, 3], stays, goes)
                had = goes.assignment
            before = calls.count
            async with member(bootstrap, topic, kind, group_instance_id="goes") as back:
                back.subscribe([topic])
                await read_until([3, 3], stays, back)
                assert back.assignment == had
                await stays.poll(timeout_s=1)
            assert calls.count == before

    asyncio.run(run())


def test_a_pattern_finds_topics_that_come_later(bootstrap: str, topic: str, kind: str) -> None:
    async def run() -> None:
        async with member(bootstrap, topic, kind) as consumer:
            consumer.subscribe(pattern=f"{topic}(-more)?")
            await read_until([6], consumer)
            Admin(bootstrap).create(f"{topic}-more", 2)
            Admin(bootstrap).create(f"{topic}-more-of-it", 2)
            await read_until([8], consumer)
            await asyncio.sleep(1)
            await read_until([8], consumer)

    asyncio.run(run())


async def pipe(bootstrap: str, topic: str, kind: str, count: int) -> int:
    """Carry records over, each with its position in one transaction, and leave the last open."""
    carried = 0
    settings = {"enable_auto_commit": False, "isolation_level": "read_committed"}
    async with (
        member(bootstrap, topic, kind, **settings) as consumer,
        Producer(bootstrap, transactional_id=f"pipe-{topic}") as producer,
    ):
        consumer.subscribe([topic])
        while carried < count:
            records = await consumer.poll(7, timeout_s=20)
            await producer.begin_transaction()
            offsets: dict[TopicPartition, int] = {}
            for record in records:
                producer.send(f"{topic}-out", record.value)
                offsets[TopicPartition(record.topic, record.partition)] = record.offset + 1
            await producer.send_offsets(offsets, consumer.group_metadata())
            carried += len(records)
            if carried >= count:
                # As if it ended here: what is not committed comes again.
                await producer.abort_transaction()
                return carried - len(records)
            await producer.commit_transaction()
    return carried


def test_what_is_carried_over_in_transactions_arrives_exactly_once(
    bootstrap: str, topic: str, kind: str
) -> None:
    async def run() -> None:
        Admin(bootstrap).create(f"{topic}-out", 1)
        await write(bootstrap, topic, 0, 120)
        carried = await pipe(bootstrap, topic, kind, 50)
        carried += await pipe(bootstrap, topic, kind, 40)
        settings = {"auto_offset_reset": "earliest", "isolation_level": "read_committed"}
        async with Consumer(bootstrap, **settings, **QUICK) as reader:
            reader.assign([(f"{topic}-out", 0)])
            values: list[int] = []
            while len(values) < carried and (records := await reader.poll(timeout_s=PATIENCE_S)):
                values += [int(record.value or b"") for record in records]
            # One more look, for what should not be there.
            values += [int(record.value or b"") for record in await reader.poll(timeout_s=2)]
        assert len(values) == len(set(values)) == carried

    asyncio.run(run())


@pytest.mark.parametrize("kind", ["range", "cooperative-sticky"])
def test_brokers_of_kafka_2_1_have_groups_too(old_broker: BrokerProcess, kind: str) -> None:
    bootstrap, topic = old_broker.bootstrap, "t"
    Admin(bootstrap).create(topic, PARTITIONS)

    async def run() -> None:
        await write(bootstrap, topic, 0, 60)
        async with member(bootstrap, topic, kind) as first:
            first.subscribe(pattern="[t]")
            values = await read_all(60, first)
            async with member(bootstrap, topic, kind) as second:
                second.subscribe([topic])
                values += await read_until([3, 3], first, second)
            await read_until([6], first)
            assert sorted(map(int, values)) == list(range(60))
            (committed,) = (await first.committed((topic, 0))).values()
            assert committed is not None
            assert committed.offset == 10

    asyncio.run(run())


def test_the_consumer_protocol_is_refused_by_brokers_that_lack_it(
    old_broker: BrokerProcess,
) -> None:
    async def run() -> None:
        async with member(old_broker.bootstrap, "t", "consumer") as consumer:
            consumer.subscribe(["t"])
            for _ in range(2):
                with pytest.raises(GroupError, match="UNSUPPORTED_VERSION"):
                    await consumer.poll(timeout_s=20)

    asyncio.run(run())


def test_a_manual_reader_of_a_group_that_has_members_begins_at_its_positions(
    bootstrap: str, topic: str, kind: str
) -> None:
    async def run() -> None:
        await write(bootstrap, topic, 0, 60)
        async with member(bootstrap, topic, kind) as shares:
            shares.subscribe([topic])
            await read_all(60, shares)
            await shares.commit({TopicPartition(topic, 0): 4})
            async with member(bootstrap, topic, kind, enable_auto_commit=False) as alone:
                alone.assign([(topic, 0)])
                assert await alone.position((topic, 0)) == 4
                with pytest.raises(CommitFailedError):
                    await alone.commit({TopicPartition(topic, 0): 5})

    asyncio.run(run())


def test_the_program_of_the_guide_runs(broker: BrokerProcess, tmp_path: Path) -> None:
    text = GUIDE.read_text().split("```python\n# group.py\n")[1].split("```")[0]
    program = tmp_path / "group.py"
    program.write_text(text)
    done = subprocess.run(
        [sys.executable, str(program), broker.bootstrap],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "mine: payments-0" in done.stdout
    assert "not mine any more: payments-0" in done.stdout
    assert "next: b'5'" in done.stdout
