"""What is durable, and when."""

from __future__ import annotations

import errno

import pytest

from ottla.log.config import LogConfig
from ottla.log.errors import StorageError
from ottla.testing.memory_disk import MemoryDisk
from tests.unit.log.support import NOW_MS, TOPIC_ID, all_values, append, new_log, reopened

SMALL = LogConfig(segment_bytes=300)


def test_what_was_flushed_survives_a_power_loss_and_the_rest_may_not() -> None:
    disk = MemoryDisk()
    log = new_log(disk, SMALL)
    for number in range(9):
        append(log, b"%d" % number * 50, epoch=number)
    log.flush()
    assert log.recovery_point == 9
    append(log, b"lost", epoch=8)
    disk.crash()
    log = reopened(disk, SMALL, clean=False, recovery_point=9)
    assert all_values(log) == [b"%d" % number * 50 for number in range(9)]
    assert log.epochs == [(number, number) for number in range(9)]
    assert log.topic_id == TOPIC_ID


def test_an_unchanged_log_has_nothing_to_flush() -> None:
    log = new_log(MemoryDisk())
    assert log.plan_flush() is not None  # its folder is new
    append(log, b"x")
    log.flush()
    assert log.plan_flush() is None
    log.begin_epoch(4)
    assert log.plan_flush() is not None


def test_a_flush_covers_what_was_committed_when_it_was_planned() -> None:
    log = new_log(MemoryDisk(), SMALL)
    append(log, b"one")
    plan = log.plan_flush()
    assert plan is not None
    for _ in range(5):
        append(log, bytes(80))
    plan.run()
    log.complete_flush(plan)
    assert log.recovery_point == 1
    log.flush()
    assert log.recovery_point == 6


def test_a_flush_that_a_truncation_overtook_promises_nothing() -> None:
    log = new_log(MemoryDisk())
    for _ in range(4):
        append(log, b"old")
    plan = log.plan_flush()
    assert plan is not None
    log.truncate_to(1)
    append(log, b"new")
    plan.run()
    log.complete_flush(plan)
    assert log.recovery_point <= 1


def test_a_failed_sync_is_told_and_final() -> None:
    disk = MemoryDisk()
    log = new_log(disk)
    append(log, b"x")
    plan = log.plan_flush()
    assert plan is not None
    disk.fail_at(1, errno.EIO, operation="sync")
    plan.run()
    with pytest.raises(StorageError):
        log.complete_flush(plan)
    with pytest.raises(StorageError):
        log.plan_flush()


def test_flush_messages_and_flush_ms_ask_for_a_flush() -> None:
    log = new_log(MemoryDisk(), LogConfig(flush_messages=3, flush_ms=1000))
    assert not log.needs_flush(NOW_MS)
    append(log, b"1", b"2")
    assert not log.needs_flush(NOW_MS)
    assert not log.needs_flush(NOW_MS + 999)
    assert log.needs_flush(NOW_MS + 1000)
    log.flush()
    assert not log.needs_flush(NOW_MS + 5000)
    append(log, b"1", b"2", b"3")
    assert log.needs_flush(NOW_MS + 5000)


def test_without_settings_nothing_asks_for_a_flush() -> None:
    log = new_log(MemoryDisk())
    append(log, b"x")
    assert not log.needs_flush(NOW_MS + 10**9)


def test_closing_flushes() -> None:
    disk = MemoryDisk()
    log = new_log(disk, SMALL)
    for _ in range(5):
        append(log, bytes(80))
    log.close()
    disk.crash()
    log = reopened(disk, SMALL, clean=True, recovery_point=5)
    assert len(all_values(log)) == 5
    assert log.max_timestamp() is not None


def test_an_abandoned_log_touches_neither_its_files_nor_those_of_a_successor() -> None:
    disk = MemoryDisk()
    log = new_log(disk)
    append(log, b"x")
    log.abandon()
    disk.rename(log.directory, f"{log.directory}-gone")
    assert log.plan_flush() is None
    assert not disk.exists(log.directory)
