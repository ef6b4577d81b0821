"""Compacted segments take the place of others: refused when stale, whole after any crash."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import pairwise

import pytest

from ottla.log.compaction.cleaner import compact
from ottla.log.compaction.result import CompactionResult
from ottla.log.compaction.swap import StaleCompactionError
from ottla.log.config import LogConfig
from ottla.log.errors import StorageError
from ottla.log.partition_log import PartitionLog
from ottla.log.scan import walk
from ottla.testing.memory_disk import MemoryDisk
from tests.unit.log.compaction.support import (
    COMPACTED,
    Pair,
    add,
    bases,
    content,
    log_of,
    plan,
)
from tests.unit.log.support import DIRECTORY, NOW_MS, SeededRng, read_bytes, reopened

A, B, C = b"a", b"b", b"c"
ROUNDS: list[list[Pair]] = [[(A, b"1"), (B, b"1")], [(A, b"2"), (C, b"1")], [(C, b"2")]]
BEFORE = [(0, A, b"1"), (1, B, b"1"), (2, A, b"2"), (3, C, b"1"), (4, C, b"2"), (5, A, b"3")]
AFTER = [(1, B, b"1"), (2, A, b"2"), (4, C, b"2"), (5, A, b"3")]
CRASH_SEEDS = 8


class DyingDisk(MemoryDisk):
    """Fails at every call once `calls_left` are made."""

    calls_left: int | None = None

    def failure(self, operation: str, path: str) -> OSError | None:
        if self.calls_left is None:
            return super().failure(operation, path)
        if self.calls_left == 0:
            return OSError(errno.EIO, os.strerror(errno.EIO), path)
        self.calls_left -= 1
        return None


def prepared(disk: MemoryDisk) -> tuple[PartitionLog, CompactionResult]:
    """Three closed segments on the disk, and what compaction has made of them."""
    log = log_of(disk, *ROUNDS)
    add(log, (A, b"3"))
    log.flush()
    return log, compact(plan(log), disk, throttle=lambda _: None)


def unfinished(disk: MemoryDisk) -> list[str]:
    return [name for name in disk.list_dir(DIRECTORY) if name.endswith((".cleaned", ".swap"))]


def test_the_replaced_segments_are_renamed_and_told() -> None:
    disk = MemoryDisk()
    log, result = prepared(disk)
    retired = log.replace_compacted(result)
    deleted = [name for name in disk.list_dir(DIRECTORY) if name.endswith(".deleted")]
    assert sorted(retired) == [f"{DIRECTORY}/{name}" for name in deleted]
    assert {name[:20] for name in deleted} == {"0" * 19 + "2", "0" * 19 + "4"}
    assert not unfinished(disk)
    assert bases(log) == [0, 5]
    assert content(log) == AFTER


def test_who_is_reading_a_replaced_segment_may_finish() -> None:
    disk = MemoryDisk()
    log, result = prepared(disk)
    held = log.read(0, 1 << 20, end_offset=6, min_one_batch=True)
    assert held is not None
    before = held.file.read_at(held.position, held.length)
    log.replace_compacted(result)
    assert held.file.read_at(held.position, held.length) == before


def test_what_was_appended_meanwhile_stays() -> None:
    disk = MemoryDisk()
    log, result = prepared(disk)
    add(log, (B, b"2"))
    log.roll(NOW_MS)
    add(log, (B, b"3"))
    log.replace_compacted(result)
    assert content(log) == [*AFTER, (6, B, b"2"), (7, B, b"3")]


def _advance(log: PartitionLog) -> None:
    log.advance_log_start(3)
    assert log.release_oldest(6, NOW_MS) is not None


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda log: log.truncate_to(3), id="cut"),
        pytest.param(lambda log: log.truncate_to(5), id="cut behind it"),
        pytest.param(lambda log: log.reset_to(9), id="reset"),
        pytest.param(_advance, id="oldest segment released"),
        pytest.param(lambda log: log.close(), id="closed"),
        pytest.param(lambda log: setattr(log, "config", LogConfig()), id="no longer compacted"),
    ],
)
def test_a_result_is_refused_when_the_log_has_changed(
    change: Callable[[PartitionLog], None],
) -> None:
    disk = MemoryDisk()
    log, result = prepared(disk)
    change(log)
    names = set(disk.list_dir(DIRECTORY))
    with pytest.raises(StaleCompactionError):
        log.replace_compacted(result)
    assert not unfinished(disk)
    assert {name for name in names if not name.endswith(".cleaned")} == set(
        disk.list_dir(DIRECTORY)
    )


def test_a_log_that_is_cut_between_two_steps_keeps_what_it_has() -> None:
    disk = MemoryDisk()
    log, result = prepared(disk)
    steps = log.swap_compacted(result).steps()
    next(steps)
    log.truncate_to(3)
    with pytest.raises(StaleCompactionError):
        next(steps)
    assert not unfinished(disk)
    assert content(log) == BEFORE[:2]
    assert content(reopened(disk, COMPACTED, clean=False)) == BEFORE[:2]


def test_the_same_segments_cut_and_written_again_are_not_the_same() -> None:
    disk = MemoryDisk()
    log, result = prepared(disk)
    log.truncate_to(4)
    log.roll(NOW_MS)
    add(log, (C, b"9"))
    log.roll(NOW_MS)
    with pytest.raises(StaleCompactionError):
        log.replace_compacted(result)


@pytest.mark.parametrize("rounds", [1, 2])
def test_a_power_loss_at_any_call_leaves_the_old_or_the_new(rounds: int) -> None:
    calls = _calls_of_a_swap(rounds)
    assert calls > 10
    for nth in range(1, calls + 1):
        for seed in range(CRASH_SEEDS):
            disk = DyingDisk()
            log, result = prepared_in_rounds(disk, rounds)
            before = content(log)
            log_end_offset = log.log_end_offset
            disk.calls_left = nth - 1
            with suppress(StorageError):
                log.replace_compacted(result)
            disk.calls_left = None
            disk.crash(SeededRng(seed))
            opened = reopened(disk, log.config, clean=False, recovery_point=log_end_offset)
            _check_whole(opened, before, f"call {nth}, seed {seed}")
            assert not unfinished(disk)


def test_a_kill_while_a_crash_is_settled_loses_nothing() -> None:
    for seed in range(200):
        disk = DyingDisk()
        log, result = prepared(disk)
        steps = log.swap_compacted(result).steps()
        next(steps)
        disk.sync_dir(DIRECTORY)
        disk.crash(SeededRng(seed))
        disk.calls_left = seed % 40
        with suppress(StorageError, OSError):
            reopened(disk, COMPACTED, clean=False, recovery_point=5)
        disk.calls_left = None
        disk.crash(SeededRng(seed))
        opened = reopened(disk, COMPACTED, clean=False, recovery_point=5)
        _check_whole(opened, BEFORE, f"seed {seed}")


def test_a_failing_disk_leaves_the_log_as_it_was_before_the_names_change() -> None:
    disk = MemoryDisk()
    log, result = prepared(disk)
    disk.fail_at(1, errno.EIO, operation="rename")
    with pytest.raises(StorageError, match="cannot replace segments"):
        log.replace_compacted(result)
    assert not log.has_failed
    assert not unfinished(disk)
    assert content(log) == BEFORE
    add(log, (A, b"4"))


def test_a_failing_disk_stops_the_log_where_nobody_knows_its_names() -> None:
    disk = MemoryDisk()
    log, result = prepared(disk)
    disk.fail_at(2, errno.EIO, operation="sync_dir")
    with pytest.raises(StorageError):
        log.replace_compacted(result)
    assert log.has_failed
    assert content(log) == AFTER


def prepared_in_rounds(disk: MemoryDisk, rounds: int) -> tuple[PartitionLog, CompactionResult]:
    """With two rounds, several outputs are swapped one after the other."""
    if rounds == 1:
        return prepared(disk)
    config = LogConfig(cleanup_policy=("compact",), segment_bytes=160)
    keys: list[list[Pair]] = [[(b"%d" % number, b"1"), (A, b"1")] for number in range(6)]
    log = log_of(disk, *keys, config=config)
    add(log, (A, b"3"))
    log.flush()
    result = compact(plan(log), disk, throttle=lambda _: None)
    assert len(result.segments) > 1
    return log, result


def _calls_of_a_swap(rounds: int) -> int:
    disk = MemoryDisk()
    log, result = prepared_in_rounds(disk, rounds)
    before = disk.operations
    log.replace_compacted(result)
    return disk.operations - before


def _check_whole(
    log: PartitionLog, before: Sequence[tuple[int, bytes | None, bytes | None]], where: str
) -> None:
    """Everything that was the latest is there, nothing twice, nothing that never was."""
    found = content(log)
    offsets = [offset for offset, _, _ in found]
    assert offsets == sorted(set(offsets)), where
    assert set(found) <= set(before), where
    latest = {key: (offset, key, value) for offset, key, value in before}
    assert set(latest.values()) <= set(found), where
    for offset, _, _ in found:
        assert read_bytes(log, offset), where
    segments = list(log._segments)
    for segment, following in pairwise(segments):
        batches = list(walk(segment.log.get(), 0, segment.committed_size))
        end_offset = batches[-1].header.next_offset if batches else segment.base_offset
        assert end_offset <= following.base_offset, f"{where}: segments overlap"
