"""Writes that wait for replicas: released in order, refused together, never told twice."""

from __future__ import annotations

import pytest

from ottla.base.errors import ErrorCode
from ottla.base.ids import Offset
from ottla.replication.acks import AckQueue, PendingAck


class Waiting:
    """A queue with a write for each of some offsets, and what the writes were told."""

    def __init__(self, *next_offsets: int) -> None:
        self.queue = AckQueue()
        self.told: list[tuple[int, ErrorCode]] = []
        self.acks = [PendingAck(Offset(offset), self._settled) for offset in next_offsets]
        for ack in self.acks:
            self.queue.add(ack)

    def _settled(self, ack: PendingAck, error: ErrorCode) -> None:
        self.told.append((ack.next_offset, error))


def test_writes_below_the_watermark_are_acknowledged_in_order() -> None:
    waiting = Waiting(1, 3, 3, 8)
    waiting.queue.release(Offset(3))
    assert waiting.told == [(1, ErrorCode.NONE), (3, ErrorCode.NONE), (3, ErrorCode.NONE)]
    assert len(waiting.queue) == 1


def test_a_watermark_in_the_middle_of_a_write_is_not_enough() -> None:
    waiting = Waiting(5)
    waiting.queue.release(Offset(4))
    assert waiting.told == []
    waiting.queue.release(Offset(5))
    assert waiting.told == [(5, ErrorCode.NONE)]


def test_nothing_is_told_twice() -> None:
    waiting = Waiting(1)
    waiting.queue.release(Offset(1))
    waiting.queue.release(Offset(2))
    waiting.queue.fail(ErrorCode.NOT_LEADER_OR_FOLLOWER)
    assert len(waiting.told) == 1


@pytest.mark.parametrize("how", ["release", "fail"])
def test_a_cancelled_write_is_told_nothing(how: str) -> None:
    waiting = Waiting(1, 2)
    waiting.acks[0].cancelled = True
    if how == "release":
        waiting.queue.release(Offset(2))
    else:
        waiting.queue.fail(ErrorCode.KAFKA_STORAGE_ERROR)
    assert [offset for offset, _ in waiting.told] == [2]
    assert len(waiting.queue) == 0


def test_all_that_wait_are_refused_together() -> None:
    waiting = Waiting(1, 2)
    waiting.queue.fail(ErrorCode.NOT_LEADER_OR_FOLLOWER)
    assert waiting.told == [
        (1, ErrorCode.NOT_LEADER_OR_FOLLOWER),
        (2, ErrorCode.NOT_LEADER_OR_FOLLOWER),
    ]
    assert len(waiting.queue) == 0


def test_a_write_that_comes_while_others_are_refused_waits_anew() -> None:
    queue = AckQueue()
    told: list[ErrorCode] = []
    second = PendingAck(Offset(2), lambda _, error: told.append(error))
    queue.add(PendingAck(Offset(1), lambda ack, error: queue.add(second)))
    queue.fail(ErrorCode.KAFKA_STORAGE_ERROR)
    assert told == []
    assert len(queue) == 1
