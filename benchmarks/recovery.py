"""How long does it take to open what was closed, and to check what was not?"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator

from benchmarks.report import Bound, Figure
from ottla.base.ids import Offset, Uuid
from ottla.log.config import LogConfig
from ottla.log.open_files import OpenFiles
from ottla.log.partition_log import PartitionLog
from ottla.transport.disk import LocalDisk
from ottla.wire.records.batch import build_batch
from ottla.wire.records.record import Record
from ottla.wire.records.survey import survey, survey_in_python

PARTITIONS = 2_000
SEGMENTS_EACH = 3
OPEN_SECONDS_MAX = 3.0
UNFLUSHED_BYTES = 256_000_000
RECOVERY_MB_PER_SECOND_MIN = 400.0
BATCH_BYTES = (150, 1_000, 16_000)
FILES_MAX = 1_000
TOPIC_ID = Uuid(bytes(15) + b"\x01")
NOW_MS = 1_795_000_000_000


def run() -> Iterator[Figure]:
    """A clean start with many partitions, then unclean ones over logs that were never flushed."""
    form = "Python" if survey is survey_in_python else "C"
    with tempfile.TemporaryDirectory() as folder:
        yield Figure(
            f"clean open, {PARTITIONS} partitions of {SEGMENTS_EACH} segments",
            _open_many(folder),
            "s",
            OPEN_SECONDS_MAX,
        )
    for size in BATCH_BYTES:
        with tempfile.TemporaryDirectory() as folder:
            yield Figure(
                f"unclean recovery, batches of {size} bytes",
                _recover(folder, size),
                "MB/s",
                RECOVERY_MB_PER_SECOND_MIN,
                Bound.AT_LEAST,
                note=f"checked in {form}",
            )


def _open_many(folder: str) -> float:
    disk = LocalDisk()
    files = OpenFiles(disk, FILES_MAX)
    config = LogConfig()
    batch = _batch(1_000)
    for number in range(PARTITIONS):
        log = PartitionLog.create(_path(folder, number), TOPIC_ID, config, disk=disk, files=files)
        for _ in range(SEGMENTS_EACH):
            log.append(batch, leader_epoch=0, now_ms=NOW_MS)
            log.roll(NOW_MS)
        log.append(batch, leader_epoch=0, now_ms=NOW_MS)
        # Its syncs would take minutes here, and are not what is measured.
        log._segments.active.seal()
        log._segments.active.release()
        log._closed = True
    files = OpenFiles(disk, FILES_MAX)

    def open_all() -> None:
        for number in range(PARTITIONS):
            end = Offset(SEGMENTS_EACH + 1)
            PartitionLog.open(
                _path(folder, number),
                config,
                disk=disk,
                files=files,
                clean=True,
                recovery_point=end,
            )

    return _seconds(open_all)


def _recover(folder: str, batch_bytes: int) -> float:
    """Megabytes a second of a log of which nothing is known to be on the disk."""
    disk = LocalDisk()
    path = _path(folder, 0)
    log = PartitionLog.create(path, TOPIC_ID, LogConfig(), disk=disk)
    batch = _batch(batch_bytes)
    at_once = max(1, 1_000_000 // len(batch))
    while log.size_bytes < UNFLUSHED_BYTES:
        log.append(batch * at_once, leader_epoch=0, now_ms=NOW_MS)
    size, end = log.size_bytes, log.log_end_offset
    log.abandon()
    opened: list[PartitionLog] = []
    seconds = _seconds(
        lambda: opened.append(PartitionLog.open(path, LogConfig(), disk=disk, clean=False))
    )
    assert opened[0].log_end_offset == end, "every batch was found"
    opened[0].abandon()
    return size / seconds / 1e6


def _seconds(work: Callable[[], object]) -> float:
    before = time.perf_counter()
    work()
    return time.perf_counter() - before


def _batch(size: int) -> bytes:
    empty = len(build_batch([Record(timestamp=NOW_MS, key=b"key", value=b"")]))
    return bytes(build_batch([Record(timestamp=NOW_MS, key=b"key", value=bytes(size - empty))]))


def _path(folder: str, number: int) -> str:
    return f"{folder}/topic-{number}"
