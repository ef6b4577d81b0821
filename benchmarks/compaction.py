"""Compacting 5 million keyed records: time, memory, and what produces beside it notice.

The log is written to the disk by this program, and compacted by the broker's own process; the
result is checked record by record. OTTLA_BENCH_RECORDS says how many, where 5 million are too many.
"""

from __future__ import annotations

import os
import random
import statistics
import threading
import time
from array import array
from collections.abc import Iterator
from pathlib import Path

from benchmarks.load import load
from benchmarks.report import Figure
from benchmarks.requests import batch_of, produce_frame
from ottla.base.ids import TopicPartition
from ottla.log.checkpoints import CLEANER_OFFSETS, decode_offsets
from ottla.log.config import LogConfig
from ottla.log.partition_log import PartitionLog
from ottla.transport.disk import LocalDisk
from ottla.wire.records.batch import build_batch, iter_batches
from ottla.wire.records.record import Record, iter_records
from tests.clients.admin import Admin
from tests.support.broker_process import BrokerProcess
from tests.support.processes import children_of, cpu_seconds, peak_resident_bytes
from tests.support.waiting import wait_until

RECORDS = int(os.environ.get("OTTLA_BENCH_RECORDS", "5000000"))
KEYS = max(RECORDS // 5, 1)
BATCH_RECORDS = 1000
VALUE_BYTES = 86
SEGMENT_BYTES = 128 << 20
MIB = 1 << 20

CPU_US_PER_RECORD_MAX = 8.0
MEMORY_MIB_MAX = 128 + 64
"""The default of `log.cleaner.dedupe.buffer.size`, and everything else that the process needs."""
P99_FACTOR_MAX = 2.0
WINDOW_SECONDS = 0.5
WINDOWS_WITHOUT = 10
LOAD_BYTES = 4096


def run() -> Iterator[Figure]:
    """The figures of one run."""
    with BrokerProcess("--set", "log.cleaner.enable=false") as broker:
        Admin(broker.bootstrap).create("compacted", 1, cleanup_policy="compact")
        Admin(broker.bootstrap).create("other", 1)
        broker.stop()
        last_offsets = _fill(broker.data / "compacted-0")
        broker.start()
        without_us = [_window_p99_us(broker) for _ in range(WINDOWS_WITHOUT)]
        broker.stop()
        with BrokerProcess("--set", "log.cleaner.backoff.ms=200", folder=broker.folder) as second:
            watch = _Watch(second)
            beside_us = watch.measure()
        wrong = _count_wrong(broker.data / "compacted-0", last_offsets)
    yield Figure("records compacted", RECORDS / 1e6, "million", note=f"{KEYS} keys")
    yield Figure("records that are wrong afterwards", wrong, "records", 0)
    yield Figure("processor per record", watch.cpu_us_per_record, "µs", CPU_US_PER_RECORD_MAX)
    yield Figure("from begin to end, beside produces", watch.seconds, "s")
    yield Figure("peak memory of the process", watch.peak_bytes / MIB, "MiB", MEMORY_MIB_MAX)
    before, beside = statistics.median(without_us), statistics.median(beside_us)
    yield Figure(
        "produce p99 without compaction", before, "µs", note=f"worst {max(without_us):.0f}"
    )
    yield Figure("produce p99 beside it", beside, "µs", note=f"worst {max(beside_us):.0f}")
    yield Figure("produce p99, beside to without", beside / before, "times", P99_FACTOR_MAX)


def _fill(folder: Path) -> array[int]:
    """Write the log; the last offset of each key."""
    config = LogConfig(cleanup_policy=("compact",), segment_bytes=SEGMENT_BYTES)
    log = PartitionLog.open(str(folder), config, disk=LocalDisk(), clean=True)
    chooser = random.Random(1)
    last_offsets = array("q", [-1]) * KEYS
    now_ms = time.time_ns() // 1_000_000
    for first in range(0, RECORDS, BATCH_RECORDS):
        records = []
        for offset in range(first, min(first + BATCH_RECORDS, RECORDS)):
            number = chooser.randrange(KEYS)
            last_offsets[number] = offset
            records.append(Record(0, now_ms, _key(number), _value(offset)))
        log.append(build_batch(records), leader_epoch=0, now_ms=now_ms)
    log.roll(now_ms)
    log.close()
    return last_offsets


def _key(number: int) -> bytes:
    return b"key-%010d" % number


def _value(offset: int) -> bytes:
    return b"%d" % offset + bytes(VALUE_BYTES - len(str(offset)))


def _window_p99_us(broker: BrokerProcess) -> float:
    frame = produce_frame("other", 0, batch_of(LOAD_BYTES))
    return load(broker, [frame], window=1, connections=4, seconds=WINDOW_SECONDS).p99_us


class _Watch:
    """Produces beside compaction, and looks at its process."""

    def __init__(self, broker: BrokerProcess) -> None:
        self._broker = broker
        self.seconds = 0.0
        self.peak_bytes = 0
        self._cpu_seconds = 0.0

    @property
    def cpu_us_per_record(self) -> float:
        return self._cpu_seconds / RECORDS * 1e6

    def measure(self) -> list[float]:
        """The p99 of each window until compaction is over."""
        wait_until(lambda: bool(children_of(self._broker.pid)), "compaction begins")
        started = time.monotonic()
        done = threading.Event()
        looking = threading.Thread(target=self._look, args=(done,))
        looking.start()
        windows = [_window_p99_us(self._broker)]
        while not self._is_over():
            windows.append(_window_p99_us(self._broker))
        self.seconds = time.monotonic() - started
        done.set()
        looking.join()
        return windows

    def _look(self, done: threading.Event) -> None:
        (pid,) = children_of(self._broker.pid)
        while not done.wait(0.05):
            self.peak_bytes = max(self.peak_bytes, peak_resident_bytes(pid))
            self._cpu_seconds = max(self._cpu_seconds, cpu_seconds(pid))

    def _is_over(self) -> bool:
        path = self._broker.data / CLEANER_OFFSETS
        if not path.exists():
            return False
        return decode_offsets(path.read_bytes()).get(TopicPartition("compacted", 0)) == RECORDS


def _count_wrong(folder: Path, last_offsets: array[int]) -> int:
    """Records that are missing, are not the last of their key, or are not what was written."""
    expected = {offset: number for number, offset in enumerate(last_offsets) if offset >= 0}
    wrong = 0
    for path in sorted(folder.glob("*.log")):
        content = memoryview(path.read_bytes())
        for _, batch in iter_batches(content):
            for record in iter_records(batch):
                number = expected.pop(record.offset, None)
                is_right = (
                    number is not None
                    and record.key == _key(number)
                    and record.value == _value(record.offset)
                )
                wrong += not is_right
    return wrong + len(expected)
