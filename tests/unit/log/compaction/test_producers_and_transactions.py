"""What compaction does with the batches of producers who count, and of transactions."""

from __future__ import annotations

import struct

import pytest

from ottla.log.aborted_transactions import AbortedTransaction, decode_aborted, encode_aborted
from ottla.log.config import LogConfig
from ottla.log.names import TXN_INDEX_SUFFIX, segment_stem
from ottla.log.partition_log import PartitionLog
from ottla.testing.memory_disk import MemoryDisk
from ottla.wire.records.batch import build_batch
from ottla.wire.records.control import ControlType, control_key
from ottla.wire.records.record import Record
from tests.unit.log.compaction.support import COMPACTED, add, batches, compacted, content
from tests.unit.log.support import DIRECTORY, NOW_MS, new_log, reopened

A, B, C = b"a", b"b", b"c"
RETENTION_MS = COMPACTED.delete_retention_ms
P, Q = 7, 8


def write(log: PartitionLog, producer: int, sequence: int, *keys: bytes) -> int:
    """A batch within a transaction; its base offset."""
    pairs = [(key, b"%d" % producer) for key in keys]
    return add(
        log,
        *pairs,
        producer_id=producer,
        producer_epoch=0,
        base_sequence=sequence,
        transactional=True,
    )


def end(log: PartitionLog, producer: int, kind: ControlType, *, epoch: int = 0) -> int:
    """The marker of a transaction; its offset."""
    value = struct.pack(">hi", 0, 0)
    marker = build_batch(
        [Record(timestamp=NOW_MS, key=control_key(kind), value=value)],
        producer_id=producer,
        producer_epoch=epoch,
        transactional=True,
        control=True,
    )
    return log.append(marker, leader_epoch=0, now_ms=NOW_MS)


def tell_aborted(
    log: PartitionLog, disk: MemoryDisk, base_offset: int, *entries: tuple[int, int, int]
) -> None:
    """Enter (producer, first offset, marker) in the `.txnindex` of a segment."""
    found = [AbortedTransaction(*entry, entry[2] + 1) for entry in entries]
    path = f"{DIRECTORY}/{segment_stem(base_offset)}{TXN_INDEX_SUFFIX}"
    disk.open(path, create=True).append([encode_aborted(found)])
    log.producers.aborted.replace_segments([], written=base_offset)


def txn_index(disk: MemoryDisk) -> dict[str, list[AbortedTransaction]]:
    return {
        name: decode_aborted(disk.read_file(f"{DIRECTORY}/{name}"))
        for name in disk.list_dir(DIRECTORY)
        if name.endswith(TXN_INDEX_SUFFIX)
    }


def again(log: PartitionLog, disk: MemoryDisk, *, now_ms: int = NOW_MS) -> None:
    """Compact once more, all that is closed."""
    compacted(log, disk, first_dirty_offset=0, now_ms=now_ms)


def markers(log: PartitionLog) -> list[int]:
    return [header.base_offset for header in batches(log) if header.is_control]


def forgotten(log: PartitionLog) -> None:
    """All producers have expired: nothing is kept for their sake."""
    log.producers.states.expire(NOW_MS * 2, 1)


# --- transactions ---


def test_records_of_an_aborted_transaction_go_and_shadow_nothing() -> None:
    disk = MemoryDisk()
    log = new_log(disk, COMPACTED)
    add(log, (A, b"old"))
    first = write(log, P, 0, A, B)
    write(log, Q, 0, C)
    marker = end(log, P, ControlType.ABORT)
    end(log, Q, ControlType.COMMIT)
    log.roll(NOW_MS)
    tell_aborted(log, disk, 0, (P, first, marker))
    forgotten(log)
    compacted(log, disk)
    assert content(log) == [(0, A, b"old"), (3, C, b"8")]


def test_what_the_producer_wrote_after_the_abort_stays() -> None:
    disk = MemoryDisk()
    log = new_log(disk, COMPACTED)
    first = write(log, P, 0, A)
    marker = end(log, P, ControlType.ABORT)
    write(log, P, 1, B)
    end(log, P, ControlType.COMMIT)
    log.roll(NOW_MS)
    tell_aborted(log, disk, 0, (P, first, marker))
    compacted(log, disk)
    assert content(log) == [(2, B, b"7")]


def test_a_transaction_that_ends_behind_the_cleaned_part_is_known_all_the_same() -> None:
    disk = MemoryDisk()
    log = new_log(disk, COMPACTED)
    first = write(log, P, 0, A, B)
    log.roll(NOW_MS)
    marker = end(log, P, ControlType.ABORT)
    log.roll(NOW_MS)
    tell_aborted(log, disk, 2, (P, first, marker))
    forgotten(log)
    compacted(log, disk, end_offset=2)
    assert content(log) == []
    assert markers(log) == [marker]


def test_an_abort_that_no_file_tells_yet_is_known_all_the_same() -> None:
    disk = MemoryDisk()
    log = new_log(disk, COMPACTED)
    add(log, (A, b"old"))
    write(log, P, 0, A)
    log.roll(NOW_MS)
    end(log, P, ControlType.ABORT)
    assert txn_index(disk) == {}
    forgotten(log)
    compacted(log, disk, end_offset=2)
    assert content(log) == [(0, A, b"old")]


@pytest.mark.parametrize("passed_ms", [-1, 0])
def test_a_marker_stays_until_its_transactions_batches_are_gone_and_then_to_its_horizon(
    passed_ms: int,
) -> None:
    disk = MemoryDisk()
    log = new_log(disk, COMPACTED)
    write(log, P, 0, A)
    marker = end(log, P, ControlType.COMMIT)
    log.roll(NOW_MS)
    compacted(log, disk)
    assert _horizon_of(log, marker) is None
    add(log, (A, b"new"))
    log.roll(NOW_MS)
    forgotten(log)
    again(log, disk)
    # The batch was met in this run, and has gone: the next run can know that there is none.
    assert content(log) == [(2, A, b"new")]
    assert _horizon_of(log, marker) is None
    again(log, disk)
    assert _horizon_of(log, marker) == NOW_MS + RETENTION_MS
    again(log, disk, now_ms=NOW_MS + RETENTION_MS + passed_ms)
    assert markers(log) == ([marker] if passed_ms < 0 else [])


def test_an_abort_is_told_as_long_as_its_batches_may_be_met() -> None:
    disk = MemoryDisk()
    log = new_log(disk, COMPACTED)
    first = write(log, P, 0, A)
    marker = end(log, P, ControlType.ABORT)
    log.roll(NOW_MS)
    add(log, (B, b"1"))
    log.roll(NOW_MS)
    tell_aborted(log, disk, 0, (P, first, marker))
    compacted(log, disk)
    entry = AbortedTransaction(P, first, marker, marker + 1)
    assert txn_index(disk) == {f"{segment_stem(0)}.txnindex": [entry]}
    assert log.aborted_transactions(0, 10) == [entry]
    forgotten(log)
    again(log, disk)  # the batch stayed empty for its producer; now it goes
    again(log, disk)
    assert txn_index(disk) == {}
    assert log.aborted_transactions(0, 10) == []
    assert reopened(disk, COMPACTED, clean=False).aborted_transactions(0, 10) == []


def test_aborts_of_merged_segments_are_told_by_one_index() -> None:
    disk = MemoryDisk()
    log = new_log(disk, COMPACTED)
    entries = []
    for number, producer in enumerate((P, Q)):
        base_offset = log.log_end_offset
        first = write(log, producer, 0, A)
        marker = end(log, producer, ControlType.ABORT)
        log.roll(NOW_MS)
        tell_aborted(log, disk, base_offset, (producer, first, marker))
        entries.append(AbortedTransaction(producer, first, marker, marker + 1))
        assert number == len(entries) - 1
    compacted(log, disk)
    assert txn_index(disk) == {f"{segment_stem(0)}.txnindex": entries}
    assert log.aborted_transactions(0, 10) == entries


# --- producers ---


def test_the_last_batch_of_a_producer_stays_though_empty() -> None:
    disk = MemoryDisk()
    log = _idempotent(disk)
    compacted(log, disk)
    found = [header for header in batches(log) if header.producer_id == P]
    assert [(header.base_offset, header.record_count) for header in found] == [(2, 0)]
    assert (found[0].base_sequence, found[0].last_sequence, found[0].last_offset) == (2, 3, 3)


def test_sequences_survive_compaction_and_the_loss_of_every_snapshot() -> None:
    disk = MemoryDisk()
    log = _idempotent(disk)
    compacted(log, disk)
    log.close()
    for name in disk.list_dir(DIRECTORY):
        if name.endswith(".snapshot"):
            disk.unlink(f"{DIRECTORY}/{name}")
    opened = reopened(disk, COMPACTED, clean=False)
    state = opened.producers.states.get(P)
    assert state is not None
    assert state.batches[-1].last_sequence == 3


def test_producers_that_are_forgotten_keep_nothing() -> None:
    disk = MemoryDisk()
    log = _idempotent(disk)
    forgotten(log)
    compacted(log, disk)
    assert [header.producer_id for header in batches(log)] == [-1]


def test_the_epoch_of_a_producer_without_batches_stays_with_its_marker() -> None:
    disk = MemoryDisk()
    log = new_log(disk, COMPACTED)
    write(log, P, 0, A)
    end(log, P, ControlType.COMMIT, epoch=1)
    add(log, (A, b"new"))
    log.roll(NOW_MS)
    for _ in range(3):
        again(log, disk, now_ms=NOW_MS + 2 * RETENTION_MS)
    state = reopened(disk, COMPACTED, clean=False).producers.states.get(P)
    assert state is not None
    assert state.epoch == 1


def test_with_a_horizon_the_records_of_a_transaction_keep_their_time() -> None:
    disk = MemoryDisk()
    log = new_log(disk, LogConfig(cleanup_policy=("compact",)))
    write(log, P, 0, A)
    end(log, P, ControlType.COMMIT)
    log.roll(NOW_MS)
    before = batches(log)
    compacted(log, disk)
    assert batches(log) == before


def _idempotent(disk: MemoryDisk) -> PartitionLog:
    """Two batches of one producer, and one that takes the place of all of their records."""
    log = new_log(disk, COMPACTED)
    add(log, (A, b"1"), (B, b"1"), producer_id=P, producer_epoch=0, base_sequence=0)
    add(log, (A, b"2"), (B, b"2"), producer_id=P, producer_epoch=0, base_sequence=2)
    add(log, (A, b"3"), (B, b"3"))
    log.roll(NOW_MS)
    return log


def _horizon_of(log: PartitionLog, marker: int) -> int | None:
    (header,) = (found for found in batches(log) if found.base_offset == marker)
    return header.delete_horizon_ms
