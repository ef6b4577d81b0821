"""Appending and reading."""

from __future__ import annotations

import errno

import pytest

from ottla.base.errors import ErrorCode
from ottla.base.ids import ZERO_UUID
from ottla.log import names
from ottla.log.config import LogConfig
from ottla.log.errors import OffsetOutOfRangeError, StorageError
from ottla.log.partition_log import PartitionLog
from ottla.testing.memory_disk import MemoryDisk
from ottla.wire.records.batch import TimestampType, crc_matches, iter_batches, read_header
from ottla.wire.records.record import iter_records
from tests.unit.log.support import (
    DIRECTORY,
    NOW_MS,
    TOPIC_ID,
    SeededRng,
    all_batches,
    all_values,
    append,
    batch_of,
    new_log,
    read_bytes,
    reopened,
    stage,
)


def test_a_new_log_is_empty_and_says_whose_it_is() -> None:
    disk = MemoryDisk()
    log = new_log(disk)
    assert (log.log_start_offset, log.log_end_offset, log.recovery_point) == (0, 0, 0)
    assert (log.topic_id, log.last_epoch, log.size_bytes) == (TOPIC_ID, -1, 0)
    assert read_bytes(log, 0) == b""
    content = disk.read_file(f"{DIRECTORY}/{names.PARTITION_METADATA}")
    assert content == b"version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAKg"
    assert disk.list_dir(DIRECTORY) == ["00000000000000000000.log", "partition.metadata"]


def test_a_log_may_begin_at_any_offset() -> None:
    log = new_log(MemoryDisk(), start=1000)
    assert append(log, b"first") == 1000
    assert (log.log_start_offset, log.log_end_offset) == (1000, 1001)


def test_a_folder_that_holds_a_log_is_not_made_into_a_new_one() -> None:
    disk = MemoryDisk()
    new_log(disk)
    with pytest.raises(StorageError, match="already holds a log"):
        new_log(disk)


def test_batches_get_their_offsets_and_the_leader_epoch() -> None:
    log = new_log(MemoryDisk())
    assert append(log, b"a", b"b", epoch=3) == 0
    assert append(log, b"c", epoch=3) == 2
    assert append(log, b"d", b"e", epoch=5) == 3
    headers = [header for header, _ in all_batches(log)]
    assert [(header.base_offset, header.next_offset) for header in headers] == [
        (0, 2), (2, 3), (3, 5),
    ]  # fmt: skip
    assert [header.partition_leader_epoch for header in headers] == [3, 3, 5]
    assert all(crc_matches(batch, header) for header, batch in all_batches(log))
    assert all_values(log) == [b"a", b"b", b"c", b"d", b"e"]


def test_staged_batches_are_placed_in_their_own_buffer_and_seen_by_nobody() -> None:
    log = new_log(MemoryDisk())
    batch = memoryview(batch_of(b"a", b"b"))
    assert log.stage(batch, read_header(batch), 7, NOW_MS) == 0
    assert stage(log, b"c", epoch=7) == 2
    assert (read_header(batch).base_offset, read_header(batch).partition_leader_epoch) == (0, 7)
    assert log.log_end_offset == 0
    assert log.size_bytes == 0
    assert read_bytes(log, 0, end_offset=3) == b""
    log.commit()
    assert log.log_end_offset == 3
    assert all_values(log) == [b"a", b"b", b"c"]


def test_one_commit_is_one_append() -> None:
    disk = MemoryDisk()
    log = new_log(disk)
    append(log, b"warm up")
    before = disk.operations
    for _ in range(20):
        stage(log, b"value")
    log.commit()
    assert disk.operations == before + 1


def test_what_was_staged_can_be_dropped() -> None:
    log = new_log(MemoryDisk())
    append(log, b"kept")
    stage(log, b"dropped", epoch=4)
    log.drop_staged()
    log.commit()
    assert (log.log_end_offset, log.last_epoch) == (1, 0)
    assert append(log, b"next") == 1
    assert all_values(log) == [b"kept", b"next"]


def test_log_append_time_is_the_brokers() -> None:
    log = new_log(MemoryDisk(), LogConfig(timestamp_type=TimestampType.LOG_APPEND_TIME))
    append(log, b"a", b"b", timestamp=5)
    ((header, batch),) = all_batches(log)
    assert header.max_timestamp == NOW_MS
    assert crc_matches(batch, header)
    assert [record.timestamp for record in iter_records(batch)] == [NOW_MS, NOW_MS]


def test_a_follower_takes_batches_as_the_leader_placed_them() -> None:
    leader, log = new_log(MemoryDisk()), new_log(MemoryDisk())
    for epoch in (1, 1, 4):
        append(leader, b"x", b"y", epoch=epoch)
    for header, batch in all_batches(leader):
        log.stage_replica(memoryview(bytearray(batch)), header, NOW_MS)
    log.commit()
    assert all_batches(log) == all_batches(leader)
    assert log.epochs == leader.epochs == [(1, 0), (4, 4)]


def test_a_follower_of_a_compacted_leader_has_holes() -> None:
    log = new_log(MemoryDisk())
    for base_offset in (5, 20):
        batch = batch_of(b"value")
        batch[:8] = base_offset.to_bytes(8, "big")
        log.stage_replica(memoryview(batch), read_header(batch), NOW_MS)
    log.commit()
    assert log.log_end_offset == 21
    for offset, expected in ((0, 5), (5, 5), (6, 20), (20, 20)):
        found = log.read(offset, 1, end_offset=21, min_one_batch=True)
        assert found is not None
        assert found.base_offset == expected


# --- reading ---


def log_of_ten() -> PartitionLog:
    """Ten batches of two records and of one size."""
    log = new_log(MemoryDisk())
    for _ in range(10):
        append(log, b"1", b"2")
    return log


def test_a_read_begins_with_the_batch_that_holds_the_offset() -> None:
    log = log_of_ten()
    size = log.size_bytes // 10
    for offset in range(20):
        found = log.read(offset, size, end_offset=20, min_one_batch=False)
        assert found is not None
        assert found.base_offset == offset // 2 * 2
        assert (found.position, len(found)) == (found.base_offset // 2 * size, size)


def test_a_read_never_reaches_behind_its_end_offset() -> None:
    log = log_of_ten()
    size = log.size_bytes // 10
    assert len(read_bytes(log, 4, end_offset=10)) == 3 * size
    assert len(read_bytes(log, 4, end_offset=11)) == 3 * size
    assert read_bytes(log, 4, end_offset=5) == b""
    assert read_bytes(log, 4, end_offset=4) == b""
    assert read_bytes(log, 4, end_offset=2) == b""
    assert len(read_bytes(log, 4, end_offset=999)) == 8 * size


def test_the_last_batch_may_be_cut_but_never_the_first() -> None:
    log = log_of_ten()
    size = log.size_bytes // 10
    assert len(read_bytes(log, 0, max_bytes=size + 5)) == size + 5
    assert len(read_bytes(log, 0, max_bytes=1)) == size
    assert len(read_bytes(log, 0, max_bytes=0)) == size
    assert read_bytes(log, 0, max_bytes=size - 1, min_one_batch=False) == b""


def test_offsets_outside_of_the_log_are_refused() -> None:
    log = log_of_ten()
    log.advance_log_start(3)
    for offset in (-1, 0, 2, 21):
        with pytest.raises(OffsetOutOfRangeError) as refused:
            log.read(offset, 100, end_offset=20, min_one_batch=True)
        assert refused.value.code is ErrorCode.OFFSET_OUT_OF_RANGE
    assert log.read(20, 100, end_offset=20, min_one_batch=True) is None
    found = log.read(3, 100, end_offset=20, min_one_batch=True)
    assert found is not None
    assert found.base_offset == 2


def test_available_bytes_are_those_of_whole_batches() -> None:
    log = log_of_ten()
    size = log.size_bytes // 10
    assert log.available_bytes(0, 20) == log.size_bytes
    assert log.available_bytes(5, 20) == 8 * size
    assert log.available_bytes(18, 19) == 0
    assert log.available_bytes(20, 20) == 0
    assert log.available_bytes(0, 999) == log.size_bytes


def test_a_slice_outlives_the_log() -> None:
    log = log_of_ten()
    found = log.read(0, 1 << 20, end_offset=20, min_one_batch=True)
    assert found is not None
    log.delete()
    assert len(list(iter_batches(found.file.read_at(found.position, found.length)))) == 10


def test_reads_find_their_batch_also_where_only_the_sparse_index_knows() -> None:
    disk = MemoryDisk()
    log = new_log(disk, LogConfig(index_interval_bytes=200))
    for number in range(300):
        append(log, b"%d" % number * 5)
    log.close()
    log = reopened(disk, clean=True, recovery_point=300)
    for offset in range(300):
        found = log.read(offset, 1, end_offset=300, min_one_batch=True)
        assert found is not None
        assert found.base_offset == offset


def test_a_failing_read_is_a_storage_error() -> None:
    disk = MemoryDisk()
    log = log_of_ten()
    new_log(disk)
    log = reopened(disk, clean=True)
    append(log, b"x")
    log.close()
    log = reopened(disk, clean=True, recovery_point=1)
    log.roll(NOW_MS)
    disk.fail_at(1, errno.EIO, operation="read_at")
    found = log.read(0, 1, end_offset=1, min_one_batch=True)
    assert found is not None  # its place is in memory
    with pytest.raises(OSError):  # the shell reads, and sees the disk's own error
        found.file.read_at(found.position, found.length)


# --- failing appends ---


@pytest.mark.parametrize("leaves_bytes", [False, True])
def test_a_full_disk_drops_what_was_staged_and_nothing_else(leaves_bytes: bool) -> None:
    disk = MemoryDisk()
    disk.failed_append_leaves_bytes = leaves_bytes
    log = new_log(disk)
    append(log, b"before")
    stage(log, b"lost")
    stage(log, b"lost too")
    disk.fail_at(1, errno.ENOSPC, operation="append")
    with pytest.raises(StorageError) as refused:
        log.commit()
    assert refused.value.code is ErrorCode.KAFKA_STORAGE_ERROR
    assert isinstance(refused.value.__cause__, OSError)
    assert log.log_end_offset == 1
    assert append(log, b"after") == 1
    assert all_values(log) == [b"before", b"after"]
    log.close()
    assert all_values(reopened(disk, clean=True, recovery_point=2)) == [b"before", b"after"]


def test_what_was_refused_does_not_come_back_after_a_power_loss() -> None:
    for seed in range(40):
        disk = MemoryDisk()
        disk.failed_append_leaves_bytes = True
        log = new_log(disk)
        append(log, b"before")
        log.flush()
        stage(log, b"refused")
        stage(log, b"and this")
        disk.fail_at(1, errno.EIO, operation="append")
        with pytest.raises(StorageError):
            log.commit()
        log.roll(NOW_MS)
        disk.crash(SeededRng(seed))
        assert all_values(reopened(disk, clean=False, recovery_point=1)) == [b"before"]


def test_a_commit_over_two_segments_keeps_what_it_could_write() -> None:
    disk = MemoryDisk()
    log = new_log(disk, LogConfig(segment_bytes=250))
    append(log, b"first" * 10)
    for _ in range(3):
        stage(log, b"more" * 10)
    disk.fail_at(2, errno.ENOSPC, operation="append")
    with pytest.raises(StorageError):
        log.commit()
    assert log.log_end_offset == len(all_values(log))
    end = log.log_end_offset
    assert append(log, b"again") == end
    log.close()
    assert len(all_values(reopened(disk, clean=True))) == end + 1


def test_after_a_failed_sync_nothing_is_appended_until_the_log_is_opened_anew() -> None:
    disk = MemoryDisk()
    log = new_log(disk)
    append(log, b"written, perhaps")
    disk.fail_at(1, errno.EIO, operation="sync")
    with pytest.raises(StorageError):
        log.flush()
    assert log.recovery_point == 0
    for _ in range(2):
        with pytest.raises(StorageError, match="sync"):
            append(log, b"refused")
    assert all_values(log) == [b"written, perhaps"]
    log.close()
    log = reopened(disk, clean=False)
    append(log, b"taken")
    assert all_values(log) == [b"written, perhaps", b"taken"]


# --- the end ---


def test_deleting_leaves_nothing() -> None:
    disk = MemoryDisk()
    log = log_on(disk)
    log.delete()
    assert disk.list_dir("data") == []


def log_on(disk: MemoryDisk) -> PartitionLog:
    log = new_log(disk, LogConfig(segment_bytes=250))
    for number in range(9):
        append(log, b"%d" % number * 50)
    return log


def test_closing_twice_is_fine() -> None:
    log = log_on(MemoryDisk())
    log.close()
    log.close()


def test_a_topic_id_that_is_missing_can_be_assigned() -> None:
    disk = MemoryDisk()
    log_on(disk).close()
    disk.unlink(f"{DIRECTORY}/{names.PARTITION_METADATA}")
    log = reopened(disk, clean=True)
    assert log.topic_id == ZERO_UUID
    log.assign_topic_id(TOPIC_ID)
    log.close()
    assert reopened(disk, clean=True).topic_id == TOPIC_ID
