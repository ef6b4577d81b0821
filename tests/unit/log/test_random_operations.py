"""Random operations on a log, held against a list of batches; crashes and failing disks included.

Whatever the disk does: what was synced stays, nothing comes twice, order holds, and what is left
after a crash is a beginning of what had been appended, without holes. A failing case prints the
seed that repeats it.
"""

from __future__ import annotations

import errno
import random
from collections.abc import Callable

import pytest

from ottla.log import names
from ottla.log.config import LogConfig
from ottla.log.errors import OffsetOutOfRangeError, StorageError
from ottla.log.partition_log import PartitionLog
from ottla.testing.memory_disk import MemoryDisk
from ottla.wire.records.batch import BatchHeader, iter_batches, read_header
from tests.unit.log.support import (
    DIRECTORY,
    NOW_MS,
    TOPIC_ID,
    SeededRng,
    all_batches,
    batch_of,
    new_log,
    reopened,
)

STEPS = 120
CONFIG = LogConfig(segment_bytes=3000, index_interval_bytes=300)
RETAINED = LogConfig(
    segment_bytes=3000, index_interval_bytes=300, retention_bytes=4000, retention_ms=-1
)

Batch = tuple[BatchHeader, bytes]


class Run:
    """One log on one disk, and the list of batches that it should hold."""

    def __init__(self, seed: int) -> None:
        self.rng = SeededRng(seed)
        self.random = self.rng.random
        self.disk = MemoryDisk()
        self.disk.failed_append_leaves_bytes = self.random.random() < 0.3
        self.log = new_log(self.disk, CONFIG)
        self.batches: list[Batch] = []
        self.synced_end = 0
        self.log_start = 0
        self.log_end = 0
        self.epoch = 0
        self.serial = 0
        self.now_ms = NOW_MS

    # --- operations ---

    def append(self) -> None:
        if self.random.random() < 0.1:
            self.epoch += 1
        staged = [self.stage_one() for _ in range(self.random.randint(1, 4))]
        try:
            self.log.commit()
        except StorageError:
            staged = [batch for batch in staged if batch[0].next_offset <= self.log.log_end_offset]
            end = staged[-1][0].next_offset if staged else self.log_end
            assert self.log.log_end_offset == end
        self.batches += staged
        self.log_end = self.batches[-1][0].next_offset if staged else self.log_end

    def stage_one(self) -> Batch:
        values = []
        for _ in range(self.random.randint(1, 5)):
            self.serial += 1
            values.append(b"%d " % self.serial * self.random.randint(1, 20))
        self.now_ms += self.random.randint(-50, 100)
        batch = memoryview(batch_of(*values, timestamp=self.now_ms))
        self.log.stage(batch, read_header(batch), self.epoch, self.now_ms)
        return read_header(batch), bytes(batch)

    def append_to_a_failing_disk(self) -> None:
        self.disk.fail_at(self.random.randint(1, 6), self.random.choice([errno.ENOSPC, errno.EIO]))
        self.append()
        self.disk.fail_at(1 << 40, errno.EIO)
        if self.log._failure is not None:
            self.kill()

    def roll(self) -> None:
        self.log.roll(self.now_ms)

    def tick(self) -> None:
        self.log.roll_if_due(self.now_ms)

    def flush(self) -> None:
        self.log.flush()
        self.synced_end = self.log_end

    def flush_later(self) -> None:
        """Appends and cuts may come between planning a flush and completing it."""
        plan = self.log.plan_flush()
        if plan is None:
            return
        between = self.random.choice([self.append, self.truncate, self.roll])
        between()
        plan.run()
        self.log.complete_flush(plan)
        if between != self.truncate:
            self.synced_end = max(self.synced_end, plan.end_offset)

    def truncate(self) -> None:
        if not self.batches:
            return
        low = max(self.log_start - 5, 0) if self.random.random() < 0.2 else self.log_end - 30
        target = self.random.randint(max(low, 0), self.log_end)
        self.log.truncate_to(target)
        self.batches = [batch for batch in self.batches if batch[0].next_offset <= target]
        if target < self.log_end:
            self.log_end = self.log.log_end_offset
            end = self.batches[-1][0].next_offset if self.batches else 0
            assert end <= self.log_end <= target
        self.log_start = min(self.log_start, self.log_end)
        self.synced_end = min(self.synced_end, self.log_end)

    def advance_log_start(self) -> None:
        self.log_start = self.random.randint(self.log_start, min(self.log_start + 10, self.log_end))
        self.log.advance_log_start(self.log_start)

    def retain(self) -> None:
        """Segments go by size, as a round of retention lets them go."""
        self.log.config = RETAINED
        while self.log.release_oldest(self.log_end, self.now_ms) is not None:
            self.disk.sync_dir(DIRECTORY)
        self.log.config = CONFIG
        assert self.log.log_start_offset >= self.log_start
        self.log_start = self.log.log_start_offset

    def close(self) -> None:
        self.log.close()
        self.synced_end = self.log_end
        if self.random.random() < 0.3:
            self.damage_an_index()
        self.log = self.opened(clean=True)

    def kill(self) -> None:
        """The process goes, the machine stays: all that was written is still there."""
        self.log = self.opened(clean=False)

    def crash(self) -> None:
        self.disk.crash(self.rng)
        self.log = self.opened(clean=False)
        self.log_end = self.log.log_end_offset
        assert self.log_end >= self.synced_end, "synced batches are lost"
        self.batches = [batch for batch in self.batches if batch[0].next_offset <= self.log_end]
        self.synced_end = min(self.synced_end, self.log_end)

    def damage_an_index(self) -> None:
        found = [name for name in self.disk.list_dir(DIRECTORY) if name.endswith("index")]
        path = f"{DIRECTORY}/{self.random.choice(found)}"
        kind = self.random.choice(["missing", "cut", "garbage", "zeros"])
        file = self.disk.open(path)
        if kind == "missing":
            self.disk.unlink(path)
        elif kind == "cut":
            # A time index that ends a whole entry early looks like any other.
            size = self.random.randint(0, file.size)
            file.truncate(size + (path.endswith(names.TIME_INDEX_SUFFIX) and size % 12 == 0))
        elif kind == "garbage":
            size = file.size
            file.truncate(0)
            file.append([self.random.randbytes(size)])
        elif path.endswith(names.OFFSET_INDEX_SUFFIX):
            file.append([bytes(800)])
        # A crash must not make of it what looks like any other: the damage is there to stay.
        if kind == "missing":
            self.disk.sync_dir(DIRECTORY)
        else:
            file.sync()

    def opened(self, *, clean: bool) -> PartitionLog:
        if not self.disk.exists(DIRECTORY):  # its name was not synced: as a broker makes it anew
            assert not self.synced_end
            self.log_start = 0
            return new_log(self.disk, CONFIG)
        log = reopened(
            self.disk,
            CONFIG,
            clean=clean,
            recovery_point=self.synced_end,
            log_start_offset=self.log_start,
        )
        if log.topic_id != TOPIC_ID:  # the small file was not synced yet
            log.assign_topic_id(TOPIC_ID)
        return log

    # --- checks ---

    def check(self) -> None:
        readable = [batch for batch in self.batches if batch[0].next_offset > self.log_start]
        found = all_batches(self.log)
        assert [batch for _, batch in found] == [batch for _, batch in readable]
        assert self.log.log_end_offset == self.log_end
        assert self.log.log_start_offset == self.log_start
        for header, _ in readable:
            assert self.log.epoch_at(header.base_offset) in (-1, header.partition_leader_epoch)
        infos = self.log.segments
        assert [info.next_offset for info in infos[:-1]] == [info.base_offset for info in infos[1:]]

    def read_somewhere(self) -> None:
        offset = self.random.randint(self.log_start, self.log_end)
        end_offset = self.random.randint(self.log_start, self.log_end)
        max_bytes = self.random.choice([1, 200, 1000, 1 << 20])
        expected = [
            batch
            for header, batch in self.batches
            if header.next_offset > offset and header.next_offset <= end_offset
        ]
        found = self.log.read(offset, max_bytes, end_offset=end_offset, min_one_batch=True)
        if found is None:
            assert not expected or offset >= end_offset
            return
        data = found.file.read_at(found.position, found.length)
        assert len(data) == len(found) <= max(max_bytes, len(expected[0]))
        assert b"".join(expected).startswith(data)
        assert list(iter_batches(data)), "the first batch is whole"
        assert self.log.available_bytes(offset, end_offset) == sum(map(len, expected))

    def search_a_timestamp(self) -> None:
        timestamp = self.random.randint(NOW_MS - 100, max(self.now_ms, NOW_MS) + 100)
        found = self.log.offset_for_timestamp(timestamp)
        # Record n of a batch has the base timestamp plus n.
        expected = [
            header.base_offset + index
            for header, _ in self.batches
            for index in range(header.record_count)
            if header.base_timestamp + index >= timestamp
            and header.base_offset + index >= self.log_start
        ]
        assert (found.offset if found else None) == (expected[0] if expected else None)


OPERATIONS: list[tuple[Callable[[Run], None], int]] = [
    (Run.append, 40),
    (Run.append_to_a_failing_disk, 4),
    (Run.roll, 4),
    (Run.tick, 4),
    (Run.flush, 5),
    (Run.flush_later, 4),
    (Run.truncate, 5),
    (Run.advance_log_start, 4),
    (Run.retain, 3),
    (Run.close, 4),
    (Run.kill, 4),
    (Run.crash, 5),
    (Run.read_somewhere, 20),
    (Run.search_a_timestamp, 8),
]


def run(seed: int) -> None:
    print(f"seed {seed}")
    state = Run(seed)
    actions = [action for action, _ in OPERATIONS]
    weights = [weight for _, weight in OPERATIONS]
    for _ in range(STEPS):
        (action,) = state.random.choices(actions, weights)
        print(action.__name__, state.log_start, state.synced_end, state.log_end)
        action(state)
        state.check()


@pytest.mark.parametrize("seed", range(60))
def test_known_seeds(seed: int) -> None:
    run(seed)


@pytest.mark.soak
def test_new_seeds() -> None:
    for _ in range(2_000):
        run(random.randrange(1 << 32))


def test_reads_outside_of_the_log_are_refused() -> None:
    state = Run(1)
    state.append()
    for offset in (-1, state.log_end + 1):
        with pytest.raises(OffsetOutOfRangeError):
            state.log.read(offset, 1, end_offset=state.log_end, min_one_batch=True)
