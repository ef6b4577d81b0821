"""Reading in a group: what is committed is what has left, and nothing that lay in a buffer."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from ottla.base.ids import TopicPartition
from ottla.cli.records.group_reading import Commits, Follow

if TYPE_CHECKING:
    from ottla.blocking.consumer import Consumer

ONE, TWO = TopicPartition("t", 0), TopicPartition("t", 1)


class Committed:
    """A consumer that keeps what it is told to commit."""

    def __init__(self) -> None:
        self.offsets: dict[TopicPartition, int] = {}

    def commit(self, offsets: dict[TopicPartition, int]) -> None:
        self.offsets |= offsets


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
    follow = Follow(cast("Consumer", consumer), keeper, None, lambda: flushed.append(True))
    keeper.printed(ONE, 3)
    follow.on_revoked([ONE])
    assert (flushed, consumer.offsets) == ([True], {ONE: 3})


def test_partitions_that_go_are_not_committed_where_nobody_reads() -> None:
    def broken() -> None:
        raise BrokenPipeError

    keeper, consumer = commits()
    follow = Follow(cast("Consumer", consumer), keeper, None, broken)
    keeper.printed(ONE, 3)
    with pytest.raises(BrokenPipeError):
        follow.on_revoked([ONE])
    keeper.close()
    assert consumer.offsets == {}


def test_partitions_that_were_lost_are_not_committed() -> None:
    keeper, consumer = commits()
    follow = Follow(cast("Consumer", consumer), keeper, None, lambda: None)
    keeper.printed(ONE, 3)
    keeper.flushed()
    keeper.printed(ONE, 4)
    keeper.printed(TWO, 5)
    follow.on_lost([ONE])
    keeper.flushed()
    keeper.close()
    assert consumer.offsets == {TWO: 5}
