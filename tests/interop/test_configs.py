"""Clients and tools change and describe configurations; and Apache Kafka answers as this broker."""

from __future__ import annotations

import socket
import subprocess
import time
import warnings
from pathlib import Path

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource

from tests.clients.admin import PATIENCE_SECONDS, Admin, kafka_python_admin
from tests.interop.config_cases import (
    ALTERED,
    DESCRIBED,
    LISTED,
    REPLACED,
    SET_BEFORE_DESCRIBING,
    WE_REFUSE,
    Asked,
)
from tests.support.broker_process import BrokerProcess
from tests.support.config_requests import BROKER, SET, TOPIC, Resource
from tests.support.java import CLASS_PATH, needs_java
from tests.support.kafka_process import KafkaProcess

pytestmark = pytest.mark.interop

TOPIC_KIND, BROKER_KIND = ConfigResource.Type.TOPIC, ConfigResource.Type.BROKER
INVALID_CONFIG = 40
FOLLOW_SECONDS_MAX = 10.0


# -- librdkafka ------------------------------------------------------------------------------------


def of_topic(name: str) -> ConfigResource:
    return ConfigResource(TOPIC_KIND, name)


def describe(client: AdminClient, resource: ConfigResource) -> dict[str, ConfigEntry]:
    (future,) = client.describe_configs([resource]).values()
    found: dict[str, ConfigEntry] = future.result(PATIENCE_SECONDS)
    return found


def incrementally(client: AdminClient, resource: ConfigResource) -> None:
    (future,) = client.incremental_alter_configs([resource]).values()
    future.result(PATIENCE_SECONDS)


def test_librdkafka_changes_a_topic_key_by_key(broker: BrokerProcess) -> None:
    Admin(broker.bootstrap).create("orders", flush_ms=7000)
    client = AdminClient({"bootstrap.servers": broker.bootstrap})
    changes = [
        ConfigEntry("retention.ms", "5000", incremental_operation=AlterConfigOpType.SET),
        ConfigEntry("flush.ms", None, incremental_operation=AlterConfigOpType.DELETE),
        ConfigEntry("cleanup.policy", "compact", incremental_operation=AlterConfigOpType.APPEND),
    ]
    wanted = ConfigResource(TOPIC_KIND, "orders", incremental_configs=changes)
    incrementally(client, wanted)
    told = describe(client, of_topic("orders"))
    assert told["retention.ms"].value == "5000"
    assert not told["retention.ms"].is_default
    assert told["cleanup.policy"].value == "delete,compact"
    assert told["flush.ms"].is_default
    bad = [ConfigEntry("retention.ms", "soon", incremental_operation=AlterConfigOpType.SET)]
    with pytest.raises(KafkaException) as refused:
        incrementally(client, ConfigResource(TOPIC_KIND, "orders", incremental_configs=bad))
    assert refused.value.args[0].code() == INVALID_CONFIG
    assert "'soon'" in refused.value.args[0].str()


@pytest.mark.filterwarnings("ignore:alter_configs:DeprecationWarning")
def test_librdkafka_replaces_what_a_topic_is_set_to(broker: BrokerProcess) -> None:
    Admin(broker.bootstrap).create("orders", flush_ms=7000)
    client = AdminClient({"bootstrap.servers": broker.bootstrap})
    wanted = ConfigResource(TOPIC_KIND, "orders", set_config={"retention.ms": "5000"})
    (future,) = client.alter_configs([wanted]).values()
    future.result(PATIENCE_SECONDS)
    told = describe(client, of_topic("orders"))
    assert told["retention.ms"].value == "5000"
    assert told["flush.ms"].is_default


# -- kafka-python ----------------------------------------------------------------------------------


def test_kafka_python_changes_lists_and_describes(broker: BrokerProcess) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of its own, while it is imported
        import kafka.admin  # type: ignore[import-untyped]  # has no types
    of, kinds = kafka.admin.ConfigResource, kafka.admin.ConfigResourceType
    Admin(broker.bootstrap).create("orders")
    admin = kafka_python_admin(broker.bootstrap)
    try:
        topic = of(kinds.TOPIC, "orders", {"retention.ms": "5000"})
        group = of(kinds.GROUP, "g", {"consumer.session.timeout.ms": "50000"})
        admin.alter_configs([topic, group], incremental=True)
        told = admin.describe_configs([of(kinds.TOPIC, "orders"), of(kinds.GROUP, "g")])
        assert told["topic"]["orders"]["retention.ms"]["value"] == "5000"
        assert told["group"]["g"]["consumer.session.timeout.ms"]["value"] == "50000"
        listed = admin.list_config_resources()
        assert (listed["topic"], listed["group"]) == (["orders"], ["g"])
        admin.alter_configs([of(kinds.TOPIC, "orders", {"flush.ms": "7"})], incremental=False)
        told = admin.describe_configs([of(kinds.TOPIC, "orders")])
        assert told["topic"]["orders"]["retention.ms"]["value"] == "5000"  # it sends them again
        assert told["topic"]["orders"]["flush.ms"]["value"] == "7"
    finally:
        admin.close()


# -- Java's AdminClient, in Kafka's tools ----------------------------------------------------------


def configs_tool(bootstrap: str, *options: str) -> str:
    """What kafka-configs.sh prints; fails where the tool does."""
    command = ["java", "-cp", CLASS_PATH, "kafka.admin.ConfigCommand"]
    ran = subprocess.run(
        [*command, "--bootstrap-server", bootstrap, *options],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@needs_java
@pytest.mark.parametrize(
    ("entity", "change", "told"),
    [
        (["--topic", "orders"], "cleanup.policy=[delete,compact]", "delete,compact"),
        (["--broker", "1"], "log.retention.ms=7000", "DYNAMIC_BROKER_CONFIG:log.retention.ms=7000"),
        (["--broker-defaults"], "log.retention.ms=8000", "DYNAMIC_DEFAULT_BROKER_CONFIG"),
        (["--broker-logger", "1"], "ottla.broker.produce=DEBUG", "ottla.broker.produce=DEBUG"),
        (["--client-metrics", "slow"], "interval.ms=1000", "interval.ms=1000"),
        (["--group", "g"], "consumer.session.timeout.ms=50000", "GROUP_CONFIG"),
    ],
    ids=["list", "broker", "brokers", "logger", "metrics", "group"],
)
def test_the_configs_tool_sets_and_tells(
    broker: BrokerProcess, entity: list[str], change: str, told: str
) -> None:
    Admin(broker.bootstrap).create("orders")
    configs_tool(broker.bootstrap, *entity, "--alter", "--add-config", change)
    assert told in configs_tool(broker.bootstrap, *entity, "--describe")


@needs_java
def test_the_configs_tool_deletes_what_was_set(broker: BrokerProcess) -> None:
    Admin(broker.bootstrap).create("orders", retention_ms=5000)
    configs_tool(
        broker.bootstrap, "--topic", "orders", "--alter", "--delete-config", "retention.ms"
    )
    assert "retention.ms" not in configs_tool(broker.bootstrap, "--topic", "orders", "--describe")


# -- effects on a process --------------------------------------------------------------------------


def test_a_level_of_logging_changes_in_the_running_process(broker: BrokerProcess) -> None:
    client = AdminClient({"bootstrap.servers": broker.bootstrap})
    asked = Asked(broker.bootstrap)
    asked.alter((8, "1", [("root", SET, "DEBUG")]))
    deadline = time.monotonic() + FOLLOW_SECONDS_MAX
    while " debug " not in broker.log() and time.monotonic() < deadline:
        client.list_topics(timeout=PATIENCE_SECONDS)  # something to log
    assert describe(client, ConfigResource(BROKER_KIND, "1"))
    assert asked.describe(8, "1", ["root"])[1]["root"].value == "DEBUG"


def test_what_is_set_is_in_force_after_a_kill(broker: BrokerProcess) -> None:
    asked = Asked(broker.bootstrap)
    assert asked.alter(
        (BROKER, "", [("log.retention.ms", SET, "8000")]),
        (BROKER, "1", [("max.connections.per.ip", SET, "3")]),
    ) == [0, 0]
    broker.kill()
    broker.start()
    again = Asked(broker.bootstrap)
    assert again.describe(TOPIC, "orders", ["retention.ms"])[1]["retention.ms"].value == "8000"
    sockets = [socket.create_connection((broker.host, broker.port)) for _ in range(4)]
    sockets[-1].settimeout(PATIENCE_SECONDS)
    assert sockets[-1].recv(1) == b""  # one more than its address may have
    for connection in sockets:
        connection.close()


# -- the same as Apache Kafka ----------------------------------------------------------------------


@needs_java
def test_every_case_is_answered_as_apache_kafka_answers_it(
    broker: BrokerProcess, tmp_path: Path
) -> None:
    folder = tmp_path / "kafka"
    folder.mkdir()
    with KafkaProcess(folder, folder / "data") as kafka:
        theirs, ours = Asked(kafka.bootstrap), Asked(broker.bootstrap)
        differing = [
            (case, theirs_told, ours_told)
            for case in ALTERED
            if (theirs_told := theirs.alter(case)) != (ours_told := ours.alter(case))
        ]
        assert differing == []
        twice: Resource = (TOPIC, "orders", [("retention.ms", SET, "1")])
        once: Resource = (BROKER, "1", [])
        assert ours.alter(twice, once, twice) == theirs.alter(twice, once, twice)
        assert ours.alter(twice, validate_only=True) == theirs.alter(twice, validate_only=True)
        assert [case for case, _ in WE_REFUSE if theirs.alter(case) == ours.alter(case)] == []
        replacing = [(case, theirs.replace(case), ours.replace(case)) for case in REPLACED]
        assert [case for case in replacing if case[1] != case[2]] == []
        for side in (theirs, ours):
            assert set(side.alter(*SET_BEFORE_DESCRIBING)) == {0}
        # Kafka writes first and follows a moment later.
        deadline = time.monotonic() + FOLLOW_SECONDS_MAX
        while (different := differing_descriptions(theirs, ours)) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert different == []
        for kinds in LISTED:
            assert ours.listed(*kinds) == theirs.listed(*kinds), kinds
        assert ours.listed(at_most=0) == theirs.listed(at_most=0)


def differing_descriptions(theirs: Asked, ours: Asked) -> list[object]:
    return [
        (question, told, answer)
        for question in DESCRIBED
        if (told := theirs.describe(*question)) != (answer := ours.describe(*question))
    ]
