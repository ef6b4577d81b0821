"""Real transactional producers: whole transactions or nothing, also when processes are killed."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiokafka  # type: ignore[import-untyped]  # has no types
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from tests.clients.admin import Admin
from tests.clients.complaints import own_logger
from tests.conftest import BrokerFactory
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
POLL_SECONDS = 0.05
STALLED_SECONDS = 8
JAVA = [
    "java",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-XX:+UseSerialGC",
    "-cp",
    CLASS_PATH,
    str(ROOT / "tests/interop/java/Transactions.java"),
]
HERE = Path(__file__).parent
PIPES = {
    "librdkafka": [sys.executable, str(HERE / "transaction_pipe.py")],
    "aiokafka": [sys.executable, str(HERE / "transaction_pipe_aio.py")],
    "java": [*JAVA, "pipe"],
}
OLDER = [sys.executable, str(HERE / "older_transactions.py")]
"""In front of a broker: in its cluster producers speak the protocol of transaction.version 1."""
EXPECTED = (
    "Connection refused",
    "Connection reset",  # by the kill, of one that was just being made
    "Disconnected",
    "brokers are down",
    # who takes over an open transaction waits for its end, and says so
    "concurrent operation on the same transaction was ongoing: retrying",
    # aiokafka
    "Unable connect to",  # a node, or the address it begins with
    "Unable to update metadata",
    "Unable to request metadata",
    "NodeNotReadyError",
    "KafkaConnectionError",
    "Marking the coordinator dead",
    # Apache Kafka's client
    "could not be established",
    "disconnected",
    "NetworkException",
    "NETWORK_EXCEPTION",
    "aborted on purpose",
    # the broker
    " info ottla.",
)
"""What clients say of a connection that a kill has closed, and a broker of its life."""


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


class Witness:
    """A reader of committed records that reads all the time, over every kill of the broker."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self.values: list[str] = []
        self.silent_seconds = 0.0
        self.complaints: list[str] = []
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "witness",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "reconnect.backoff.max.ms": 100,
                "log_level": 4,
            },
            logger=own_logger(self.complaints),
        )
        self._consumer.assign([TopicPartition(topic, index, 0) for index in range(PIPE_PARTITIONS)])
        self._is_done = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        while not self._is_done.is_set():
            found = self._consumer.consume(500, timeout=POLL_SECONDS)
            self.silent_seconds = 0 if found else self.silent_seconds + POLL_SECONDS
            for record in found:
                error = record.error()
                if error is None:
                    self.values.append((record.value() or b"").decode())
                else:
                    self.complaints.append(str(error))

    def stop(self) -> None:
        self._is_done.set()
        self._thread.join()
        self._consumer.close()

    def numbers(self) -> list[int]:
        return sorted(int(value.split()[0]) for value in self.values)

    def torn(self) -> list[str]:
        """Transactions of which not all was seen, or too much."""
        seen = Counter(value.split()[1] for value in self.values)
        wanted = {value.split()[1]: int(value.split()[2]) for value in self.values}
        return [token for token, count in wanted.items() if seen[token] != count]


class Pipe:
    """A process that carries; it is only ever killed, without warning."""

    def __init__(self, command: list[str], log: Path) -> None:
        self._command = command
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as errors:
            self._process = subprocess.Popen(self._command, stderr=errors)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def restart(self) -> None:
        self.kill()
        self.start()

    def check(self) -> None:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()


def fill(bootstrap: str, first: int, count: int) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True})
    for number in range(first, first + count):
        producer.produce("numbers", b"%d" % number, partition=number % PIPE_PARTITIONS)
    assert producer.flush(PATIENCE_SECONDS) == 0


def carry_under_kills(
    broker: BrokerProcess, library: str, log: Path, *, rounds: int, records: int
) -> None:
    """Each round kills the broker and then the client; sums match to the record."""
    admin = Admin(broker.bootstrap)
    admin.create("numbers", PIPE_PARTITIONS)
    admin.create("carried", PIPE_PARTITIONS)
    witness = Witness(broker.bootstrap, "carried")
    pipe = Pipe([*PIPES[library], broker.bootstrap, "pipe", "numbers", "carried"], log)
    carry = Carrying(witness, pipe, may_stall=library == "librdkafka")
    try:
        for number in range(rounds):
            fill(broker.bootstrap, number * records, records)
            pipe.restart()
            carry.up_to(number * records + records // 4)
            broker.kill()
            broker.start()
            carry.up_to(number * records + records * 3 // 4)
        pipe.restart()
        carry.up_to(rounds * records)
    finally:
        pipe.kill()
        witness.stop()
    assert carry.stalls <= rounds
    assert witness.numbers() == list(range(rounds * records))
    assert witness.torn() == []
    assert sorted(committed(broker.bootstrap, "carried", PIPE_PARTITIONS)) == sorted(witness.values)
    assert odd_lines(log.read_text().splitlines()) == []
    assert odd_lines(witness.complaints) == []
    assert odd_lines(broker.log().splitlines()) == []


class Carrying:
    """Waits for the records that a pipe carries.

    `may_stall`: librdkafka 2.16 sometimes takes a connection that serves it for one that is not
    there yet, and never sends the TxnOffsetCommit that it owes, nor gives up waiting for it
    (https://github.com/confluentinc/librdkafka/issues/5456 is near). All it has sent is answered
    then. Such a client is killed as the others are, at most once a round.
    """

    def __init__(self, witness: Witness, pipe: Pipe, *, may_stall: bool) -> None:
        self._witness = witness
        self._pipe = pipe
        self._may_stall = may_stall
        self.stalls = 0

    def up_to(self, count: int) -> None:
        wait_until(
            lambda: self._has_come(count), f"{count} records are carried", seconds=PATIENCE_SECONDS
        )

    def _has_come(self, count: int) -> bool:
        self._pipe.check()
        if self._may_stall and self._witness.silent_seconds > STALLED_SECONDS:
            self._witness.silent_seconds = 0
            self.stalls += 1
            self._pipe.restart()
        return len(self._witness.values) >= count


def odd_lines(lines: list[str]) -> list[str]:
    """What neither a lost connection nor this test itself explains."""
    return [line for line in lines if line.strip() and not any(word in line for word in EXPECTED)]


def test_librdkafka_carries_every_record_once_over_kills(
    broker: BrokerProcess, tmp_path: Path
) -> None:
    carry_under_kills(broker, "librdkafka", tmp_path / "pipe", rounds=2, records=400)


PIPED = [
    pytest.param("librdkafka", 1, marks=pytest.mark.soak),
    pytest.param("librdkafka", 2, marks=pytest.mark.interop),
    pytest.param("aiokafka", 1, marks=pytest.mark.soak),
    pytest.param("aiokafka", 2, marks=pytest.mark.interop),
    pytest.param("java", 1, marks=[needs_java, pytest.mark.interop]),
    pytest.param("java", 2, marks=[needs_java, pytest.mark.interop]),
]


@pytest.mark.parametrize(("library", "version"), PIPED)
def test_every_record_is_carried_once_over_many_kills(
    start_broker: BrokerFactory, tmp_path: Path, library: str, version: int
) -> None:
    broker = start_broker(under=OLDER if version < 2 else ())
    carry_under_kills(broker, library, tmp_path / "pipe", rounds=3, records=600)
