"""Random producers on one log, held against a list: kills, crashes, cuts and full disks included.

Each producer behaves as real ones do: at most five batches on their way, all of them sent again in
order until they are answered. Whatever happens, no batch is stored twice and none out of order. A
failing case prints the seed that repeats it.
"""

from __future__ import annotations

import contextlib
import errno
import random
from collections.abc import Callable

import pytest

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.log.config import LogConfig
from ottla.log.errors import DuplicateBatchError, StorageError
from ottla.log.partition_log import PartitionLog
from ottla.log.producer_snapshots import encode_snapshot
from ottla.log.producers import BATCHES_KEPT
from ottla.testing.memory_disk import MemoryDisk
from ottla.wire.records.batch import build_batch, read_header
from ottla.wire.records.record import Record
from tests.unit.log.support import NOW_MS, SeededRng, all_batches, new_log, reopened

STEPS = 150
CONFIG = LogConfig(segment_bytes=900, index_interval_bytes=200)
SEQUENCES = 2**31
PRODUCERS = 3

Sent = tuple[int, int]
"""(base sequence, count)."""


class Producer:
    """One client; `answered` are its batches that it takes for stored, in this epoch."""

    def __init__(self, producer_id: int, first_sequence: int) -> None:
        self.id = producer_id
        self.epoch = 0
        self.next_sequence = first_sequence
        self.on_their_way: list[Sent] = []

    def next_batch(self, count: int) -> Sent:
        batch = self.next_sequence, count
        self.next_sequence = (self.next_sequence + count) % SEQUENCES
        self.on_their_way.append(batch)
        return batch

    def begin_epoch(self) -> None:
        """What is not answered is sent under new numbers, as clients do after a broker's loss."""
        self.epoch += 1
        self.next_sequence = 0
        self.on_their_way.clear()


class Stored:
    """The model: every batch that the log holds, as (producer, epoch, base sequence, count)."""

    def __init__(self) -> None:
        self.batches: list[tuple[int, int, int, int, int]] = []

    def offset_of(self, producer: Producer, sent: Sent) -> int | None:
        for producer_id, epoch, sequence, count, offset in self.batches:
            if (producer_id, epoch, sequence, count) == (producer.id, producer.epoch, *sent):
                return offset
        return None

    def check(self, log: PartitionLog) -> None:
        found = [
            (h.producer_id, h.producer_epoch, h.base_sequence, h.record_count, h.base_offset)
            for h, _ in all_batches(log)
        ]
        assert found == self.batches
        following: dict[tuple[int, int], int] = {}
        for producer_id, epoch, sequence, count, _ in self.batches:
            key = producer_id, epoch
            assert following.get(key, sequence) == sequence, "a gap, or stored twice"
            following[key] = (sequence + count) % SEQUENCES


class Run:
    """Several producers, one log on one disk, and what it should hold."""

    def __init__(self, seed: int) -> None:
        self.rng = SeededRng(seed)
        self.random = self.rng.random
        self.disk = MemoryDisk()
        self.disk.failed_append_leaves_bytes = self.random.random() < 0.3
        self.log = new_log(self.disk, CONFIG)
        self.stored = Stored()
        self.producers = [
            Producer(number, self.random.choice([0, SEQUENCES - 7])) for number in range(PRODUCERS)
        ]
        self.synced_end = 0

    # --- sending ---

    def stage(self, producer: Producer, sent: Sent) -> int | ErrorCode | None:
        """The offset that it gets; of a duplicate None, checked; or the error."""
        sequence, count = sent
        records = [Record(timestamp=NOW_MS, key=None, value=b"v" * 20) for _ in range(count)]
        batch = memoryview(
            build_batch(
                records,
                producer_id=producer.id,
                producer_epoch=producer.epoch,
                base_sequence=sequence,
            )
        )
        try:
            return self.log.stage(batch, read_header(batch), 0, NOW_MS)
        except DuplicateBatchError as duplicate:
            self.check_duplicate(producer, sent, duplicate.base_offset)
            return None
        except ProtocolError as refused:
            return refused.code

    def check_duplicate(self, producer: Producer, sent: Sent, offset: int) -> None:
        known = self.stored.offset_of(producer, sent)
        assert offset >= self.log.log_end_offset if known is None else offset == known

    def send(self) -> None:
        """Send again all that is on its way, then something new; perhaps forget the answers."""
        producer = self.random.choice(self.producers)
        self.check_stale(producer)
        while len(producer.on_their_way) < self.random.randint(1, BATCHES_KEPT):
            producer.next_batch(self.random.randint(1, 3))
        answers = [(sent, self.stage(producer, sent)) for sent in producer.on_their_way]
        self.commit()
        placed = [(sent, offset) for sent, offset in answers if type(offset) is not ErrorCode]
        refused = {offset for _, offset in answers if type(offset) is ErrorCode}
        assert refused <= {ErrorCode.KAFKA_STORAGE_ERROR}, "a producer in order is not refused"
        for (sequence, count), offset in placed:
            if offset is not None and offset < self.log.log_end_offset:
                self.stored.batches.append((producer.id, producer.epoch, sequence, count, offset))
        heard = self.random.random() < 0.7
        producer.on_their_way = [
            sent
            for sent in producer.on_their_way
            if not heard or self.stored.offset_of(producer, sent) is None
        ]

    def commit(self) -> None:
        with contextlib.suppress(StorageError):  # what was not written is sent again
            self.log.commit()

    def check_stale(self, producer: Producer) -> None:
        """A batch from long ago, from an old epoch or after a gap is never stored."""
        wrong = self.random.choice(["gap", "epoch", "old"])
        own = [batch for batch in self.stored.batches if batch[0] == producer.id]
        epoch = producer.epoch
        sent: Sent = (producer.next_sequence + 5) % SEQUENCES, 1
        if not any(batch[1] == epoch for batch in own):
            return
        if wrong == "epoch" and epoch:
            producer.epoch -= 1
        elif wrong == "old":
            older = [batch for batch in own if batch[1] == epoch]
            sent = self.random.choice(older)[2:4]
        answer = self.stage(producer, sent)
        producer.epoch = epoch
        assert answer in (
            None,
            ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
            ErrorCode.DUPLICATE_SEQUENCE_NUMBER,
            ErrorCode.INVALID_PRODUCER_EPOCH,
            ErrorCode.KAFKA_STORAGE_ERROR,
        )

    def send_to_a_failing_disk(self) -> None:
        self.disk.fail_at(self.random.randint(1, 6), self.random.choice([errno.ENOSPC, errno.EIO]))
        self.send()
        self.disk.fail_at(1 << 40, errno.EIO)
        if self.log.has_failed:
            self.kill()

    def begin_epoch(self) -> None:
        self.random.choice(self.producers).begin_epoch()

    # --- the log's own life ---

    def roll(self) -> None:
        self.log.roll(NOW_MS)

    def flush(self) -> None:
        self.log.flush()
        self.synced_end = self.log.log_end_offset

    def truncate(self) -> None:
        """What another leader never had is gone; its producers begin new epochs."""
        self.log.truncate_to(max(self.log.log_end_offset - self.random.randint(1, 12), 0))
        self.synced_end = min(self.synced_end, self.log.log_end_offset)
        self.lose_from(self.log.log_end_offset)

    def lose_from(self, end_offset: int) -> None:
        """Who lost a batch begins a new epoch."""
        lost = [batch for batch in self.stored.batches if batch[4] >= end_offset]
        self.stored.batches = [batch for batch in self.stored.batches if batch[4] < end_offset]
        for producer in self.producers:
            if any(batch[:2] == (producer.id, producer.epoch) for batch in lost):
                producer.begin_epoch()

    def close(self) -> None:
        self.log.close()
        self.log = reopened(self.disk, CONFIG, clean=True, recovery_point=self.log.log_end_offset)
        self.synced_end = self.log.log_end_offset

    def kill(self) -> None:
        """What was written is in the page cache: nothing is lost."""
        self.log = reopened(self.disk, CONFIG, clean=False, recovery_point=self.synced_end)

    def crash(self) -> None:
        self.disk.crash(self.rng if self.random.random() < 0.7 else None)
        if self.disk.exists(self.log.directory):
            self.log = reopened(self.disk, CONFIG, clean=False, recovery_point=self.synced_end)
        else:  # its name was not synced: as a broker makes it anew
            self.log = new_log(self.disk, CONFIG)
        self.lose_from(self.log.log_end_offset)

    def check(self) -> None:
        self.stored.check(self.log)
        # Read anew from the batches alone, the last of each producer is the same.
        known = dict(self.log.producers.states)
        for producer in self.producers:
            own = [batch for batch in self.stored.batches if batch[0] == producer.id]
            if own:
                _, epoch, sequence, count, offset = own[-1]
                state = known[producer.id]
                last = state.batches[-1]
                assert (state.epoch, last.base_sequence, last.base_offset) == (
                    epoch,
                    sequence,
                    offset,
                )
                assert last.offset_delta == count - 1
        assert encode_snapshot(known.items())


OPERATIONS: list[tuple[Callable[[Run], None], int]] = [
    (Run.send, 60),
    (Run.send_to_a_failing_disk, 6),
    (Run.begin_epoch, 2),
    (Run.roll, 4),
    (Run.flush, 6),
    (Run.truncate, 3),
    (Run.close, 4),
    (Run.kill, 5),
    (Run.crash, 4),
]


def run(seed: int) -> None:
    print(f"seed {seed}")
    state = Run(seed)
    actions = [action for action, _ in OPERATIONS]
    weights = [weight for _, weight in OPERATIONS]
    for _ in range(STEPS):
        (action,) = state.random.choices(actions, weights)
        print(action.__name__, state.synced_end, state.log.log_end_offset)
        action(state)
        state.check()


@pytest.mark.parametrize("seed", range(40))
def test_known_seeds(seed: int) -> None:
    run(seed)


@pytest.mark.soak
def test_new_seeds() -> None:
    for _ in range(1_000):
        run(random.randrange(1 << 32))
