"""Every seeded damage of the golden directory is found where it is, and nothing else is."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from ottla.base.ids import TopicPartition
from ottla.log import checkpoints
from ottla.log.config import LogConfig
from ottla.log.inspection.directory_check import TopicFacts, check_directory
from ottla.log.inspection.finding import Problem
from ottla.log.inspection.partition_check import PartitionQuestion, check_partition
from ottla.testing.memory_disk import MemoryDisk
from ottla.wire.records.batch import build_batch, iter_batches
from ottla.wire.records.header import HEADER, BatchHeader, seal
from ottla.wire.records.record import Record
from tests.golden.dump import GOLDEN
from tests.unit.log.inspection.support import (
    DATA,
    change,
    checked,
    findings,
    flip,
    golden_disk,
    problems,
    write,
)
from tests.unit.log.support import DIRECTORY, append, batch_of, new_log

Damage = Callable[[MemoryDisk], None]

LOG = f"rolled-0/{40:020d}.log"
"""A segment in the middle of a log that is not compacted."""
LAST = f"rolled-0/{120:020d}.log"
INDEX = f"codec-none-0/{0:020d}.index"
TIMES = f"rolled-0/{40:020d}.timeindex"
TRANSACTIONS = f"transactions-0/{0:020d}.log"
ABORTED = f"transactions-0/{0:020d}.txnindex"
SNAPSHOT = f"transactions-0/{36:020d}.snapshot"
EPOCHS = "rolled-0/leader-epoch-checkpoint"
IDENTITY = "rolled-0/partition.metadata"
RECOVERY = checkpoints.RECOVERY_POINTS

LOG_SIZE = len((GOLDEN / LOG).read_bytes())


def flipped(name: str, position: int, bit: int = 0) -> Damage:
    return lambda disk: change(disk, name, flip(position, bit))


def changed(name: str, how: Callable[[bytes], bytes]) -> Damage:
    return lambda disk: change(disk, name, how)


def removed(name: str) -> Damage:
    return lambda disk: disk.unlink(f"{DATA}/{name}")


def added(name: str, content: bytes = b"") -> Damage:
    return lambda disk: write(disk, f"{DATA}/{name}", content)


def resealed(name: str, **fields: int) -> Damage:
    """Change fields of the first batch's header and make its checksum right again."""

    def how(content: bytes) -> bytes:
        header, batch = next(iter_batches(content))
        values = {field: getattr(header, field) for field in header.__struct_fields__} | fields
        altered = bytearray(batch)
        HEADER.pack_into(altered, 0, *values.values())
        seal(altered, BatchHeader(**values))
        return bytes(altered) + content[header.size :]

    return changed(name, how)


def offsets(**by_topic: int) -> bytes:
    named = {name.replace("_", "-"): offset for name, offset in by_topic.items()}
    return checkpoints.encode_offsets({TopicPartition(n, 0): o for n, o in named.items()})


P = Problem
SEEDED: dict[str, tuple[Damage, tuple[str, int, Problem]]] = {
    "base offset": (flipped(LOG, 7), (LOG, 0, P.OFFSETS_HOLE)),
    "base offset back": (flipped(LOG, 7, 3), (LOG, 0, P.OFFSETS_BACK)),
    "batch length": (flipped(LOG, 11), (LOG, 0, P.BATCH_CRC)),
    "batch length beyond the file": (flipped(LOG, 8, 4), (LOG, 0, P.TORN_TAIL)),
    "negative batch length": (flipped(LOG, 8, 7), (LOG, 0, P.BATCH_LENGTH)),
    "leader epoch": (flipped(LOG, 15), (EPOCHS, 0, P.EPOCHS)),
    "magic": (flipped(LOG, 16), (LOG, 0, P.BATCH_MAGIC)),
    "crc": (flipped(LOG, 18), (LOG, 0, P.BATCH_CRC)),
    "attributes": (flipped(LOG, 22), (LOG, 0, P.BATCH_CRC)),
    "timestamp": (flipped(LOG, 30), (LOG, 0, P.BATCH_CRC)),
    "producer id": (flipped(LOG, 45), (LOG, 0, P.BATCH_CRC)),
    "record count": (flipped(LOG, 60), (LOG, 0, P.BATCH_CRC)),
    "first record": (flipped(LOG, 61), (LOG, 0, P.BATCH_CRC)),
    "last byte": (flipped(LOG, -1, 6), (LOG, 0, P.BATCH_CRC)),
    "a record count that is wrong": (
        resealed(LOG, record_count=3),
        (LOG, 0, P.BATCH_RECORDS),
    ),
    "a last offset delta that is wrong": (
        resealed(LOG, last_offset_delta=500),
        (LOG, 0, P.BATCH_RECORDS),
    ),
    "a largest timestamp that is wrong": (
        resealed(LOG, max_timestamp=5),
        (LOG, 0, P.BATCH_RECORDS),
    ),
    "transactional without a producer": (
        resealed(LOG, attributes=0x10),
        (LOG, 0, P.BATCH_HEADER),
    ),
    "an unknown codec": (resealed(LOG, attributes=7), (LOG, 0, P.BATCH_RECORDS)),
    "a torn tail": (changed(LOG, lambda data: data[:-9]), (LOG, 0, P.TORN_TAIL)),
    "half a header behind": (
        changed(LAST, lambda data: data + b"\0\0\1"),
        (LAST, len((GOLDEN / LAST).read_bytes()), P.TORN_TAIL),
    ),
    "zeros behind": (
        changed(LAST, lambda data: data + bytes(300)),
        (LAST, len((GOLDEN / LAST).read_bytes()), P.TORN_TAIL),
    ),
    "the same batch twice": (changed(LOG, lambda data: data * 2), (LOG, LOG_SIZE, P.OFFSETS_BACK)),
    "a segment that is missing": (removed(LOG), (f"rolled-0/{80:020d}.log", 0, P.OFFSETS_HOLE)),
    "a segment that overlaps": (
        added(f"rolled-0/{60:020d}.log"),
        (f"rolled-0/{60:020d}.log", 0, P.SEGMENTS_OVERLAP),
    ),
    "an index that points to no batch": (flipped(TIMES, 10), (TIMES, 0, P.TIME_INDEX)),
    "an index entry of another time": (flipped(TIMES, 3), (TIMES, 0, P.TIME_INDEX)),
    "a time index that was cut": (changed(TIMES, lambda data: data[:-3]), (TIMES, 0, P.TIME_INDEX)),
    "an offset index with a wrong position": (
        added(INDEX, struct.pack(">ii", 5, 7)),
        (INDEX, 0, P.OFFSET_INDEX),
    ),
    "an offset index behind the log": (
        added(INDEX, struct.pack(">ii", 5, 1 << 20)),
        (INDEX, 0, P.OFFSET_INDEX),
    ),
    "an offset index that goes back": (
        added(INDEX, struct.pack(">iiii", 199, 0, 199, 0)),
        (INDEX, 8, P.OFFSET_INDEX),
    ),
    "an offset index of another batch": (
        added(INDEX, struct.pack(">ii", 5, 0)),
        (INDEX, 0, P.OFFSET_INDEX),
    ),
    "an index that is missing": (removed(INDEX), (INDEX, 0, P.MISSING)),
    "an aborted transaction of another producer": (flipped(ABORTED, 9), (ABORTED, 0, P.TXN_INDEX)),
    "an aborted transaction's begin": (flipped(ABORTED, 17, 3), (ABORTED, 0, P.TXN_INDEX)),
    "an aborted transaction's stable offset": (flipped(ABORTED, 33), (ABORTED, 0, P.TXN_INDEX)),
    "an unknown version of aborted transactions": (flipped(ABORTED, 1), (ABORTED, 0, P.TXN_INDEX)),
    "an aborted transaction that is missing": (
        changed(ABORTED, lambda data: data[:-34]),
        (ABORTED, 68, P.TXN_INDEX),
    ),
    "no transaction index": (removed(ABORTED), (ABORTED, 0, P.TXN_INDEX)),
    "a transaction index that was cut": (
        changed(ABORTED, lambda data: data[:-4]),
        (ABORTED, 68, P.TXN_INDEX),
    ),
    "a snapshot": (flipped(SNAPSHOT, 20), (SNAPSHOT, 0, P.SNAPSHOT)),
    "the snapshot of another offset": (
        added(SNAPSHOT, (GOLDEN / f"idempotent-0/{50:020d}.snapshot").read_bytes()),
        (SNAPSHOT, 0, P.SNAPSHOT),
    ),
    "a snapshot from behind the end": (
        added(f"rolled-0/{500:020d}.snapshot", (GOLDEN / SNAPSHOT).read_bytes()),
        (f"rolled-0/{500:020d}.snapshot", 0, P.SNAPSHOT),
    ),
    "epochs": (changed(EPOCHS, lambda data: data.replace(b"0 0", b"0 7")), (EPOCHS, 0, P.EPOCHS)),
    "epochs that were cut": (changed(EPOCHS, lambda data: data[:-1]), (EPOCHS, 0, P.EPOCHS)),
    "an epoch behind the end": (
        added(EPOCHS, checkpoints.encode_epochs([(0, 0), (9, 4000)])),
        (EPOCHS, 0, P.EPOCHS),
    ),
    "no epochs": (removed(EPOCHS), (EPOCHS, 0, P.MISSING)),
    "an identity that was cut": (
        changed(IDENTITY, lambda data: data[:-5]),
        (IDENTITY, 0, P.PARTITION_METADATA),
    ),
    "no identity": (removed(IDENTITY), (IDENTITY, 0, P.MISSING)),
    "a file of nobody": (added("rolled-0/notes.txt"), ("rolled-0/notes.txt", 0, P.EXTRA)),
    "an index without a log": (
        added(f"rolled-0/{7:020d}.index"),
        (f"rolled-0/{7:020d}.index", 0, P.EXTRA),
    ),
    "an unfinished compaction": (
        added(f"compacted-0/{150:020d}.log.cleaned"),
        (f"compacted-0/{150:020d}.log.cleaned", 0, P.LEFTOVER),
    ),
    "a finished compaction": (
        added(f"compacted-0/{150:020d}.log.swap"),
        (f"compacted-0/{150:020d}.log.swap", 0, P.LEFTOVER),
    ),
    "an unfinished checkpoint": (added(f"{RECOVERY}.tmp"), (f"{RECOVERY}.tmp", 0, P.LEFTOVER)),
    "a checkpoint behind the end": (
        added(RECOVERY, offsets(rolled=122)),
        (RECOVERY, 4, P.CHECKPOINT),
    ),
    "a checkpoint of no partition": (
        added(RECOVERY, offsets(gone=1)),
        (RECOVERY, 4, P.CHECKPOINT),
    ),
    "a checkpoint that was cut": (
        changed(RECOVERY, lambda data: data[:-2]),
        (RECOVERY, 0, P.CHECKPOINT),
    ),
    "a directory of nobody": (
        removed("meta.properties"),
        ("meta.properties", 0, P.MISSING),
    ),
    "no directory id": (
        added("meta.properties", b"version=1\nnode.id=1\ncluster.id=c\n"),
        ("meta.properties", 0, P.META_PROPERTIES),
    ),
    "a strange file": (added("core.1234"), ("core.1234", 0, P.EXTRA)),
    "a transaction's marker": (flipped(TRANSACTIONS, 330 + 70), (TRANSACTIONS, 330, P.BATCH_CRC)),
}


@pytest.mark.parametrize("name", SEEDED)
def test_seeded_damage_is_found_where_it_is(name: str) -> None:
    damage, expected = SEEDED[name]
    disk = golden_disk()
    damage(disk)
    assert expected in problems(disk)


def test_the_directory_that_kafka_wrote_is_whole() -> None:
    assert findings(golden_disk()) == []


@pytest.mark.parametrize("position", range(0, LOG_SIZE, 3))
def test_no_bit_of_a_batch_can_flip_unseen(position: int) -> None:
    disk = golden_disk()
    change(disk, LOG, flip(position, position % 8))
    assert any(name.startswith("rolled-0/") for name, _, _ in problems(disk))


def test_what_follows_damage_in_the_middle_is_still_checked() -> None:
    disk = golden_disk()
    change(disk, TRANSACTIONS, flip(204 + 70))
    change(disk, TRANSACTIONS, flip(816 + 70))
    found = {(at, problem) for name, at, problem in problems(disk) if name == TRANSACTIONS}
    assert found == {(204, P.BATCH_CRC), (816, P.BATCH_CRC)}
    (facts,) = checked(disk).partitions["transactions-0"].segments
    assert len(facts.positions) == 10
    assert facts.next_offset == 36


def test_a_topic_id_of_another_topic_is_found() -> None:
    topics = {"rolled": TopicFacts(bytes(15) + b"\x09", compacted=False)}
    report = check_directory(golden_disk(), DATA, topics)
    assert [finding.problem for finding in report.all_findings()] == [P.PARTITION_METADATA]


def test_offsets_may_be_missing_where_a_topic_is_compacted() -> None:
    question = PartitionQuestion(f"{DATA}/compacted-0", closed=True, compacted=True)
    assert check_partition(golden_disk(), question).findings == []
    strict = question._replace(compacted=False)
    assert check_partition(golden_disk(), strict).findings != []


def test_a_folder_that_cannot_be_read_is_a_finding() -> None:
    question = PartitionQuestion("data/nosuch-0", closed=True, compacted=False)
    (finding,) = check_partition(MemoryDisk(), question).findings
    assert finding.problem is P.UNREADABLE


def question(*, closed: bool = True) -> PartitionQuestion:
    return PartitionQuestion(DIRECTORY, closed=closed, compacted=False)


def test_what_we_wrote_is_whole() -> None:
    disk = MemoryDisk()
    log = new_log(disk, LogConfig(segment_bytes=2000, index_interval_bytes=200))
    for number in range(60):
        append(log, *[b"value"] * (number % 4 + 1), epoch=number // 20)
    assert check_partition(disk, question(closed=False)).findings == []
    log.close()
    report = check_partition(disk, question())
    assert report.findings == []
    assert len(report.segments) > 2
    assert report.end_offset == log.log_end_offset


def test_old_formats_are_told_apart_from_damage() -> None:
    disk = golden_disk()
    body = bytes([1]) + bytes(13) + b"\0\0\0\1k\0\0\0\1v"
    crc = struct.pack(">I", __import__("zlib").crc32(body))
    message = struct.pack(">qi", 121, len(crc + body)) + crc + body
    message += bytes(0)
    change(disk, LAST, lambda data: data + message + bytes(batch_of(b"later")))
    kinds = {problem for name, _, problem in problems(disk) if name == LAST}
    assert P.OLD_FORMAT in kinds
    assert P.BATCH_MAGIC not in kinds


def test_a_batch_of_records_without_an_order_is_found() -> None:
    disk = MemoryDisk()
    log = new_log(disk)
    append(log, b"a")
    log.close()
    batch = build_batch([Record(timestamp=1, value=b"x")] * 2, base_offset=1, leader_epoch=0)
    header, _ = next(iter_batches(batch))
    # The second record's offset delta, a varint, becomes that of the first.
    second = bytes(batch).rindex(b"x") - 3
    batch[second] = 0
    seal(batch, header)
    path = f"{DIRECTORY}/{0:020d}.log"
    write(disk, path, disk.read_file(path) + bytes(batch))
    assert P.BATCH_RECORDS in {
        found.problem for found in check_partition(disk, question()).findings
    }
