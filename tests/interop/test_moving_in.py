"""Directories of Apache Kafka, opened in place: read, written on, and given back.

What Kafka wrote is read by real clients as its own dump tool tells it; what is written behind it
is read by the tool, and by Kafka when it starts on the directory again.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner
from confluent_kafka import ConsumerGroupTopicPartitions
from confluent_kafka.admin import AdminClient

from ottla.base.errors import ErrorCode, UserError
from ottla.base.ids import TopicPartition
from ottla.cli import commands
from ottla.cli.tree import PathGroup
from ottla.log import checkpoints, names
from ottla.testing.direct_call import ask
from ottla.wire.messages.describe_quorum import (
    DescribeQuorumRequest,
    DescribeQuorumResponse,
    PartitionData,
    TopicData,
)
from ottla.wire.messages.update_features import (
    FeatureUpdateKey,
    UpdateFeaturesRequest,
    UpdateFeaturesResponse,
)
from tests.clients.admin import kafka_python_admin
from tests.clients.contract import Record
from tests.golden.dump import DUMP, GOLDEN, read_dump
from tests.interop.conftest import ClientFinder
from tests.support.broker_process import BrokerProcess
from tests.support.java import CLASS_PATH, needs_java
from tests.support.kafka_process import KafkaProcess

pytestmark = pytest.mark.interop

CLIENTS = ("confluent-kafka", "kafka-python")
ABORTED = {*range(6, 11), *range(18, 23), *range(30, 35)}
"""Offsets of `transactions-0` that no reader of committed records may see."""
NODE_ID = ("--set", "node.id=1")


class Said(NamedTuple):
    offset: int
    timestamp_ms: int
    text: str


def dumped(topic: str, partition: int) -> list[Said]:
    """The clients' records of a partition, by Kafka's dump tool."""
    starts = checkpoints.decode_offsets((GOLDEN / checkpoints.LOG_START_OFFSETS).read_bytes())
    start = starts.get(TopicPartition(topic, partition), 0)
    found = []
    for name, file in read_dump(DUMP.read_text()).items():
        if name.startswith(f"{topic}-{partition}/") and name.endswith(".log"):
            found += [
                Said(record.offset, record.timestamp, record.text)
                for batch in file.batches
                if not batch.flag("isControl")
                for record in batch.records
                if record.offset >= start
            ]
    return found


TOPICS = {
    key.topic: key
    for key in (names.folder_partition(path.name) for path in sorted(GOLDEN.iterdir()))
    if key is not None and not key.topic.startswith("__")
}
"""By topic, its last partition."""


@pytest.fixture
def moved(tmp_path: Path) -> Iterator[BrokerProcess]:
    """Ottla on a copy of the golden directory."""
    shutil.copytree(GOLDEN, tmp_path / "data")
    with BrokerProcess(*NODE_ID, folder=tmp_path) as broker:
        yield broker


def dump_complaints(data: Path) -> list[str]:
    """Run Kafka's dump tool over every file; the lines that complain."""
    files = sorted(
        path
        for suffix in ("log", "index", "timeindex", "txnindex", "snapshot", "checkpoint")
        for path in data.glob(f"*-[0-9]*/*.{suffix}")
    )
    complaints = []
    for metadata in (False, True):
        chosen = [str(path) for path in files if ("__cluster_metadata" in str(path)) is metadata]
        options = ["--cluster-metadata-decoder"] if metadata else ["--deep-iteration"]
        tool = ["java", "-cp", CLASS_PATH, "org.apache.kafka.tools.DumpLogSegments"]
        done = subprocess.run(
            [*tool, *options, "--files", ",".join(chosen)],
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        told = done.stdout + done.stderr
        pattern = r"^.*(?:isvalid: false|Exception|Mismatches|Found|Could not).*$"
        complaints += re.findall(pattern, told, re.MULTILINE)
    return complaints


def is_whole(data: Path) -> bool:
    root = PathGroup(commands, "ottla")
    result = CliRunner().invoke(root, ["log", "verify", str(data)])
    return result.output == "nothing is wrong\n"


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize("topic", sorted(set(TOPICS) - {"idempotent", "transactions"}))
def test_clients_read_what_kafka_wrote(
    moved: BrokerProcess, client_named: ClientFinder, topic: str, name: str
) -> None:
    said = dumped(topic, 0)
    read = client_named(name).consume(moved.bootstrap, topic, len(said))
    assert [(record.offset, record.timestamp_ms) for record in read] == [
        (record.offset, record.timestamp_ms) for record in said
    ]
    for record, told in zip(read, said, strict=True):
        key = "" if record.key is None else f" key: {record.key.decode()}"
        value = "" if record.value is None else f" payload: {record.value.decode()}"
        assert key + value == told.text


def test_readers_of_committed_records_see_no_aborted_one(
    moved: BrokerProcess, client_named: ClientFinder
) -> None:
    """librdkafka reads committed records unless it is told otherwise; kafka-python reads all."""
    every = [record.offset for record in dumped("transactions", 0)]
    committed = [offset for offset in every if offset not in ABORTED]
    assert len(every) == 2 * len(committed)
    for name, expected in (("confluent-kafka", committed), ("kafka-python", every)):
        read = client_named(name).consume(moved.bootstrap, "transactions", len(expected))
        assert [record.offset for record in read] == expected


def dumped_commits() -> dict[str, dict[TopicPartition, int]]:
    """By group, the offsets that were committed last, by Kafka's dump tool."""
    found: dict[str, dict[TopicPartition, int]] = defaultdict(dict)
    for record in dumped("__consumer_offsets", 0):
        key, _, payload = record.text.partition(" payload: ")
        if '{"type":"1"' in key:
            said = json.loads(key.partition("key: ")[2])["data"]
            place = TopicPartition(said["topic"], said["partition"])
            found[said["group"]][place] = json.loads(payload)["data"]["offset"]
    return found


def committed_by_confluent(bootstrap: str, group: str) -> dict[TopicPartition, int]:
    request = ConsumerGroupTopicPartitions(group)
    admin = AdminClient({"bootstrap.servers": bootstrap})
    answer = admin.list_consumer_group_offsets([request])[group].result()
    return {
        TopicPartition(each.topic, each.partition): each.offset for each in answer.topic_partitions
    }


def committed_by_kafka_python(bootstrap: str, group: str) -> dict[TopicPartition, int]:
    admin = kafka_python_admin(bootstrap)
    try:
        answer = admin.list_group_offsets(group)[group]
    finally:
        admin.close()
    return {TopicPartition(*place[:2]): kept.offset for place, kept in answer.items()}


@pytest.mark.parametrize("ask", [committed_by_confluent, committed_by_kafka_python])
def test_committed_offsets_are_those_that_kafka_kept(
    moved: BrokerProcess, ask: Callable[[str, str], dict[TopicPartition, int]]
) -> None:
    commits = dumped_commits()
    assert set(commits) == {"golden-group", "group-classic", "group-consumer"}
    for group, offsets in commits.items():
        assert ask(moved.bootstrap, group) == offsets


def test_ids_topics_and_settings_are_kafkas(moved: BrokerProcess) -> None:
    from confluent_kafka.admin import AdminClient, ConfigResource  # type: ignore[attr-defined] # its list of exports lacks it

    assert moved.ready["cluster_id"] == "GoldenClusterIdAAAAAAAA"
    admin = AdminClient({"bootstrap.servers": moved.bootstrap})
    topics = admin.list_topics(timeout=10).topics
    assert set(TOPICS) | {"__consumer_offsets", "__transaction_state"} <= set(topics)
    assert len(topics["idempotent"].partitions) == 3
    resource = ConfigResource(ConfigResource.Type.TOPIC, "compacted")
    (asked,) = admin.describe_configs([resource]).values()
    assert asked.result(10)["cleanup.policy"].value == "compact"


def test_a_directory_that_was_not_closed_is_recovered_as_kafka_would(
    tmp_path: Path, client_named: ClientFinder
) -> None:
    data = Path(shutil.copytree(GOLDEN, tmp_path / "data"))
    (data / checkpoints.CLEAN_SHUTDOWN).unlink()
    (data / checkpoints.RECOVERY_POINTS).write_bytes(checkpoints.encode_offsets({}))
    log = data / "codec-zstd-0" / f"{0:020d}.log"
    whole = log.read_bytes()
    log.write_bytes(whole + whole[:100])
    with BrokerProcess(*NODE_ID, folder=tmp_path) as broker:
        for topic in ("codec-zstd", "rolled"):
            said = dumped(topic, 0)
            read = client_named("confluent-kafka").consume(broker.bootstrap, topic, len(said))
            assert [record.offset for record in read] == [record.offset for record in said]
    assert log.read_bytes() == whole
    assert is_whole(data)


@needs_java
def test_what_is_written_behind_it_is_read_by_kafkas_tools(
    moved: BrokerProcess, client_named: ClientFinder
) -> None:
    client = client_named("confluent-kafka")
    for topic in sorted(TOPICS):
        client.produce(moved.bootstrap, topic, [Record(b"new", key=b"k", partition=0)])
    assert moved.stop() == 0
    assert is_whole(moved.data)
    assert dump_complaints(moved.data) == []


@needs_java
@pytest.mark.parametrize("voters_in_log", [False, True], ids=["fixed voters", "voters in the log"])
def test_a_directory_goes_from_kafka_to_us_and_back(
    tmp_path: Path, client_named: ClientFinder, voters_in_log: bool
) -> None:
    client = client_named("confluent-kafka")
    data = tmp_path / "data"
    kafka_folder = tmp_path / "kafka"
    kafka_folder.mkdir()

    def records(who: bytes) -> list[Record]:
        return [Record(b"%s %d" % (who, number), key=b"k", partition=0) for number in range(50)]

    with KafkaProcess(kafka_folder, data, voters_in_log=voters_in_log) as kafka:
        client.produce(kafka.bootstrap, "orders", records(b"kafka"))
    with BrokerProcess(*NODE_ID, folder=tmp_path) as ours:
        read = client.consume(ours.bootstrap, "orders", 50)
        assert [record.value for record in read] == [made.value for made in records(b"kafka")]
        client.produce(ours.bootstrap, "orders", records(b"ottla"))
        client.produce(ours.bootstrap, "made-here", records(b"ottla"))
    assert is_whole(data)
    assert dump_complaints(data) == []
    with KafkaProcess(kafka_folder, data, voters_in_log=voters_in_log) as kafka:
        expected = [*records(b"kafka"), *records(b"ottla")]
        read = client.consume(kafka.bootstrap, "orders", 100)
        assert [record.value for record in read] == [made.value for made in expected]
        assert len(client.consume(kafka.bootstrap, "made-here", 50)) == 50
        client.produce(kafka.bootstrap, "orders", records(b"again"))


@needs_java
def test_voters_that_we_moved_into_the_log_are_found_there_by_kafka(
    tmp_path: Path, client_named: ClientFinder
) -> None:
    client = client_named("confluent-kafka")
    data = tmp_path / "data"
    kafka_folder = tmp_path / "kafka"
    kafka_folder.mkdir()
    made = [Record(b"%d" % number, key=b"k", partition=0) for number in range(50)]
    with KafkaProcess(kafka_folder, data):
        pass
    kraft = FeatureUpdateKey(feature="kraft.version", max_version_level=1)
    with BrokerProcess(*NODE_ID, folder=tmp_path) as ours:
        request = UpdateFeaturesRequest(feature_updates=[kraft])
        moved = ask((ours.host, ours.port), request, UpdateFeaturesResponse)
        assert moved.error_code == ErrorCode.NONE
        client.produce(ours.bootstrap, "orders", made)
    assert dump_complaints(data) == []
    # As it was started before, and without naming the voters, as it may be from that level on.
    for finds_voters in (False, True):
        with KafkaProcess(kafka_folder, data, voters_in_log=finds_voters) as kafka:
            read = client.consume(kafka.bootstrap, "orders", 50)
            assert [record.value for record in read] == [record.value for record in made]
            assert voter_directories(kafka) == {1: directory_id(data)}


def voter_directories(kafka: KafkaProcess) -> dict[int, bytes]:
    log = TopicData(topic_name="__cluster_metadata", partitions=[PartitionData(partition_index=0)])
    request = DescribeQuorumRequest(topics=[log])
    told = ask(("127.0.0.1", kafka.port), request, DescribeQuorumResponse)
    voters = told.topics[0].partitions[0].current_voters
    return {voter.replica_id: voter.replica_directory_id for voter in voters}


def directory_id(data: Path) -> bytes:
    meta = (data / checkpoints.META_PROPERTIES).read_bytes()
    return checkpoints.decode_meta_properties(meta).directory_id


@needs_java
def test_neither_starts_on_a_directory_that_the_other_has(tmp_path: Path) -> None:
    data = tmp_path / "data"
    kafka_folder = tmp_path / "kafka"
    kafka_folder.mkdir()
    refused = BrokerProcess(*NODE_ID, folder=tmp_path)
    with KafkaProcess(kafka_folder, data), pytest.raises(UserError, match="in use"):
        refused.start()
    refused.end()
    with BrokerProcess(*NODE_ID, folder=tmp_path):
        kafka = KafkaProcess(kafka_folder, data)
        with pytest.raises(RuntimeError, match="Failed to acquire lock"), kafka:
            pass
