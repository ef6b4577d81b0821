"""Kafka's own tools look at our transactions, and abort one that hangs.

Wants a JVM and Kafka's jars (`make java`); skipped without them.
"""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import pytest
from confluent_kafka import Producer

from ottla.transactions.transaction import PREPARED, State
from ottla.wire.frames import request_frame
from ottla.wire.records.batch import build_batch
from ottla.wire.records.record import Record
from tests.clients.admin import Admin
from tests.conftest import BrokerFactory
from tests.interop.test_transactions import committed
from tests.support.broker_process import BrokerProcess
from tests.support.data_requests import produce
from tests.support.java import CLASS_PATH, needs_java

PATIENCE_SECONDS = 30
TRANSACTIONS = 12

COMPLETE = State.COMPLETE_COMMIT, State.COMPLETE_ABORT

pytestmark = [needs_java, pytest.mark.interop]


def run(tool: str, *arguments: str) -> str:
    """What a tool prints; fails the test where it complains."""
    command = ["java", "-cp", CLASS_PATH, f"org.apache.kafka.tools.{tool}", *arguments]
    found = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "Exception" not in found.stdout + found.stderr, found.stdout + found.stderr
    return found.stdout


def transactions(broker: BrokerProcess, *arguments: str) -> list[list[str]]:
    """The table that kafka-transactions.sh prints, word by word, without its head."""
    said = run("TransactionsCommand", "--bootstrap-server", broker.bootstrap, *arguments)
    return [line.split() for line in said.strip().splitlines()[1:]]


def producer_of(broker: BrokerProcess, name: str) -> Producer:
    producer = Producer(
        {"bootstrap.servers": broker.bootstrap, "transactional.id": name, "log_level": 0}
    )
    producer.init_transactions(PATIENCE_SECONDS)
    return producer


def write_some(broker: BrokerProcess, name: str) -> None:
    producer = producer_of(broker, name)
    for number in range(TRANSACTIONS):
        producer.begin_transaction()
        producer.produce("orders", b"value", partition=0)
        producer.flush(PATIENCE_SECONDS)
        if number % 2:
            producer.abort_transaction(PATIENCE_SECONDS)
        else:
            producer.commit_transaction(PATIENCE_SECONDS)


def test_kafka_lists_and_describes_our_transactions(broker: BrokerProcess) -> None:
    Admin(broker.bootstrap).create("orders", 1)
    write_some(broker, "done")
    producer = producer_of(broker, "open")
    producer.begin_transaction()
    producer.produce("orders", b"value", partition=0)
    producer.flush(PATIENCE_SECONDS)
    listed = {words[0]: words[-1] for words in transactions(broker, "list")}
    assert listed == {"done": "CompleteAbort", "open": "Ongoing"}
    (described,) = transactions(broker, "describe", "--transactional-id", "open")
    assert "Ongoing" in described
    assert described[-1] == "orders-0"
    active = transactions(broker, "describe-producers", "--topic", "orders", "--partition", "0")
    assert sorted(words[-1] for words in active) == ["24", "None"]


def test_kafka_finds_and_aborts_a_transaction_that_hangs(start_broker: BrokerFactory) -> None:
    """One whose coordinator has forgotten it: nobody but an administrator ever ends it."""
    broker = start_broker("--set", "transaction.partition.verification.enable=false")
    Admin(broker.bootstrap).create("orders", 1)
    hang(broker)
    assert committed(broker.bootstrap, "orders", 1) == []
    found = transactions(
        broker,
        "find-hanging",
        "--topic",
        "orders",
        "--partition",
        "0",
        "--max-transaction-timeout",
        "0",
    )
    assert [words[0] for words in found] == ["orders"]
    run(
        "TransactionsCommand",
        "--bootstrap-server",
        broker.bootstrap,
        "abort",
        "--topic",
        "orders",
        "--partition",
        "0",
        "--start-offset",
        "0",
    )
    active = transactions(broker, "describe-producers", "--topic", "orders", "--partition", "0")
    assert [words[-1] for words in active] == ["None"]


def hang(broker: BrokerProcess) -> None:
    """A record of a transaction that its coordinator never heard of."""
    batch = build_batch(
        [Record(timestamp=1_700_000_000_000, key=None, value=b"hangs")],
        producer_id=4711,
        producer_epoch=0,
        base_sequence=0,
        transactional=True,
    )
    request = produce(("orders", 0, batch))
    request.transactional_id = "lost"
    frame = request_frame(request, version=11, correlation_id=1, client_id="test")
    with socket.create_connection((broker.host, broker.port)) as connection:
        connection.sendall(bytes(frame))
        assert connection.recv(4), "the broker closed the connection"


def test_kafka_reads_what_we_write_of_transactions(broker: BrokerProcess) -> None:
    Admin(broker.bootstrap).create("orders", 1)
    write_some(broker, "done")
    broker.stop()
    indexes = sorted(map(str, Path(broker.data).rglob("orders-0/*.txnindex")))
    assert indexes
    said = run("DumpLogSegments", "--files", ",".join(indexes))
    assert said.count("producerId:") == TRANSACTIONS // 2
    logs = [
        str(log)
        for log in Path(broker.data).rglob("__transaction_state-*/*.log")
        if log.stat().st_size
    ]
    said = run("DumpLogSegments", "--transaction-log-decoder", "--files", ",".join(logs))
    for state in State.EMPTY, State.ONGOING, *PREPARED, *COMPLETE:
        assert f'"transactionStatus":{state:d},' in said
    assert '"transactionalId":"done"' in said
    log = indexes[0].replace(".txnindex", ".log")
    said = run("DumpLogSegments", "--print-data-log", "--files", log)
    assert "endTxnMarker: COMMIT" in said
    broker.start()
    assert len(committed(broker.bootstrap, "orders", 1)) == TRANSACTIONS // 2
