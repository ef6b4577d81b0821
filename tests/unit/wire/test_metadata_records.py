"""Records of the metadata log, held against bytes that Apache Kafka 4.3.1 wrote itself."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.ids import parse_uuid
from ottla.wire.payloads.metadata import (
    NoOpRecord,
    PartitionChangeRecord,
    TopicRecord,
    decode_metadata_record,
    encode_metadata_record,
    records,
)
from ottla.wire.schema import (
    ArrayOf,
    Blob,
    FieldType,
    Fixed,
    Payload,
    Structure,
    StructureOf,
    fields_of,
)
from tests.unit.wire.strategies import any_message, examples, version_name

GOLDEN = Path(__file__).parents[2] / "golden" / "wire" / "metadata-records.jsonl"

Golden = dict[str, Any]

golden_records = [json.loads(line) for line in GOLDEN.read_text().splitlines()]

NEWER_THAN_GOLDEN = {"UnregisterControllerRecord"}
"""Records that came with Kafka 4.4."""


def golden_name(golden: Golden) -> str:
    return f"{golden['record']}-v{golden['version']}"


def snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def shown(value: Any, type_: FieldType) -> Any:
    """A value in our form, from the one that Kafka's JSON converter shows."""
    if value is None:
        return None
    if isinstance(type_, ArrayOf):
        return [shown(each, type_.element) for each in value]
    if isinstance(type_, StructureOf):
        return of_json(type_.cls, value)
    if isinstance(type_, Fixed) and type_.format == "16s":
        return parse_uuid(value)
    if isinstance(type_, Blob):
        return base64.b64decode(value)
    return value


def of_json(cls: type[Structure], values: dict[str, Any]) -> Structure:
    types = {field.name: field.type for field in fields_of(cls)}
    named = {snake_case(name): value for name, value in values.items()}
    return cls(**{name: shown(value, types[name]) for name, value in named.items()})


@pytest.mark.parametrize("golden", golden_records, ids=golden_name)
def test_a_record_of_kafka_holds_what_kafka_says(golden: Golden) -> None:
    record = decode_metadata_record(memoryview(bytes.fromhex(golden["value"])))
    assert type(record).__name__ == golden["record"]
    assert record == of_json(type(record), golden["fields"])


@pytest.mark.parametrize("golden", golden_records, ids=golden_name)
def test_a_record_encodes_to_kafkas_bytes(golden: Golden) -> None:
    record = decode_metadata_record(memoryview(bytes.fromhex(golden["value"])))
    assert encode_metadata_record(record, golden["version"]).hex() == golden["value"]


def test_the_golden_records_reach_every_type_and_version() -> None:
    seen = {(golden["record"], golden["version"]) for golden in golden_records}
    declared = {(cls.__name__, version) for cls in records.values() for version in cls.VERSIONS}
    assert {name for name, _ in declared - seen} == NEWER_THAN_GOLDEN


@pytest.mark.parametrize("cls", records.values(), ids=version_name)
def test_a_record_is_written_in_its_newest_version(cls: type[Payload]) -> None:
    @examples(4)
    @given(any_message(cls, cls.VERSIONS.max))
    def check(record: Payload) -> None:
        encoded = encode_metadata_record(record)
        assert encoded[:3] == bytes([1, cls.API_KEY, cls.VERSIONS.max])
        assert decode_metadata_record(memoryview(encoded)) == record

    check()


def test_bytes_of_a_topic_record() -> None:
    record = TopicRecord(name="t", topic_id=bytes(range(16)))
    expected = "0102000274000102030405060708090a0b0c0d0e0f00"
    assert encode_metadata_record(record).hex() == expected


def test_an_empty_list_is_a_change_and_null_is_none() -> None:
    unchanged = PartitionChangeRecord(partition_id=1, topic_id=bytes(16))
    emptied = PartitionChangeRecord(partition_id=1, topic_id=bytes(16), isr=[])
    assert len(encode_metadata_record(emptied)) == len(encode_metadata_record(unchanged)) + 3
    found = decode_metadata_record(memoryview(encode_metadata_record(emptied)))
    assert found == emptied


def test_a_record_that_an_older_version_cannot_carry_is_refused() -> None:
    record = PartitionChangeRecord(partition_id=1, topic_id=bytes(16), eligible_leader_replicas=[1])
    with pytest.raises(ProtocolError) as refusal:
        encode_metadata_record(record, 1)
    assert refusal.value.code == ErrorCode.UNSUPPORTED_VERSION


@pytest.mark.parametrize(
    "value",
    [
        "02140000",  # another frame version
        "01060000",  # a key that is not in use
        "01140100",  # a version that is not known
    ],
)
def test_a_record_that_is_not_known_stops_the_reader(value: str) -> None:
    with pytest.raises(ProtocolError) as refusal:
        decode_metadata_record(memoryview(bytes.fromhex(value)))
    assert refusal.value.code == ErrorCode.UNSUPPORTED_VERSION


@pytest.mark.parametrize("value", ["", "01", "0114", "011400", "01140000ff", "ffffffffff"])
def test_a_broken_record_is_refused(value: str) -> None:
    with pytest.raises(ProtocolError) as refusal:
        decode_metadata_record(memoryview(bytes.fromhex(value)))
    assert refusal.value.code == ErrorCode.INVALID_REQUEST


def test_the_smallest_record() -> None:
    assert decode_metadata_record(memoryview(bytes.fromhex("01140000"))) == NoOpRecord()
