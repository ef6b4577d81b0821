"""Logs to compact, and what is left of them."""

from __future__ import annotations

from collections.abc import Sequence

from ottla.log.compaction.cleaner import compact
from ottla.log.compaction.plan import CompactionMemory, CompactionPlan, plan_compaction
from ottla.log.compaction.result import CompactionResult
from ottla.log.config import LogConfig
from ottla.log.partition_log import PartitionLog
from ottla.testing.memory_disk import MemoryDisk
from ottla.wire.records.batch import build_batch
from ottla.wire.records.compression import Codec
from ottla.wire.records.header import BatchHeader
from ottla.wire.records.record import Record, iter_records
from tests.unit.log.support import NOW_MS, all_batches, new_log

COMPACTED = LogConfig(cleanup_policy=("compact",))
Pair = tuple[bytes | None, bytes | None]


def pairs_batch(
    *pairs: Pair, timestamp: int = NOW_MS, codec: Codec = Codec.NONE, **fields: int | bool
) -> bytearray:
    """A batch of (key, value), a millisecond apart."""
    return build_batch(
        [Record(0, timestamp + index, key, value) for index, (key, value) in enumerate(pairs)],
        codec=codec,
        **fields,  # type: ignore[arg-type]  # of build_batch, by name
    )


def add(
    log: PartitionLog,
    *pairs: Pair,
    timestamp: int = NOW_MS,
    codec: Codec = Codec.NONE,
    **fields: int | bool,
) -> int:
    """Append one batch; its base offset."""
    batch = pairs_batch(*pairs, timestamp=timestamp, codec=codec, **fields)
    return log.append(batch, leader_epoch=0, now_ms=NOW_MS)


def log_of(
    disk: MemoryDisk, *segments: Sequence[Pair], config: LogConfig = COMPACTED
) -> PartitionLog:
    """Closed segments, each of one batch, and an empty one that is written to."""
    log = new_log(disk, config)
    for pairs in segments:
        if pairs:
            add(log, *pairs)
        log.roll(NOW_MS)
    return log


def plan(
    log: PartitionLog,
    *,
    first_dirty_offset: int = 0,
    end_offset: int | None = None,
    now_ms: int = NOW_MS,
    memory: CompactionMemory | None = None,
) -> CompactionPlan:
    """The plan for all that is closed; there must be one."""
    found = plan_compaction(
        log,
        first_dirty_offset=first_dirty_offset,
        end_offset=log.log_end_offset if end_offset is None else end_offset,
        now_ms=now_ms,
        memory=memory,
    )
    assert found is not None
    return found


def compacted(
    log: PartitionLog,
    disk: MemoryDisk,
    *,
    first_dirty_offset: int = 0,
    end_offset: int | None = None,
    now_ms: int = NOW_MS,
    memory: CompactionMemory | None = None,
) -> CompactionResult:
    """Compact all that is closed, in place."""
    found = plan(
        log,
        first_dirty_offset=first_dirty_offset,
        end_offset=end_offset,
        now_ms=now_ms,
        memory=memory,
    )
    result = compact(found, disk, throttle=lambda _: None)
    log.replace_compacted(result)
    return result


def batches(log: PartitionLog) -> list[BatchHeader]:
    return [header for header, _ in all_batches(log)]


def records(log: PartitionLog) -> list[Record]:
    """All records that can be read, control records left out."""
    return [
        record
        for header, batch in all_batches(log)
        if not header.is_control
        for record in iter_records(batch)
    ]


def content(log: PartitionLog) -> list[tuple[int, bytes | None, bytes | None]]:
    """(offset, key, value) of all records that can be read."""
    return [(record.offset, record.key, record.value) for record in records(log)]


def bases(log: PartitionLog) -> list[int]:
    return [segment.base_offset for segment in log.segments]
