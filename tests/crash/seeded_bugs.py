"""Bugs that a storage engine may have: each one breaks a promise in some state of a scenario.

What is patched is the engine or, where the broker is responsible, the steps that stand for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest

from ottla.base.world import Disk
from ottla.broker import log_directory
from ottla.broker.log_directory import LogDirectory
from ottla.log.compaction.swap import Swap
from ottla.log.flush import FlushPlan, Unsynced
from ottla.log.partition_log import PartitionLog
from ottla.log.partition_producers import PartitionProducers
from ottla.log.producers import ProducerStates
from ottla.log.recovery import Recovery
from ottla.log.segment import Segment
from ottla.testing.memory_disk import MemoryDisk, MemoryFile
from tests.crash.life import Life
from tests.crash.server import Server

Patch = Callable[[pytest.MonkeyPatch], None]


class SeededBug(NamedTuple):
    """`patch` brings it; `scenario` catches it."""

    scenario: str
    patch: Patch


def _nothing(*_: object, **__: object) -> None:
    """What the bug does instead of its work."""


def _within(owner: type, name: str, patched: type, method: str) -> Patch:
    """While `owner.name` runs, `patched.method` does nothing."""

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        real = getattr(owner, name)

        def forgetful(*args: object, **kwargs: object) -> object:
            with pytest.MonkeyPatch.context() as inner:
                inner.setattr(patched, method, _nothing)
                return real(*args, **kwargs)

        monkeypatch.setattr(owner, name, forgetful)

    return patch


def _without(owner: type | object, name: str) -> Patch:
    return lambda monkeypatch: monkeypatch.setattr(owner, name, _nothing)


def _every_start_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    real = PartitionLog.open
    monkeypatch.setattr(
        PartitionLog, "open", lambda *args, **kwargs: real(*args, **{**kwargs, "clean": True})
    )


def _recovery_point_at_planning(monkeypatch: pytest.MonkeyPatch) -> None:
    real = PartitionLog.plan_flush

    def eager(log: PartitionLog) -> FlushPlan | None:
        plan = real(log)
        log.recovery_point = log.log_end_offset
        return plan

    monkeypatch.setattr(PartitionLog, "plan_flush", eager)

    def checkpoint_first(life: Life) -> None:
        plans = [(log, log.plan_flush()) for log in life.server.logs.values()]
        life.write_checkpoints()
        for log, plan in plans:
            if plan is not None:
                plan.run()
                log.complete_flush(plan)

    monkeypatch.setattr(Life, "checkpoint", checkpoint_first)


def _checkpoints_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def overwrite(disk: Disk, path: str, content: bytes) -> None:
        file = disk.open(path, create=True)
        file.truncate(0)
        file.append([content])
        file.sync()
        disk.sync_dir(path.rpartition("/")[0])

    monkeypatch.setattr(log_directory, "replace_file", overwrite)


def _changed_buffers(change: Callable[[list[memoryview]], list[memoryview]]) -> Patch:
    """Several batches in one write do not arrive as they were."""

    def patch(monkeypatch: pytest.MonkeyPatch) -> None:
        real = Segment.write

        def write(segment: Segment) -> None:
            segment.buffers = change(segment.buffers)
            real(segment)

        monkeypatch.setattr(Segment, "write", write)

    return patch


def _no_sync_between_releases(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Server.release_one

    def release(server: Server, key: object, now_ms: int) -> bool:
        server._unsynced_folders.clear()
        return real(server, key, now_ms)  # type: ignore[arg-type]  # as it was called

    monkeypatch.setattr(Server, "release_one", release)


def _compaction_before_the_flush(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Life, "_flush_before_swap", _nothing)
    monkeypatch.setattr(Swap, "_check", _nothing)


SEEDED_BUGS: dict[str, SeededBug] = {
    "a flush forgets the files": SeededBug(
        "appends_and_flushes", _within(FlushPlan, "run", MemoryFile, "sync")
    ),
    "a flush forgets the folders": SeededBug(
        "appends_and_flushes", _within(FlushPlan, "run", MemoryDisk, "sync_dir")
    ),
    "a segment begins before the folder is synced": SeededBug(
        "rolls", _within(PartitionLog, "_make_next", Unsynced, "sync_folder")
    ),
    "recovery trusts what it finds": SeededBug("stops_and_starts", _every_start_is_trusted),
    "a truncation is not synced": SeededBug("cuts", _within(Segment, "cut", MemoryFile, "sync")),
    "segments behind a hole are kept": SeededBug(
        "rolls",
        lambda monkeypatch: monkeypatch.setattr(Recovery, "_continues", lambda *_: True),
    ),
    "the recovery point is written before the sync": SeededBug(
        "rolls", _recovery_point_at_planning
    ),
    "producers are not read from the log": SeededBug(
        "producers_send_again", _without(PartitionProducers, "replay_survey")
    ),
    "duplicates are not recognized": SeededBug(
        "producers_send_again", _without(ProducerStates, "check")
    ),
    "checkpoints are written in place": SeededBug("records_are_deleted", _checkpoints_in_place),
    "checkpoints are not synced": SeededBug(
        "records_are_deleted",
        _within(LogDirectory, "write_log_start_offsets", MemoryFile, "sync"),
    ),
    "the mark of an orderly stop stays": SeededBug(
        "stops_and_starts", _without(LogDirectory, "mark_started")
    ),
    "the mark of an orderly stop is not surely removed": SeededBug(
        "stops_and_starts", _within(LogDirectory, "mark_started", MemoryDisk, "sync_dir")
    ),
    "a new topic inherits the checkpoints of the old": SeededBug(
        "topics_come_and_go", _without(LogDirectory, "forget")
    ),
    "segments go without a sync between them": SeededBug("retention", _no_sync_between_releases),
    "the last segment goes before the next is sure": SeededBug(
        "topics_come_and_go", _within(PartitionLog, "release_oldest", Unsynced, "sync_folder")
    ),
    "a batch is dropped": SeededBug("rolls", _changed_buffers(lambda buffers: buffers[:1])),
    "a batch is written twice": SeededBug(
        "rolls", _changed_buffers(lambda buffers: buffers[:1] * len(buffers))
    ),
    "two batches are swapped": SeededBug("rolls", _changed_buffers(lambda found: found[::-1])),
    "compaction outruns the flush": SeededBug(
        "compaction_outruns_the_flush", _compaction_before_the_flush
    ),
}
