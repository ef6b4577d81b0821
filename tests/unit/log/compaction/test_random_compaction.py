"""Random logs, compacted again and again, beside a model that knows every record ever written."""

from __future__ import annotations

import random

import pytest

from ottla.log.compaction.cleaner import compact
from ottla.log.compaction.plan import CompactionMemory, plan_compaction
from ottla.log.config import LogConfig
from ottla.testing.memory_disk import MemoryDisk
from ottla.wire.records.compression import Codec
from tests.unit.log.compaction.support import Pair, content, pairs_batch
from tests.unit.log.support import NOW_MS, SeededRng, new_log, reopened

RETENTION_MS = 1000
STEPS = 60
KEYS = [b"%d" % number for number in range(12)]
Row = tuple[int, bytes | None, bytes | None]


class Model:
    """A log and everything that was ever in it."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.disk = MemoryDisk()
        self.config = LogConfig(
            cleanup_policy=("compact",),
            segment_bytes=self.random.choice([200, 600, 5000]),
            index_interval_bytes=self.random.choice([0, 100, 4096]),
            delete_retention_ms=RETENTION_MS,
        )
        self.log = new_log(self.disk, self.config)
        self.now_ms = NOW_MS
        self.rows: dict[int, Row] = {}
        self.first_dirty_offset = 0
        # When a run first covered a tombstone: its horizon cannot come earlier.
        self.covered_ms: dict[int, int] = {}

    def step(self) -> None:
        self.now_ms += self.random.randrange(400)
        action = self.random.choices(
            [self.append, self.roll, self.compact, self.reopen, self.crash, self.cut],
            [60, 12, 14, 4, 4, 2],
        )[0]
        action()

    def append(self) -> None:
        pairs = [self._pair() for _ in range(self.random.randrange(1, 8))]
        codec = self.random.choice([Codec.NONE, Codec.NONE, Codec.GZIP, Codec.LZ4])
        batch = pairs_batch(*pairs, timestamp=self.now_ms, codec=codec)
        base_offset = self.log.append(batch, leader_epoch=0, now_ms=self.now_ms)
        for delta, (key, value) in enumerate(pairs):
            self.rows[base_offset + delta] = base_offset + delta, key, value

    def _pair(self) -> Pair:
        if self.random.random() < 0.03:
            return None, b"no key"
        value = None if self.random.random() < 0.25 else b"v" * self.random.randrange(40)
        return self.random.choice(KEYS), value

    def roll(self) -> None:
        self.log.roll(self.now_ms)

    def compact(self) -> None:
        # High watermarks end where batches do; the log's own end is one of them.
        plan = plan_compaction(
            self.log,
            first_dirty_offset=self.first_dirty_offset,
            end_offset=self.log.log_end_offset,
            now_ms=self.now_ms,
            memory=CompactionMemory(
                map_bytes=24 * self.random.choice([5, 11, 100]),
                io_bytes=self.random.choice([0, 300, 9999]),
            ),
        )
        if plan is None:
            return
        result = compact(plan, self.disk, throttle=lambda _: None)
        if self.random.random() < 0.1:
            self.log.swap_compacted(result).discard()
            return
        end_offset = self.log.log_end_offset
        self.log.replace_compacted(result)
        assert self.log.log_end_offset == end_offset
        assert result.first_dirty_offset > self.first_dirty_offset
        self.first_dirty_offset = result.first_dirty_offset
        for offset, _, value in self.rows.values():
            if value is None and offset < plan.end_offset:
                self.covered_ms.setdefault(offset, self.now_ms)
        self.check_clean()

    def reopen(self) -> None:
        self.log.close()
        self.log = reopened(self.disk, self.config, clean=True)

    def crash(self) -> None:
        """Power is lost behind the last flush."""
        self.log.flush()
        recovery_point = self.log.recovery_point
        self.disk.crash(SeededRng(self.random.randrange(1 << 30)))
        self.log = reopened(self.disk, self.config, clean=False, recovery_point=recovery_point)

    def cut(self) -> None:
        """A follower is cut back, never into what is compacted."""
        low = max(self.first_dirty_offset, self.log.log_end_offset - 10)
        if low >= self.log.log_end_offset:
            return
        self.log.truncate_to(self.random.randrange(low, self.log.log_end_offset))
        if self.log.log_end_offset < self.first_dirty_offset:
            self.first_dirty_offset = 0
        for offset in [offset for offset in self.rows if offset >= self.log.log_end_offset]:
            del self.rows[offset]
            self.covered_ms.pop(offset, None)

    # --- what must hold ---

    def check(self) -> None:
        found = content(self.log)
        offsets = [offset for offset, _, _ in found]
        assert offsets == sorted(set(offsets))
        for row in found:
            assert self.rows[row[0]] == row
        left = set(offsets)
        latest = {key: (offset, value) for offset, key, value in self.rows.values() if key}
        for key, (offset, value) in latest.items():
            if offset in left:
                continue
            assert value is None, f"the value of {key!r} at {offset} is lost"
            assert self.now_ms >= self.covered_ms[offset] + RETENTION_MS
            assert not [row for row in found if row[1] == key], f"{key!r} is back"
        for offset in self.rows:
            assert offset in left or offset < self.first_dirty_offset

    def check_clean(self) -> None:
        """Below the first dirty offset each key is there once, and none without a key."""
        keys = [key for offset, key, _ in content(self.log) if offset < self.first_dirty_offset]
        assert None not in keys
        assert len(keys) == len(set(keys))


@pytest.mark.parametrize("seed", range(60))
def test_compaction_loses_nothing_that_counts_and_brings_nothing_back(seed: int) -> None:
    model = Model(seed)
    for _ in range(STEPS):
        model.step()
        model.check()
