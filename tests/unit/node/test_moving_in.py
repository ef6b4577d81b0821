"""What `ottla migrate check` says of the golden directory, and of what cannot carry over."""

from __future__ import annotations

import json
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from ottla.node.moving_in import Fate, Item, check_moving_in, topic_facts
from ottla.transport.disk import LocalDisk
from ottla.wire.payloads.coordinator import encode_key, encode_value
from ottla.wire.payloads.metadata import (
    AccessControlEntryRecord,
    ConfigRecord,
    FeatureLevelRecord,
    RegisterBrokerRecord,
    encode_metadata_record,
)
from ottla.wire.payloads.transaction_log import TransactionLogKey, TransactionLogValue
from ottla.wire.records.batch import build_batch
from ottla.wire.records.record import Record
from ottla.wire.schema import Payload
from tests.golden.dump import GOLDEN

METADATA_END = 163
TRANSACTIONS_END = 22


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return Path(shutil.copytree(GOLDEN, tmp_path / "data"))


def checked(place: Path, *, in_use: bool = False) -> list[Item]:
    return check_moving_in(LocalDisk(), str(place), in_use=in_use)


def blocking(place: Path) -> dict[str, str]:
    return {item.subject: item.detail for item in checked(place) if item.fate is Fate.BLOCKS}


def noted(place: Path) -> dict[str, str]:
    return {item.subject: item.detail for item in checked(place) if item.fate is Fate.NOTE}


def append(place: Path, folder: str, end: int, record: Record) -> None:
    path = place / folder / f"{0:020d}.log"
    batch = build_batch([record], base_offset=end, leader_epoch=1)
    path.write_bytes(path.read_bytes() + batch)


def say(place: Path, record: Payload) -> None:
    """One more record of the metadata log."""
    value = encode_metadata_record(record)
    append(place, "__cluster_metadata-0", METADATA_END, Record(timestamp=1, value=value))


def broker(node_id: int) -> RegisterBrokerRecord:
    return RegisterBrokerRecord(
        broker_id=node_id,
        incarnation_id=bytes(15) + b"\x05",
        broker_epoch=METADATA_END,
        end_points=[],
        features=[],
        rack=None,
    )


def test_the_golden_directory_can_be_moved_into(place: Path) -> None:
    assert blocking(place) == {}
    carried = {item.subject: item.detail for item in checked(place) if item.fate is Fate.CARRIES}
    assert "GoldenClusterIdAAAAAAAA" in carried["ids"]
    assert carried["topic idempotent"].startswith("3 partitions, id JV6P2zqzQ_uTxx2FlkYHlA")
    assert carried["group offsets"].startswith("5 offsets of 3 groups")
    assert carried["transactional ids"].startswith("1,")
    assert set(noted(place)) == {"SCRAM credentials"}


def test_nothing_is_changed(place: Path) -> None:
    def content() -> dict[str, bytes]:
        files = [path for path in place.rglob("*") if path.is_file()]
        return {str(path): path.read_bytes() for path in files}

    before = content()
    checked(place)
    assert content() == before


Change = Callable[[Path], None]


def old_message(place: Path) -> None:
    body = bytes([1]) + bytes(9) + b"\0\0\0\1k\0\0\0\1v"
    crc = zlib.crc32(body).to_bytes(4, "big")
    message = bytes(8) + (len(body) + 4).to_bytes(4, "big") + crc + body + bytes(61)
    (place / "rolled-0" / f"{0:020d}.log").write_bytes(message)


def other_topic(place: Path) -> None:
    shutil.copy(place / "compacted-0/partition.metadata", place / "rolled-0/partition.metadata")


def several_voters(place: Path) -> None:
    path = place / "__cluster_metadata-0/quorum-state"
    state = json.loads(path.read_text())
    state["currentVoters"] = [{"voterId": 1}, {"voterId": 2}]
    path.write_text(json.dumps(state))


def unknown_record(place: Path) -> None:
    record = Record(timestamp=1, value=b"\1\x7f\0\0")
    append(place, "__cluster_metadata-0", METADATA_END, record)


BLOCKING: dict[str, tuple[Change, str]] = {
    "metadata.version": (
        lambda place: say(place, FeatureLevelRecord(name="metadata.version", feature_level=99)),
        "metadata.version",
    ),
    "a feature of nobody": (
        lambda place: say(place, FeatureLevelRecord(name="new.version", feature_level=1)),
        "new.version",
    ),
    "another broker": (lambda place: say(place, broker(2)), "brokers"),
    "several voters": (several_voters, "quorum"),
    "an unknown record": (unknown_record, "metadata records"),
    "tiered storage": (
        lambda place: say(
            place,
            ConfigRecord(
                resource_type=2, resource_name="rolled", name="remote.storage.enable", value="true"
            ),
        ),
        "topic rolled",
    ),
    "an old message format": (old_message, "rolled-0"),
    "a folder of another topic": (other_topic, "topic rolled"),
    "a folder that is missing": (lambda place: shutil.rmtree(place / "rolled-0"), "topic rolled"),
    "no meta.properties": (lambda place: (place / "meta.properties").unlink(), "ids"),
    "no metadata log": (
        lambda place: shutil.rmtree(place / "__cluster_metadata-0"),
        "metadata log",
    ),
}


@pytest.mark.parametrize("name", BLOCKING)
def test_what_cannot_carry_over_blocks(name: str, place: Path) -> None:
    change, subject = BLOCKING[name]
    change(place)
    assert subject in blocking(place)


def test_a_directory_in_use_blocks(place: Path) -> None:
    assert "lock" in {item.subject for item in checked(place, in_use=True) if item.fate == "blocks"}


def test_an_unclean_stop_is_noted(place: Path) -> None:
    (place / ".kafka_cleanshutdown").unlink()
    assert "last stop" in noted(place)


def test_acls_are_noted_as_not_enforced(place: Path) -> None:
    record = AccessControlEntryRecord(
        id=bytes(15) + b"\1",
        resource_type=2,
        resource_name="rolled",
        pattern_type=3,
        principal="User:a",
        host="*",
        operation=3,
        permission_type=3,
    )
    say(place, record)
    assert "not enforced" in noted(place)["ACLs"]


def test_a_config_that_is_not_known_is_kept_without_effect(place: Path) -> None:
    record = ConfigRecord(resource_type=2, resource_name="rolled", name="no.such", value="1")
    say(place, record)
    assert "no.such" in noted(place)["configs of topic rolled"]


def test_an_open_transaction_is_noted(place: Path) -> None:
    value = TransactionLogValue(
        producer_id=5,
        producer_epoch=0,
        transaction_timeout_ms=1,
        transaction_status=1,
        transaction_partitions=[],
        transaction_last_update_timestamp_ms=1,
        transaction_start_timestamp_ms=1,
    )
    record = Record(
        timestamp=1,
        key=encode_key(TransactionLogKey(transactional_id="payer")),
        value=encode_value(value),
    )
    append(place, "__transaction_state-0", TRANSACTIONS_END, record)
    assert noted(place)["transactions"].startswith("payer is open")


def test_facts_of_topics_come_from_the_metadata(place: Path) -> None:
    facts = topic_facts(LocalDisk(), str(place))
    assert facts["compacted"].compacted
    assert not facts["rolled"].compacted
