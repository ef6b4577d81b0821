"""Records that go: by DeleteRecords from real admin clients, by age and by size."""

from __future__ import annotations

import json
import os
import subprocess
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.clients.admin import Admin
from tests.clients.contract import BEGINNING, Record
from tests.conftest import BrokerFactory
from tests.interop.conftest import ClientFinder, TopicMaker
from tests.support.broker_process import BrokerProcess
from tests.support.java import CLASS_PATH, needs_java
from tests.support.waiting import wait_until

pytestmark = pytest.mark.interop

PATIENCE_SECONDS = 20.0
MIB = 1 << 20
HOUR_MS = 3_600_000
TO_THE_END = -1

Delete = Callable[[str, str, int], int]


def by_librdkafka(bootstrap: str, topic: str, offset: int) -> int:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    partition = TopicPartition(topic, 0, offset)
    (future,) = admin.delete_records([partition]).values()
    low_watermark = future.result(PATIENCE_SECONDS).low_watermark
    assert isinstance(low_watermark, int)
    return low_watermark


def by_kafka_python(bootstrap: str, topic: str, offset: int) -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it reads its files in an old way
        import kafka  # type: ignore[import-untyped]  # has no types

    admin = kafka.KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        partition = kafka.TopicPartition(topic, 0)
        result = admin.delete_records({partition: offset})[partition]
    finally:
        admin.close()
    assert result["error_code"] == 0
    low_watermark = result["low_watermark"]
    assert isinstance(low_watermark, int)
    return low_watermark


each_admin = pytest.mark.parametrize("delete", [by_librdkafka, by_kafka_python])


def numbered(count: int) -> list[Record]:
    return [Record(b"%d" % number) for number in range(count)]


@each_admin
def test_deleted_records_are_gone_for_readers_from_the_beginning(
    shared_broker: BrokerProcess,
    client_named: ClientFinder,
    new_topic: TopicMaker,
    delete: Delete,
) -> None:
    topic, client = new_topic(), client_named("confluent-kafka")
    client.produce(shared_broker.bootstrap, topic, numbered(30))
    assert delete(shared_broker.bootstrap, topic, 12) == 12
    found = client.consume(shared_broker.bootstrap, topic, 18, start=BEGINNING)
    assert [record.offset for record in found] == list(range(12, 30))
    assert delete(shared_broker.bootstrap, topic, TO_THE_END) == 30


def test_an_offset_beyond_the_end_is_refused(
    shared_broker: BrokerProcess, client_named: ClientFinder, new_topic: TopicMaker
) -> None:
    topic = new_topic()
    client_named("confluent-kafka").produce(shared_broker.bootstrap, topic, numbered(3))
    with pytest.raises(KafkaException, match="OFFSET_OUT_OF_RANGE"):
        by_librdkafka(shared_broker.bootstrap, topic, 4)


def test_a_compacted_topic_refuses(
    shared_broker: BrokerProcess, client_named: ClientFinder, new_topic: TopicMaker
) -> None:
    topic = new_topic(cleanup_policy="compact")
    client_named("confluent-kafka").produce(
        shared_broker.bootstrap, topic, [Record(b"value", key=b"key")]
    )
    with pytest.raises(KafkaException, match="POLICY_VIOLATION"):
        by_librdkafka(shared_broker.bootstrap, topic, 1)


@needs_java
def test_kafkas_own_tool_deletes_records(
    shared_broker: BrokerProcess,
    client_named: ClientFinder,
    new_topic: TopicMaker,
    tmp_path: Path,
) -> None:
    topic = new_topic()
    client_named("confluent-kafka").produce(shared_broker.bootstrap, topic, numbered(10))
    wanted = {"partitions": [{"topic": topic, "partition": 0, "offset": 4}], "version": 1}
    offsets = tmp_path / "offsets.json"
    offsets.write_text(json.dumps(wanted))
    printed = subprocess.run(
        [
            *("java", "-cp", CLASS_PATH, "org.apache.kafka.tools.DeleteRecordsCommand"),
            *("--bootstrap-server", shared_broker.bootstrap),
            *("--offset-json-file", str(offsets)),
        ],
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    ).stdout
    assert f"partition: {topic}-0\tlow_watermark: 4" in printed


def test_a_deletion_survives_a_kill(broker: BrokerProcess, client_named: ClientFinder) -> None:
    client, admin = client_named("confluent-kafka"), Admin(broker.bootstrap)
    admin.create("kept")
    client.produce(broker.bootstrap, "kept", numbered(20))
    assert by_librdkafka(broker.bootstrap, "kept", 15) == 15
    checkpoint = broker.data / "log-start-offset-checkpoint"
    wait_until(
        lambda: checkpoint.exists() and "kept 0 15" in checkpoint.read_text(),
        "the log start is written down",
    )
    broker.kill()
    broker.start()
    found = client.consume(broker.bootstrap, "kept", 5, start=BEGINNING)
    assert [record.offset for record in found] == [15, 16, 17, 18, 19]


def log_files(broker: BrokerProcess, topic: str) -> list[str]:
    return sorted(os.path.basename(path) for path in (broker.data / f"{topic}-0").glob("*.log"))


def test_old_records_go_while_clients_write(
    start_broker: BrokerFactory, client_named: ClientFinder
) -> None:
    broker = start_broker("--set", "log.retention.check.interval.ms=200")
    client, admin = client_named("confluent-kafka"), Admin(broker.bootstrap)
    admin.create("timed", retention_ms=HOUR_MS, segment_bytes=MIB, file_delete_delay_ms=100)
    now_ms = int(time.time() * 1000)
    old = [Record(os.urandom(100_000), timestamp_ms=now_ms - 2 * HOUR_MS) for _ in range(25)]
    client.produce(broker.bootstrap, "timed", old)
    client.produce(broker.bootstrap, "timed", [Record(b"young", timestamp_ms=now_ms)])
    wait_until(lambda: len(log_files(broker, "timed")) == 1, "the old segments are gone")
    wait_until(
        lambda: not list((broker.data / "timed-0").glob("*.deleted")), "and so are their files"
    )
    found = client.consume(broker.bootstrap, "timed", 1, start=BEGINNING)
    assert found[-1].offset <= 25
    admin.create("sized", retention_bytes=2 * MIB, segment_bytes=MIB, file_delete_delay_ms=100)
    client.produce(broker.bootstrap, "sized", [Record(os.urandom(100_000)) for _ in range(60)])
    wait_until(lambda: len(log_files(broker, "sized")) <= 3, "the log is small again")


def test_what_was_acknowledged_with_flush_messages_1_is_read_back_after_a_kill(
    broker: BrokerProcess, client_named: ClientFinder
) -> None:
    client, admin = client_named("confluent-kafka"), Admin(broker.bootstrap)
    admin.create("safe", partitions=2, flush_messages=1)
    records = [Record(b"%d" % number, partition=number % 2) for number in range(200)]
    client.produce(broker.bootstrap, "safe", records)
    broker.kill()
    broker.start()
    found = client.consume(broker.bootstrap, "safe", 200, partitions=2, start=BEGINNING)
    assert sorted(int(record.value or b"-1") for record in found) == list(range(200))
