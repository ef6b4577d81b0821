"""The process that compacts, without a broker around it."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ottla.base.ids import Uuid
from ottla.broker.cleaning import CleanerLostError
from ottla.log.compaction.plan import CompactionPlan, plan_compaction
from ottla.log.config import LogConfig
from ottla.log.partition_log import PartitionLog
from ottla.log.scan import DamagedLogError
from ottla.node import cleaner as cleaner_module
from ottla.node.cleaner import ProcessCleaner
from ottla.transport.disk import LocalDisk
from ottla.transport.loop import run
from ottla.wire.records.batch import build_batch, iter_batches
from ottla.wire.records.record import Record, iter_records
from tests.support.processes import is_running
from tests.support.waiting import wait_until

pytestmark = pytest.mark.interop

NOW_MS = 1_795_000_000_000
UNBOUND = 1e18
KEYS, RECORDS = 500, 20_000


@pytest.fixture
def log(tmp_path: Path) -> Iterator[PartitionLog]:
    """One closed segment of many records of few keys."""
    config = LogConfig(cleanup_policy=("compact",))
    made = PartitionLog.create(str(tmp_path / "t-0"), Uuid(bytes(16)), config, disk=LocalDisk())
    rng = random.Random(7)
    for _ in range(0, RECORDS, 100):
        records = [Record(0, NOW_MS, b"%d" % rng.randrange(KEYS), bytes(100)) for _ in range(100)]
        made.append(build_batch(records), leader_epoch=0, now_ms=NOW_MS)
    made.roll(NOW_MS)
    yield made
    made.close()


def plan(log: PartitionLog) -> CompactionPlan:
    found = plan_compaction(log, first_dirty_offset=0, end_offset=log.log_end_offset, now_ms=NOW_MS)
    assert found is not None
    return found


def test_it_does_what_it_is_asked_more_than_once(log: PartitionLog) -> None:
    async def ask() -> None:
        cleaner = ProcessCleaner(bytes_per_second=UNBOUND)
        log.replace_compacted(await cleaner.compact(plan(log)))
        pid = cleaner.pid
        assert (await cleaner.compact(plan(log))).segments == []
        assert cleaner.pid == pid
        await cleaner.close()
        assert pid is not None
        assert not is_running(pid)

    run(ask())
    (path,) = (path for path in Path(log.directory).glob("*.log") if path.stat().st_size)
    keys = [
        record.key for _, batch in iter_batches(path.read_bytes()) for record in iter_records(batch)
    ]
    assert len(keys) == len(set(keys)) == KEYS


def test_a_process_without_work_ends_after_a_while(
    log: PartitionLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleaner_module, "IDLE_SECONDS_MAX", 0.05)

    async def ask() -> int | None:
        cleaner = ProcessCleaner(bytes_per_second=UNBOUND)
        await cleaner.compact(plan(log))
        pid = cleaner.pid
        cleaner.rest()
        await asyncio.to_thread(wait_until, lambda: cleaner.pid is None, "it ends for want of work")
        await cleaner.compact(plan(log))  # and another one begins
        assert cleaner.pid not in (None, pid)
        await cleaner.close()
        return pid

    pid = run(ask())
    assert pid is not None
    wait_until(lambda: not is_running(pid), "the first one ends")


def test_a_damaged_log_is_told_as_that(log: PartitionLog) -> None:
    found = plan(log)
    path = Path(log.directory) / f"{0:020d}.log"
    with path.open("r+b") as file:
        file.seek(1000)
        file.write(b"damage")
    with pytest.raises(DamagedLogError, match="damaged batch"):
        run(_ask(found))


def test_a_folder_that_has_gone_is_told_as_that(log: PartitionLog) -> None:
    found = plan(log)
    Path(log.directory).rename(f"{log.directory}.deleted")
    try:
        with pytest.raises(OSError, match="No such file") as raised:
            run(_ask(found))
        assert raised.value.errno == errno.ENOENT
    finally:
        Path(f"{log.directory}.deleted").rename(log.directory)


def test_two_processes_never_write_in_one_folder(log: PartitionLog) -> None:
    descriptor = os.open(log.directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with pytest.raises(CleanerLostError):
            run(_ask(plan(log)))
    finally:
        os.close(descriptor)
    assert run(_ask(plan(log)))


def test_it_reads_and_writes_no_faster_than_it_may(log: PartitionLog) -> None:
    found = plan(log)
    begun = time.monotonic()
    run(_ask(found, bytes_per_second=2 * log.size_bytes))
    # Read twice, at twice its size a second; the last piece is not waited for.
    assert time.monotonic() - begun > 0.7


async def _ask(found: CompactionPlan, *, bytes_per_second: float = UNBOUND) -> bool:
    cleaner = ProcessCleaner(bytes_per_second=bytes_per_second)
    try:
        return bool(await cleaner.compact(found))
    finally:
        await cleaner.close()
