"""Our producer's records as other libraries read them, over restarts and kills of the broker."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from ottla.base.errors import UserError
from ottla.base.ids import TopicPartition as Partition
from ottla.client.producer import Delivery, Producer, StoredRows
from ottla.client.producer.errors import ProducerFencedError
from ottla.wire.records.layout import BytesColumn
from tests.clients.admin import Admin
from tests.clients.contract import CODECS
from tests.conftest import BrokerFactory
from tests.interop.client.conftest import LIMITED_TO, PeerCluster
from tests.interop.conftest import ClientFinder, TopicMaker
from tests.interop.test_codecs import RECORDS, assert_stored, codecs_on_disk
from tests.support.broker_process import BrokerProcess
from tests.support.java import needs_java
from tests.support.kafka_process import KafkaProcess

pytestmark = pytest.mark.interop

PARTITIONS = 3
QUICK = {"retry_backoff_max_ms": 200, "reconnect_backoff_max_ms": 200}
GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "producer.md"
PROGRAM = re.compile(r"```python\n# (?P<name>\w+\.py)\n(?P<text>.*?)```", re.DOTALL)
PROGRAMS = {found["name"]: found["text"] for found in PROGRAM.finditer(GUIDE.read_text())}
OLDER_TRANSACTIONS = [sys.executable, str(Path(__file__).parents[1] / "older_transactions.py")]

PROTOCOLS: list[tuple[list[str], list[str]]] = [
    ([], []),
    (OLDER_TRANSACTIONS, []),
    ([], ["--set", LIMITED_TO]),
]
"""Of transactions: that of today, the one before, and as a broker of old versions speaks it."""


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("reader_name", ["confluent-kafka", "aiokafka", "kcat"])
def test_records_of_every_shape_are_read_by_others(
    codec: str,
    reader_name: str,
    client_named: ClientFinder,
    cluster: PeerCluster,
) -> None:
    reader = client_named(reader_name)
    if codec not in reader.codecs:
        pytest.skip(f"this {reader.name} has no {codec}")
    topic = cluster.create_topic(max_message_bytes=4_000_000)

    async def produce() -> list[int]:
        settings = {"compression": codec, "max_request_size": 4_000_000}
        async with Producer(cluster.bootstrap, **settings) as producer:
            deliveries = [
                producer.send(
                    topic,
                    record.value,
                    record.key,
                    timestamp_ms=record.timestamp_ms,
                    headers=record.headers,
                )
                for record in RECORDS
            ]
            return [(await delivery).offset for delivery in deliveries]

    assert asyncio.run(produce()) == list(range(len(RECORDS)))
    if cluster.broker is not None:
        assert codec in codecs_on_disk(cluster.broker, topic) <= {codec, "none"}
    assert_stored(reader.consume(cluster.bootstrap, topic, len(RECORDS)), RECORDS)


@pytest.mark.parametrize("codec", CODECS)
def test_rows_of_columns_are_read_by_others_where_they_were_said_to_be(
    codec: str, client_named: ClientFinder, shared_broker: BrokerProcess, new_topic: TopicMaker
) -> None:
    count = 20_000
    topic = new_topic(partitions=PARTITIONS)
    values = [None if row % 9 == 4 else b"%d" % row * (row % 40) for row in range(count)]
    keys = [None if row % 7 == 3 else b"key-%d" % (row % 100) for row in range(count)]
    times = [1_795_000_000_000 + row for row in range(count)]
    headers = [[("row", b"%d" % row)] * (row % 3) for row in range(count)]

    async def produce() -> StoredRows:
        async with Producer(shared_broker.bootstrap, compression=codec) as producer:
            taken = await producer.send_batch(
                topic, values, keys=BytesColumn.of(keys), timestamps=times, headers=headers
            )
            return await taken

    stored = asyncio.run(produce())
    client = client_named("confluent-kafka")
    read = client.consume(shared_broker.bootstrap, topic, count, partitions=PARTITIONS)
    found = {(record.partition, record.offset): record for record in read}
    assert len(found) == len(stored) == count
    for row in range(count):
        record = found[stored.place(row)]
        assert (record.key, record.value) == (keys[row], values[row])
        assert record.timestamp_ms == times[row]
        assert list(record.headers or ()) == headers[row]
    for key in set(keys) - {None}:
        rows = [row for row in range(count) if keys[row] == key]
        places = [stored.place(row) for row in rows]
        assert places == sorted(places), "rows of one key in one partition, in their order"
        assert len({partition for partition, _ in places}) == 1


def test_what_was_acknowledged_outlives_kills_once_and_in_order(
    any_broker: BrokerProcess, client_named: ClientFinder
) -> None:
    broker = any_broker
    sent: list[list[tuple[bytes, Delivery]]] = [[] for _ in range(PARTITIONS)]

    async def produce() -> None:
        async with Producer(broker.bootstrap, linger_ms=1, batch_bytes=2000, **QUICK) as producer:
            writing = asyncio.create_task(write(producer))
            for kill in (True, False, True, True):
                await asyncio.sleep(0.7)
                await asyncio.to_thread(broker.kill if kill else broker.stop)
                await asyncio.sleep(0.1)
                await asyncio.to_thread(broker.start)
            await asyncio.sleep(0.5)
            writing.cancel()
            await asyncio.wait([writing])

    async def write(producer: Producer) -> None:
        number = 0
        while True:
            for _ in range(20):
                partition = number % PARTITIONS
                value = b"%d" % number
                sent[partition].append(
                    (value, await producer.put("kills", value, partition=partition))
                )
                number += 1
            await asyncio.sleep(0.002)

    client = client_named("confluent-kafka")
    Admin(broker.bootstrap).create("kills", PARTITIONS)
    asyncio.run(produce())
    count = sum(map(len, sent))
    stored = client.consume(broker.bootstrap, "kills", count, partitions=PARTITIONS)
    assert count > 1000
    for partition in range(PARTITIONS):
        found = [record for record in stored if record.partition == partition]
        assert [record.value for record in found] == [value for value, _ in sent[partition]]
        places = [delivery.result().offset for _, delivery in sent[partition]]
        assert [record.offset for record in found] == list(range(len(found)))
        assert all(told in (-1, offset) for offset, told in enumerate(places))
    client.complaints.clear()  # of a broker that was away


def committed(bootstrap: str, topic: str) -> list[bytes | None]:
    """What a reader of committed records sees of partition 0, until it has caught up."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "unused",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
        }
    )
    consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    values: list[bytes | None] = []
    while (message := consumer.poll(10)) is not None and message.error() is None:
        values.append(message.value())
    consumer.close()
    assert message is not None, "no end within 10 s"
    return values


@pytest.mark.parametrize(("under", "options"), PROTOCOLS, ids=["version 2", "version 1", "old"])
def test_readers_see_whole_transactions_and_no_aborted_one(
    under: Sequence[str], options: Sequence[str], start_broker: BrokerFactory
) -> None:
    broker = start_broker(*options, under=under)

    async def produce() -> None:
        async with Producer(broker.bootstrap, transactional_id="mine", **QUICK) as producer:
            for number in range(3):
                async with producer.transaction():
                    producer.send("t", b"kept %d" % number)
                    await producer.send_offsets({Partition("t", 0): number}, "group")
                with pytest.raises(ZeroDivisionError):
                    await drop(producer, number)
            async with producer.transaction():
                pass  # nothing written

    async def drop(producer: Producer, number: int) -> None:
        async with producer.transaction():
            await producer.send_and_wait("t", b"dropped %d" % number)
            raise ZeroDivisionError

    asyncio.run(produce())
    assert committed(broker.bootstrap, "t") == [b"kept 0", b"kept 1", b"kept 2"]
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "group"})
    (position,) = consumer.committed([TopicPartition("t", 0)], timeout=10)
    assert position.offset == 2
    consumer.close()


@pytest.mark.parametrize(("under", "options"), PROTOCOLS, ids=["version 2", "version 1", "old"])
def test_a_second_producer_fences_the_first(
    under: Sequence[str], options: Sequence[str], start_broker: BrokerFactory
) -> None:
    broker = start_broker(*options, under=under)

    async def produce() -> None:
        async with Producer(broker.bootstrap, transactional_id="mine", **QUICK) as first:
            await first.begin_transaction()
            await first.send_and_wait("t", b"of the first")
            async with Producer(broker.bootstrap, transactional_id="mine", **QUICK) as second:
                with pytest.raises(UserError):
                    await first.commit_transaction()
                with pytest.raises(ProducerFencedError):
                    await first.begin_transaction()
                async with second.transaction():
                    second.send("t", b"of the second")

    asyncio.run(produce())
    assert committed(broker.bootstrap, "t") == [b"of the second"]


@pytest.mark.parametrize(("under", "options"), PROTOCOLS, ids=["version 2", "version 1", "old"])
def test_transactions_over_kills_are_whole_and_in_order(
    under: Sequence[str], options: Sequence[str], start_broker: BrokerFactory
) -> None:
    broker = start_broker(*options, under=under)
    done: list[int] = []

    async def produce() -> None:
        async with Producer(broker.bootstrap, transactional_id="mine", **QUICK) as producer:
            writing = asyncio.create_task(write(producer))
            for _ in range(3):
                await asyncio.sleep(0.7)
                await asyncio.to_thread(broker.kill)
                await asyncio.to_thread(broker.start)
            await asyncio.sleep(0.7)
            stop.set()
            await asyncio.wait_for(writing, 60)

    async def write(producer: Producer) -> None:
        number = 0
        while not stop.is_set():
            async with producer.transaction():
                for part in range(3):
                    producer.send("t", b"%d.%d" % (number, part))
            done.append(number)
            number += 1

    stop = asyncio.Event()
    asyncio.run(produce())
    assert len(done) > 10
    assert committed(broker.bootstrap, "t") == [
        b"%d.%d" % (number, part) for number in done for part in range(3)
    ]


@needs_java
def test_apache_kafka_takes_batches_of_every_codec_and_transactions(tmp_path: Path) -> None:
    async def produce(bootstrap: str) -> None:
        for codec in CODECS:
            async with Producer(bootstrap, compression=codec) as producer:
                values = [b"%d" % number for number in range(500)]
                stored = await (await producer.send_batch(codec, values, partition=0))
                assert [stored.place(row) for row in range(500)] == [(0, n) for n in range(500)]
        async with Producer(bootstrap, transactional_id="mine", **QUICK) as producer:
            for number in range(3):
                async with producer.transaction():
                    producer.send("t", b"%d" % number)
                    await producer.send_offsets({Partition("none", 0): number}, "group")
                await producer.begin_transaction()
                await producer.send_and_wait("t", b"dropped")
                await producer.abort_transaction()

    with KafkaProcess(tmp_path, tmp_path / "data") as kafka:
        asyncio.run(produce(kafka.bootstrap))
        assert committed(kafka.bootstrap, "t") == [b"0", b"1", b"2"]


def test_the_programs_of_the_guide_run(broker: BrokerProcess, tmp_path: Path) -> None:
    told = {}
    for name, text in PROGRAMS.items():  # in their order: the second moves what the first wrote
        program = tmp_path / name
        program.write_text(text)
        done = subprocess.run(
            [sys.executable, str(program), broker.bootstrap],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        told[name] = done.stdout
    assert "all 10001 have their outcome" in told["orders.py"]
    assert "the second row is at (" in told["orders.py"]
    assert "50000 rows are stored" in told["table.py"]
    assert told["move.py"] == "committed\naborted: no such customer\n"
