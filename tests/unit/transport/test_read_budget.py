"""The budget of partly received frames."""

from __future__ import annotations

import math

from ottla.base.limits import READ_BUDGET_SHARE_OF_STRANGERS, READ_STALL_GRACE_MS
from ottla.transport.read_budget import SMALLEST_BUFFER_BYTES, ReadBudget, buffer_size

KIB64 = SMALLEST_BUFFER_BYTES


def budget_of(buffers: int) -> ReadBudget:
    """A budget of which strangers may take so many of the smallest buffers."""
    return ReadBudget(math.ceil(buffers * KIB64 / READ_BUDGET_SHARE_OF_STRANGERS))


class Peer:
    """A holder that remembers what the budget told it."""

    def __init__(self, budget: ReadBudget) -> None:
        self.budget = budget
        self.last_progress_ms = 0
        self.buffers: list[bytearray] = []
        self.told = 0
        self.asks_again = 0
        self.evicted = False

    def take(self, size: int, *, proven: bool = False) -> bool:
        lent = self.budget.lend(self, size, proven=proven)
        if lent is not None:
            self.buffers.append(lent)
        return lent is not None

    def finish(self) -> None:
        while self.buffers:
            self.budget.give_back(self, self.buffers.pop())

    def budget_available(self) -> None:
        self.told += 1
        if self.asks_again:
            self.take(self.asks_again)

    def evict(self) -> None:
        self.evicted = True
        self.finish()


def test_buffers_are_powers_of_two_from_64_kib() -> None:
    assert [buffer_size(size) for size in (1, KIB64, KIB64 + 1, 1_000_000)] == [
        KIB64,
        KIB64,
        2 * KIB64,
        1 << 20,
    ]


def test_what_exceeds_the_budget_waits_and_is_told_when_room_comes() -> None:
    budget = budget_of(2)
    first, second, third = Peer(budget), Peer(budget), Peer(budget)
    assert first.take(KIB64)
    assert second.take(KIB64)
    assert not third.take(KIB64)
    assert third.told == 0
    first.finish()
    assert third.told == 1
    assert third.take(KIB64)
    assert budget.lent_bytes == 2 * KIB64


def test_a_frame_larger_than_the_whole_budget_is_served_when_it_is_alone() -> None:
    budget = budget_of(1)
    large, other = Peer(budget), Peer(budget)
    assert large.take(KIB64)
    assert large.take(16 * KIB64), "it grows while nobody else holds anything"
    assert not other.take(1)


def test_given_back_buffers_are_used_again() -> None:
    budget = budget_of(4)
    peer = Peer(budget)
    peer.take(KIB64)
    buffer = peer.buffers[0]
    peer.finish()
    peer.take(KIB64)
    assert peer.buffers[0] is buffer


def test_nobody_is_evicted_while_nobody_waits() -> None:
    budget = budget_of(1)
    peer = Peer(budget)
    peer.take(KIB64)
    assert budget.evict_stalled(now_ms=10 * READ_STALL_GRACE_MS) == 0
    assert not peer.evicted


def test_the_longest_stalled_is_evicted_first_and_only_as_many_as_needed() -> None:
    budget = budget_of(2)
    stuck, slow, waiting = Peer(budget), Peer(budget), Peer(budget)
    slow.last_progress_ms = 100
    stuck.take(KIB64)
    slow.take(KIB64)
    waiting.take(KIB64)
    assert budget.evict_stalled(now_ms=READ_STALL_GRACE_MS - 1) == 0
    assert budget.evict_stalled(now_ms=READ_STALL_GRACE_MS + 200) == 1
    assert (stuck.evicted, slow.evicted, waiting.told) == (True, False, 1)


def test_when_all_wait_for_each_other_the_oldest_makes_room() -> None:
    budget = budget_of(2)
    older, newer = Peer(budget), Peer(budget)
    newer.last_progress_ms = 5
    older.take(KIB64)
    newer.take(KIB64)
    assert not older.take(2 * KIB64)
    assert not newer.take(2 * KIB64)
    assert budget.evict_stalled(now_ms=6) == 1
    assert older.evicted
    assert not newer.evicted


def test_who_has_sent_such_a_frame_before_waits_ahead_of_strangers() -> None:
    budget = budget_of(1)
    holder, stranger, known = Peer(budget), Peer(budget), Peer(budget)
    holder.take(KIB64)
    stranger.take(KIB64)
    known.take(KIB64, proven=True)
    known.asks_again = KIB64
    holder.finish()
    assert known.buffers
    assert not stranger.buffers


def test_room_for_several_wakes_several() -> None:
    budget = budget_of(4)
    holder, waiting = Peer(budget), [Peer(budget) for _ in range(3)]
    holder.take(4 * KIB64)
    for peer in waiting:
        peer.take(KIB64)
        peer.asks_again = KIB64
    holder.finish()
    assert [len(peer.buffers) for peer in waiting] == [1, 1, 1]


def test_a_holder_that_is_gone_is_not_told() -> None:
    budget = budget_of(1)
    holder, gone = Peer(budget), Peer(budget)
    holder.take(1)
    gone.take(1)
    budget.forget(gone)
    holder.finish()
    assert gone.told == 0
    assert budget.lent_bytes == 0


def test_strangers_leave_a_part_to_those_who_have_proven_themselves() -> None:
    budget = budget_of(3)
    strangers, known = [Peer(budget) for _ in range(4)], Peer(budget)
    assert [stranger.take(KIB64) for stranger in strangers] == [True, True, True, False]
    assert known.take(KIB64, proven=True)
    assert not known.take(KIB64, proven=True), "but no more than the whole budget"
