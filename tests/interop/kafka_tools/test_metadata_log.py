"""Apache Kafka's own dump tool reads the metadata log and the snapshots that Ottla writes.

Wants a JVM and Kafka's jars (`make java`); skipped without them.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from ottla.metadata.brokers import decide_controlled_shutdown, decide_fence_broker
from ottla.metadata.configs import (
    ConfigChange,
    ConfigOperation,
    ResourceChange,
    decide_alter_configs,
)
from ottla.metadata.decision import Decision
from ottla.metadata.image import ConfigResource, ResourceType
from ottla.metadata.partitions import decide_create_partitions
from ottla.metadata.producer_ids import decide_allocate_producer_ids
from ottla.metadata.snapshot import snapshot_records
from ottla.metadata.topics import decide_delete_topics
from ottla.quorum.contract import Snapshot
from ottla.quorum.embedded import EmbeddedQuorum
from ottla.transport.clock import SystemClock
from ottla.transport.disk import LocalDisk
from ottla.wire.messages.create_partitions import CreatePartitionsRequest, CreatePartitionsTopic
from ottla.wire.messages.delete_topics import DeleteTopicsRequest
from ottla.wire.schema import Payload
from tests.support.cluster import Cluster, wanted
from tests.support.java import CLASS_PATH, needs_java

pytestmark = needs_java


class RecordingCluster(Cluster):
    """Also remembers each decision's records."""

    def __init__(self) -> None:
        self.steps: list[tuple[Payload, ...]] = []
        super().__init__(0)

    def do(self, decision: Decision[Any]) -> Any:
        if decision.records:
            self.steps.append(decision.records)
        return super().do(decision)


def busy_life() -> RecordingCluster:
    """Every kind of decision, one after the other."""
    cluster = RecordingCluster()
    first, _ = cluster.join(1, rack="a"), cluster.join(2, rack="b")
    cluster.create(
        wanted("orders", 2, 2, configs=[("cleanup.policy", "compact"), ("retention.ms", "5")]),
        wanted("deleted", 1, 1),
    )
    grown = CreatePartitionsRequest(
        topics=[CreatePartitionsTopic(name="orders", count=3, assignments=None)],
        timeout_ms=1,
        validate_only=False,
    )
    cluster.do(decide_create_partitions(cluster.image, grown, rng=cluster.rng))
    deleted = DeleteTopicsRequest(topic_names=["deleted"], timeout_ms=1)
    cluster.do(decide_delete_topics(cluster.image, deleted, settings=cluster.settings, version=5))
    changed = ResourceChange(
        ConfigResource(ResourceType.TOPIC, "orders"),
        [
            ConfigChange("min.insync.replicas", ConfigOperation.SET, "2"),
            ConfigChange("retention.ms", ConfigOperation.DELETE, None),
        ],
    )
    cluster.do(decide_alter_configs(cluster.image, [changed], settings=cluster.settings))
    cluster.do(decide_allocate_producer_ids(cluster.image, 1, first))
    stopped = decide_controlled_shutdown(cluster.image, 1, first, settings=cluster.settings)
    cluster.do(stopped)
    cluster.do(decide_fence_broker(cluster.image, 1, settings=cluster.settings))
    cluster.do(decide_fence_broker(cluster.image, 2, settings=cluster.settings))
    cluster.join(2)
    return cluster


async def write(place: Path, cluster: RecordingCluster) -> int:
    """The cluster's life as a metadata log, with a snapshot of its end; the epoch."""
    quorum = EmbeddedQuorum(str(place), disk=LocalDisk(), clock=SystemClock())
    epoch = (await quorum.elect(1)).epoch
    end = 1
    for records in cluster.steps:
        end = await quorum.append(records, epoch=epoch, expected_end=end)
    log = place / "__cluster_metadata-0" / f"{0:020d}.log"
    shutil.copy(log, place / log.name)
    records = tuple(snapshot_records(cluster.image))
    await quorum.save_snapshot(
        Snapshot(next_offset=end, epoch=epoch, timestamp_ms=1, records=records)
    )
    await quorum.close()
    return epoch


def dump(file: Path) -> str:
    """What Kafka's tool says of a file."""
    tool = "org.apache.kafka.tools.DumpLogSegments"
    command = ["java", "-cp", CLASS_PATH, tool, "--cluster-metadata-decoder", "--files", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=100)
    return done.stdout


def dumped_records(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in re.findall(r"payload: (\{.*)", text)]


def type_name(record: Payload) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", type(record).__name__).upper()


def test_kafka_reads_every_record_that_we_write(tmp_path: Path) -> None:
    cluster = busy_life()
    asyncio.run(write(tmp_path, cluster))
    text = dump(tmp_path / f"{0:020d}.log")
    assert "LeaderChange: " in text
    assert "isvalid: false" not in text
    assert text.count("isvalid: true") == len(cluster.steps) + 1
    dumped = dumped_records(text)
    written = [record for step in cluster.steps for record in step]
    assert [record["type"] for record in dumped] == [type_name(record) for record in written]
    assert len({record["type"] for record in dumped}) == 12
    assert dumped[1]["data"] == {"name": "metadata.version", "featureLevel": 30}


def test_kafka_reads_our_snapshots(tmp_path: Path) -> None:
    cluster = busy_life()
    asyncio.run(write(tmp_path, cluster))
    (file,) = (tmp_path / "__cluster_metadata-0").glob("*.checkpoint")
    text = dump(file)
    assert "SnapshotHeader" in text
    assert "SnapshotFooter" in text
    assert "isvalid: false" not in text
    expected = [type_name(record) for record in snapshot_records(cluster.image)]
    assert [record["type"] for record in dumped_records(text)] == expected
