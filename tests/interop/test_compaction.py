"""Compacted topics with real clients, Kafka's own tools, and kills at the wrong moment."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from ottla.log.checkpoints import CLEANER_OFFSETS, decode_offsets
from tests.clients.admin import Admin
from tests.clients.catalogue import NAMES
from tests.clients.confluent import ConfluentClient
from tests.conftest import BrokerFactory
from tests.interop.conftest import ClientFinder
from tests.interop.kafka_tools.test_log_files import dump
from tests.support.broker_process import BrokerProcess
from tests.support.java import needs_java
from tests.support.processes import children_of, is_running
from tests.support.waiting import wait_until

pytestmark = pytest.mark.interop

SOON = ("--set", "log.cleaner.backoff.ms=100")
SLOW = (*SOON, "--set", "log.cleaner.io.max.bytes.per.second=1000000")
SLOWER = (*SOON, "--set", "log.cleaner.io.max.bytes.per.second=400000")
IDEMPOTENT: dict[str, object] = {"enable.idempotence": True}
RECORDS = 30_000
KEYS = 1000
MIB = 1 << 20

Latest = dict[bytes, tuple[int, bytes | None]]


def create(broker: BrokerProcess, topic: str, **configs: str | int) -> None:
    settings: dict[str, str | int] = {
        "cleanup_policy": "compact",
        "segment_bytes": MIB,
        "segment_ms": 1000,
        "min_cleanable_dirty_ratio": "0.01",
        "file_delete_delay_ms": 1000,
        **configs,
    }
    Admin(broker.bootstrap).create(topic, 1, **settings)


def produce(
    broker: BrokerProcess,
    topic: str,
    count: int = RECORDS,
    *,
    first_offset: int = 0,
    settings: Mapping[str, object] | None = None,
) -> Latest:
    """Records of random keys, one in ten a tombstone; the last of each key with its offset."""
    client = ConfluentClient()
    producer = client.producer(
        broker.bootstrap, {"linger.ms": 5, "acks": "all", **(settings or {})}
    )
    rng = random.Random(count)
    latest: Latest = {}
    for number in range(count):
        key = b"key-%d" % rng.randrange(KEYS)
        value = None if rng.random() < 0.1 else b"%d " % number + bytes(rng.randrange(150))
        latest[key] = first_offset + number, value
        while True:
            try:
                producer.produce(topic, value, key, partition=0)
                break
            except BufferError:
                producer.poll(0.01)
    assert producer.flush(60) == 0
    return latest


def compacted_to(broker: BrokerProcess, topic: str) -> int:
    """Below which offset the topic is compacted, by the checkpoint."""
    path = broker.data / CLEANER_OFFSETS
    if not path.exists():
        return 0
    offsets = decode_offsets(path.read_bytes())
    return next((offset for key, offset in offsets.items() if key.topic == topic), 0)


def wait_until_compacted(broker: BrokerProcess, topic: str, offset: int = RECORDS) -> None:
    wait_until(lambda: compacted_to(broker, topic) >= offset, f"compacted to {offset}", seconds=60)


def rows(latest: Latest) -> list[tuple[int, bytes | None, bytes | None]]:
    return sorted((offset, key, value) for key, (offset, value) in latest.items())


def read(
    client: ClientFinder | None, broker: BrokerProcess, topic: str, count: int, name: str = ""
) -> list[tuple[int, bytes | None, bytes | None]]:
    reader = ConfluentClient() if client is None else client(name)
    found = reader.consume(broker.bootstrap, topic, count)
    return [(record.offset, record.key, record.value) for record in found]


def files(broker: BrokerProcess, topic: str, pattern: str) -> list[Path]:
    return sorted((broker.data / f"{topic}-0").glob(pattern))


def wait_for_run(broker: BrokerProcess, topic: str) -> int:
    """Until compaction is writing; the id of its process."""
    wait_until(lambda: bool(files(broker, topic, "*.cleaned")), "a run is under way", seconds=60)
    (pid,) = children_of(broker.pid)
    return pid


@pytest.mark.parametrize("name", NAMES)
def test_every_client_reads_the_latest_of_each_key_at_its_own_offset(
    name: str, start_broker: BrokerFactory, client_named: ClientFinder
) -> None:
    client_named(name)
    broker = start_broker(*SOON)
    create(broker, "t")
    latest = produce(broker, "t", settings=IDEMPOTENT | {"compression.type": "lz4"})
    wait_until_compacted(broker, "t")
    assert read(client_named, broker, "t", len(latest), name) == rows(latest)


@needs_java
def test_kafkas_own_tool_finds_nothing_wrong_with_compacted_files(
    start_broker: BrokerFactory,
) -> None:
    broker = start_broker(*SOON)
    create(broker, "t")
    latest = produce(broker, "t", settings=IDEMPOTENT | {"compression.type": "zstd"})
    wait_until_compacted(broker, "t")
    broker.stop()
    logs = ",".join(map(str, files(broker, "t", "*.log")))
    said = dump("--files", logs, "--print-data-log")
    assert "isvalid: false" not in said
    assert said.count("| offset: ") == len(latest)
    assert "deleteHorizonMs: OptionalLong[" in said
    indexes = ",".join(map(str, files(broker, "t", "*index")))
    said = dump("--files", indexes)
    assert "Mismatches" not in said
    assert "Found" not in said


def test_tombstones_go_after_their_time(start_broker: BrokerFactory) -> None:
    broker = start_broker(*SOON)
    create(broker, "t", delete_retention_ms=100)
    latest = produce(broker, "t")
    wait_until_compacted(broker, "t")
    time.sleep(0.1)
    more = produce(broker, "t", 2000, first_offset=RECORDS)
    wait_until_compacted(broker, "t", RECORDS + 2000)
    expected = {**latest, **more}
    kept = {
        key: found for key, found in expected.items() if found[1] is not None or found[0] >= RECORDS
    }
    found = read(None, broker, "t", len(kept))
    assert [row for row in found if row[0] < RECORDS] == [
        row for row in rows(kept) if row[0] < RECORDS
    ]


def test_a_broker_that_is_killed_in_the_midst_loses_nothing_and_begins_again(
    start_broker: BrokerFactory,
) -> None:
    broker = start_broker(*SLOW)
    create(broker, "t")
    latest = produce(broker, "t")
    for _ in range(3):
        pid = wait_for_run(broker, "t")
        broker.kill()
        wait_until(lambda pid=pid: not is_running(pid), "the process that compacts ends, too")  # type: ignore[misc]  # bound at once
        broker.start()
    fast = start_broker_again(broker)
    wait_until_compacted(fast, "t")
    assert read(None, fast, "t", len(latest)) == rows(latest)


def test_a_process_that_is_killed_is_replaced(start_broker: BrokerFactory) -> None:
    broker = start_broker(*SLOW)
    create(broker, "t")
    latest = produce(broker, "t")
    os.kill(wait_for_run(broker, "t"), signal.SIGKILL)
    wait_until(lambda: "a compaction failed" in broker.log(), "it is told")
    wait_until_compacted(broker, "t")
    assert read(None, broker, "t", len(latest)) == rows(latest)


def test_a_stop_does_not_wait_for_compaction(start_broker: BrokerFactory) -> None:
    broker = start_broker(*SLOWER)
    create(broker, "t")
    produce(broker, "t")
    pid = wait_for_run(broker, "t")
    before = compacted_to(broker, "t")
    assert broker.stop() == 0
    assert compacted_to(broker, "t") == before, "the run was left where it was"
    assert not is_running(pid)
    assert not files(broker, "t", "*.cleaned")
    assert (broker.data / ".kafka_cleanshutdown").exists()


def test_nothing_is_compacted_where_that_is_turned_off(start_broker: BrokerFactory) -> None:
    broker = start_broker(*SOON, "--set", "log.cleaner.enable=false")
    create(broker, "t")
    produce(broker, "t", 5000)
    time.sleep(1)
    assert children_of(broker.pid) == []
    assert compacted_to(broker, "t") == 0


def start_broker_again(broker: BrokerProcess) -> BrokerProcess:
    """The same broker without a bound on its compaction."""
    broker.stop()
    broker._options = SOON
    broker.start()
    return broker
