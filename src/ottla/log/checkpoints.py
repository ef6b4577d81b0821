"""The small text files of a log directory, byte for byte as Kafka reads and writes them.

Readers raise ValueError for content that cannot be theirs: a half-written file after a crash.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from ottla.base.ids import TopicPartition, Uuid, format_uuid, parse_uuid

RECOVERY_POINTS: Final = "recovery-point-offset-checkpoint"
LOG_START_OFFSETS: Final = "log-start-offset-checkpoint"
HIGH_WATERMARKS: Final = "replication-offset-checkpoint"
CLEANER_OFFSETS: Final = "cleaner-offset-checkpoint"
META_PROPERTIES: Final = "meta.properties"
CLEAN_SHUTDOWN: Final = ".kafka_cleanshutdown"

_VERSION: Final = 0
_META_VERSION: Final = 1


def _encode_lines(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in (str(_VERSION), str(len(lines)), *lines)).encode()


def _decode_lines(content: bytes) -> list[str]:
    if not content.endswith(b"\n"):  # a torn "12345" would read as a wrong "123"
        raise ValueError("a checkpoint ends with a whole line")
    lines = content.decode("ascii").splitlines()
    if len(lines) < 2 or int(lines[0]) != _VERSION:
        raise ValueError(f"a checkpoint starts with its version, {_VERSION}, and a count")
    entries = lines[2:]
    if int(lines[1]) != len(entries):
        raise ValueError(f"a checkpoint of {lines[1]} entries has {len(entries)}")
    return entries


def encode_offsets(offsets: Mapping[TopicPartition, int]) -> bytes:
    """A file of offsets by partition: recovery points, log starts, high watermarks."""
    return _encode_lines(
        [f"{key.topic} {key.partition} {offset}" for key, offset in offsets.items()]
    )


def decode_offsets(content: bytes) -> dict[TopicPartition, int]:
    """Reads what `encode_offsets` writes."""
    offsets: dict[TopicPartition, int] = {}
    for line in _decode_lines(content):
        topic, partition, offset = line.split(" ")
        offsets[TopicPartition(topic, int(partition))] = int(offset)
    return offsets


def encode_epochs(entries: list[tuple[int, int]]) -> bytes:
    """`leader-epoch-checkpoint`: (epoch, first offset) a line."""
    return _encode_lines([f"{epoch} {first_offset}" for epoch, first_offset in entries])


def decode_epochs(content: bytes) -> list[tuple[int, int]]:
    """Reads what `encode_epochs` writes."""
    entries: list[tuple[int, int]] = []
    for line in _decode_lines(content):
        epoch, first_offset = line.split(" ")
        entries.append((int(epoch), int(first_offset)))
    return entries


def encode_partition_metadata(topic_id: bytes) -> bytes:
    """`partition.metadata`: whose data this folder holds."""
    return f"version: {_VERSION}\ntopic_id: {format_uuid(topic_id)}".encode()


def decode_partition_metadata(content: bytes) -> Uuid:
    """Reads what `encode_partition_metadata` writes."""
    fields = dict(line.split(": ", 1) for line in content.decode("ascii").splitlines() if line)
    if fields.get("version") != str(_VERSION) or "topic_id" not in fields:
        raise ValueError("partition.metadata has a version, 0, and a topic_id")
    return parse_uuid(fields["topic_id"])


class MetaProperties(msgspec.Struct, frozen=True, kw_only=True):
    """`meta.properties`: which node and cluster a log directory belongs to."""

    cluster_id: str
    node_id: int
    directory_id: Uuid


def encode_meta_properties(meta: MetaProperties) -> bytes:
    """In the form of Java's properties files."""
    return (
        f"node.id={meta.node_id}\n"
        f"directory.id={format_uuid(meta.directory_id)}\n"
        f"version={_META_VERSION}\n"
        f"cluster.id={meta.cluster_id}\n"
    ).encode()


def decode_meta_properties(content: bytes) -> MetaProperties:
    """Reads Kafka's file; a directory of before directory ids (KIP-858) is refused."""
    lines = [line.strip() for line in content.decode().splitlines()]
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    fields = {key.strip(): value.strip() for key, _, value in pairs}
    present = {key for key, value in fields.items() if value}
    missing = {"cluster.id", "node.id", "directory.id"} - present
    if missing or fields.get("version") != str(_META_VERSION):
        raise ValueError(f"{META_PROPERTIES} of version 1 expected; missing: {sorted(missing)}")
    return MetaProperties(
        cluster_id=fields["cluster.id"],
        node_id=int(fields["node.id"]),
        directory_id=parse_uuid(fields["directory.id"]),
    )


def encode_clean_shutdown(broker_epoch: int) -> bytes:
    """The mark of an orderly stop; it is removed at the next start (KIP-966)."""
    return msgspec.json.encode({"version": _VERSION, "brokerEpoch": broker_epoch})


def decode_clean_shutdown(content: bytes) -> int:
    """The broker epoch in the mark; -1 where it has none."""
    try:
        fields = msgspec.json.decode(content, type=dict[str, int])
    except msgspec.DecodeError as error:
        raise ValueError("not the mark of a clean shutdown") from error
    return fields.get("brokerEpoch", -1)
