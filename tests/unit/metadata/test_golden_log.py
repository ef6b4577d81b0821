"""The metadata log that Apache Kafka wrote, replayed into an image."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ottla.base.ids import format_uuid, parse_uuid
from ottla.metadata.image import (
    EndpointImage,
    FeatureRange,
    LeaderRecovery,
    MetadataDelta,
    MetadataImage,
    ResourceType,
)
from ottla.metadata.replay import replayed
from ottla.metadata.snapshot import snapshot_records
from ottla.wire.payloads.metadata import NoOpRecord, decode_metadata_record, encode_metadata_record
from ottla.wire.records.header import iter_batches
from ottla.wire.records.record import iter_records
from ottla.wire.schema import Payload

GOLDEN = Path(__file__).parents[2] / "golden" / "metadata"
LOG = (GOLDEN / f"{0:020d}.log").read_bytes()
DUMP = dict(line.split(" ", 1) for line in (GOLDEN / "dump.txt").read_text().splitlines())
DIRECTORY = parse_uuid("PSRvHo3ma2jRI3gCjII4kg")


def data_records() -> Iterator[tuple[int, bytes, int]]:
    """Offset, value and the offset after its batch, of every record that is no control record."""
    for header, batch in iter_batches(LOG):
        if not header.is_control:
            for record in iter_records(batch):
                assert record.value is not None
                yield record.offset, record.value, header.next_offset


RECORDS = list(data_records())


def golden(until: int = 2**63) -> tuple[MetadataImage, list[MetadataDelta]]:
    """Batch by batch, those that end at or before an offset."""
    image = MetadataImage(cluster_id="GoldenClusterIdAAAAAAAA")
    deltas = []
    for header, batch in iter_batches(LOG):
        if not header.is_control and header.next_offset <= until:
            records = [
                decode_metadata_record(memoryview(record.value or b""))
                for record in iter_records(batch)
            ]
            image, delta = replayed(
                image, records, next_offset=header.next_offset, epoch=header.partition_leader_epoch
            )
            deltas.append(delta)
    return image, deltas


def snake(name: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()


def as_dumped(value: Any, example: Any) -> Any:
    """Our value in the form that the dump has it."""
    if isinstance(value, bytes) and isinstance(example, str):
        is_id = len(value) == 16 and not example.endswith("=")
        return format_uuid(value) if is_id else base64.b64encode(value).decode()
    if isinstance(example, list):
        return [as_dumped(*pair) for pair in zip(value, example, strict=True)]
    if isinstance(example, dict):
        return {key: as_dumped(getattr(value, snake(key)), part) for key, part in example.items()}
    return value


def test_every_record_is_what_kafkas_own_tool_says() -> None:
    assert len(RECORDS) == len(DUMP) - 1  # the first is a control record
    for offset, value, _ in RECORDS:
        dumped = json.loads(DUMP[str(offset)])
        record = decode_metadata_record(memoryview(value))
        assert snake(type(record).__name__).upper() == dumped["type"]
        assert as_dumped(record, dumped["data"]) == dumped["data"], offset


def test_every_record_is_written_back_byte_for_byte() -> None:
    for offset, value, _ in RECORDS:
        version = json.loads(DUMP[str(offset)])["version"]
        record = decode_metadata_record(memoryview(value))
        assert encode_metadata_record(record, version) == value


def test_topics_have_the_ids_and_partitions_of_the_dump() -> None:
    image, _ = golden()
    assert {
        name: (format_uuid(topic.topic_id), len(topic.partitions))
        for name, topic in image.topics_by_name.items()
    } == {
        "rolled": ("FnXABl8dS-urv7biU-Xx6w", 1),
        "codec-none": ("0Toa0JX5RVCmVf1tTgT5dA", 1),
        "codec-gzip": ("HmSXF-r4R0a9xpIbso_gRw", 1),
        "codec-snappy": ("1vCMjSKxQriumk7dYYB6Hw", 1),
        "codec-lz4": ("jgfufqLLSk-3JVqkK28M9g", 1),
        "codec-zstd": ("rUA7jXD5St2-3MTL4BGMMw", 1),
        "idempotent": ("JV6P2zqzQ_uTxx2FlkYHlA", 3),
        "transactions": ("TnDWp79aR5a5lQp2f67kQg", 1),
        "__transaction_state": ("P4NvTNE2SVCvhfIc0CAeXQ", 1),
        "__consumer_offsets": ("g4ZSvRBQR321aa_ctfiVdQ", 1),
        "compacted": ("CNJUVkgSSo64Uj7jdcYB1A", 1),
        "log-append-time": ("eikwBxAPSP2elx89xXQHog", 1),
    }
    assert {topic.topic_id: topic for topic in image.topics_by_name.values()} == (
        image.topics_by_id
    )


def test_configs_are_those_of_the_dump() -> None:
    image, _ = golden()
    assert image.topic_configs("compacted") == {
        "cleanup.policy": "compact",
        "max.compaction.lag.ms": "1000",
        "segment.ms": "1000",
        "min.cleanable.dirty.ratio": "0.01",
        "delete.retention.ms": "100",
    }
    assert image.topic_configs("idempotent") == {"retention.ms": "123456789"}
    assert image.topic_configs("deleted") == {}
    assert image.broker_configs(None) == {"min.insync.replicas": "1"}
    assert {resource.name for resource in image.configs if resource.type == ResourceType.TOPIC} == {
        "rolled",
        "compacted",
        "idempotent",
        "log-append-time",
        "__consumer_offsets",
        "__transaction_state",
    }


def test_the_broker_its_features_and_all_else_are_known() -> None:
    image, _ = golden()
    broker = image.brokers[1]
    assert broker.epoch == 11
    assert broker.endpoints == {"PLAINTEXT": EndpointImage("127.0.0.1", 19192, 0)}
    assert broker.log_directories == (DIRECTORY,)
    assert broker.features["metadata.version"] == FeatureRange(7, 30)
    assert (broker.fenced, broker.in_controlled_shutdown) == (True, True)
    assert image.features == {
        "metadata.version": 30,
        "eligible.leader.replicas.version": 1,
        "group.version": 1,
        "share.version": 1,
        "streams.version": 1,
        "transaction.version": 2,
    }
    assert image.next_producer_id == 1000
    assert (image.next_offset, image.epoch) == (163, 1)
    assert sorted(key[:2] for key in image.kept) == [("controller", 1), ("scram", "alice")]


def test_a_partition_led_until_the_broker_stopped() -> None:
    image, _ = golden(until=146)
    partition = image.topics_by_name["idempotent"].partitions[2]
    assert (partition.leader, partition.leader_epoch, partition.partition_epoch) == (1, 0, 0)
    assert (partition.replicas, partition.isr) == ((1,), (1,))
    assert partition.directory_of(1) == DIRECTORY
    image, _ = golden()
    partition = image.topics_by_name["idempotent"].partitions[2]
    assert (partition.leader, partition.leader_epoch, partition.partition_epoch) == (-1, 1, 1)
    assert (partition.isr, partition.elr, partition.last_known_elr) == ((), (1,), (1,))
    assert partition.leader_recovery == LeaderRecovery.RECOVERED


def test_deltas_tell_what_was_created_grown_and_deleted() -> None:
    _, deltas = golden()
    created = [topic.name for delta in deltas for topic in delta.topics_created]
    assert len(created) == 13
    assert "deleted" in created
    assert [topic.name for delta in deltas for topic in delta.topics_deleted] == ["deleted"]
    idempotent = parse_uuid("JV6P2zqzQ_uTxx2FlkYHlA")
    assert [
        delta.partitions_changed[idempotent]
        for delta in deltas
        if idempotent in delta.partitions_changed
    ] == [(0, 1), (2,), (0, 1, 2)]


def test_the_bootstrap_transaction_counts_only_at_its_end() -> None:
    records = [decode_metadata_record(memoryview(value)) for offset, value, _ in RECORDS[:9]]
    image, _ = replayed(MetadataImage(cluster_id="c"), records[:-1], next_offset=9, epoch=1)
    assert image.features == {}
    image, delta = replayed(image, records[-1:], next_offset=10, epoch=1)
    assert image.features["metadata.version"] == 30
    assert delta.features_changed


def test_a_snapshot_of_the_image_replays_into_the_same_image() -> None:
    image, _ = golden()
    records: list[Payload] = [
        decode_metadata_record(memoryview(encode_metadata_record(record)))
        for record in snapshot_records(image)
    ]
    again, _ = replayed(
        MetadataImage(cluster_id=image.cluster_id), records, next_offset=163, epoch=1
    )
    assert again == image


def test_nothing_happened_in_most_batches() -> None:
    image, _ = golden()
    after, delta = replayed(image, [NoOpRecord()], next_offset=164, epoch=1)
    assert delta.is_empty
    assert after.topics_by_name is image.topics_by_name
    assert after.next_offset == 164


@pytest.mark.parametrize("name", ["bootstrap.checkpoint"])
def test_the_bootstrap_snapshot_can_be_read(name: str) -> None:
    data = (GOLDEN / name).read_bytes()
    levels = [
        decode_metadata_record(memoryview(record.value or b""))
        for header, batch in iter_batches(data)
        if not header.is_control
        for record in iter_records(batch)
    ]
    image, _ = replayed(MetadataImage(cluster_id="c"), levels, next_offset=8, epoch=0)
    assert len(image.features) == 6
