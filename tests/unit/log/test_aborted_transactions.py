"""`.txnindex`: written, found again, made anew after a crash, and never more than the log holds."""

from __future__ import annotations

import errno

import pytest

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.log.aborted_transactions import AbortedTransaction, decode_aborted, encode_aborted
from ottla.log.config import LogConfig
from ottla.log.errors import StorageError
from ottla.log.partition_log import PartitionLog
from ottla.log.producers import Verification
from ottla.wire.compiler import codec
from ottla.wire.payloads.control import EndTxnMarker
from ottla.wire.records.batch import build_batch, read_header
from ottla.wire.records.control import ControlType, control_key
from ottla.wire.records.record import Record
from tests.support.watched_disk import WatchedDisk
from tests.unit.log.support import DIRECTORY, NOW_MS, new_log, reopened

SMALL = LogConfig(segment_bytes=400)
INDEX = f"{DIRECTORY}/{0:020d}.txnindex"


def begin(log: PartitionLog, producer: int, epoch: int = 0) -> int:
    """One record of a transaction; its offset."""
    batch = build_batch(
        [Record(timestamp=NOW_MS, key=None, value=b"value")],
        producer_id=producer,
        producer_epoch=epoch,
        base_sequence=0,
        transactional=True,
    )
    return log.append(batch, leader_epoch=0, now_ms=NOW_MS)


def marker(producer: int, epoch: int, kind: ControlType, coordinator_epoch: int = 0) -> bytes:
    value = codec(EndTxnMarker, 0).encode(EndTxnMarker(coordinator_epoch=coordinator_epoch))
    record = Record(timestamp=NOW_MS, key=control_key(kind), value=bytes(2) + bytes(value))
    return bytes(
        build_batch(
            [record], producer_id=producer, producer_epoch=epoch, transactional=True, control=True
        )
    )


def end(
    log: PartitionLog, producer: int, kind: ControlType = ControlType.ABORT, epoch: int = 0
) -> int:
    return log.append(marker(producer, epoch, kind), leader_epoch=0, now_ms=NOW_MS)


def aborted(log: PartitionLog, offset: int = 0, end_offset: int = 1 << 60) -> list[tuple[int, ...]]:
    """(producer, first offset, marker) of each."""
    return [tuple(found[:3]) for found in log.aborted_transactions(offset, end_offset)]


def written(disk: WatchedDisk) -> list[AbortedTransaction]:
    """All that the files hold."""
    return [
        entry
        for name in disk.list_dir(DIRECTORY)
        if name.endswith(".txnindex")
        for entry in decode_aborted(disk.read_file(f"{DIRECTORY}/{name}"))
    ]


def filled(disk: WatchedDisk, config: LogConfig | None = None) -> PartitionLog:
    """Six transactions, two at a time; the odd producers' are committed."""
    log = new_log(disk, config)
    for producer in range(0, 6, 2):
        begin(log, producer)
        begin(log, producer + 1)
        end(log, producer)
        end(log, producer + 1, ControlType.COMMIT)
    return log


FOUND = [(0, 0, 2), (2, 4, 6), (4, 8, 10)]


@pytest.mark.parametrize("config", [LogConfig(), SMALL])
def test_aborted_transactions_are_told_at_once_and_committed_ones_never(config: LogConfig) -> None:
    assert aborted(filled(WatchedDisk(), config)) == FOUND


def test_the_last_stable_offset_of_an_entry_is_that_of_its_marker() -> None:
    log = filled(WatchedDisk())
    stable = [found.last_stable_offset for found in log.aborted_transactions(0, 1 << 60)]
    assert stable == [1, 5, 9]
    begin(log, 7)
    end(log, 7)
    assert log.aborted_transactions(12, 99)[-1].last_stable_offset == 14


@pytest.mark.parametrize("config", [LogConfig(), SMALL])
@pytest.mark.parametrize(
    ("offset", "end_offset", "found"),
    [(0, 1, FOUND[:1]), (3, 8, FOUND[1:2]), (6, 99, FOUND[1:]), (7, 99, FOUND[2:]), (11, 99, [])],
)
def test_only_those_that_reach_into_the_range_are_told(
    config: LogConfig, offset: int, end_offset: int, found: list[tuple[int, ...]]
) -> None:
    disk = WatchedDisk()
    log = filled(disk, config)
    assert aborted(log, offset, end_offset) == found
    log.flush()
    assert aborted(log, offset, end_offset) == found


@pytest.mark.parametrize("config", [LogConfig(), SMALL])
def test_a_flush_writes_them_and_the_next_start_reads_them(config: LogConfig) -> None:
    disk = WatchedDisk()
    log = filled(disk, config)
    log.flush()
    assert [tuple(entry[:3]) for entry in written(disk)] == FOUND
    log.close()
    assert aborted(reopened(disk, config, clean=True, recovery_point=12)) == FOUND


@pytest.mark.parametrize("config", [LogConfig(), SMALL])
@pytest.mark.parametrize("flushed", [True, False])
def test_what_a_crash_takes_is_made_anew_from_the_log(config: LogConfig, flushed: bool) -> None:
    disk = WatchedDisk()
    log = filled(disk, config)
    if flushed:
        log.flush()
    log.abandon()
    again = reopened(disk, config, clean=False, recovery_point=log.recovery_point)
    assert aborted(again) == FOUND
    assert [tuple(entry[:3]) for entry in written(disk)] == FOUND


def test_entries_are_kept_in_the_file_of_their_markers_segment() -> None:
    disk = WatchedDisk()
    log = filled(disk, SMALL)
    log.abandon()
    again = reopened(disk, SMALL, clean=False)
    for segment in again.segments:
        path = f"{DIRECTORY}/{segment.base_offset:020d}.txnindex"
        if disk.exists(path):
            for entry in decode_aborted(disk.read_file(path)):
                assert segment.base_offset <= entry.last_offset < segment.next_offset


@pytest.mark.parametrize(
    "torn",
    [
        bytes(34),
        bytes(20),
        encode_aborted([AbortedTransaction(9, 3, 50, 60)]),
        encode_aborted([AbortedTransaction(9, 3, 1, 60)]),
    ],
)
def test_what_a_crash_has_torn_or_left_over_hides_no_record(torn: bytes) -> None:
    disk = WatchedDisk()
    log = filled(disk)
    log.flush()
    log.abandon()
    disk.open(INDEX).append([torn])
    again = reopened(disk, clean=False, recovery_point=log.recovery_point)
    assert aborted(again) == FOUND
    begin(again, 9)
    end(again, 9)
    again.flush()
    assert [tuple(entry[:3]) for entry in written(disk)] == [*FOUND, (9, 12, 13)]


def test_a_cut_takes_entries_along() -> None:
    disk = WatchedDisk()
    log = filled(disk)
    log.flush()
    log.truncate_to(7)
    assert aborted(log) == FOUND[:2]
    log.truncate_to(6)
    assert aborted(log) == FOUND[:1]
    assert end(log, 2, ControlType.COMMIT) == 6
    assert aborted(log) == FOUND[:1]


def test_a_marker_that_was_not_written_aborts_nothing() -> None:
    disk = WatchedDisk()
    log = new_log(disk)
    begin(log, 1)
    disk.fail("append", ".log", errno.ENOSPC)
    with pytest.raises(StorageError):
        end(log, 1)
    disk.heal()
    assert aborted(log) == []
    end(log, 1, ControlType.COMMIT)
    assert aborted(log) == []
    assert log.last_stable_offset(log.log_end_offset) == 2


def test_entries_that_the_disk_refuses_are_written_later() -> None:
    disk = WatchedDisk()
    log = filled(disk)
    disk.fail("append", ".txnindex", errno.ENOSPC)
    with pytest.raises(StorageError):
        log.flush()
    disk.heal()
    assert aborted(log) == FOUND
    log.flush()
    assert [tuple(entry[:3]) for entry in written(disk)] == FOUND


def test_many_entries_are_found_in_files_too() -> None:
    disk = WatchedDisk()
    log = new_log(disk)
    for producer in range(700):
        begin(log, producer)
        end(log, producer)
    log.flush()
    assert aborted(log, 900, 904) == [(450, 900, 901), (451, 902, 903)]
    assert len(aborted(log)) == 700


# -- who may write ---------------------------------------------------------------------------------


def stage(log: PartitionLog, verification: Verification | None, epoch: int = 0) -> None:
    batch = memoryview(
        build_batch(
            [Record(timestamp=NOW_MS, key=None, value=b"value")],
            producer_id=1,
            producer_epoch=epoch,
            base_sequence=0,
            transactional=True,
        )
    )
    log.stage(batch, read_header(batch), 0, NOW_MS, verification)
    log.commit()


def test_a_transaction_begins_where_it_was_verified_and_nowhere_else() -> None:
    log = new_log(WatchedDisk())
    states = log.producers.states
    asked, other = Verification(), Verification()
    for verification in (None, other):
        with pytest.raises(ProtocolError) as refused:
            stage(log, verification)
        assert refused.value.code is ErrorCode.INVALID_TXN_STATE
    states.begin_verification(1, asked)
    with pytest.raises(ProtocolError):
        stage(log, other)
    stage(log, asked)
    assert states.is_in_transaction(1, 0)
    assert not states.is_in_transaction(1, 1)


def test_a_marker_between_the_answer_and_the_batch_takes_the_answer_back() -> None:
    log = new_log(WatchedDisk())
    asked = Verification()
    log.producers.states.begin_verification(1, asked)
    end(log, 1)
    with pytest.raises(ProtocolError) as refused:
        stage(log, asked)
    assert refused.value.code is ErrorCode.INVALID_TXN_STATE


def test_an_open_transaction_of_another_epoch_is_no_leave_to_write() -> None:
    log = new_log(WatchedDisk())
    begin(log, 1, epoch=0)
    with pytest.raises(ProtocolError) as refused:
        stage(log, Verification(), epoch=1)
    assert refused.value.code is ErrorCode.INVALID_TXN_STATE


def test_an_answer_that_was_given_up_is_of_no_use() -> None:
    log = new_log(WatchedDisk())
    asked = Verification()
    log.producers.states.begin_verification(1, asked)
    log.producers.states.end_verification(1, asked)
    with pytest.raises(ProtocolError):
        stage(log, asked)


@pytest.mark.parametrize(
    ("epoch", "begins_epoch", "needed"), [(4, True, True), (3, False, True), (4, False, True)]
)
def test_markers_of_an_open_transaction_are_needed(
    epoch: int, begins_epoch: bool, needed: bool
) -> None:
    log = new_log(WatchedDisk())
    begin(log, 1, epoch=3)
    states = log.producers.states
    found = states.needs_marker(1, epoch, coordinator_epoch=0, begins_epoch=begins_epoch)
    assert found is needed


@pytest.mark.parametrize(("epoch", "begins_epoch"), [(2, False), (2, True), (3, True)])
def test_markers_of_an_older_epoch_are_refused(epoch: int, begins_epoch: bool) -> None:
    log = new_log(WatchedDisk())
    begin(log, 1, epoch=3)
    with pytest.raises(ProtocolError) as refused:
        log.producers.states.needs_marker(1, epoch, coordinator_epoch=0, begins_epoch=begins_epoch)
    assert refused.value.code is ErrorCode.INVALID_PRODUCER_EPOCH


def test_a_marker_that_is_there_already_is_not_needed_again() -> None:
    log = new_log(WatchedDisk())
    begin(log, 1, epoch=3)
    end(log, 1, epoch=4)
    assert not log.producers.states.needs_marker(1, 4, coordinator_epoch=0, begins_epoch=True)


def test_an_older_coordinator_is_fenced() -> None:
    log = new_log(WatchedDisk())
    log.append(marker(1, 0, ControlType.COMMIT, 5), leader_epoch=0, now_ms=NOW_MS)
    with pytest.raises(ProtocolError) as refused:
        log.producers.states.needs_marker(1, 0, coordinator_epoch=4, begins_epoch=False)
    assert refused.value.code is ErrorCode.TRANSACTION_COORDINATOR_FENCED
