"""Consumer groups of real clients: join, leave, die, come back; offsets survive the broker."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer  # type: ignore[import-untyped]  # has no types
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.clients.admin import Admin
from tests.conftest import BrokerFactory
from tests.support.broker_process import BrokerProcess
from tests.support.java import CLASS_PATH, needs_java
from tests.support.waiting import wait_until

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it reads its definitions in an old way
    from kafka import KafkaConsumer  # type: ignore[import-untyped]  # has no types

TOPIC = "numbers"
PARTITIONS = 60
QUICK = ("--set", "group.initial.rebalance.delay.ms=0")
SESSION_MS = 6000
PATIENCE_SECONDS = 30


@pytest.fixture
def broker(start_broker: BrokerFactory) -> BrokerProcess:
    """A broker whose new groups do not wait for more members."""
    process = start_broker(*QUICK)
    Admin(process.bootstrap).create(TOPIC, PARTITIONS)
    return process


class Member:
    """A confluent-kafka consumer in a thread of its own: groups rebalance while all poll."""

    def __init__(self, bootstrap: str, group: str, **settings: Any) -> None:
        self.values: list[int] = []
        self.assigned: set[int] = set()
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": group,
                "session.timeout.ms": SESSION_MS,
                "heartbeat.interval.ms": 300,
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "reconnect.backoff.ms": 10,
                "reconnect.backoff.max.ms": 100,
                "log_level": 0,
                **{name.replace("_", "."): value for name, value in settings.items()},
            }
        )
        self._consumer.subscribe([TOPIC])
        self._ends = threading.Event()
        self.leaves = True
        self._thread = threading.Thread(target=self._poll)
        self._thread.start()

    def _poll(self) -> None:
        while not self._ends.is_set():
            message = self._consumer.poll(0.05)
            if message is not None and message.error() is None:
                value = message.value()
                assert value is not None
                self.values.append(int(value))
                with suppress(Exception):  # a rebalance: whoever gets the partition reads it again
                    self._consumer.commit(message=message, asynchronous=True)
            self.assigned = {each.partition for each in self._consumer.assignment()}
        if self.leaves:
            self._consumer.close()

    def stop(self) -> None:
        """Leave the group and end."""
        self._ends.set()
        self._thread.join(PATIENCE_SECONDS)


@pytest.fixture
def members() -> Iterator[list[Member]]:
    """Members that end with the test."""
    running: list[Member] = []
    yield running
    for member in running:
        member.stop()


def shares_all(members: Sequence[Member]) -> bool:
    """Whether every partition has one owner among the members."""
    owned = [partition for member in members for partition in member.assigned]
    everybody = all(member.assigned for member in members)
    return everybody and sorted(owned) == list(range(PARTITIONS))


def send(bootstrap: str, numbers: Sequence[int]) -> None:
    producer = Producer({"bootstrap.servers": bootstrap})
    for number in numbers:
        producer.produce(TOPIC, b"%d" % number, partition=number % PARTITIONS)
    assert producer.flush(PATIENCE_SECONDS) == 0


@pytest.mark.parametrize("strategy", ["range", "cooperative-sticky"])
def test_members_come_and_go_and_every_partition_has_one_owner(
    broker: BrokerProcess, members: list[Member], strategy: str
) -> None:
    settings = {"partition_assignment_strategy": strategy}
    for count in (1, 3):
        while len(members) < count:
            members.append(Member(broker.bootstrap, "g", **settings))
        wait_until(
            lambda: shares_all(members), f"{count} members share all", seconds=PATIENCE_SECONDS
        )
    members.pop(0).stop()
    wait_until(lambda: shares_all(members), "the others take over", seconds=PATIENCE_SECONDS)


@pytest.mark.interop
@pytest.mark.parametrize("strategy", ["range", "cooperative-sticky"])
def test_ten_members_share_sixty_partitions(
    broker: BrokerProcess, members: list[Member], strategy: str
) -> None:
    settings = {"partition_assignment_strategy": strategy}
    members += [Member(broker.bootstrap, "g", **settings) for _ in range(10)]
    wait_until(lambda: shares_all(members), "ten members share all", seconds=PATIENCE_SECONDS)
    for _ in range(7):
        members.pop().stop()
    wait_until(lambda: shares_all(members), "three members share all", seconds=PATIENCE_SECONDS)


def test_offsets_are_resumed_after_the_broker_was_killed(
    broker: BrokerProcess, members: list[Member]
) -> None:
    send(broker.bootstrap, range(600))
    consumer = Consumer(settings_of(broker.bootstrap, "g"))
    consumer.subscribe([TOPIC])
    first = take(consumer, 250)
    consumer.commit(asynchronous=False)
    consumer.close()
    broker.kill()
    broker.start()
    consumer = Consumer(settings_of(broker.bootstrap, "g"))
    consumer.subscribe([TOPIC])
    rest = take(consumer, 350)
    consumer.close()
    assert sorted(first + rest) == list(range(600))


def test_a_group_lives_on_when_the_broker_is_killed_under_it(
    broker: BrokerProcess, members: list[Member]
) -> None:
    members += [Member(broker.bootstrap, "g") for _ in range(3)]
    wait_until(lambda: shares_all(members), "three share all", seconds=PATIENCE_SECONDS)
    before = [member.assigned for member in members]
    broker.kill()
    broker.start()
    send(broker.bootstrap, range(300))
    wait_until(
        lambda: sorted(v for each in members for v in each.values) == list(range(300)),
        "all is read once, without a rebalance",
        seconds=PATIENCE_SECONDS,
    )
    assert [member.assigned for member in members] == before


@pytest.mark.interop
def test_a_member_that_dies_is_replaced_when_its_session_ends(
    broker: BrokerProcess, members: list[Member]
) -> None:
    members += [Member(broker.bootstrap, "g") for _ in range(2)]
    wait_until(lambda: shares_all(members), "two share all", seconds=PATIENCE_SECONDS)
    # A consumer that another process has, and that is killed with it.
    script = (
        "import sys, time; from confluent_kafka import Consumer\n"
        "c = Consumer({'bootstrap.servers': sys.argv[1], 'group.id': 'g',"
        " 'session.timeout.ms': 6000})\n"
        f"c.subscribe(['{TOPIC}'])\n"
        "while True:\n"
        "    c.poll(0.1)\n"
        "    print(len(c.assignment()), flush=True)\n"
    )
    command = [sys.executable, "-c", script, broker.bootstrap]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        while process.stdout.readline().strip() == b"0":
            pass
        wait_until(lambda: not shares_all(members), "the two give up a part")
        process.kill()
    wait_until(lambda: shares_all(members), "the two share all again", seconds=PATIENCE_SECONDS)


def test_a_static_member_that_restarts_causes_no_rebalance(
    broker: BrokerProcess, members: list[Member]
) -> None:
    members += [Member(broker.bootstrap, "g", group_instance_id=name) for name in ("one", "two")]
    wait_until(lambda: shares_all(members), "two share all", seconds=PATIENCE_SECONDS)
    before = members[1].assigned
    generation = described(broker, "g")
    members[1].stop()  # a static member does not leave when it closes
    members[1] = Member(broker.bootstrap, "g", group_instance_id="two")
    wait_until(lambda: members[1].assigned == before, "it has its partitions again")
    assert shares_all(members)
    assert described(broker, "g").keys() == generation.keys()


def test_kafka_python_and_aiokafka_share_a_group(broker: BrokerProcess) -> None:
    send(broker.bootstrap, range(120))
    consumer = KafkaConsumer(
        TOPIC,
        bootstrap_servers=broker.bootstrap,
        group_id="mixed",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    values: list[int] = []
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(values) < 120 and time.monotonic() < deadline:
        for records in consumer.poll(timeout_ms=200).values():
            values += [int(record.value) for record in records]
    consumer.commit()
    consumer.close()
    assert sorted(values) == list(range(120))
    send(broker.bootstrap, range(120, 180))
    assert sorted(asyncio.run(_read_with_aiokafka(broker.bootstrap, 60))) == [*range(120, 180)]


async def _read_with_aiokafka(bootstrap: str, count: int) -> list[int]:
    consumer = AIOKafkaConsumer(
        TOPIC, bootstrap_servers=bootstrap, group_id="mixed", auto_offset_reset="earliest"
    )
    await consumer.start()
    values: list[int] = []
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(values) < count:
                values.append(int((await consumer.getone()).value))
    finally:
        await consumer.stop()
    return values


def test_an_admin_lists_describes_and_deletes_groups_and_offsets(broker: BrokerProcess) -> None:
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    positions = [TopicPartition(TOPIC, index, 7 + index) for index in range(3)]
    wanted = ConsumerGroupTopicPartitions("simple", positions)
    admin.alter_consumer_group_offsets([wanted])["simple"].result(PATIENCE_SECONDS)
    listed = admin.list_consumer_groups().result(PATIENCE_SECONDS).valid
    assert [(group.group_id, group.state.name) for group in listed] == [("simple", "EMPTY")]
    asked = [ConsumerGroupTopicPartitions("simple")]
    found = admin.list_consumer_group_offsets(asked)["simple"].result(PATIENCE_SECONDS)
    told = {each.partition: each.offset for each in found.topic_partitions}
    assert told == {0: 7, 1: 8, 2: 9}
    admin.delete_consumer_groups(["simple"])["simple"].result(PATIENCE_SECONDS)
    assert admin.list_consumer_groups().result(PATIENCE_SECONDS).valid == []


# -- Java ------------------------------------------------------------------------------------------


def kafka_groups_tool(broker: BrokerProcess, *words: str) -> str:
    """What Kafka's own tool prints."""
    done = subprocess.run(
        [
            "java",
            "-cp",
            CLASS_PATH,
            "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
            "--bootstrap-server",
            broker.bootstrap,
            *words,
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs_java
@pytest.mark.interop
def test_kafkas_own_tool_lists_describes_resets_and_deletes(
    broker: BrokerProcess, members: list[Member]
) -> None:
    members.append(Member(broker.bootstrap, "g", client_id="reader"))
    send(broker.bootstrap, range(60))
    wait_until(lambda: len(members[0].values) == 60, "it has read all", seconds=PATIENCE_SECONDS)
    assert kafka_groups_tool(broker, "--list").split() == ["g"]
    lines = kafka_groups_tool(broker, "--describe", "--group", "g").splitlines()
    assert sum(TOPIC in line and "reader" in line for line in lines) == PARTITIONS
    assert "Stable" in kafka_groups_tool(broker, "--describe", "--group", "g", "--state")
    members.pop().stop()
    assert "Empty" in kafka_groups_tool(broker, "--describe", "--group", "g", "--state")
    reset = ("--reset-offsets", "--group", "g", "--topic", TOPIC, "--to-earliest", "--execute")
    kafka_groups_tool(broker, *reset)
    kafka_groups_tool(broker, "--delete-offsets", "--group", "g", "--topic", f"{TOPIC}:0")
    assert "success" in kafka_groups_tool(broker, "--delete", "--group", "g")
    assert kafka_groups_tool(broker, "--list").split() == []


@needs_java
@pytest.mark.interop
def test_java_consumers_share_resume_and_are_told_of_static_rivals(
    broker: BrokerProcess, tmp_path: Path
) -> None:
    send(broker.bootstrap, range(600))
    program = Path(__file__).parent / "java" / "GroupClient.java"
    done = subprocess.run(
        ["java", "-cp", CLASS_PATH, str(program), broker.bootstrap, TOPIC, "600"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "read 600 of 600" in done.stdout
    assert "resumed at the end" in done.stdout
    assert "fenced" in done.stdout


# -- help ------------------------------------------------------------------------------------------


def settings_of(bootstrap: str, group: str) -> dict[str, Any]:
    return {
        "bootstrap.servers": bootstrap,
        "group.id": group,
        "session.timeout.ms": SESSION_MS,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "log_level": 0,
    }


def take(consumer: Consumer, count: int) -> list[int]:
    """The next numbers of a consumer."""
    values: list[int] = []
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(values) < count and time.monotonic() < deadline:
        for message in consumer.consume(count - len(values), 0.2):
            value = message.value()
            if message.error() is None and value is not None:
                values.append(int(value))
    return values


def described(broker: BrokerProcess, group: str) -> dict[str, set[int]]:
    """The partitions of each static member."""
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    found = admin.describe_consumer_groups([group])[group].result(PATIENCE_SECONDS)
    return {
        member.group_instance_id: {each.partition for each in member.assignment.topic_partitions}
        for member in found.members
    }
