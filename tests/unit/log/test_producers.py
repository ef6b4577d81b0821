"""What a partition accepts of idempotent producers, and what it remembers of them."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable

import pytest

from ottla.base import limits
from ottla.base.errors import ErrorCode, ProtocolError
from ottla.log import producers
from ottla.log.errors import DuplicateBatchError
from ottla.log.producers import ProducerStates
from ottla.wire.records.batch import BatchHeader, build_batch, read_header
from ottla.wire.records.header import CONTROL_BIT, TRANSACTIONAL_BIT
from ottla.wire.records.record import Record
from tests.unit.log.support import NOW_MS

LAST_SEQUENCE = 2**31 - 1
PRODUCER = 7


def header_of(
    sequence: int, count: int = 1, *, epoch: int = 0, producer: int = PRODUCER, timestamp: int = 0
) -> BatchHeader:
    """A produced batch of `count` records."""
    records = [Record(timestamp=NOW_MS + timestamp, key=None, value=b"v") for _ in range(count)]
    batch = build_batch(records, producer_id=producer, producer_epoch=epoch, base_sequence=sequence)
    return read_header(batch)


class Partition:
    """Producer states, and the offsets that a log would give."""

    def __init__(self) -> None:
        self.states = ProducerStates()
        self.next_offset = 0
        self.log_end_offset = 0

    def stage(self, header: BatchHeader) -> int:
        offset = self.next_offset
        self.states.admit(header, offset, header.max_timestamp, self.log_end_offset)
        self.next_offset = offset + header.record_count
        return offset

    def commit(self) -> None:
        self.log_end_offset = self.next_offset

    def append(self, header: BatchHeader) -> int:
        offset = self.stage(header)
        self.commit()
        return offset

    def drop(self, *, written_to: int | None = None) -> None:
        self.log_end_offset = self.log_end_offset if written_to is None else written_to
        self.next_offset = self.log_end_offset
        self.states.drop_staged(self.log_end_offset)

    def transactional(self, sequence: int, *, producer: int = PRODUCER) -> int:
        """A batch of a transaction, verified by its coordinator."""
        header = header_of(sequence, producer=producer)
        header.attributes |= TRANSACTIONAL_BIT
        offset = self.next_offset
        self.states.note(header, offset, header.max_timestamp, self.log_end_offset)
        self.next_offset += 1
        self.commit()
        return offset

    def end(self, *, aborted: bool = False, epoch: int = 0, producer: int = PRODUCER) -> int:
        header = header_of(-1, epoch=epoch, producer=producer)
        header.attributes |= TRANSACTIONAL_BIT | CONTROL_BIT
        header.base_offset = offset = self.next_offset
        self.states.note_marker(header, 3, self.log_end_offset, is_aborted=aborted)
        self.next_offset += 1
        self.commit()
        return offset


def refusal(action: Callable[[], object]) -> ErrorCode:
    with pytest.raises(ProtocolError) as raised:
        action()
    assert not isinstance(raised.value, DuplicateBatchError)
    return raised.value.code


def duplicate(partition: Partition, header: BatchHeader) -> tuple[int, int, int]:
    with pytest.raises(DuplicateBatchError) as raised:
        partition.stage(header)
    found = raised.value
    return found.base_offset, found.last_offset, found.timestamp


def appended(*counts: int) -> Partition:
    partition = Partition()
    sequence = 0
    for count in counts:
        partition.append(header_of(sequence, count, timestamp=sequence))
        sequence += count
    return partition


# --- sequences ---


def test_batches_in_sequence_are_accepted() -> None:
    partition = appended(3, 2)
    assert partition.append(header_of(5)) == 5


def test_a_duplicate_of_any_of_the_last_five_is_told_its_offsets_and_timestamp() -> None:
    partition = appended(2, 2, 2, 2, 2, 2)
    for sequence in (2, 4, 6, 8, 10):
        found = duplicate(partition, header_of(sequence, 2))
        assert found == (sequence, sequence + 1, NOW_MS + sequence)


def test_a_duplicate_from_before_the_last_five_is_stored_too_but_where_is_not_known() -> None:
    partition = appended(2, 2, 2, 2, 2, 2, 2)
    for sequence, count in ((0, 2), (2, 2), (0, 4), (1, 1)):
        code = refusal(lambda at=sequence, n=count: partition.stage(header_of(at, n)))  # type: ignore[misc]  # mypy knows no default arguments of lambdas
        assert code == ErrorCode.DUPLICATE_SEQUENCE_NUMBER


@pytest.mark.parametrize(("sequence", "count"), [(7, 1), (3, 2), (2, 5), (4, 3), (1 << 30, 1)])
def test_a_gap_and_a_batch_that_is_cut_otherwise_are_out_of_order(
    sequence: int, count: int
) -> None:
    partition = appended(2, 2, 2)
    code = refusal(lambda: partition.stage(header_of(sequence, count)))
    assert code == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER


def test_an_unknown_producer_may_begin_anywhere() -> None:
    partition = Partition()
    assert partition.append(header_of(41)) == 0
    assert partition.append(header_of(42)) == 1


def test_what_came_before_the_first_known_sequence_is_not_taken_for_stored() -> None:
    """The first batch was refused and the second arrived: the first must not be lost."""
    partition = Partition()
    partition.append(header_of(3, 3))
    code = refusal(lambda: partition.stage(header_of(0, 3)))
    assert code == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER


def test_sequences_wrap_around() -> None:
    partition = Partition()
    partition.append(header_of(LAST_SEQUENCE - 2, 2))
    partition.append(header_of(LAST_SEQUENCE, 3))
    assert duplicate(partition, header_of(LAST_SEQUENCE, 3))[0] == 2
    assert duplicate(partition, header_of(LAST_SEQUENCE - 2, 2))[0] == 0
    assert partition.append(header_of(2)) == 5
    code = refusal(lambda: partition.stage(header_of(0)))
    assert code == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER


def test_sequence_zero_follows_the_last_one() -> None:
    partition = Partition()
    partition.append(header_of(LAST_SEQUENCE))
    assert partition.append(header_of(0)) == 1


def test_a_batch_from_before_the_wrap_is_known_as_stored() -> None:
    partition = Partition()
    sequence = LAST_SEQUENCE - 3
    for _ in range(8):
        partition.append(header_of(sequence))
        sequence = (sequence + 1) & LAST_SEQUENCE
    code = refusal(lambda: partition.stage(header_of(LAST_SEQUENCE - 2)))
    assert code == ErrorCode.DUPLICATE_SEQUENCE_NUMBER


# --- epochs ---


def test_a_new_epoch_begins_with_sequence_zero() -> None:
    partition = appended(2)
    code = refusal(lambda: partition.stage(header_of(2, epoch=1)))
    assert code == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert partition.append(header_of(0, 2, epoch=1)) == 2
    assert duplicate(partition, header_of(0, 2, epoch=1))[0] == 2


def test_an_older_epoch_is_fenced_even_with_a_batch_that_is_stored() -> None:
    partition = appended(2)
    partition.append(header_of(0, epoch=1))
    for sequence, count in ((0, 2), (2, 1)):
        code = refusal(lambda at=sequence, n=count: partition.stage(header_of(at, n)))  # type: ignore[misc]  # mypy knows no default arguments of lambdas
        assert code == ErrorCode.INVALID_PRODUCER_EPOCH


def test_producers_do_not_mix() -> None:
    partition = Partition()
    partition.append(header_of(0, producer=1))
    partition.append(header_of(0, producer=2))
    partition.append(header_of(1, producer=1))
    assert duplicate(partition, header_of(0, producer=2))[0] == 1


# --- staging ---


def test_staged_batches_count_before_they_are_written() -> None:
    partition = Partition()
    for sequence in range(3):
        partition.stage(header_of(sequence))
    assert duplicate(partition, header_of(1))[0] == 1


def test_dropped_batches_are_forgotten() -> None:
    partition = appended(1)
    for sequence in (1, 2, 3):
        partition.stage(header_of(sequence))
    partition.stage(header_of(0, producer=9))
    partition.drop()
    assert partition.states.get(9) is None
    code = refusal(lambda: partition.stage(header_of(2)))
    assert code == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert partition.append(header_of(1)) == 1


def test_of_a_commit_that_fails_half_way_the_written_part_is_kept() -> None:
    partition = appended(1)
    for sequence in (1, 2, 3):
        partition.stage(header_of(sequence))
    partition.drop(written_to=3)
    assert duplicate(partition, header_of(2))[0] == 2
    assert partition.append(header_of(3)) == 3


def test_the_states_at_an_offset_leave_out_what_is_staged_behind_it() -> None:
    partition = appended(1)
    for sequence in (1, 2, 3):
        partition.stage(header_of(sequence))
    partition.stage(header_of(0, producer=9))
    states = partition.states.at(3)
    assert states[PRODUCER].batches[-1].last_sequence == 2
    assert 9 not in states


# --- transactions ---


def test_an_open_transaction_holds_the_last_stable_offset() -> None:
    partition = appended(2)
    first = partition.transactional(2)
    partition.transactional(3)
    other = partition.transactional(0, producer=9)
    assert partition.states.last_stable_offset(5) == first
    partition.end()
    assert partition.states.last_stable_offset(6) == other
    partition.end(producer=9)
    assert partition.states.last_stable_offset(7) == 7


def test_a_transaction_is_open_until_its_marker_is_below_the_high_watermark() -> None:
    partition = Partition()
    partition.transactional(0)
    partition.end(aborted=True)
    assert partition.states.last_stable_offset(1) == 0
    assert partition.states.last_stable_offset(2) == 2


def test_a_marker_of_a_newer_epoch_ends_the_sequence() -> None:
    """KIP-890: the coordinator ends each transaction under the producer's next epoch."""
    partition = Partition()
    partition.transactional(0)
    partition.end(epoch=1)
    state = partition.states.get(PRODUCER)
    assert state is not None
    assert (state.epoch, state.batches, state.coordinator_epoch) == (1, (), 3)
    code = refusal(lambda: partition.stage(header_of(1, epoch=1)))
    assert code == ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER
    assert partition.append(header_of(0, epoch=1)) == 2


def test_transactional_and_other_batches_do_not_mix() -> None:
    partition = Partition()
    header = header_of(0)
    header.attributes |= TRANSACTIONAL_BIT
    assert refusal(lambda: partition.stage(header)) == ErrorCode.INVALID_TXN_STATE
    partition.transactional(0)
    code = refusal(lambda: partition.stage(header_of(1)))
    assert code == ErrorCode.INVALID_TXN_STATE


def test_a_dropped_transaction_is_not_open() -> None:
    partition = appended(1)
    header = header_of(1)
    header.attributes |= TRANSACTIONAL_BIT
    partition.states.note(header, 1, header.max_timestamp, partition.log_end_offset)
    partition.drop()
    assert partition.states.last_stable_offset(1) == 1


# --- forgetting ---


def test_producers_expire_by_the_time_of_their_last_batch() -> None:
    partition = Partition()
    partition.append(header_of(0, timestamp=0))
    partition.append(header_of(0, timestamp=50, producer=9))
    partition.states.expire(NOW_MS + 100, 100)
    assert [producer for producer, _ in partition.states] == [9]
    assert partition.append(header_of(5)) == 2


def test_a_producer_does_not_expire_in_the_middle_of_a_transaction() -> None:
    partition = Partition()
    partition.transactional(0)
    partition.states.expire(NOW_MS + 1000, 100)
    assert partition.states.get(PRODUCER) is not None


def test_the_idlest_producers_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(producers, "PRODUCERS_PER_PARTITION_MAX", 16)
    partition = Partition()
    partition.transactional(0, producer=0)
    for producer in range(1, 16):
        partition.append(header_of(0, producer=producer))
    partition.append(header_of(1, producer=1))
    partition.append(header_of(0, producer=16))
    known = {producer for producer, _ in partition.states}
    assert known == set(range(17)) - {2}


def test_a_producer_takes_about_a_kilobyte() -> None:
    state = appended(2, 2, 2, 2, 2, 2).states.get(PRODUCER)
    seen: dict[int, int] = {}
    waiting: list[object] = [state]
    while waiting:
        item = waiting.pop()
        if id(item) not in seen and not isinstance(item, type):
            seen[id(item)] = sys.getsizeof(item)
            waiting += gc.get_referents(item)
    assert sum(seen.values()) < 1100
    assert limits.PRODUCERS_PER_PARTITION_MAX * 1100 < 128 * limits.MIB
