"""Partitions that went to another member without need, back to who had them."""

from __future__ import annotations

from collections import defaultdict, deque
from typing import NamedTuple

from ottla.base.ids import TopicPartition
from ottla.client.consumer.assignors.table import Table


class _Absence(NamedTuple):
    """A partition that another holds than who had it."""

    partition: TopicPartition
    holder: str


class _Step(NamedTuple):
    giver: str
    partition: TopicPartition


def hand_back(table: Table) -> None:
    """As long as shares stay as even as they are. Nobody else loses what it had.

    Who gets a partition back may hand on, along a chain, what it did not have before: to the
    holder in exchange, or to one who then has as many as the holder had.
    """
    is_changed = True
    while is_changed:
        is_changed = False
        for owner, absences in _absences(table).items():
            is_changed |= _Search(table, owner, absences).hand_back()


def _absences(table: Table) -> dict[str, list[_Absence]]:
    """By who had them."""
    found: defaultdict[str, list[_Absence]] = defaultdict(list)
    for holder in table.place:
        for topic in table.topics_of(holder):
            for index in sorted(table.strange(holder, topic)):
                partition = TopicPartition(topic, index)
                owner = table.owners.get(partition)
                if owner is not None:
                    found[owner].append(_Absence(partition, holder))
    return found


class _Search:
    """For a chain of gifts that makes room for one of its own partitions with `owner`."""

    def __init__(self, table: Table, owner: str, absences: list[_Absence]) -> None:
        self._table = table
        self._owner = owner
        self._steps: dict[str, _Step | None] = {owner: None}
        # What earlier searches of this round have moved is looked at in the next one.
        here = [each for each in absences if _is_here(table, each)]
        self._by_holder = {each.holder: each for each in reversed(here)}
        self._by_load = {table.load[each.holder]: each for each in reversed(here)}

    def hand_back(self) -> bool:
        """One partition, along the shortest chain; whether there is any."""
        waiting = deque([self._owner])
        opened: set[str] = set()
        while waiting and self._by_holder:
            here = waiting.popleft()
            absence = self._ended_by(here)
            if absence is not None:
                self._pass_along(here)
                self._table.move(absence.partition, absence.holder, self._owner)
                return True
            for topic in self._table.topics_of(here):
                if topic not in opened and self._table.has_strange(here, topic):
                    opened.add(topic)
                    waiting += self._reach(here, topic)
        return False

    def _ended_by(self, member_id: str) -> _Absence | None:
        """What can come back if this one keeps what the chain brings it."""
        if member_id in self._by_holder:
            return self._by_holder[member_id]
        return self._by_load.get(self._table.load[member_id] + 1)

    def _reach(self, giver: str, topic: str) -> list[str]:
        """Who can take something of a topic that the giver did not have before."""
        partition = TopicPartition(topic, min(self._table.strange(giver, topic)))
        reached = [taker for taker in self._table.readers[topic] if taker not in self._steps]
        self._steps.update(dict.fromkeys(reached, _Step(giver, partition)))
        return reached

    def _pass_along(self, taker: str) -> None:
        step = self._steps[taker]
        while step is not None:
            self._table.move(step.partition, step.giver, taker)
            taker, step = step.giver, self._steps[step.giver]


def _is_here(table: Table, absence: _Absence) -> bool:
    topic, index = absence.partition
    return index in table.held[absence.holder][topic]
