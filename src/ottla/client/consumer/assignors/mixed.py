"""Sticky shares where members read different topics.

Partitions of one topic are as good as each other. A partition may be passed on along a chain of
members, each handing one of another topic to the next. Shares are even when no chain leads from a
member to one with two partitions less: no other assignment is more even then.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from ottla.base.ids import TopicPartition
from ottla.client.consumer.assignors.contract import GroupMember, TopicShape
from ottla.client.consumer.assignors.returns import hand_back
from ottla.client.consumer.assignors.table import Table


def share_mixed(
    line: Sequence[GroupMember],
    topics: Mapping[str, TopicShape],
    owners: Mapping[TopicPartition, str],
    *,
    by_rack: bool,
) -> dict[str, list[TopicPartition]]:
    """`owners` had what they still may have."""
    table = Table(line, topics, owners, by_rack=by_rack)
    table.deal()
    _even_out(table)
    hand_back(table)
    return table.shares()


def _even_out(table: Table) -> None:
    """From the fullest member on, move one partition along a chain to one with two less.

    Whom a member reaches without finding such a one is settled with it: later members are not
    fuller than it, so they would find none there either.
    """
    fullest = [(-load, table.place[each], each) for each, load in table.load.items()]
    heapify(fullest)
    settled: set[str] = set()
    while fullest:
        negative, place, member_id = heappop(fullest)
        load = table.load[member_id]
        if member_id in settled:
            continue
        if load != -negative:
            heappush(fullest, (-load, place, member_id))
            continue
        search = _Search(table, member_id, settled)
        taker = search.find()
        if taker is None:
            settled |= search.steps.keys()
            continue
        search.pass_on(taker)
        heappush(fullest, (-table.load[member_id], place, member_id))
        heappush(fullest, (-table.load[taker], table.place[taker], taker))


class _Step(NamedTuple):
    giver: str
    topic: str


class _Search:
    """For a chain from `start` to a member with two less, that costs nobody much of what he had.

    Passing on what the giver had costs one. All that is reached without that comes first.
    """

    def __init__(self, table: Table, start: str, settled: set[str]) -> None:
        self.steps: dict[str, _Step | None] = {start: None}
        """Who was reached, and by whom."""
        self._table = table
        self._settled = settled
        self._enough = table.load[start] - 2
        self._opened: set[str] = set()
        self._found: list[str] = []

    def find(self) -> str | None:
        """The end of a cheapest chain."""
        waiting = deque(self.steps)
        while waiting:
            costly = self._reach_for_nothing(waiting)
            while costly and not self._found:
                waiting += self._open(costly.popleft())
            if self._found:
                return min(self._found, key=self._table.fill)
        return None

    def _reach_for_nothing(self, waiting: deque[str]) -> deque[_Step]:
        """Leaves the steps that would cost something."""
        costly: deque[_Step] = deque()
        while waiting and not self._found:
            giver = waiting.popleft()
            for topic in self._table.topics_of(giver):
                step = _Step(giver, topic)
                if topic in self._opened:
                    continue
                if self._table.has_strange(giver, topic):
                    waiting += self._open(step)
                else:
                    costly.append(step)
        return costly

    def _open(self, step: _Step) -> list[str]:
        """Reach all who read the topic of a step; those who have not two less than the first."""
        if step.topic in self._opened:
            return []
        self._opened.add(step.topic)
        new = [
            reader
            for reader in self._table.readers[step.topic]
            if reader not in self.steps and reader not in self._settled
        ]
        self.steps.update(dict.fromkeys(new, step))
        self._found += [each for each in new if self._table.load[each] <= self._enough]
        return [each for each in new if self._table.load[each] > self._enough]

    def pass_on(self, taker: str) -> None:
        """One partition along each step; who hands on what it gets needs no room for it first."""
        step = self.steps[taker]
        while step is not None:
            self._table.pass_on(step.topic, step.giver, taker)
            taker, step = step.giver, self.steps[step.giver]
