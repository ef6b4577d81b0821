"""Real clients under quotas; and Apache Kafka answers the same requests as this broker."""

from __future__ import annotations

import socket
import subprocess
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from ottla.base.errors import ErrorCode
from ottla.testing.direct_call import ask
from ottla.wire.messages.create_topics import CreateTopicsRequest, CreateTopicsResponse
from ottla.wire.messages.fetch import FetchResponse
from ottla.wire.messages.produce import ProduceResponse
from tests.clients.admin import PATIENCE_SECONDS, Admin
from tests.interop.config_cases import Asked as Configs
from tests.interop.quota_cases import (
    ADDRESS,
    ALTERED,
    CHANGES,
    CLIENT,
    CONNECTIONS,
    DESCRIBED,
    FETCHED,
    PRODUCED,
    TIME,
    USER,
    WE_REFUSE,
    Asked,
    Case,
)
from tests.support.broker_process import BrokerProcess
from tests.support.cluster import wanted
from tests.support.config_requests import BROKER, SET
from tests.support.data_requests import BY_NAME, fetch, partition_at, produce
from tests.support.java import CLASS_PATH, needs_java
from tests.support.kafka_process import KafkaProcess
from tests.support.records import batch_of

pytestmark = pytest.mark.interop

FOLLOW_SECONDS_MAX = 30.0
MS_APART_MAX = 2000
"""What the same wait may differ by: windows are a second long, and requests take their time."""


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaProcess]:
    folder = tmp_path_factory.mktemp("kafka")
    with KafkaProcess(folder, folder / "data") as running:
        yield running


# -- the same as Apache Kafka ----------------------------------------------------------------------


@needs_java
def test_quotas_are_set_and_told_as_apache_kafka_does(
    broker: BrokerProcess, kafka: KafkaProcess
) -> None:
    theirs, ours = Asked(kafka.bootstrap), Asked(broker.bootstrap)
    differing = [
        (case, theirs_told, ours_told)
        for case in ALTERED
        if (theirs_told := theirs.alter(case)) != (ours_told := ours.alter(case))
    ]
    assert differing == []
    judged: Case = ({USER: "nobody"}, [(PRODUCED, 1.0)])
    assert ours.alter(judged, validate_only=True) == theirs.alter(judged, validate_only=True)
    deadline = time.monotonic() + FOLLOW_SECONDS_MAX  # Kafka writes first and follows then
    while (different := told_apart(theirs, ours)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert different == []
    assert [case for case, _ in WE_REFUSE if theirs.alter(case) == ours.alter(case)] == []
    for side in (theirs, ours):
        clear(side)


def told_apart(theirs: Asked, ours: Asked) -> list[object]:
    return [
        (question, told, answer)
        for question in DESCRIBED
        if (told := theirs.describe(question)) != (answer := ours.describe(question))
    ]


def clear(asked: Asked) -> None:
    """Remove every quota."""
    _, found = asked.describe(([], False))
    for parts, values in (found or {}).items():
        asked.alter((dict(parts), [(key, None) for key in values]))


@needs_java
def test_the_same_use_makes_apache_kafka_ask_for_the_same_waits(
    broker: BrokerProcess, kafka: KafkaProcess
) -> None:
    ours, theirs = (waits_of(side.bootstrap) for side in (broker, kafka))
    assert [what for what, _ in ours] == [what for what, _ in theirs]
    apart = [
        (what, our_ms, their_ms)
        for (what, our_ms), (_, their_ms) in zip(ours, theirs, strict=True)
        if abs(our_ms - their_ms) > MS_APART_MAX
    ]
    assert apart == [], (ours, theirs)
    waited = {what for what, wait in ours if wait > MS_APART_MAX}
    assert waited == {"produce", "fetch withheld=True", "create THROTTLING_QUOTA_EXCEEDED"}


def waits_of(bootstrap: str) -> list[tuple[str, int]]:
    """For what a client is asked to wait, while it uses up its quotas."""
    asked, host_port = Asked(bootstrap), address(bootstrap)
    Admin(bootstrap).create("waits")
    set_and_wait(asked, {CLIENT: None}, PRODUCED, 10_000.0)
    waits = []
    for size in (10_000, 10_000, 10_000, 300_000, 10_000):
        request = produce(("waits", 0, batch_of(b"x" * size)))
        produced = ask(host_port, request, ProduceResponse, at_most=BY_NAME)
        assert produced.responses[0].partition_responses[0].error_code == ErrorCode.NONE
        waits.append(("produce", produced.throttle_time_ms))
    set_and_wait(asked, {CLIENT: None}, FETCHED, 5_000.0)
    for size in (11_000, 11_000, 21_000, 50_000, 50_000):
        question = fetch(("waits", partition_at(0, 0, max_bytes=size)))
        fetched = ask(host_port, question, FetchResponse, at_most=BY_NAME)
        withheld = fetched.responses == []
        waits.append((f"fetch {withheld=}", fetched.throttle_time_ms))
    set_and_wait(asked, {USER: None}, CHANGES, 1.0)
    for name, count, validate_only in (("a", 2, False), ("b", 100, True), ("c", 1, False)):
        topics = CreateTopicsRequest(
            topics=[wanted(name, count, 1)], timeout_ms=5000, validate_only=validate_only
        )
        created = ask(host_port, topics, CreateTopicsResponse)
        code = ErrorCode(created.topics[0].error_code).name
        waits.append((f"create {code}", created.throttle_time_ms))
    clear(asked)
    return waits


def set_and_wait(asked: Asked, entity: dict[str, str | None], key: str, value: float) -> None:
    """Set it, and wait until all of the broker follows."""
    assert set(asked.alter((entity, [(key, value)])).values()) == {0}
    kinds = [(kind, 0 if name else 1, name) for kind, name in entity.items()]
    deadline = time.monotonic() + FOLLOW_SECONDS_MAX
    while time.monotonic() < deadline:
        _, found = asked.describe((kinds, True))
        if found and all(value in quotas.values() for quotas in found.values()):
            break
        time.sleep(0.05)
    time.sleep(1)  # Kafka tells what its quota manager takes a moment later


def address(bootstrap: str) -> tuple[str, int]:
    host, _, port = bootstrap.rpartition(":")
    return host, int(port)


# -- librdkafka ------------------------------------------------------------------------------------


def test_a_producer_of_librdkafka_is_slowed_to_its_quota(broker: BrokerProcess) -> None:
    Admin(broker.bootstrap).create("orders")
    Asked(broker.bootstrap).alter(({CLIENT: "slow"}, [(PRODUCED, 100_000.0)]))
    throttled: list[float] = []
    producer = Producer(
        {
            "bootstrap.servers": broker.bootstrap,
            "client.id": "slow",
            "batch.size": 50_000,
            "linger.ms": 5,
            "throttle_cb": lambda event: throttled.append(event.throttle_time),
        }
    )
    errors: list[object] = []
    began = time.monotonic()
    for _ in range(125):
        producer.produce("orders", b"x" * 10_000, on_delivery=lambda error, _: errors.append(error))
    assert producer.flush(PATIENCE_SECONDS) == 0
    took_s = time.monotonic() - began
    assert errors == [None] * 125
    assert throttled
    # 1.25 MB at 100 kB/s, of which the first ten seconds' worth may go at once.
    assert took_s > 1.5
    throttled.clear()
    other = Producer(
        {
            "bootstrap.servers": broker.bootstrap,
            "client.id": "fast",
            "throttle_cb": lambda event: throttled.append(event.throttle_time),
        }
    )
    for _ in range(125):
        other.produce("orders", b"x" * 10_000)
    assert other.flush(PATIENCE_SECONDS) == 0
    assert throttled == []


def test_a_consumer_of_librdkafka_is_slowed_to_its_quota(broker: BrokerProcess) -> None:
    Admin(broker.bootstrap).create("orders")
    producer = Producer({"bootstrap.servers": broker.bootstrap})
    for _ in range(115):
        producer.produce("orders", b"x" * 10_000)
    assert producer.flush(PATIENCE_SECONDS) == 0
    Asked(broker.bootstrap).alter(({CLIENT: "slow"}, [(FETCHED, 100_000.0)]))
    throttled: list[float] = []
    consumer = Consumer(
        {
            "bootstrap.servers": broker.bootstrap,
            "client.id": "slow",
            "group.id": "g",
            "fetch.max.bytes": 100_000,
            "max.partition.fetch.bytes": 100_000,
            "message.max.bytes": 100_000,
            "throttle_cb": lambda event: throttled.append(event.throttle_time),
        }
    )
    consumer.assign([TopicPartition("orders", 0, 0)])
    began = time.monotonic()
    seen = 0
    while seen < 115 and time.monotonic() - began < PATIENCE_SECONDS:
        message = consumer.poll(1.0)
        if message is not None:
            assert message.error() is None
            seen += 1
    took_s = time.monotonic() - began
    consumer.close()
    assert seen == 115
    assert throttled
    assert took_s > 0.5


def test_an_old_admin_client_waits_until_it_may_change_more(broker: BrokerProcess) -> None:
    Asked(broker.bootstrap).alter(({USER: "ANONYMOUS"}, [(CHANGES, 1.0)]))
    client = AdminClient({"bootstrap.servers": broker.bootstrap})
    began = time.monotonic()
    for name, count in (("a", 13), ("b", 1)):
        new = NewTopic(name, num_partitions=count)
        client.create_topics([new])[name].result(PATIENCE_SECONDS)
    assert time.monotonic() - began > 1.5  # it was given all, and two permits were owed


# -- Java's AdminClient, in Kafka's tools ----------------------------------------------------------


@needs_java
def test_a_tool_of_today_is_refused_what_is_too_much(broker: BrokerProcess) -> None:
    for name in ("a", "b"):
        Admin(broker.bootstrap).create(name, 1)
    Asked(broker.bootstrap).alter(({USER: "ANONYMOUS"}, [(CHANGES, 1.0)]))
    # Both in one request: what the first takes leaves the bucket empty.
    ran = topics_tool(broker.bootstrap, "--alter", "--topic", "a|b", "--partitions", "13")
    assert ran.returncode != 0
    assert "ThrottlingQuotaExceededException" in ran.stdout + ran.stderr
    admin = Admin(broker.bootstrap)
    assert sorted(admin.describe(name).partitions for name in ("a", "b")) == [1, 13]


def topics_tool(bootstrap: str, *options: str) -> subprocess.CompletedProcess[str]:
    """What kafka-topics.sh does."""
    command = ["java", "-cp", CLASS_PATH, "org.apache.kafka.tools.TopicCommand"]
    return subprocess.run(
        [*command, "--bootstrap-server", bootstrap, *options],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


# -- kafka-python ----------------------------------------------------------------------------------


def test_kafka_python_hears_that_its_requests_take_too_long(
    broker: BrokerProcess, caplog: pytest.LogCaptureFixture
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of its own, while it is imported
        import kafka  # type: ignore[import-untyped]  # has no types
    Admin(broker.bootstrap).create("orders")
    producer = kafka.KafkaProducer(bootstrap_servers=broker.bootstrap, client_id="slow")
    try:
        producer.send("orders", b"x").get(PATIENCE_SECONDS)
        Asked(broker.bootstrap).alter(({CLIENT: "slow"}, [(TIME, 0.0001)]))
        for _ in range(3):
            producer.send("orders", b"x").get(PATIENCE_SECONDS)
    finally:
        producer.close()
    told = [record.getMessage() for record in caplog.records]
    assert any("ProduceResponse throttled by broker (1000 ms)" in message for message in told)


# -- connections -----------------------------------------------------------------------------------


def test_an_address_that_connects_too_often_is_turned_away_for_a_while(
    broker: BrokerProcess, tmp_path: Path
) -> None:
    Asked(broker.bootstrap).alter(({ADDRESS: "127.0.0.1"}, [(CONNECTIONS, 1.0)]))
    began = time.monotonic()
    sockets = [socket.create_connection((broker.host, broker.port)) for _ in range(12)]
    sockets[-1].settimeout(PATIENCE_SECONDS)
    assert sockets[-1].recv(1) == b""
    assert time.monotonic() - began > 0.5
    sockets[0].settimeout(0.2)
    with pytest.raises(TimeoutError):
        sockets[0].recv(1)
    for connection in sockets:
        connection.close()


def test_connections_beyond_the_rate_of_all_are_served_later(broker: BrokerProcess) -> None:
    Configs(broker.bootstrap).alter((BROKER, "", [("max.connection.creation.rate", SET, "2")]))
    began = time.monotonic()
    for _ in range(24):
        Asked(broker.bootstrap).describe(([], False))
    assert time.monotonic() - began > 1.0
