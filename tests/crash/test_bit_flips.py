"""One bit of an old segment flips: it is noticed, and what lies before it can be read.

What must hold, decided from what recovery promises:

- A start succeeds: one damaged segment takes no partition offline. After an orderly stop, and below
  the recovery point, nobody reads the batches at a start. A reader gets them as they are, and
  notices: the CRC covers everything from the attributes on, a wrong length or magic ends the walk,
  and offsets follow each other. Everything before the damaged batch is read as it was written.
- Four bytes are not covered by anything, in Kafka's format too: the leader epoch of the batch. The
  records are right all the same.
- Above the recovery point, after a crash, the log ends before the damaged batch: nobody can say
  that it was ever whole.
- A damaged index is made anew when it is used: nothing is missing, nothing is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ottla.base.ids import TopicPartition
from ottla.log.errors import StorageError
from ottla.log.partition_log import PartitionLog
from ottla.testing.crash_states import KILL, CrashState, flipped, state_of
from ottla.testing.memory_disk import Content, MemoryDisk
from ottla.wire.records.batch import read_header
from ottla.wire.records.crc32c import crc32c
from ottla.wire.records.header import CRC_FROM, HEADER_SIZE, MAGIC
from tests.crash.exploring import promises_of
from tests.crash.life import HALF_KIB, SMALL, Life
from tests.crash.promises import PATH, Batch
from tests.crash.reopened import batches_of
from tests.crash.scenarios import SMALL_SEGMENTS
from tests.crash.server import Server

KEY = TopicPartition("flipped", 0)
OLD_SEGMENT = f"{PATH}/flipped-0/{0:020d}"
EPOCH_AT, EPOCH_ENDS = 12, 16
BYTES_BETWEEN_FLIPS = 3


def written(*, stopped: bool, flushed: bool) -> CrashState:
    """Three segments; the process was stopped in order, or killed."""
    life = Life()
    key = life.create(KEY.topic, SMALL_SEGMENTS)
    life.append(key, SMALL, HALF_KIB, SMALL, HALF_KIB, SMALL)
    life.append(key, HALF_KIB, HALF_KIB, HALF_KIB, HALF_KIB)
    if flushed:
        life.checkpoint()
    if stopped:
        life.stop()
    last = life.disk.moments[-1]
    return state_of(life.disk.moments, f"{last.number}/{KILL}")


def started(content: Content, state: CrashState) -> PartitionLog:
    promises = promises_of(state)
    topics = {key: (kept.topic_id, kept.config) for key, kept in promises.items()}
    return Server.start(MemoryDisk(content=content), topics).logs[KEY]


def as_a_client_reads(log: PartitionLog) -> Iterator[Batch]:
    """Batches up to the first that a client would refuse."""
    offset: int = log.log_start_offset
    while True:
        try:
            found = log.read(offset, 1 << 20, end_offset=log.log_end_offset, min_one_batch=True)
        except StorageError:
            return
        if found is None:
            return
        rest = memoryview(found.file.read_at(found.position, found.length))
        while len(rest):
            if len(rest) < HEADER_SIZE:
                return
            header = read_header(rest)
            batch = bytes(rest[: header.size])
            is_whole = header.magic == MAGIC and len(batch) == header.size >= HEADER_SIZE
            if not is_whole or header.base_offset != offset:
                return
            if crc32c(batch[CRC_FROM:]) != header.crc:
                return
            yield Batch(header.base_offset, header.next_offset, batch)
            rest, offset = rest[header.size :], header.next_offset


def without_epoch(batch: Batch) -> bytes:
    return batch.data[:EPOCH_AT] + batch.data[EPOCH_ENDS:]


def bits_of(content: Content, path: str) -> Iterator[int]:
    for byte in range(0, len(content.files[path]), BYTES_BETWEEN_FLIPS):
        yield byte * 8 + byte // BYTES_BETWEEN_FLIPS % 8


@pytest.mark.parametrize("stopped", [True, False], ids=["stopped", "killed"])
@pytest.mark.parametrize("flushed", [True, False], ids=["flushed", "not flushed"])
def test_a_flipped_bit_in_a_log_file_is_noticed(stopped: bool, flushed: bool) -> None:
    state = written(stopped=stopped, flushed=flushed)
    whole = promises_of(state)[KEY].batches
    path = f"{OLD_SEGMENT}.log"
    count = 0
    for bit in bits_of(state.content, path):
        log = started(flipped(state.content, path, bit), state)
        found = list(as_a_client_reads(log))
        position, before = 0, 0
        while position + len(whole[before].data) <= bit // 8:
            position += len(whole[before].data)
            before += 1
        in_epoch = EPOCH_AT <= bit // 8 - position < EPOCH_ENDS
        assert found[:before] == list(whole[:before]), f"bit {bit}: what lies before it"
        for batch, original in zip(found, whole, strict=False):
            assert without_epoch(batch) == without_epoch(original), f"bit {bit}: wrong data"
        assert in_epoch or len(found) == before, f"bit {bit} was not noticed"
        count += 1
    assert count > 200


@pytest.mark.parametrize("suffix", [".index", ".timeindex"])
@pytest.mark.parametrize("stopped", [True, False], ids=["stopped", "killed"])
def test_a_flipped_bit_in_an_index_does_no_harm(stopped: bool, suffix: str) -> None:
    state = written(stopped=stopped, flushed=True)
    whole = list(promises_of(state)[KEY].batches)
    path = OLD_SEGMENT + suffix
    for bit in range(len(state.content.files[path]) * 8):
        log = started(flipped(state.content, path, bit), state)
        assert batches_of(log) == whole
        for batch in whole:
            found = log.read(
                batch.next_offset - 1, 1, end_offset=log.log_end_offset, min_one_batch=True
            )
            assert found is not None
            assert found.base_offset == batch.base_offset, f"bit {bit}"
        log.offset_for_timestamp(0)
