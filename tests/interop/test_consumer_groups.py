"""Groups of the consumer protocol (KIP-848) with real clients: librdkafka, Java, Kafka's tool."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, Producer
from confluent_kafka.admin import AdminClient

from tests.clients.admin import Admin
from tests.conftest import BrokerFactory
from tests.support.broker_process import BrokerProcess
from tests.support.java import CLASS_PATH, needs_java
from tests.support.waiting import wait_until

TOPIC = "numbers"
PARTITIONS = 60
QUICK = (
    *("--set", "group.consumer.heartbeat.interval.ms=200"),
    *("--set", "group.consumer.session.timeout.ms=3000"),
    *("--set", "group.initial.rebalance.delay.ms=0"),
    *("--set", "group.min.session.timeout.ms=1000"),
)
PATIENCE_SECONDS = 40


@pytest.fixture
def broker(start_broker: BrokerFactory) -> BrokerProcess:
    """A broker whose members hear of news soon."""
    process = start_broker(*QUICK)
    Admin(process.bootstrap).create(TOPIC, PARTITIONS)
    return process


class Member:
    """A confluent-kafka consumer in a thread of its own; `settings` with `_` for the dots."""

    def __init__(self, bootstrap: str, topics: Sequence[str] = (TOPIC,), **settings: Any) -> None:
        self.values: list[int] = []
        self.assigned: set[tuple[str, int]] = set()
        self.errors: list[str] = []
        wanted = {
            "bootstrap.servers": bootstrap,
            "group.id": "g",
            "group.protocol": "consumer",
            "auto.offset.reset": "earliest",
            "topic.metadata.refresh.interval.ms": 500,
            "reconnect.backoff.ms": 10,
            "reconnect.backoff.max.ms": 100,
            "log_level": 0,
            **{name.replace("_", "."): value for name, value in settings.items()},
        }
        self._consumer = Consumer(wanted)
        self._consumer.subscribe(list(topics))
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._poll)
        self._thread.start()

    def _poll(self) -> None:
        while not self._ends.is_set():
            message = self._consumer.poll(0.05)
            if message is not None and message.error() is None:
                value = message.value()
                assert value is not None
                self.values.append(int(value))
            elif message is not None:
                self.errors.append(str(message.error()))
            self.assigned = {(each.topic, each.partition) for each in self._consumer.assignment()}
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


def share_all(
    members: Sequence[Member], topics: Sequence[tuple[str, int]] = ((TOPIC, PARTITIONS),)
) -> Callable[[], bool]:
    """Whether every partition has one owner, and everybody has some."""
    expected = sorted((topic, index) for topic, count in topics for index in range(count))

    def holds() -> bool:
        owned = sorted(each for member in members for each in member.assigned)
        return owned == expected and all(member.assigned for member in members)

    return holds


def wait_for(condition: Callable[[], bool], what: str) -> None:
    wait_until(condition, what, seconds=PATIENCE_SECONDS)


def send(bootstrap: str, numbers: Sequence[int]) -> None:
    producer = Producer({"bootstrap.servers": bootstrap})
    for number in numbers:
        producer.produce(TOPIC, b"%d" % number, partition=number % PARTITIONS)
    assert producer.flush(PATIENCE_SECONDS) == 0


def test_members_of_the_consumer_protocol_come_and_go_and_every_partition_has_one_owner(
    broker: BrokerProcess, members: list[Member]
) -> None:
    send(broker.bootstrap, range(PARTITIONS))
    members.append(Member(broker.bootstrap))
    wait_for(share_all(members), "one member has all")
    members += [Member(broker.bootstrap) for _ in range(2)]
    wait_for(share_all(members), "three members share all")
    assert {len(member.assigned) for member in members} == {20}
    wait_for(
        lambda: len({value for member in members for value in member.values}) == PARTITIONS,
        "everything is read",
    )
    members.pop(0).stop()
    wait_for(share_all(members), "the others take over")


@pytest.mark.interop
def test_ten_members_share_sixty_partitions_and_two_are_left_with_all(
    broker: BrokerProcess, members: list[Member]
) -> None:
    members += [Member(broker.bootstrap) for _ in range(10)]
    wait_for(share_all(members), "ten members share all")
    for _ in range(8):
        members.pop().stop()
    wait_for(share_all(members), "two members share all")


READER = """
import sys
from confluent_kafka import Consumer
consumer = Consumer({"bootstrap.servers": sys.argv[1], "group.id": "g",
                     "group.protocol": "consumer", "log_level": 0})
consumer.subscribe([sys.argv[2]])
while True:
    consumer.poll(0.1)
    if consumer.assignment():
        print("assigned", flush=True)
"""


@pytest.mark.interop
def test_a_member_that_is_killed_is_replaced_when_its_session_ends(
    broker: BrokerProcess, members: list[Member]
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", READER, broker.bootstrap, TOPIC], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"assigned\n"
        members.append(Member(broker.bootstrap))
        wait_for(lambda: len(members[0].assigned) == PARTITIONS // 2, "they share")
        process.kill()
    wait_for(share_all(members), "the other has all")


@pytest.mark.interop
def test_a_group_lives_on_when_its_broker_is_killed_and_comes_back(
    broker: BrokerProcess, members: list[Member]
) -> None:
    members += [Member(broker.bootstrap) for _ in range(3)]
    wait_for(share_all(members), "three members share all")
    broker.kill()
    broker.restart()
    send(broker.bootstrap, range(PARTITIONS))
    wait_for(
        lambda: len({value for member in members for value in member.values}) == PARTITIONS,
        "everything is read",
    )
    members.append(Member(broker.bootstrap))
    wait_for(share_all(members), "four members share all")


@pytest.mark.interop
def test_a_regular_expression_follows_topics_that_come_and_grow(
    broker: BrokerProcess, members: list[Member]
) -> None:
    admin = Admin(broker.bootstrap)
    admin.create("logs.a", 4)
    members += [Member(broker.bootstrap, ["^logs\\..*"]) for _ in range(2)]
    wait_for(share_all(members, [("logs.a", 4)]), "the first topic is shared")
    admin.create("logs.b", 6)
    admin.create("other", 2)
    wait_for(share_all(members, [("logs.a", 4), ("logs.b", 6)]), "the new topic is shared")


@pytest.mark.interop
def test_a_static_member_that_restarts_gets_back_what_it_had(
    broker: BrokerProcess, members: list[Member]
) -> None:
    members += [Member(broker.bootstrap, group_instance_id=f"i{n}") for n in range(3)]
    wait_for(share_all(members), "three members share all")
    first = members.pop(0)
    had, others = first.assigned, [member.assigned for member in members]
    first.stop()
    members.insert(0, Member(broker.bootstrap, group_instance_id="i0"))
    wait_for(lambda: members[0].assigned == had, "it has the same")
    assert [member.assigned for member in members[1:]] == others


@pytest.mark.interop
def test_classic_members_and_consumer_members_share_a_group_and_change_places(
    broker: BrokerProcess, members: list[Member]
) -> None:
    classic: dict[str, Any] = {
        "group_protocol": "classic",
        "partition_assignment_strategy": "cooperative-sticky",
        "session_timeout_ms": 3000,
        "heartbeat_interval_ms": 200,
    }
    members += [Member(broker.bootstrap, **classic) for _ in range(2)]
    wait_for(share_all(members), "classic members share all")
    assert group_type(broker) == "CLASSIC"
    members.append(Member(broker.bootstrap))
    wait_for(share_all(members), "all three share all")
    assert group_type(broker) == "CONSUMER"
    members.append(Member(broker.bootstrap, **classic))
    wait_for(share_all(members), "all four share all")
    members.pop(2).stop()
    wait_for(share_all(members), "the classic ones share all")
    wait_for(lambda: group_type(broker) == "CLASSIC", "the group is classic again")
    wait_for(share_all(members), "the classic ones share all still")


def group_type(broker: BrokerProcess) -> str:
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    listed = admin.list_consumer_groups().result(PATIENCE_SECONDS).valid
    (name,) = [each.type.name for each in listed if each.group_id == "g"]
    return str(name)


@pytest.mark.interop
def test_an_admin_sees_and_changes_the_offsets_of_a_consumer_group(
    broker: BrokerProcess, members: list[Member]
) -> None:
    send(broker.bootstrap, range(PARTITIONS))
    members.append(Member(broker.bootstrap))
    wait_for(lambda: len(members[0].values) == PARTITIONS, "everything is read")
    members.pop().stop()
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    asked = ConsumerGroupTopicPartitions("g")
    found = admin.list_consumer_group_offsets([asked])["g"].result(PATIENCE_SECONDS)
    assert sum(each.offset for each in found.topic_partitions) == PARTITIONS
    admin.delete_consumer_groups(["g"])["g"].result(PATIENCE_SECONDS)


# -- Java ------------------------------------------------------------------------------------------


def kafka_groups_tool(broker: BrokerProcess, *words: str) -> str:
    """What Kafka's own tool prints."""
    tool = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"
    done = subprocess.run(
        ["java", "-cp", CLASS_PATH, tool, "--bootstrap-server", broker.bootstrap, *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs_java
@pytest.mark.interop
def test_kafkas_own_tool_describes_a_consumer_group(
    broker: BrokerProcess, members: list[Member]
) -> None:
    members.append(Member(broker.bootstrap, client_id="reader"))
    send(broker.bootstrap, range(PARTITIONS))
    wait_for(lambda: len(members[0].values) == PARTITIONS, "everything is read")
    state = kafka_groups_tool(broker, "--describe", "--group", "g", "--state", "--verbose")
    assert "Stable" in state
    assert "uniform" in state
    lines = kafka_groups_tool(broker, "--describe", "--group", "g").splitlines()
    assert sum(TOPIC in line and "reader" in line for line in lines) == PARTITIONS
    assert "Consumer" in kafka_groups_tool(broker, "--list", "--type")
    members.pop().stop()
    assert "success" in kafka_groups_tool(broker, "--delete", "--group", "g")


@needs_java
@pytest.mark.interop
def test_java_consumers_of_the_consumer_protocol_share_and_resume(broker: BrokerProcess) -> None:
    send(broker.bootstrap, range(600))
    program = Path(__file__).parent / "java" / "ConsumerGroupClient.java"
    done = subprocess.run(
        ["java", "-cp", CLASS_PATH, str(program), broker.bootstrap, TOPIC, "600"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "read 600 of 600 with 3 members" in done.stdout
    assert "the others took over" in done.stdout
    assert "resumed at the end" in done.stdout
    assert "refused expression" in done.stdout
