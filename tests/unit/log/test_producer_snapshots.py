"""Producers over restarts: `.snapshot` files, what replaces a lost one, and what a cut leaves."""

from __future__ import annotations

import errno

import pytest

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.ids import Offset
from ottla.log import names
from ottla.log.aborted_transactions import AbortedTransaction
from ottla.log.config import LogConfig
from ottla.log.errors import DuplicateBatchError, StorageError
from ottla.log.partition_log import PartitionLog
from ottla.log.producer_snapshots import decode_snapshot, encode_snapshot
from ottla.testing.memory_disk import MemoryDisk
from ottla.wire.records.batch import build_batch, read_header
from ottla.wire.records.record import Record
from tests.golden.dump import DUMP, GOLDEN
from tests.unit.log.support import DIRECTORY, NOW_MS, append, new_log, reopened
from tests.unit.log.test_golden_directory import PARTITIONS, copied, opened

SNAPSHOTS = sorted(GOLDEN.glob("*/*.snapshot"))
SMALL = LogConfig(segment_bytes=250)
"""Two batches a segment."""


def produce(log: PartitionLog, sequence: int, *, producer: int = 7, epoch: int = 0) -> Offset:
    """Append one record as a client does; its offset."""
    record = Record(timestamp=NOW_MS + sequence, key=None, value=bytes(40))
    batch = memoryview(
        build_batch([record], producer_id=producer, producer_epoch=epoch, base_sequence=sequence)
    )
    offset = log.stage(batch, read_header(batch), 0, NOW_MS)
    log.commit()
    return offset


def produced(*sequences: int, disk: MemoryDisk | None = None) -> PartitionLog:
    log = new_log(disk or MemoryDisk(), SMALL)
    for sequence in sequences:
        produce(log, sequence)
    return log


def stored_offset(log: PartitionLog, sequence: int, *, producer: int = 7) -> int:
    """The offset that a duplicate is told."""
    with pytest.raises(DuplicateBatchError) as raised:
        produce(log, sequence, producer=producer)
    return raised.value.base_offset


def last_sequence(log: PartitionLog, producer: int = 7) -> int | None:
    state = log.producers.states.get(producer)
    return None if state is None else state.batches[-1].last_sequence


def snapshots(disk: MemoryDisk) -> list[int]:
    offsets = (names.snapshot_offset(name) for name in disk.list_dir(DIRECTORY))
    return [offset for offset in offsets if offset is not None]


def snapshot_path(offset: int) -> str:
    return f"{DIRECTORY}/{names.segment_stem(offset)}{names.SNAPSHOT_SUFFIX}"


def spoil(disk: MemoryDisk, offset: int) -> None:
    disk.open(snapshot_path(offset)).append([b"?"])


# --- Kafka's own files ---


@pytest.mark.parametrize("path", SNAPSHOTS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_kafka_snapshots_are_written_back_byte_for_byte(path: object) -> None:
    content = path.read_bytes()  # type: ignore[attr-defined]  # a Path
    assert encode_snapshot(decode_snapshot(content)) == content


def dumped_producers() -> dict[str, list[str]]:
    """The lines of Kafka's tool about each snapshot."""
    said: dict[str, list[str]] = {}
    name = ""
    for line in DUMP.read_text().splitlines():
        if line.startswith("Dumping "):
            name = line.removeprefix("Dumping ")
        elif line.startswith("producerId: ") and name.endswith(".snapshot"):
            said.setdefault(name, []).append(line)
    return said


def test_snapshots_say_what_kafka_reads_in_them() -> None:
    said = dumped_producers()
    assert len(said) == 4
    for path in SNAPSHOTS:
        lines = []
        for producer_id, state in decode_snapshot(path.read_bytes()):
            (last,) = state.batches
            assert state.transaction_start == -1
            lines.append(
                f"producerId: {producer_id} producerEpoch: {state.epoch} "
                f"coordinatorEpoch: {state.coordinator_epoch} "
                f"currentTxnFirstOffset: OptionalLong.empty lastTimestamp: {state.timestamp} "
                f"firstSequence: {last.base_sequence} lastSequence: {last.last_sequence} "
                f"lastOffset: {last.last_offset} offsetDelta: {last.offset_delta} "
                f"timestamp: {last.timestamp}"
            )
        assert lines == said.get(f"{path.parent.name}/{path.name}", [])


@pytest.mark.parametrize("partition", PARTITIONS)
@pytest.mark.parametrize("clean", [True, False])
def test_kafka_producers_come_out_of_its_batches_as_its_snapshot_says(
    partition: str, clean: bool
) -> None:
    """Without the snapshot, and after a crash, the batches alone tell the same."""
    disk = copied(partition)
    found = [name for name in disk.list_dir(partition) if name.endswith(names.SNAPSHOT_SUFFIX)]
    if not found:  # nothing was ever written to it
        return
    expected = disk.read_file(f"{partition}/{found[-1]}")
    for name in found:
        disk.unlink(f"{partition}/{name}")
    log = opened(partition, disk, clean=clean)
    assert encode_snapshot(log.producers.states) == expected
    assert disk.read_file(f"{partition}/{found[-1]}") == expected


def test_aborted_transactions_of_kafka_are_found_by_range() -> None:
    log = opened("transactions-0", copied("transactions-0"))
    found = log.aborted_transactions(0, log.log_end_offset)
    assert found == [
        AbortedTransaction(1, 6, 11, 12),
        AbortedTransaction(1, 18, 23, 24),
        AbortedTransaction(1, 30, 35, 36),
    ]
    assert [entry.first_offset for entry in log.aborted_transactions(11, 19)] == [6, 18]
    assert log.aborted_transactions(12, 18) == []
    assert log.last_stable_offset(log.log_end_offset) == log.log_end_offset


def test_a_cut_takes_aborted_transactions_and_opens_the_one_it_hits() -> None:
    log = opened("transactions-0", copied("transactions-0"))
    log.truncate_to(35)
    assert len(log.aborted_transactions(0, 35)) == 2
    assert log.last_stable_offset(Offset(35)) == 30


# --- when they are written ---


def test_each_segment_and_the_closed_log_have_a_snapshot() -> None:
    disk = MemoryDisk()
    log = produced(0, 1, 2, 3, 4, disk=disk)
    assert snapshots(disk) == [2, 4]
    log.close()
    assert snapshots(disk) == [2, 4, 5]
    for offset in (2, 4, 5):
        ((producer, state),) = decode_snapshot(disk.read_file(snapshot_path(offset)))
        assert (producer, state.batches[-1].last_sequence) == (7, offset - 1)


def test_a_snapshot_of_a_roll_within_one_commit_knows_nothing_of_what_follows() -> None:
    disk = MemoryDisk()
    log = new_log(disk, SMALL)
    for sequence in range(5):
        record = Record(timestamp=NOW_MS, key=None, value=bytes(40))
        batch = memoryview(
            build_batch([record], producer_id=7, producer_epoch=0, base_sequence=sequence)
        )
        log.stage(batch, read_header(batch), 0, NOW_MS)
    log.commit()
    ((_, state),) = decode_snapshot(disk.read_file(snapshot_path(2)))
    assert state.batches[-1].last_sequence == 1


def test_the_snapshot_of_a_close_goes_with_the_next() -> None:
    disk = MemoryDisk()
    produced(0, 1, 2, disk=disk).close()
    log = reopened(disk, SMALL, clean=True, recovery_point=3)
    produce(log, 3)
    log.close()
    assert snapshots(disk) == [2, 4]


def test_opening_and_closing_changes_nothing() -> None:
    disk = MemoryDisk()
    produced(0, 1, 2, disk=disk).close()
    before = disk.operations
    log = reopened(disk, SMALL, clean=True, recovery_point=3)
    written = disk.list_dir(DIRECTORY)
    log.close()
    assert disk.list_dir(DIRECTORY) == written
    assert disk.operations - before < 30


def test_a_disk_that_cannot_take_a_snapshot_still_takes_batches() -> None:
    disk = MemoryDisk()
    log = produced(0, 1, disk=disk)
    disk.fail_at(2, errno.ENOSPC, operation="append")  # after the time index
    produce(log, 2)
    assert snapshots(disk) == [2]
    log.close()
    assert last_sequence(reopened(disk, SMALL, clean=False)) == 2


# --- what they are read for ---


@pytest.mark.parametrize("clean", [True, False])
@pytest.mark.parametrize("recovery_point", [0, 3, 5])
def test_producers_are_known_after_a_restart(clean: bool, recovery_point: int) -> None:
    disk = MemoryDisk()
    log = produced(0, 1, 2, 3, 4, disk=disk)
    if clean:
        log.close()
        recovery_point = 5
    again = reopened(disk, SMALL, clean=clean, recovery_point=recovery_point)
    assert stored_offset(again, 4) == 4
    assert produce(again, 5) == 5
    with pytest.raises(ProtocolError) as raised:
        produce(again, 9)
    assert raised.value.code == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER


@pytest.mark.parametrize("clean", [True, False])
def test_all_batches_on_their_way_are_known_after_a_restart(clean: bool) -> None:
    """A snapshot tells only the last batch of a producer: the others are looked up in the log."""
    disk = MemoryDisk()
    log = produced(0, 1, 2, 3, 4, 5, disk=disk)
    log.flush()
    if clean:
        log.close()
    again = reopened(disk, SMALL, clean=clean, recovery_point=6)
    assert again.producers.loaded_to >= 4
    for sequence in (1, 2, 3, 4, 5):
        assert stored_offset(again, sequence) == sequence
    with pytest.raises(ProtocolError) as raised:
        produce(again, 0)
    assert raised.value.code == ErrorCode.DUPLICATE_SEQUENCE_NUMBER


def test_a_look_into_the_log_that_the_disk_refuses_is_tried_again() -> None:
    disk = MemoryDisk()
    produced(0, 1, 2, disk=disk).close()
    log = reopened(disk, SMALL, clean=True, recovery_point=3)
    disk.fail_at(1, errno.EIO, operation="read_at")
    with pytest.raises(StorageError):
        produce(log, 0)
    assert stored_offset(log, 0) == 0


@pytest.mark.parametrize("broken", [(5,), (4, 5), (2, 4, 5)])
@pytest.mark.parametrize("missing", [True, False])
def test_a_missing_or_damaged_snapshot_is_replaced_by_an_older_one_or_the_batches(
    broken: tuple[int, ...], missing: bool
) -> None:
    disk = MemoryDisk()
    produced(0, 1, 2, 3, 4, disk=disk).close()
    for offset in broken:
        if missing:
            disk.unlink(snapshot_path(offset))
        else:
            spoil(disk, offset)
    log = reopened(disk, SMALL, clean=True, recovery_point=5)
    assert last_sequence(log) == 4
    assert stored_offset(log, 4) == 4
    log.close()
    again = reopened(disk, SMALL, clean=True, recovery_point=5)
    assert again.producers.loaded_to == 5


def test_after_a_crash_a_snapshot_above_the_recovery_point_is_not_believed() -> None:
    disk = MemoryDisk()
    produced(0, 1, 2, 3, 4, disk=disk)
    states = decode_snapshot(disk.read_file(snapshot_path(4)))
    file = disk.open(snapshot_path(4))
    file.truncate(0)
    file.append([encode_snapshot([(99, states[0][1])])])
    log = reopened(disk, SMALL, clean=False, recovery_point=3)
    assert last_sequence(log, 99) is None
    assert stored_offset(log, 3) == 3
    assert snapshots(disk) == [2, 5]


def test_a_snapshot_of_what_a_crash_took_is_removed() -> None:
    disk = MemoryDisk()
    log = produced(0, 1, 2, 3, 4, disk=disk)
    log.close()
    disk.open(names.log_path(DIRECTORY, 4)).truncate(0)
    again = reopened(disk, SMALL, clean=False, recovery_point=5)
    assert again.log_end_offset == 4
    assert last_sequence(again) == 3
    assert snapshots(disk) == [2, 4]


# --- cutting ---


@pytest.mark.parametrize("end_offset", [1, 2, 3, 4])
def test_what_is_cut_may_be_sent_again(end_offset: int) -> None:
    disk = MemoryDisk()
    log = produced(0, 1, 2, 3, 4, disk=disk)
    log.truncate_to(end_offset)
    assert last_sequence(log) == end_offset - 1
    assert all(offset <= end_offset for offset in snapshots(disk))
    for sequence in range(end_offset, 6):
        assert produce(log, sequence) == sequence


def test_a_log_that_begins_anew_knows_no_producers() -> None:
    disk = MemoryDisk()
    log = produced(0, 1, 2, 3, 4, disk=disk)
    log.reset_to(100)
    assert len(log.producers.states) == 0
    assert snapshots(disk) == []
    assert produce(log, 55) == 100


def test_producers_outlive_the_batches_that_retention_takes() -> None:
    disk = MemoryDisk()
    log = produced(0, 1, 2, 3, 4, disk=disk)
    log.advance_log_start(5)
    log.close()
    again = reopened(disk, SMALL, clean=True, recovery_point=5, log_start_offset=5)
    assert stored_offset(again, 4) == 4


def test_batches_of_the_broker_itself_are_not_checked_but_count() -> None:
    log = new_log(MemoryDisk(), SMALL)
    for sequence in (0, 5):
        record = Record(timestamp=NOW_MS, key=None, value=b"v")
        batch = build_batch([record], producer_id=7, producer_epoch=0, base_sequence=sequence)
        log.append(batch, leader_epoch=0, now_ms=NOW_MS)
    assert stored_offset(log, 5) == 1


def test_a_failed_append_is_forgotten() -> None:
    disk = MemoryDisk()
    log = produced(0, disk=disk)
    disk.fail_at(1, errno.ENOSPC, operation="append")
    with pytest.raises(ProtocolError):
        produce(log, 1)
    assert last_sequence(log) == 0
    assert produce(log, 1) == 1


def test_plain_batches_leave_no_trace() -> None:
    log = new_log(MemoryDisk(), SMALL)
    append(log, b"a", b"b")
    assert len(log.producers.states) == 0
