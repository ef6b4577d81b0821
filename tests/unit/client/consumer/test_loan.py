"""Records lent to another thread: positions follow what it says, whatever happened meanwhile."""

from __future__ import annotations

from ottla.base.ids import TopicPartition
from ottla.client.backoff import Backoff
from ottla.client.consumer.assigned import AssignedPartition
from ottla.client.consumer.chunk import Chunk
from ottla.client.consumer.loan import Loan
from ottla.wire.records.batch import build_batch
from ottla.wire.records.record import Record
from tests.support.cluster import SeededRng

RECORDS = 1000


def partition_with_records(number: int = 0) -> AssignedPartition:
    partition = AssignedPartition(TopicPartition("t", number), Backoff(1, 1, SeededRng()))
    partition.seek(0)
    records = [Record(0, 0, None, b"%d" % index, ()) for index in range(RECORDS)]
    partition.take_fetched(Chunk(build_batch(records, base_offset=0), from_offset=0))
    return partition


def lend(*partitions: AssignedPartition, count: int) -> Loan:
    loan = Loan()
    for partition in partitions:
        loan.add(partition, partition.peek_records(count))
    return loan


def offsets(loan: Loan) -> list[int]:
    return [record.offset for record in loan.records]


def test_lending_hands_out_nothing_and_settling_so_many_as_it_says() -> None:
    partition = partition_with_records()
    loan = lend(partition, count=600)
    assert offsets(loan) == list(range(600))
    assert partition.offset == 0
    assert list(loan.settle(10)) == [partition]
    assert partition.offset == 10
    assert list(loan.settle(10)) == []
    assert list(loan.settle(600)) == [partition]
    assert partition.offset == 600
    assert offsets(lend(partition, count=600)) == list(range(600, 1000))


def test_each_partition_moves_by_its_own_share() -> None:
    first, second = partition_with_records(0), partition_with_records(1)
    loan = lend(first, second, count=5)
    list(loan.settle(7))
    assert (first.offset, second.offset) == (5, 2)


def test_what_was_dropped_meanwhile_is_read_on_behind_what_was_handed_out() -> None:
    partition = partition_with_records()
    loan = lend(partition, count=20)
    partition.drop_buffer()
    list(loan.settle(7))
    assert partition.offset == 7
    assert not partition.is_buffered


def test_what_was_closed_meanwhile_is_opened_again_at_the_right_place() -> None:
    partition = partition_with_records()
    loan = lend(partition, count=20)
    partition.close_rows()
    list(loan.settle(7))
    assert offsets(lend(partition, count=2)) == [7, 8]


def test_peeking_and_taking_in_turns_loses_nothing() -> None:
    partition = partition_with_records()
    found: list[int] = []
    for count in (1, 127, 3, 200, 130, 500, 600):
        shown = partition.peek_records(count)
        assert len(shown) == min(count, RECORDS - len(found))
        taken = partition.take_records(min(count, 100))
        assert taken == shown[: len(taken)]
        found += [record.offset for record in taken]
        if partition.has_rows:
            assert partition.last_taken is taken[-1]
    while partition.is_buffered:
        found += [record.offset for record in partition.take_records(100)]
    assert found == list(range(RECORDS))
