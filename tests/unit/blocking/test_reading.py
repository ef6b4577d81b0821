"""Records lent to a thread, while others close, recall and count at every moment there is."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from itertools import count
from types import FrameType, SimpleNamespace
from typing import Any, Self, TypeVar

import pytest

from ottla.base.ids import TopicPartition
from ottla.blocking.background import Background, borrow, give_back
from ottla.blocking.call import Call, Work
from ottla.blocking.reading import Reading, _Hand
from ottla.client.backoff import Backoff
from ottla.client.consumer import ConsumerClosedError, ConsumerOptions
from ottla.client.consumer.assigned import AssignedPartition
from ottla.client.consumer.chunk import Chunk
from ottla.client.consumer.loan import Loan
from ottla.client.consumer.reader import Reader
from ottla.wire.records.batch import build_batch
from ottla.wire.records.record import Record
from tests.support.cluster import SeededRng

T = TypeVar("T")

RECORDS = 1000
TAKEN: Any = vars(_Hand)["taken"].fget


def partition_with_records() -> AssignedPartition:
    partition = AssignedPartition(TopicPartition("t", 0), Backoff(1, 1, SeededRng()))
    partition.seek(0)
    records = [Record(0, 0, None, b"%d" % index, ()) for index in range(RECORDS)]
    partition.take_fetched(Chunk(build_batch(records, base_offset=0), from_offset=0))
    return partition


class Bench:
    """A thread that reads from a reader with records, and what happens before it goes on."""

    def __init__(self, background: Background) -> None:
        self.behind = background
        self.partition = partition_with_records()
        fetcher: Any = SimpleNamespace(
            assigned={self.partition.partition: self.partition}, fatal=None, wake=lambda: None
        )
        self.reader = Reader(fetcher)
        consumer: Any = SimpleNamespace(options=ConsumerOptions(), reader=self.reader)
        self.reading = Reading(consumer)
        self.meanwhile: list[Callable[[], object]] = []
        """What others do when the loop is done with a read, and its caller is not yet told."""
        self.reads = 0

    # What stands for `Background`:

    def begin(self, work: Work[T], *, unclaimed: Any = None) -> Call[T]:
        return self.behind.begin(work, unclaimed=unclaimed)

    def finish(self, call: Call[T], *, timeout_s: float | None = None) -> T:
        self.reads += 1
        result = self.behind.finish(call, timeout_s=timeout_s)
        while self.meanwhile:
            self.meanwhile.pop()()
        return result

    # What is done with it:

    def one(self) -> int:
        return self.reading.one(self).offset  # type: ignore[arg-type]  # a stub

    def some(self, count: int, timeout_s: float | None = None) -> list[int]:
        taken = self.reading.some(self, count, timeout_s)  # type: ignore[arg-type]  # a stub
        return [record.offset for record in taken]

    def next(self) -> int:
        return self.reading.next().offset

    def in_hand(self) -> list[int]:
        """All that can be handed out without asking."""
        found = list[int]()
        with suppress(StopIteration):
            while True:
                found.append(self.next())
        return found

    def on_loop(self, function: Callable[[], object]) -> None:
        async def main() -> None:
            function()

        self.behind.run(main)

    def recall(self) -> None:
        self.on_loop(self.reader.interrupt)

    def close(self) -> None:
        async def end() -> None:
            self.reader.is_closed = True

        self.behind.run(self.reading.last_settled(end))


@pytest.fixture
def background() -> Iterator[Background]:
    borrowed = borrow()
    yield borrowed
    give_back(borrowed)


@pytest.fixture
def bench(background: Background) -> Bench:
    return Bench(background)


# -- what counts as handed out -------------------------------------------------------------------


class Between:
    """Something happens before one step of a method: another thread does it, or a signal."""

    def __init__(
        self, method: Callable[..., Any], step: int, function: Callable[[], object]
    ) -> None:
        self._code = method.__code__
        self._left = step
        self._function = function

    def __enter__(self) -> Self:
        self._before = sys.gettrace()
        sys.settrace(self._trace)
        return self

    def __exit__(self, *error: object) -> None:
        sys.settrace(self._before)

    @property
    def has_happened(self) -> bool:
        return self._left < 0

    def _trace(self, frame: FrameType, event: str, argument: object) -> Any:
        if frame.f_code is not self._code:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            if self._left == 0:
                self._function()
            self._left -= 1
        return self._trace


def hand(taken: int) -> _Hand:
    loan, partition = Loan(), partition_with_records()
    loan.add(partition, partition.peek_records(50))
    made = _Hand(loan)
    made.take(taken)
    return made


def look_at(stopped: _Hand, seen: list[int]) -> None:
    seen.append(stopped.taken)


def test_however_far_a_stop_has_come_only_what_was_handed_out_counts() -> None:
    for step in count():
        stopped, seen = hand(taken=10), list[int]()
        with Between(_Hand.stop, step, partial(look_at, stopped, seen)) as between:
            stopped.stop()
        if not between.has_happened:
            break
        assert seen == [10], f"before step {step}"
        assert stopped.taken == 10
    assert step > 5


def test_a_stop_may_come_at_every_moment_of_another_stop() -> None:
    for step in count():
        stopped = hand(taken=10)
        with Between(_Hand.stop, step, stopped.stop) as between:
            stopped.stop()
        if not between.has_happened:
            break
        assert stopped.taken == 10, f"before step {step}"
        assert stopped.take(1) == []
    assert step > 5


def test_a_stop_may_come_at_every_moment_of_counting() -> None:
    for step in count():
        stopped = hand(taken=10)
        with Between(TAKEN, step, stopped.stop) as between:
            assert stopped.taken == 10, f"before step {step}"
        if not between.has_happened:
            break
    assert step > 5


# -- closing and recalling -----------------------------------------------------------------------


@pytest.mark.parametrize("read", [Bench.one, lambda bench: bench.some(10)])
def test_records_that_come_when_another_thread_has_closed_are_not_handed_out(
    read: Callable[[Bench], object], bench: Bench
) -> None:
    bench.meanwhile.append(bench.close)
    with pytest.raises(ConsumerClosedError):
        read(bench)
    assert bench.in_hand() == []
    assert bench.partition.offset == 0, "what nobody got was not committed"


@pytest.mark.parametrize("method", [Reading._lend, Reading._hold, Reading._read_some])
def test_a_close_at_every_moment_of_a_read_counts_what_the_read_returns(
    method: Callable[..., Any], background: Background
) -> None:
    for step in count():
        bench, taken = Bench(background), list[int]()
        with Between(method, step, bench.close) as between, suppress(ConsumerClosedError):
            taken = bench.some(10)
        if not between.has_happened:
            break
        assert bench.partition.offset == len(taken), f"before step {step}"
        assert bench.in_hand() == []
    assert step > 10


@pytest.mark.parametrize("method", [Reading._lend, Reading._hold, Reading._read_some])
def test_a_recall_at_every_moment_of_a_read_takes_nothing_from_it(
    method: Callable[..., Any], background: Background
) -> None:
    for step in count():
        bench = Bench(background)
        with Between(method, step, bench.recall) as between:
            taken = bench.some(10)
        if not between.has_happened:
            break
        assert taken == list(range(10)), f"before step {step}"
        assert bench.one() == 10
    assert step > 10


def test_a_close_counts_what_was_handed_out_and_ends_the_rest(bench: Bench) -> None:
    assert (bench.one(), bench.next()) == (0, 1)
    bench.close()
    assert bench.partition.offset == 2
    assert bench.in_hand() == []


def test_who_reads_when_the_thread_behind_a_closed_consumer_has_ended_is_told_it_is_closed(
    bench: Bench,
) -> None:
    bench.one()
    bench.close()
    bench.behind.stop()
    with pytest.raises(ConsumerClosedError):
        bench.some(10)


def test_a_group_that_wants_its_turn_before_lent_records_are_in_hand_gets_it(
    bench: Bench,
) -> None:
    bench.meanwhile.append(bench.recall)
    assert bench.one() == 0
    assert bench.reads == 2, "the first was recalled"
    assert bench.partition.offset == 0
    assert bench.in_hand() == list(range(1, 500)), "what was recalled once is not for ever"


def test_a_recalled_poll_waits_on_and_returns_what_it_may(bench: Bench) -> None:
    bench.meanwhile.append(bench.recall)
    assert bench.some(10, timeout_s=0) == list(range(10))
    bench.on_loop(lambda: bench.reader.settle(bench.reading._hand.loan, 10))
    assert bench.partition.offset == 10


# -- reading without asking ----------------------------------------------------------------------


def test_each_record_taken_from_a_loan_is_progress_to_the_group(bench: Bench) -> None:
    bench.one()
    seen = [bench.reader.progress]
    assert bench.reader.progress == seen[0], "nobody reads"
    for _ in range(3):
        bench.reading.next()
        seen.append(bench.reader.progress)
    assert len(set(seen)) == 4
    bench.recall()
    assert bench.reader.progress == seen[-1], "to be recalled is no progress"
