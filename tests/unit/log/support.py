"""Batches and logs for the tests of the storage core."""

from __future__ import annotations

import random

from ottla.base.ids import Offset, Uuid
from ottla.log.config import LogConfig
from ottla.log.partition_log import PartitionLog
from ottla.testing.memory_disk import MemoryDisk
from ottla.wire.records.batch import BatchHeader, build_batch, iter_batches, read_header
from ottla.wire.records.compression import Codec
from ottla.wire.records.record import Record, iter_records

DIRECTORY = "data/topic-0"
TOPIC_ID = Uuid(bytes(15) + b"\x2a")
NOW_MS = 1_795_000_000_000


class SeededRng:
    """Randomness that a seed repeats."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def below(self, bound: int) -> int:
        return self.random.randrange(bound)

    def uuid(self) -> bytes:
        return self.random.randbytes(16)


def batch_of(*values: bytes, timestamp: int = NOW_MS, codec: Codec = Codec.NONE) -> bytearray:
    """A batch as a producer sends it: one record a value, a millisecond apart."""
    return build_batch(
        [
            Record(timestamp=timestamp + index, key=b"k", value=value)
            for index, value in enumerate(values)
        ],
        codec=codec,
    )


def new_log(disk: MemoryDisk, config: LogConfig | None = None, *, start: int = 0) -> PartitionLog:
    disk.make_dir(DIRECTORY.rpartition("/")[0])
    return PartitionLog.create(
        DIRECTORY, TOPIC_ID, config or LogConfig(), disk=disk, start_offset=Offset(start)
    )


def reopened(
    disk: MemoryDisk,
    config: LogConfig | None = None,
    *,
    clean: bool,
    recovery_point: int = 0,
    log_start_offset: int = 0,
) -> PartitionLog:
    return PartitionLog.open(
        DIRECTORY,
        config or LogConfig(),
        disk=disk,
        clean=clean,
        recovery_point=Offset(recovery_point),
        log_start_offset=Offset(log_start_offset),
    )


def append(log: PartitionLog, *values: bytes, timestamp: int = NOW_MS, epoch: int = 0) -> Offset:
    """Append one batch; its base offset."""
    return log.append(batch_of(*values, timestamp=timestamp), leader_epoch=epoch, now_ms=NOW_MS)


def read_bytes(
    log: PartitionLog,
    offset: int,
    *,
    max_bytes: int = 1 << 30,
    end_offset: int | None = None,
    min_one_batch: bool = True,
) -> bytes:
    """What one read brings; empty for nothing."""
    found = log.read(
        offset,
        max_bytes,
        end_offset=log.log_end_offset if end_offset is None else end_offset,
        min_one_batch=min_one_batch,
    )
    return b"" if found is None else found.file.read_at(found.position, found.length)


def all_batches(log: PartitionLog) -> list[tuple[BatchHeader, bytes]]:
    """Everything that can be read, slice after slice."""
    batches: list[tuple[BatchHeader, bytes]] = []
    offset: int = log.log_start_offset
    while data := read_bytes(log, offset):
        found = [(header, bytes(batch)) for header, batch in iter_batches(data)]
        assert found, "a slice holds at least one whole batch"
        batches += found
        offset = found[-1][0].next_offset
    return batches


def all_values(log: PartitionLog) -> list[bytes | None]:
    """The values of all records, in order; checks that offsets grow."""
    records = [record for _, batch in all_batches(log) for record in iter_records(batch)]
    offsets = [record.offset for record in records]
    assert offsets == sorted(set(offsets))
    return [record.value for record in records if record.offset >= log.log_start_offset]


def stage(log: PartitionLog, *values: bytes, epoch: int = 0, timestamp: int = NOW_MS) -> Offset:
    """Stage one batch without writing it."""
    batch = memoryview(batch_of(*values, timestamp=timestamp))
    return log.stage(batch, read_header(batch), epoch, NOW_MS)
