"""Records of the coordinators' topics, held against bytes that Apache Kafka 4.3.1 wrote itself."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.wire.payloads.coordinator import (
    GROUP_RECORDS,
    TRANSACTION_RECORDS,
    RecordTypes,
    encode_key,
    encode_value,
    value_version,
)
from ottla.wire.payloads.internal_topics import (
    CONSUMER_OFFSETS,
    COORDINATOR_TOPICS,
    TRANSACTION_STATE,
)
from ottla.wire.payloads.offset_commits import OffsetCommitKey, OffsetCommitValue
from ottla.wire.payloads.plain import as_plain
from ottla.wire.records.header import iter_batches
from ottla.wire.records.record import Record, iter_records
from ottla.wire.schema import Payload
from tests.golden.dump import DUMP, GOLDEN, read_dump

Golden = dict[str, Any]

RECORDED = GOLDEN.parent / "wire" / "coordinator-records.jsonl"
golden_records: list[Golden] = [json.loads(line) for line in RECORDED.read_text().splitlines()]


def golden_name(golden: Golden) -> str:
    return f"{golden['record']}-v{golden['version']}"


def types_of(name: str) -> RecordTypes:
    """The coordinator that has a record of this name."""
    for types in COORDINATOR_TOPICS.values():
        classes = [*types.keys.values(), *types.values.values()]
        if name in {cls.__name__ for cls in classes}:
            return types
    raise AssertionError(name)


def decoded(golden: Golden) -> Payload:
    types, data = types_of(golden["record"]), bytes.fromhex(golden["bytes"])
    if golden["record"].endswith("Key"):
        return types.decode_key(data)
    (number,) = [cls.API_KEY for cls in types.values.values() if cls.__name__ == golden["record"]]
    return types.decode_value(number, data)


@pytest.mark.parametrize("golden", golden_records, ids=golden_name)
def test_a_record_of_kafka_holds_what_kafka_says(golden: Golden) -> None:
    found = decoded(golden)
    assert type(found).__name__ == golden["record"]
    assert as_plain(found, golden["version"]) == golden["fields"]


@pytest.mark.parametrize("golden", golden_records, ids=golden_name)
def test_a_record_encodes_to_kafkas_bytes(golden: Golden) -> None:
    found = decoded(golden)
    is_key = golden["record"].endswith("Key")
    encoded = encode_key(found) if is_key else encode_value(found, golden["version"])
    assert encoded.hex() == golden["bytes"]


def test_the_golden_records_reach_every_type_and_version() -> None:
    seen = {(golden["record"], golden["version"]) for golden in golden_records}
    declared = {
        (cls.__name__, version)
        for types in COORDINATOR_TOPICS.values()
        for cls in (*types.keys.values(), *types.values.values())
        for version in cls.VERSIONS
    }
    assert declared == seen


@pytest.mark.parametrize("types", COORDINATOR_TOPICS.values(), ids=COORDINATOR_TOPICS.keys())
def test_every_key_has_a_value(types: RecordTypes) -> None:
    assert set(types.keys) == set(types.values)


def recorded(topic: str) -> list[tuple[Record, str]]:
    """Every record of the golden directory's internal topic, with what the dump says of it."""
    name = f"{topic}-0/{0:020d}.log"
    said = [
        record for batch in read_dump(DUMP.read_text())[name].batches for record in batch.records
    ]
    written = [
        (record, header.is_control)
        for header, batch in iter_batches((GOLDEN / name).read_bytes())
        for record in iter_records(batch)
    ]
    assert len(said) == len(written) > 20
    return [
        (record, text.text)
        for (record, is_control), text in zip(written, said, strict=True)
        if not is_control
    ]


def without_client_bytes(told: Golden) -> Golden:
    """The tool opens what clients wrote into group metadata; here it stays bytes."""
    for member in told["data"].get("members", []):
        del member["subscription"], member["assignment"]
    return told


@pytest.mark.parametrize("topic", [CONSUMER_OFFSETS, TRANSACTION_STATE])
def test_the_recorded_topics_say_what_the_dump_says(topic: str) -> None:
    types = COORDINATOR_TOPICS[topic]
    for record, text in recorded(topic):
        key = types.decode_key(record.key or b"")
        told = {"type": str(key.API_KEY), "data": as_plain(key, 0)}
        said_key, _, said_value = text.removeprefix(" key: ").partition(" payload: ")
        assert json.loads(said_key) == told
        assert encode_key(key) == record.key
        if record.value is None:
            assert said_value in ("", "<DELETE>")
            continue
        version = value_version(record.value)
        value = types.decode_value(key.API_KEY, record.value)
        told = {"version": str(version), "data": as_plain(value, version)}
        assert without_client_bytes(json.loads(said_value)) == without_client_bytes(told)
        assert encode_value(value, version) == record.value


def test_a_value_is_written_in_its_newest_version() -> None:
    value = OffsetCommitValue(offset=7, metadata="", commit_timestamp=1)
    assert encode_value(value)[:2] == b"\0\4"
    assert encode_key(OffsetCommitKey(group="g", topic="t", partition=0))[:2] == b"\0\1"


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\x63", b"\0\1\0", b"\0\2\0\1g\0"])
def test_a_key_that_cannot_be_one_is_refused(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        GROUP_RECORDS.decode_key(data)


@pytest.mark.parametrize(
    ("number", "data"), [(0, b""), (0, b"\0\x09"), (9, b"\0\0"), (0, b"\0\0\0"), (0, b"\xff\xff")]
)
def test_a_value_that_cannot_be_one_is_refused(number: int, data: bytes) -> None:
    with pytest.raises(ProtocolError):
        TRANSACTION_RECORDS.decode_value(number, data)


def test_a_type_that_is_not_known_says_so() -> None:
    with pytest.raises(ProtocolError) as refusal:
        GROUP_RECORDS.decode_key(b"\0\x63")
    assert refusal.value.code is ErrorCode.UNSUPPORTED_VERSION
