"""Real transactional producers: whole transactions or nothing, also when processes are killed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiokafka  # type: ignore[import-untyped]  # has no types
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from tests.clients.admin import Admin
from tests.support.broker_process import BrokerProcess
from tests.support.java import CLASS_PATH, ROOT, needs_java
from tests.support.waiting import wait_until

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it reads its definitions in an old way
    from kafka import KafkaProducer  # type: ignore[import-untyped]  # has no types

PARTITIONS = 3
TRANSACTIONS = 10
PIPE_PARTITIONS = 2
PATIENCE_SECONDS = 60
JAVA = [
    "java",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
    "-XX:+UseSerialGC",
    "-cp",
    CLASS_PATH,
    str(ROOT / "tests/interop/java/Transactions.java"),
]
PIPE = [sys.executable, str(Path(__file__).with_name("transaction_pipe.py"))]


def committed(bootstrap: str, topic: str, partitions: int = PARTITIONS) -> list[str]:
    """All that a reader of committed records sees."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "reader",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "log_level": 0,
        }
    )
    try:
        consumer.assign([TopicPartition(topic, index, 0) for index in range(partitions)])
        values, at_end = [], 0
        while at_end < partitions:
            record = consumer.poll(PATIENCE_SECONDS)
            assert record is not None, "the reader does not come to the end"
            if record.error():
                at_end += 1
            else:
                values.append((record.value() or b"").decode())
        return values
    finally:
        consumer.close()


def write_by_librdkafka(bootstrap: str, topic: str) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": topic, "log_level": 0})
    producer.init_transactions(PATIENCE_SECONDS)
    for number in range(TRANSACTIONS):
        producer.begin_transaction()
        for partition in range(PARTITIONS):
            producer.produce(topic, f"{number}/{partition}", partition=partition)
        if number % 2:
            producer.flush(PATIENCE_SECONDS)
            producer.abort_transaction(PATIENCE_SECONDS)
        else:
            producer.commit_transaction(PATIENCE_SECONDS)


def write_by_aiokafka(bootstrap: str, topic: str) -> None:
    async def write() -> None:
        producer = aiokafka.AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=topic)
        await producer.start()
        try:
            for number in range(TRANSACTIONS):
                await producer.begin_transaction()
                for partition in range(PARTITIONS):
                    value = f"{number}/{partition}".encode()
                    await producer.send_and_wait(topic, value, partition=partition)
                if number % 2:
                    await producer.abort_transaction()
                else:
                    await producer.commit_transaction()
        finally:
            await producer.stop()

    asyncio.run(write())


def write_by_kafka_python(bootstrap: str, topic: str) -> None:
    producer: Any = KafkaProducer(bootstrap_servers=bootstrap, transactional_id=topic)
    try:
        producer.init_transactions()
        for number in range(TRANSACTIONS):
            producer.begin_transaction()
            for partition in range(PARTITIONS):
                producer.send(topic, f"{number}/{partition}".encode(), partition=partition)
            if number % 2:
                producer.flush()
                producer.abort_transaction()
            else:
                producer.commit_transaction()
    finally:
        producer.close()


def write_by_java(bootstrap: str, topic: str) -> None:
    command = [*JAVA, "write", bootstrap, topic, topic, str(TRANSACTIONS)]
    subprocess.run(command, check=True, timeout=PATIENCE_SECONDS)


@pytest.mark.parametrize(
    "write",
    [
        write_by_librdkafka,
        write_by_aiokafka,
        write_by_kafka_python,
        pytest.param(write_by_java, marks=[needs_java, pytest.mark.interop]),
    ],
)
def test_readers_of_committed_records_see_whole_transactions_only(
    shared_broker: BrokerProcess, new_topic: Callable[..., str], write: Callable[[str, str], None]
) -> None:
    topic = new_topic(PARTITIONS)
    write(shared_broker.bootstrap, topic)
    assert sorted(committed(shared_broker.bootstrap, topic)) == sorted(
        f"{number}/{partition}"
        for number in range(0, TRANSACTIONS, 2)
        for partition in range(PARTITIONS)
    )
    assert "Traceback" not in shared_broker.log()


# -- read, write and note how far, under kills -----------------------------------------------------


@contextmanager
def running(command: list[str], log: Path) -> Iterator[None]:
    """A process that is killed at the end, without warning."""
    with log.open("ab") as errors:
        process = subprocess.Popen(command, stderr=errors)
    try:
        yield
        assert process.poll() is None, log.read_text()
    finally:
        process.kill()
        process.wait()


def carried(bootstrap: str) -> list[int]:
    return sorted(int(value) for value in committed(bootstrap, "carried", PIPE_PARTITIONS))


def fill(bootstrap: str, first: int, count: int) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True})
    for number in range(first, first + count):
        producer.produce("numbers", b"%d" % number, partition=number % PIPE_PARTITIONS)
    assert producer.flush(PATIENCE_SECONDS) == 0


def carry_under_kills(
    broker: BrokerProcess, pipe: list[str], log: Path, *, rounds: int, records: int
) -> None:
    """Each round kills the client, and every second one the broker too; sums match exactly."""
    admin = Admin(broker.bootstrap)
    admin.create("numbers", PIPE_PARTITIONS)
    admin.create("carried", PIPE_PARTITIONS)
    command = [*pipe, broker.bootstrap, "pipe", "numbers", "carried"]
    sent = 0
    for number in range(rounds):
        fill(broker.bootstrap, sent, records)
        sent += records
        with running(command, log):
            aim = sent - records // 2
            wait_until(
                lambda aim=aim: len(carried(broker.bootstrap)) >= aim,  # type: ignore[misc]
                f"{aim} records are carried",
                seconds=PATIENCE_SECONDS,
            )
            if number % 2 == 0:
                broker.kill()
                broker.start()
    with running(command, log):
        wait_until(
            lambda: len(carried(broker.bootstrap)) >= sent,
            "all records are carried",
            seconds=PATIENCE_SECONDS,
        )
    assert carried(broker.bootstrap) == list(range(sent))
    assert "Traceback" not in broker.log()


def test_librdkafka_carries_every_record_once_over_kills(
    broker: BrokerProcess, tmp_path: Path
) -> None:
    carry_under_kills(broker, PIPE, tmp_path / "pipe", rounds=2, records=400)


@pytest.mark.interop
@pytest.mark.parametrize(
    "pipe", [PIPE, pytest.param([*JAVA, "pipe"], marks=needs_java)], ids=["librdkafka", "java"]
)
def test_every_record_is_carried_once_over_many_kills(
    broker: BrokerProcess, tmp_path: Path, pipe: list[str]
) -> None:
    carry_under_kills(broker, pipe, tmp_path / "pipe", rounds=6, records=2000)
