"""Groups of the consumer protocol (KIP-848) with real clients: librdkafka, Java, Kafka's tool."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, Producer
from confluent_kafka.admin import AdminClient

from tests.clients.admin import Admin
from tests.conftest import BrokerFactory
from tests.interop.group_crowd import (
    AIOKAFKA,
    HEARTBEAT_MS,
    JAVA,
    JAVA_CONSUMER,
    JAVA_COOPERATIVE,
    KAFKA_PYTHON,
    LIBRDKAFKA,
    LIBRDKAFKA_CONSUMER,
    PARTITIONS,
    SESSION_MS,
    TOPIC,
    Crowd,
    Kind,
    Numbers,
)
from tests.interop.group_life import live
from tests.support.broker_process import BrokerProcess
from tests.support.java import CLASS_PATH, needs_java
from tests.support.waiting import wait_until

QUICK = (
    *("--set", f"group.consumer.heartbeat.interval.ms={HEARTBEAT_MS}"),
    *("--set", f"group.consumer.session.timeout.ms={SESSION_MS}"),
    *("--set", "group.initial.rebalance.delay.ms=0"),
    *("--set", f"group.min.session.timeout.ms={SESSION_MS}"),
)
PATIENCE_SECONDS = 40

KINDS = [LIBRDKAFKA_CONSUMER, pytest.param(JAVA_CONSUMER, marks=needs_java)]


@pytest.fixture
def broker(start_broker: BrokerFactory) -> BrokerProcess:
    """A broker whose members hear of news soon."""
    process = start_broker(*QUICK)
    Admin(process.bootstrap).create(TOPIC, PARTITIONS)
    return process


def test_members_of_the_consumer_protocol_come_and_go_and_every_partition_has_one_owner(
    crowd: Crowd, numbers: Numbers
) -> None:
    crowd.start(LIBRDKAFKA_CONSUMER)
    crowd.wait_shared("one member has all")
    crowd.start(LIBRDKAFKA_CONSUMER, 2)
    crowd.wait_shared("three members share all")
    assert {len(member.owned) for member in crowd.active} == {PARTITIONS // 3}
    crowd.leave(crowd.active[:1])
    crowd.wait_shared("the others take over")
    produced = numbers.end()
    crowd.wait_read(produced)
    crowd.leave(list(crowd.active))
    crowd.check(produced)


@pytest.mark.interop
def test_a_group_of_up_to_twenty_lives_through_all_that_happens_to_members(
    broker: BrokerProcess, crowd: Crowd, numbers: Numbers
) -> None:
    live(broker, crowd, numbers, LIBRDKAFKA_CONSUMER, (1, 3, 20))


@needs_java
@pytest.mark.interop
def test_a_group_of_java_members_lives_through_all_that_happens_to_members(
    broker: BrokerProcess, crowd: Crowd, numbers: Numbers
) -> None:
    live(broker, crowd, numbers, JAVA_CONSUMER, (1, 2, 6))


# -- static members --------------------------------------------------------------------------------


@pytest.mark.interop
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_static_member_comes_back_to_what_it_had_whether_it_stopped_or_died(
    crowd: Crowd, numbers: Numbers, kind: Kind
) -> None:
    for name in ("one", "two", "three"):
        crowd.start(kind, instance=name)
    crowd.wait_shared("three share all")
    first, second, third = crowd.active
    had, others = second.owned, (first.owned, third.owned)
    rebalances = len(first.did("revoked")), len(third.did("revoked"))
    crowd.leave([second])
    (back,) = crowd.start(kind, instance="two")
    crowd.wait_shared("the second one has stopped and is back")
    assert back.owned == had
    assert (first.owned, third.owned) == others
    crowd.kill([back])
    crowd.wait_shared("the others take over when its session is over")
    assert (len(first.did("revoked")), len(third.did("revoked"))) == rebalances
    produced = numbers.end()
    crowd.wait_read(produced)
    crowd.leave(list(crowd.active))
    crowd.check(produced)


@pytest.mark.interop
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_of_two_static_members_of_one_name_the_newer_one_is_refused(
    crowd: Crowd, numbers: Numbers, kind: Kind
) -> None:
    (older,) = crowd.start(kind, instance="one")
    crowd.wait_shared("it has all")
    (newer,) = crowd.start(kind, instance="one")
    wait_until(lambda: newer.error is not None, "the newer one ends", seconds=PATIENCE_SECONDS)
    told = str(newer.error).lower()
    assert "unreleased" in told or "still used by another member" in told
    crowd.active.remove(newer)
    produced = numbers.end()
    crowd.wait_read(produced)
    assert len(older.owned) == PARTITIONS
    crowd.leave([older])
    crowd.check(produced, fenced=newer.name)


# -- classic and consumer members in one group -----------------------------------------------------


CHANGES = [
    pytest.param(LIBRDKAFKA, LIBRDKAFKA_CONSUMER, marks=pytest.mark.interop),
    # Not cooperative-sticky of librdkafka: its assignments carry data of its assignor, with which
    # a group is refused the change, by the rule of Apache Kafka.
    pytest.param(KAFKA_PYTHON, LIBRDKAFKA_CONSUMER, marks=pytest.mark.soak),
    pytest.param(AIOKAFKA, LIBRDKAFKA_CONSUMER, marks=pytest.mark.soak),
    pytest.param(JAVA, JAVA_CONSUMER, marks=[needs_java, pytest.mark.interop]),
    pytest.param(JAVA_COOPERATIVE, JAVA_CONSUMER, marks=[needs_java, pytest.mark.soak]),
]


@pytest.mark.parametrize(("old", "new"), CHANGES, ids=str)
def test_a_group_changes_over_to_the_consumer_protocol_and_back_member_by_member(
    broker: BrokerProcess, crowd: Crowd, numbers: Numbers, old: Kind, new: Kind
) -> None:
    first, second = crowd.start(old, 2)
    crowd.wait_shared("classic members share all")
    assert group_type(broker) == "CLASSIC"
    crowd.leave([first])
    crowd.start(new)
    crowd.wait_shared("one of each share all")
    assert group_type(broker) == "CONSUMER"
    crowd.kill_and_start(broker)
    crowd.leave([second])
    (last,) = crowd.start(new)
    crowd.wait_shared("two of the consumer protocol share all, on a broker that came back")
    crowd.start(old)
    crowd.wait_shared("a classic member is back")
    crowd.leave([each for each in crowd.active if each.kind == new and each is not last])
    crowd.wait_shared("one of each is left")
    assert group_type(broker) == "CONSUMER"
    crowd.leave([last])
    wait_until(lambda: group_type(broker) == "CLASSIC", "it is classic", seconds=PATIENCE_SECONDS)
    crowd.start(old)
    crowd.wait_shared("the classic ones share all")
    produced = numbers.end()
    crowd.wait_read(produced)
    crowd.leave(list(crowd.active))
    crowd.check(produced)


def group_type(broker: BrokerProcess) -> str:
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    listed = admin.list_consumer_groups().result(PATIENCE_SECONDS).valid
    (name,) = [each.type.name for each in listed if each.group_id == "g"]
    return str(name)


# -- subscriptions and administration --------------------------------------------------------------


@pytest.mark.interop
def test_a_regular_expression_follows_topics_that_come_and_grow(broker: BrokerProcess) -> None:
    admin = Admin(broker.bootstrap)
    admin.create("logs.a", 4)
    consumers = [
        Consumer(
            {
                "bootstrap.servers": broker.bootstrap,
                "group.id": "by-name",
                "group.protocol": "consumer",
                "topic.metadata.refresh.interval.ms": 500,
            }
        )
        for _ in range(2)
    ]
    for consumer in consumers:
        consumer.subscribe(["^logs\\..*"])
    wait_until(lambda: have(consumers, {"logs.a": 4}), "the first topic is shared")
    admin.create("logs.b", 6)
    admin.create("other", 2)
    wait_until(lambda: have(consumers, {"logs.a": 4, "logs.b": 6}), "the new topic is shared")
    for consumer in consumers:
        consumer.close()


def have(consumers: list[Consumer], topics: dict[str, int]) -> bool:
    """Whether they share all partitions of these topics and no others; they poll once."""
    for consumer in consumers:
        consumer.poll(0.02)
    owned = [sorted((each.topic, each.partition) for each in c.assignment()) for c in consumers]
    expected = sorted((name, index) for name, count in topics.items() for index in range(count))
    return all(owned) and sorted(place for each in owned for place in each) == expected


@pytest.mark.interop
def test_an_admin_sees_and_changes_the_offsets_of_a_consumer_group(
    broker: BrokerProcess, crowd: Crowd, numbers: Numbers
) -> None:
    crowd.start(LIBRDKAFKA_CONSUMER)
    crowd.wait_shared("it has all")
    produced = numbers.end()
    crowd.wait_read(produced)
    crowd.leave(list(crowd.active))
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    asked = ConsumerGroupTopicPartitions("g")
    found = admin.list_consumer_group_offsets([asked])["g"].result(PATIENCE_SECONDS)
    assert {each.partition: each.offset for each in found.topic_partitions} == produced
    admin.delete_consumer_groups(["g"])["g"].result(PATIENCE_SECONDS)
    assert admin.list_consumer_groups().result(PATIENCE_SECONDS).valid == []


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
def test_kafkas_own_tool_describes_a_consumer_group(broker: BrokerProcess, crowd: Crowd) -> None:
    (reader,) = crowd.start(LIBRDKAFKA_CONSUMER)
    crowd.wait_shared("it has all")
    state = kafka_groups_tool(broker, "--describe", "--group", "g", "--state", "--verbose")
    assert "Stable" in state
    assert "uniform" in state
    lines = kafka_groups_tool(broker, "--describe", "--group", "g").splitlines()
    assert sum(TOPIC in line and reader.name in line for line in lines) == PARTITIONS
    assert "Consumer" in kafka_groups_tool(broker, "--list", "--type")
    crowd.leave([reader])
    assert "success" in kafka_groups_tool(broker, "--delete", "--group", "g")


@needs_java
@pytest.mark.interop
def test_java_consumers_subscribe_by_an_expression_resume_and_are_told_of_a_bad_one(
    broker: BrokerProcess,
) -> None:
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


def send(bootstrap: str, numbers: range) -> None:
    producer = Producer({"bootstrap.servers": bootstrap})
    for number in numbers:
        producer.produce(TOPIC, b"%d" % number, partition=number % PARTITIONS)
    assert producer.flush(PATIENCE_SECONDS) == 0
