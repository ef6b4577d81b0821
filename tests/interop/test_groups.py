"""Classic groups of real clients: they join, leave, die, sleep, come back; offsets survive."""

from __future__ import annotations

import subprocess

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.clients.admin import Admin
from tests.conftest import BrokerFactory
from tests.interop.group_crowd import (
    AIOKAFKA,
    JAVA,
    JAVA_COOPERATIVE,
    KAFKA_PYTHON,
    LIBRDKAFKA,
    LIBRDKAFKA_COOPERATIVE,
    PARTITIONS,
    SESSION_MS,
    TOPIC,
    Crowd,
    Kind,
    Member,
    Numbers,
)
from tests.interop.group_life import live
from tests.support.broker_process import BrokerProcess
from tests.support.java import CLASS_PATH, needs_java
from tests.support.waiting import wait_until

QUICK = (
    *("--set", "group.initial.rebalance.delay.ms=0"),
    *("--set", f"group.min.session.timeout.ms={SESSION_MS}"),
)
PATIENCE_SECONDS = 30

LIVES = [
    pytest.param(LIBRDKAFKA, marks=pytest.mark.interop),
    pytest.param(LIBRDKAFKA_COOPERATIVE, marks=pytest.mark.interop),
    pytest.param(KAFKA_PYTHON, marks=pytest.mark.soak),
    pytest.param(AIOKAFKA, marks=pytest.mark.soak),
]
JAVA_KINDS = [pytest.param(kind, marks=needs_java) for kind in (JAVA, JAVA_COOPERATIVE)]


@pytest.fixture
def broker(start_broker: BrokerFactory) -> BrokerProcess:
    """A broker whose new groups do not wait for more members."""
    process = start_broker(*QUICK)
    Admin(process.bootstrap).create(TOPIC, PARTITIONS)
    return process


@pytest.mark.parametrize("kind", [LIBRDKAFKA, LIBRDKAFKA_COOPERATIVE], ids=str)
def test_members_come_and_go_and_every_partition_has_one_owner(
    crowd: Crowd, numbers: Numbers, kind: Kind
) -> None:
    for size in (1, 4):
        crowd.start(kind, size - len(crowd.active))
        crowd.wait_shared(f"{size} members share all")
    crowd.leave(crowd.active[:2])
    crowd.wait_shared("the others take over")
    produced = numbers.end()
    crowd.wait_read(produced)
    crowd.leave(list(crowd.active))
    crowd.check(produced)


@pytest.mark.parametrize("kind", LIVES, ids=str)
def test_a_group_of_up_to_twenty_lives_through_all_that_happens_to_members(
    broker: BrokerProcess, crowd: Crowd, numbers: Numbers, kind: Kind
) -> None:
    live(broker, crowd, numbers, kind, (1, 3, 20))


@pytest.mark.interop
@pytest.mark.parametrize("kind", JAVA_KINDS, ids=str)
def test_a_group_of_java_members_lives_through_all_that_happens_to_members(
    broker: BrokerProcess, crowd: Crowd, numbers: Numbers, kind: Kind
) -> None:
    live(broker, crowd, numbers, kind, (1, 2, 6))


def test_a_group_lives_on_without_a_rebalance_when_its_broker_is_killed_under_it(
    broker: BrokerProcess, crowd: Crowd, numbers: Numbers
) -> None:
    crowd.session_ms = 60_000  # longer than a broker may take to come back
    members = crowd.start(LIBRDKAFKA, 3)
    crowd.wait_shared("three share all")
    before = crowd.committed()
    assignments = [len(member.did("assigned")) for member in members]
    crowd.kill_and_start(broker)
    restarted_at = numbers.rounds
    wait_until(lambda: numbers.rounds > restarted_at + 3, "more records came")
    produced = numbers.end()
    crowd.wait_read(produced)
    assert before != produced
    assert [len(member.did("assigned")) for member in members] == assignments
    crowd.leave(members)
    crowd.check(produced)


def test_offsets_are_resumed_when_members_and_broker_were_away(
    broker: BrokerProcess, crowd: Crowd, numbers: Numbers
) -> None:
    crowd.start(LIBRDKAFKA, 2)
    crowd.wait_shared("two share all")
    crowd.leave(list(crowd.active))
    committed = crowd.committed()
    crowd.kill_and_start(broker)
    (late,) = crowd.start(KAFKA_PYTHON)
    crowd.wait_shared("another one has all")
    produced = numbers.end()
    crowd.wait_read(produced)
    started: dict[int, int] = {}
    for told in late.did("read"):
        for partition, first, _ in told.facts["ranges"]:
            started.setdefault(partition, first)
    assert started == dict.fromkeys(range(PARTITIONS), 0) | committed
    crowd.leave([late])
    crowd.check(produced)


# -- static members --------------------------------------------------------------------------------


@pytest.mark.interop
@pytest.mark.parametrize(
    "kind",
    [LIBRDKAFKA, KAFKA_PYTHON, AIOKAFKA, pytest.param(JAVA, marks=needs_java)],
    ids=str,
)
def test_a_static_member_comes_back_to_what_it_had_whether_it_stopped_or_died(
    crowd: Crowd, numbers: Numbers, kind: Kind
) -> None:
    for name in ("one", "two", "three"):
        crowd.start(kind, instance=name)
    crowd.wait_shared("three share all")
    first, second, third = crowd.active
    had, others = second.owned, [(each, len(each.did("assigned"))) for each in (first, third)]
    crowd.leave([second])
    (back,) = crowd.start(kind, instance="two")
    crowd.wait_shared("the second one has stopped and is back")
    assert back.owned == had
    crowd.kill([back])
    (again,) = crowd.start(kind, instance="two")
    crowd.wait_shared("the second one has died and is back")
    assert again.owned == had
    assert again.generation == back.generation == second.generation
    assert [(each, len(each.did("assigned"))) for each, _ in others] == others
    crowd.kill([again])
    crowd.wait_shared("the others take over when its session is over")
    produced = numbers.end()
    crowd.wait_read(produced)
    crowd.leave(list(crowd.active))
    crowd.check(produced)


@pytest.mark.interop
@pytest.mark.parametrize(
    "kind", [LIBRDKAFKA, KAFKA_PYTHON, pytest.param(JAVA, marks=needs_java)], ids=str
)
def test_of_two_static_members_of_one_name_the_older_one_is_fenced(
    crowd: Crowd, numbers: Numbers, kind: Kind
) -> None:
    (older,) = crowd.start(kind, instance="one")
    crowd.wait_shared("it has all")
    crowd.start(kind, instance="one")
    wait_until(lambda: older.error is not None, "the older one ends", seconds=PATIENCE_SECONDS)
    assert "fenced" in str(older.error).lower()
    crowd.active.remove(older)
    crowd.wait_shared("the newer one has all")
    produced = numbers.end()
    crowd.wait_read(produced)
    crowd.leave(list(crowd.active))
    crowd.check(produced, fenced=older.name)


# -- several libraries in one group ----------------------------------------------------------------


def test_kafka_python_and_aiokafka_and_librdkafka_share_a_group(
    crowd: Crowd, numbers: Numbers
) -> None:
    share_with_others([LIBRDKAFKA, KAFKA_PYTHON, AIOKAFKA], crowd, numbers)


@needs_java
@pytest.mark.interop
@pytest.mark.parametrize("first", range(4))
def test_every_library_leads_a_group_of_all(crowd: Crowd, numbers: Numbers, first: int) -> None:
    kinds = [KAFKA_PYTHON, AIOKAFKA, LIBRDKAFKA, JAVA]
    share_with_others([*kinds[first:], *kinds[:first]], crowd, numbers)


def share_with_others(kinds: list[Kind], crowd: Crowd, numbers: Numbers) -> None:
    """The first kind leads: the first to come does. When it goes, another one does."""
    crowd.start(kinds[0])
    crowd.wait_shared(f"{kinds[0]} has all")
    for kind in kinds[1:]:
        crowd.start(kind)
    crowd.wait_shared("all kinds share all")
    leader = crowd.active[0]
    # Range shares alike whoever computes it: runs of partitions, in order.
    assert all(runs_on(member) for member in crowd.active)
    crowd.leave([leader])
    crowd.wait_shared("the others take over from the leader")
    assert all(runs_on(member) for member in crowd.active)
    produced = numbers.end()
    crowd.wait_read(produced)
    crowd.leave(list(crowd.active))
    crowd.check(produced)


def runs_on(member: Member) -> bool:
    return sorted(member.owned) == [*range(min(member.owned), max(member.owned) + 1)]


# -- administration --------------------------------------------------------------------------------


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
def test_kafkas_own_tool_lists_describes_resets_and_deletes(
    broker: BrokerProcess, crowd: Crowd, numbers: Numbers
) -> None:
    (reader,) = crowd.start(LIBRDKAFKA)
    crowd.wait_shared("it has all")
    produced = numbers.end()
    crowd.wait_read(produced)
    assert kafka_groups_tool(broker, "--list").split() == ["g"]
    lines = kafka_groups_tool(broker, "--describe", "--group", "g").splitlines()
    assert sum(TOPIC in line and reader.name in line for line in lines) == PARTITIONS
    assert "Stable" in kafka_groups_tool(broker, "--describe", "--group", "g", "--state")
    crowd.leave([reader])
    assert "Empty" in kafka_groups_tool(broker, "--describe", "--group", "g", "--state")
    reset = ("--reset-offsets", "--group", "g", "--topic", TOPIC, "--to-earliest", "--execute")
    kafka_groups_tool(broker, *reset)
    assert committed_offsets(broker) == dict.fromkeys(range(PARTITIONS), 0)
    kafka_groups_tool(broker, "--delete-offsets", "--group", "g", "--topic", f"{TOPIC}:0")
    assert committed_offsets(broker) == dict.fromkeys(range(1, PARTITIONS), 0)
    assert "success" in kafka_groups_tool(broker, "--delete", "--group", "g")
    assert kafka_groups_tool(broker, "--list").split() == []


def committed_offsets(broker: BrokerProcess) -> dict[int, int]:
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    asked = [ConsumerGroupTopicPartitions("g")]
    found = admin.list_consumer_group_offsets(asked)["g"].result(PATIENCE_SECONDS)
    return {each.partition: each.offset for each in found.topic_partitions}
