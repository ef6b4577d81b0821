"""What the dump shows, held against Kafka's own dump of the same files."""

from __future__ import annotations

import pytest

from ottla.log.inspection.dump import Item, Wanted, dump_file
from ottla.testing.memory_disk import MemoryDisk
from ottla.transport.disk import LocalDisk
from tests.golden.dump import DUMP, GOLDEN, read_dump
from tests.unit.log.inspection.support import DATA, change, flip, golden_disk
from tests.unit.log.inspection.test_verify import ABORTED, SNAPSHOT, TRANSACTIONS

FILES = read_dump(DUMP.read_text())
RECORDS = Wanted(records=True)
METADATA = f"__cluster_metadata-0/{0:020d}.log"


def items(disk: MemoryDisk, name: str, wanted: Wanted = RECORDS) -> list[Item]:
    found = dump_file(disk, f"{DATA}/{name}", wanted)
    assert found is not None
    return list(found)


@pytest.mark.parametrize("name", [name for name in FILES if name.endswith((".log", "index"))])
def test_every_file_shows_what_kafkas_tool_shows(name: str) -> None:
    found = dump_file(LocalDisk(), str(GOLDEN / name), RECORDS)
    assert found is not None
    shown = list(found)
    batches = [item.fields for item in shown if item.kind == "batch"]
    records = [item.fields for item in shown if item.kind in ("record", "control")]
    entries = [tuple(item.fields.values()) for item in shown if item.kind == "entry"]
    said = FILES[name]
    assert [batch["position"] for batch in batches] == [
        batch.number("position") for batch in said.batches
    ]
    assert [(record["offset"], record["keySize"], record["valueSize"]) for record in records] == [
        (record.offset, record.key_size, record.value_size)
        for batch in said.batches
        for record in batch.records
    ]
    assert entries == said.entries


def test_metadata_records_are_decoded() -> None:
    values = [item.fields.get("value") for item in items(golden_disk(), METADATA)]
    told = [value for value in values if isinstance(value, dict) and "type" in value]
    topic = next(value for value in told if value["type"] == "TOPIC_RECORD")
    assert topic["data"]["name"] == "rolled"
    assert not any("undecoded" in value for value in values if isinstance(value, dict))


def test_control_records_say_what_they_are() -> None:
    control = [item.fields for item in items(golden_disk(), TRANSACTIONS) if item.kind == "control"]
    assert [fields["key"] for fields in control] == ["COMMIT", "ABORT"] * 3
    (change_of_leader, *_) = [
        item.fields for item in items(golden_disk(), METADATA) if item.kind == "control"
    ]
    assert change_of_leader["key"] == "LEADER_CHANGE"
    assert change_of_leader["value"]["leaderId"] == 1


def test_a_stretch_of_offsets_can_be_asked_for() -> None:
    found = items(golden_disk(), TRANSACTIONS, Wanted(True, 8, 12))
    assert [item.fields["offset"] for item in found if item.kind != "batch"] == [8, 9, 10, 11, 12]
    assert len([item for item in found if item.kind == "batch"]) == 3


def test_damage_is_shown_where_it_lies_and_what_follows_is_shown_too() -> None:
    disk = golden_disk()
    change(disk, TRANSACTIONS, flip(204 + 70))
    kinds = [item.kind for item in items(disk, TRANSACTIONS, Wanted())]
    assert kinds == ["batch", "batch", "damage", *["batch"] * 9]


@pytest.mark.parametrize("name", [ABORTED, SNAPSHOT, "rolled-0/leader-epoch-checkpoint"])
def test_small_files_that_are_damaged_say_so(name: str) -> None:
    disk = golden_disk()
    change(disk, name, lambda data: b"\7" + data[1:-1])
    assert "damage" in {item.kind for item in items(disk, name)}


def test_a_file_of_nobody_is_not_known() -> None:
    assert dump_file(golden_disk(), f"{DATA}/notes.txt", RECORDS) is None
