"""Our consumer reads what others wrote, transactions, and over a broker that is killed."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ottla.base.ids import TopicPartition
from ottla.client.consumer import Consumer
from ottla.client.producer import Producer
from tests.clients.contract import CODECS, Stored
from tests.interop.client.conftest import PeerCluster
from tests.interop.conftest import ClientFinder
from tests.interop.test_codecs import RECORDS, assert_stored, sayable
from tests.support.broker_process import BrokerProcess

pytestmark = pytest.mark.interop

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "consumer.md"
PROGRAM = re.compile(r"```python\n# (?P<name>\w+\.py)\n(?P<text>.*?)```", re.DOTALL)
QUICK = {"retry_backoff_max_ms": 200, "reconnect_backoff_max_ms": 200}


async def read_all(bootstrap: str, topic: str, count: int, way: str) -> list[Stored]:
    """By one of the three ways of reading."""
    found: list[Stored] = []
    partition = TopicPartition(topic, 0)
    async with Consumer(bootstrap, auto_offset_reset="earliest", **QUICK) as consumer:
        consumer.assign([partition])
        while len(found) < count:
            if way == "poll_batch":
                found += [
                    Stored(0, row.offset, row.timestamp, row.key, row.value, row.headers)
                    for row in (await consumer.poll_batch())[partition].to_list()
                ]
                continue
            records = await consumer.poll() if way == "poll" else [await anext(consumer)]
            found += [
                Stored(0, row.offset, row.timestamp_ms, row.key, row.value, row.headers)
                for row in records
            ]
    return found


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("writer_name", ["confluent-kafka", "aiokafka", "ours"])
def test_what_anybody_wrote_is_read_in_every_way(
    codec: str,
    writer_name: str,
    client_named: ClientFinder,
    cluster: PeerCluster,
) -> None:
    topic, bootstrap, records = (
        cluster.create_topic(max_message_bytes=4_000_000),
        cluster.bootstrap,
        RECORDS,
    )

    async def produce() -> None:
        settings = {"compression": codec, "max_request_size": 4_000_000}
        async with Producer(bootstrap, **settings) as producer:
            for record in RECORDS:
                await producer.put(
                    topic,
                    record.value,
                    record.key,
                    timestamp_ms=record.timestamp_ms,
                    headers=record.headers,
                )

    if writer_name == "ours":
        asyncio.run(produce())
    else:
        writer = client_named(writer_name)
        if codec not in writer.codecs:
            pytest.skip(f"this {writer.name} has no {codec}")
        records = sayable(writer, RECORDS)
        writer.produce(bootstrap, topic, records, codec=codec)
    for way in ("poll", "async for", "poll_batch"):
        assert_stored(asyncio.run(read_all(bootstrap, topic, len(records), way)), records)


def test_committed_reads_over_a_kill_see_each_record_once(any_broker: BrokerProcess) -> None:
    broker = any_broker

    async def run() -> list[bytes | None]:
        async with Producer(broker.bootstrap, transactional_id="mine", **QUICK) as producer:
            async with producer.transaction():
                for number in range(100):
                    producer.send("t", b"%d" % number)
            await producer.begin_transaction()
            await producer.send_and_wait("t", b"dropped")
            await producer.abort_transaction()
            settings = {"isolation_level": "read_committed", "auto_offset_reset": "earliest"}
            async with Consumer(broker.bootstrap, **settings, **QUICK) as consumer:
                consumer.assign([TopicPartition("t", 0)])
                values = [record.value for record in await consumer.poll(50)]
                await asyncio.to_thread(broker.kill)
                await asyncio.to_thread(broker.start)
                async with producer.transaction():
                    producer.send("t", b"100")
                while len(values) < 101:
                    values += [record.value for record in await consumer.poll(50)]
                assert await consumer.poll(timeout_s=1) == []
                return values

    assert asyncio.run(asyncio.wait_for(run(), 90)) == [b"%d" % number for number in range(101)]


def test_the_program_of_the_guide_runs(broker: BrokerProcess, tmp_path: Path) -> None:
    found = next(PROGRAM.finditer(GUIDE.read_text()))
    program = tmp_path / found["name"]
    program.write_text(found["text"])
    done = subprocess.run(
        [sys.executable, str(program), broker.bootstrap],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the rest: 499 up to 1000" in done.stdout
    assert "again: b'500' 501" in done.stdout
