"""Reading in a group: what is committed is what has left, and nothing that lay in a buffer."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from ottla.base.ids import TopicPartition
from ottla.cli.records.group_reading import Commits, Follow, Share

if TYPE_CHECKING:
    from ottla.blocking.consumer import Consumer

ONE, TWO = TopicPartition("t", 0), TopicPartition("t", 1)


class Committed:
    """A consumer that keeps what it is told to commit."""

    def __init__(self) -> None:
        self.offsets: dict[TopicPartition, int] = {}

    def commit(self, offsets: dict[TopicPartition, int]) -> None:
        self.offsets |= offsets


class Clock:
    """Tells the seconds that it is set to."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def share(
    *, is_bounded: bool = True, is_member: bool = True, hears_of_none: bool = True
) -> tuple[Share, Clock]:
    clock = Clock()
    made = Share(
        "billing",
        lambda: is_member,
        is_bounded=is_bounded,
        hears_of_none=hears_of_none,
        now_s=clock,
    )
    return made, clock


def is_over_at(share: Share, clock: Clock, *times_s: float) -> list[bool]:
    told = []
    for clock.now_s in times_s:
        told.append(share.is_over)
    return told


def commits() -> tuple[Commits, Committed]:
    consumer = Committed()
    return Commits(cast("Consumer", consumer)), consumer


def test_what_was_printed_into_a_pipe_that_broke_is_not_committed() -> None:
    keeper, consumer = commits()
    keeper.printed(ONE, 3)
    keeper.flushed()
    keeper.printed(ONE, 9)
    keeper.printed(TWO, 5)
    keeper.close()
    assert consumer.offsets == {ONE: 3}


def test_partitions_that_go_are_committed_when_their_records_have_left() -> None:
    keeper, consumer = commits()
    flushed: list[bool] = []
    follow = Follow(cast("Consumer", consumer), keeper, share()[0], lambda: flushed.append(True))
    keeper.printed(ONE, 3)
    follow.on_revoked([ONE])
    assert (flushed, consumer.offsets) == ([True], {ONE: 3})


def test_partitions_that_go_are_not_committed_where_nobody_reads() -> None:
    def broken() -> None:
        raise BrokenPipeError

    keeper, consumer = commits()
    follow = Follow(cast("Consumer", consumer), keeper, share()[0], broken)
    keeper.printed(ONE, 3)
    with pytest.raises(BrokenPipeError):
        follow.on_revoked([ONE])
    keeper.close()
    assert consumer.offsets == {}


def test_partitions_that_were_lost_are_not_committed() -> None:
    keeper, consumer = commits()
    follow = Follow(cast("Consumer", consumer), keeper, share()[0], lambda: None)
    keeper.printed(ONE, 3)
    keeper.flushed()
    keeper.printed(ONE, 4)
    keeper.printed(TWO, 5)
    follow.on_lost([ONE])
    keeper.flushed()
    keeper.close()
    assert consumer.offsets == {TWO: 5}


def test_a_member_that_others_leave_nothing_is_at_its_end_and_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    nothing, clock = share()
    nothing.assigned([])
    assert is_over_at(nothing, clock, 0, 14, 15) == [False, False, True]
    told = capsys.readouterr().err
    assert told == "ottla: billing has no partition for this member, others have all: it ends\n"


def test_a_member_that_gets_something_in_time_goes_on_to_the_end_of_it() -> None:
    some, clock = share()
    some.assigned([])
    assert is_over_at(some, clock, 0, 14) == [False, False]
    some.assigned([ONE])
    some.set({ONE: 5})
    assert is_over_at(some, clock, 15, 60) == [False, False]
    some.reached(ONE, 5)
    assert some.is_over


@pytest.mark.parametrize("hears_of_none", [False, True])
def test_a_member_that_lost_its_last_partition_waits_anew(hears_of_none: bool) -> None:
    some, clock = share(hears_of_none=hears_of_none)
    some.assigned([ONE])
    some.set({ONE: 5})
    some.forget([ONE])
    assert some.open == []
    assert is_over_at(some, clock, 60, 74, 75) == [False, False, not hears_of_none]
    some.assigned([])
    assert is_over_at(some, clock, 100, 115) == [False, True]


def test_what_went_to_others_does_not_hold_up_the_end() -> None:
    some, _ = share()
    some.assigned([ONE, TWO])
    some.set({ONE: 5, TWO: 5})
    some.reached(ONE, 5)
    assert not some.is_over
    some.forget([TWO])
    assert some.is_over


def test_a_member_that_shall_not_end_says_once_what_it_waits_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    nothing, clock = share(is_bounded=False)
    assert is_over_at(nothing, clock, 0, 15, 60) == [False] * 3
    told = capsys.readouterr().err
    assert told.endswith("it waits until one leaves\n")
    assert told.count("\n") == 1


def test_one_that_is_not_yet_a_member_says_that_it_waits_for_the_others(
    capsys: pytest.CaptureFixture[str],
) -> None:
    joining, clock = share(is_member=False)
    assert is_over_at(joining, clock, 0, 15, 60) == [False] * 3
    told = capsys.readouterr().err
    assert told.startswith("ottla: still joining billing")
    assert told.count("\n") == 1
