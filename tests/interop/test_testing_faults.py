"""Faults on request, as clients that we did not write feel them."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import aiokafka  # type: ignore[import-untyped]  # has no types
import confluent_kafka
import pytest
from confluent_kafka.admin import AdminClient

from ottla.testing.broker import Form, TemporaryBroker
from ottla.wire.frames import request_frame
from ottla.wire.messages.fetch import FetchRequest
from ottla.wire.messages.list_groups import ListGroupsRequest
from ottla.wire.messages.produce import ProduceRequest
from ottla.wire.schema import Message
from tests.support.processes import is_running
from tests.support.waiting import wait_until

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it reads its definitions in an old way
    import kafka  # type: ignore[import-untyped]  # has no types

LIBRARIES = ("confluent-kafka", "kafka-python", "aiokafka")
QUICKLY = {"reconnect_backoff_ms": 10, "reconnect_backoff_max_ms": 50, "retry_backoff_ms": 20}
SLOW_MS = 300


pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def one_for_all() -> Iterator[TemporaryBroker]:
    with TemporaryBroker() as broker:
        yield broker
        assert "Traceback" not in broker.log(), broker.log()


@pytest.fixture
def broker(one_for_all: TemporaryBroker) -> Iterator[TemporaryBroker]:
    yield one_for_all
    one_for_all.faults.clear()


def write_with_confluent(bootstrap: str, topic: str, values: list[bytes]) -> None:
    settings = {
        "bootstrap.servers": bootstrap,
        "enable.idempotence": True,
        "retry.backoff.ms": 20,
        "reconnect.backoff.ms": 10,
        "reconnect.backoff.max.ms": 50,
        "linger.ms": 0,
        "log_level": 0,
    }
    failed: list[object] = []

    def told(error: object, _: object) -> None:
        if error is not None:
            failed.append(error)

    producer = confluent_kafka.Producer(settings)
    for value in values:
        producer.produce(topic, value, partition=0, on_delivery=told)
        assert producer.flush(20) == 0
    assert not failed


def write_with_kafka_python(bootstrap: str, topic: str, values: list[bytes]) -> None:
    producer = kafka.KafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True, **QUICKLY)
    try:
        for value in values:
            producer.send(topic, value, partition=0).get(timeout=20)
    finally:
        producer.close()


def write_with_aiokafka(bootstrap: str, topic: str, values: list[bytes]) -> None:
    async def write() -> None:
        producer = aiokafka.AIOKafkaProducer(
            bootstrap_servers=bootstrap, enable_idempotence=True, retry_backoff_ms=20
        )
        await producer.start()
        try:
            for value in values:
                await asyncio.wait_for(producer.send_and_wait(topic, value, partition=0), 20)
        finally:
            await producer.stop()

    asyncio.run(write())


WRITE = {
    "confluent-kafka": write_with_confluent,
    "kafka-python": write_with_kafka_python,
    "aiokafka": write_with_aiokafka,
}


def read(broker: TemporaryBroker, topic: str, count: int) -> list[bytes]:
    """The first values of partition 0, by kafka-python; TimeoutError where there are fewer."""
    consumer = kafka.KafkaConsumer(bootstrap_servers=broker.bootstrap, **QUICKLY)
    try:
        partition = kafka.TopicPartition(topic, 0)
        consumer.assign([partition])
        consumer.seek_to_beginning()
        found: list[bytes] = []
        deadline = time.monotonic() + 20
        while len(found) < count and time.monotonic() < deadline:
            for records in consumer.poll(timeout_ms=500).values():
                found += [record.value for record in records]
        # One more look, for what should not be there.
        assert consumer.end_offsets([partition])[partition] == count
        return found
    finally:
        consumer.close()


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_refused_produce_is_sent_again_and_stored_once(
    broker: TemporaryBroker, library: str
) -> None:
    topic = broker.create_topic()
    fault = broker.faults.fail("Produce", "NOT_LEADER_OR_FOLLOWER", nth=2)
    WRITE[library](broker.bootstrap, topic, [b"a", b"b", b"c"])
    assert (fault.seen, fault.hits) == (4, 1)
    assert read(broker, topic, 3) == [b"a", b"b", b"c"]


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_lost_answer_leaves_no_duplicate_of_an_idempotent_producer(
    broker: TemporaryBroker, library: str
) -> None:
    topic = broker.create_topic()
    fault = broker.faults.lose_answer("Produce", nth=2)
    WRITE[library](broker.bootstrap, topic, [b"a", b"b", b"c"])
    assert (fault.seen, fault.hits) == (4, 1)
    assert read(broker, topic, 3) == [b"a", b"b", b"c"]


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_dropped_connection_is_made_again(broker: TemporaryBroker, library: str) -> None:
    topic = broker.create_topic()
    fault = broker.faults.drop_connection("Produce")
    WRITE[library](broker.bootstrap, topic, [b"a", b"b"])
    assert fault.hits == 1
    assert read(broker, topic, 2) == [b"a", b"b"]


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_delayed_request_takes_its_time(broker: TemporaryBroker, library: str) -> None:
    topic = broker.create_topic()
    started = time.monotonic()
    with broker.faults.delay("Produce", SLOW_MS, times=1) as fault:
        WRITE[library](broker.bootstrap, topic, [b"a"])
    assert time.monotonic() - started >= SLOW_MS / 1000
    assert fault.hits == 1


@pytest.mark.parametrize("library", LIBRARIES)
def test_metadata_that_fails_is_asked_for_again(broker: TemporaryBroker, library: str) -> None:
    topic = broker.create_topic()
    fault = broker.faults.fail("Metadata", "LEADER_NOT_AVAILABLE")
    WRITE[library](broker.bootstrap, topic, [b"a"])
    assert fault.hits == 1
    assert read(broker, topic, 1) == [b"a"]


def test_a_fetch_in_a_session_fails_for_its_partition(broker: TemporaryBroker) -> None:
    topic = broker.create_topic()
    WRITE["kafka-python"](broker.bootstrap, topic, [b"a"])
    consumer = kafka.KafkaConsumer(
        bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest", **QUICKLY
    )
    partition = kafka.TopicPartition(topic, 0)
    consumer.assign([partition])
    try:
        wait_until(lambda: bool(consumer.poll(timeout_ms=100)), "the first record is read")
        consumer.poll(timeout_ms=600)  # now a session is under way, and names no partition
        fault = broker.faults.fail("Fetch", "OFFSET_OUT_OF_RANGE")
        # The offset is out of range, so the consumer begins anew: it reads the record again.
        wait_until(lambda: bool(consumer.poll(timeout_ms=100)), "the record is read again")
        assert fault.hits == 1
    finally:
        consumer.close()


def test_a_coordinator_that_moved_is_found_again(broker: TemporaryBroker) -> None:
    topic = broker.create_topic()
    consumer = kafka.KafkaConsumer(
        bootstrap_servers=broker.bootstrap, group_id=f"group-{topic}", **QUICKLY
    )
    consumer.assign([kafka.TopicPartition(topic, 0)])
    try:
        fault = broker.faults.fail("OffsetCommit", "NOT_COORDINATOR")
        offset = kafka.structs.OffsetAndMetadata(0, "", -1)
        consumer.commit({kafka.TopicPartition(topic, 0): offset})
        assert (fault.seen, fault.hits) == (2, 1)
    finally:
        consumer.close()


def test_a_producer_that_wants_no_answer_keeps_its_connection_in_step(
    broker: TemporaryBroker,
) -> None:
    topic = broker.create_topic()
    producer = kafka.KafkaProducer(
        bootstrap_servers=broker.bootstrap, acks=0, enable_idempotence=False, **QUICKLY
    )
    try:
        for value in (b"a", b"b"):
            producer.send(topic, value, partition=0).get(timeout=10)
        assert producer.partitions_for(topic) == {0}
    finally:
        producer.close()
    assert read(broker, topic, 2) == [b"a", b"b"]


@contextmanager
def connected(broker: TemporaryBroker) -> Iterator[Callable[..., Any]]:
    """Sends requests of a version one behind the other; without one it gives the next answer."""
    host, _, port = broker.bootstrap.rpartition(":")
    with (
        socket.create_connection((host, int(port)), timeout=10) as connection,
        connection.makefile("rb") as answers,
    ):

        def send(request: Message, version: int, correlation_id: int) -> None:
            frame = request_frame(
                request, version=version, correlation_id=correlation_id, client_id=None
            )
            connection.sendall(frame)

        def answered() -> int | None:
            """The correlation id of the next answer; None where the connection is closed."""
            size = answers.read(4)
            return int.from_bytes(answers.read(int.from_bytes(size))[:4]) if size else None

        yield lambda *asked: send(*asked) if asked else answered()


def test_a_made_answer_waits_for_those_that_the_broker_owes(broker: TemporaryBroker) -> None:
    fault = broker.faults.fail("ListGroups", "COORDINATOR_NOT_AVAILABLE")
    waiting = FetchRequest(
        replica_id=-1, max_wait_ms=200, min_bytes=1, max_bytes=1, isolation_level=0, topics=[]
    )
    with connected(broker) as talk:
        talk(waiting, 4, 1)
        talk(ListGroupsRequest(), 2, 2)
        talk(ListGroupsRequest(), 2, 3)
        assert [talk(), talk(), talk()] == [1, 2, 3]
    assert (fault.seen, fault.hits) == (2, 1)


def test_a_failing_produce_without_answers_closes_the_connection(broker: TemporaryBroker) -> None:
    fault = broker.faults.fail("Produce", "NOT_LEADER_OR_FOLLOWER", nth=2)
    silent = ProduceRequest(acks=0, timeout_ms=1000, topic_data=[])
    with connected(broker) as talk:
        talk(silent, 9, 1)
        talk(ListGroupsRequest(), 2, 2)
        assert talk() == 2
        talk(silent, 9, 3)
        assert talk() is None
    assert fault.hits == 1


def test_what_is_no_request_closes_the_connection(broker: TemporaryBroker) -> None:
    host, _, port = broker.bootstrap.rpartition(":")
    for sent in (b"\xff\xff\xff\xff", b"\x00\x00\x00\x02hi"):
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(sent)
            with suppress(ConnectionResetError):
                assert connection.recv(1) == b""


def test_connections_are_dropped_now(broker: TemporaryBroker) -> None:
    with connected(broker) as talk:
        talk(ListGroupsRequest(), 2, 1)
        assert talk() == 1
        assert broker.faults.drop_connections() == 1
        with suppress(ConnectionResetError):
            assert talk() is None


@pytest.mark.parametrize(
    ("form", "library"),
    [("thread", "confluent-kafka"), ("process", "kafka-python"), ("process", "aiokafka")],
)
def test_data_outlives_a_kill_and_the_address_stays(form: Form, library: str) -> None:
    with TemporaryBroker(form=form) as broker:
        topic = broker.create_topic()
        address = broker.bootstrap
        WRITE[library](address, topic, [b"a"])
        broker.kill()
        assert not broker.running
        broker.start()
        WRITE[library](address, topic, [b"b"])
        broker.restart()
        assert broker.bootstrap == address
        assert read(broker, topic, 2) == [b"a", b"b"]
        # Of the three starts before, the first was not followed by a clean stop.
        assert broker.log().count("stopped cleanly") == 1


def test_while_the_broker_is_down_clients_do_not_get_through(broker: TemporaryBroker) -> None:
    client = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})
    broker.stop()
    try:
        with pytest.raises(confluent_kafka.KafkaException):
            client.list_topics(timeout=0.3)
    finally:
        broker.start()
    assert client.list_topics(timeout=10).brokers


@pytest.mark.parametrize("form", ["thread", "process"])
def test_nothing_is_left_behind(
    form: Form, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with TemporaryBroker({"num.partitions": 3}, form=form) as broker:
        WRITE["kafka-python"](broker.bootstrap, "made-by-the-way", [b"a"])
        assert list(tmp_path.iterdir())
    assert not list(tmp_path.iterdir())
    assert "stopped cleanly" in broker.log()


def test_a_broker_process_ends_with_the_killed_process_that_started_it(tmp_path: Path) -> None:
    program = textwrap.dedent(
        """
        from ottla.testing.broker import TemporaryBroker
        with TemporaryBroker(form="process") as broker:
            print(broker._server.pid, flush=True)
            input()
        """
    )
    started = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    with started:
        assert started.stdout is not None
        broker_pid = int(started.stdout.readline())
        assert is_running(broker_pid)
        started.send_signal(signal.SIGKILL)
    wait_until(lambda: not is_running(broker_pid), "the broker ends")
    assert not list(tmp_path.iterdir())
