"""What a log says it has taken since it was opened, for those who count."""

from __future__ import annotations

import pytest

from ottla.base import limits
from ottla.log import segment
from ottla.log.config import LogConfig
from ottla.testing.memory_disk import MemoryDisk
from tests.unit.log.support import NOW_MS, append, batch_of, new_log, reopened, stage

ONE = len(batch_of(b"a"))


def test_a_new_log_has_taken_nothing_and_counts_each_batch() -> None:
    log = new_log(MemoryDisk())
    assert log.appended == (0, 0)
    append(log, b"a")
    append(log, b"b")
    assert log.appended == (2 * ONE, 2)


def test_what_was_there_before_is_not_counted() -> None:
    disk = MemoryDisk()
    log = new_log(disk)
    append(log, b"a")
    log.close()
    for clean in (True, False):
        log = reopened(disk, clean=clean)
        assert log.appended == (0, 0)
    append(log, b"b")
    assert log.appended == (ONE, 1)


def test_a_roll_goes_on_counting() -> None:
    log = new_log(MemoryDisk(), LogConfig(segment_bytes=2 * ONE))
    for _ in range(7):
        append(log, b"a")
    assert len(log.segments) > 2
    assert log.appended == (7 * ONE, 7)


def test_what_retention_takes_stays_counted() -> None:
    log = new_log(MemoryDisk(), LogConfig(segment_bytes=2 * ONE))
    for _ in range(6):
        append(log, b"a")
    log.advance_log_start(4)
    while log.release_oldest(6, NOW_MS) is not None:
        pass
    assert len(log.segments) == 1
    assert log.appended == (6 * ONE, 6)


@pytest.mark.parametrize("target", [1, 3, 5])
def test_a_cut_takes_nothing_back(target: int) -> None:
    log = new_log(MemoryDisk(), LogConfig(segment_bytes=2 * ONE))
    for _ in range(6):
        append(log, b"a")
    log.truncate_to(target)
    assert log.appended == (6 * ONE, 6)
    append(log, b"a")
    assert log.appended == (7 * ONE, 7)


def test_batches_that_left_the_hot_index_stay_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HOT_INDEX_BATCHES_MAX", 4)
    monkeypatch.setattr(segment, "_HOT_SLACK", 1)
    log = new_log(MemoryDisk())
    for _ in range(20):
        append(log, b"a")
    assert log.appended == (20 * ONE, 20)
    for now_ms in (NOW_MS, NOW_MS + 1):
        log.roll_if_due(now_ms)  # the second time the log is idle, and gives its memory back
    assert log.appended == (20 * ONE, 20)


def test_batches_that_are_taken_back_unwritten_are_not_counted() -> None:
    disk = MemoryDisk()
    log = new_log(disk)
    append(log, b"a")
    stage(log, b"b")
    disk.fail_at(1, 28, operation="append")
    with pytest.raises(Exception, match="No space"):
        log.commit()
    assert log.appended == (ONE, 1)
