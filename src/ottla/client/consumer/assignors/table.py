"""Who holds what while shares are made, and who had it before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from heapq import heapify, heapreplace

from ottla.base.ids import TopicPartition
from ottla.client.consumer.assignors.contract import GroupMember, TopicShape

Fitness = tuple[int, bool, int]
"""Load, far from the replicas, place in line."""


class Table:
    """Partitions of `topics` in the hands of those in `line`."""

    def __init__(
        self,
        line: Sequence[GroupMember],
        topics: Mapping[str, TopicShape],
        owners: Mapping[TopicPartition, str],
        *,
        by_rack: bool,
    ) -> None:
        self.owners = owners
        self.place = {member.member_id: place for place, member in enumerate(line)}
        self.load = dict.fromkeys(self.place, 0)
        self.held: dict[str, defaultdict[str, set[int]]] = {
            member_id: defaultdict(set) for member_id in self.place
        }
        self.readers: defaultdict[str, list[str]] = defaultdict(list)
        for member in line:
            for topic in member.topics & topics.keys():
                self.readers[topic].append(member.member_id)
        self._topics = topics
        self._racks = {member.member_id: member.rack for member in line} if by_rack else {}

    # -- who has what ----------------------------------------------------------------------------

    def shares(self) -> dict[str, list[TopicPartition]]:
        """In order of topics and numbers."""
        return {
            member_id: sorted(
                TopicPartition(topic, index) for topic, share in held.items() for index in share
            )
            for member_id, held in self.held.items()
        }

    def fill(self, member_id: str) -> tuple[int, int]:
        """The emptiest come first."""
        return self.load[member_id], self.place[member_id]

    def topics_of(self, member_id: str) -> list[str]:
        """Of which it holds something."""
        return sorted(topic for topic, share in self.held[member_id].items() if share)

    def strange(self, member_id: str, topic: str) -> Iterator[int]:
        """What it holds of a topic without having had it: it costs nothing to pass it on."""
        for index in self.held[member_id][topic]:
            if self.owners.get(TopicPartition(topic, index)) != member_id:
                yield index

    def has_strange(self, member_id: str, topic: str) -> bool:
        """Whether there is such a thing."""
        return next(self.strange(member_id, topic), None) is not None

    # -- handing on ------------------------------------------------------------------------------

    def pass_on(self, topic: str, giver: str, taker: str) -> None:
        """One partition: rather what the taker had before, then what the giver had not."""

        def loss(index: int) -> tuple[int, int]:
            owner = self.owners.get(TopicPartition(topic, index))
            return (0 if owner == taker else 2 if owner == giver else 1), -index

        index = min(self.held[giver][topic], key=loss)
        self.move(TopicPartition(topic, index), giver, taker)

    def move(self, partition: TopicPartition, giver: str, taker: str) -> None:
        """This one."""
        self.held[giver][partition.topic].remove(partition.partition)
        self.load[giver] -= 1
        self._give(*partition, taker)

    def _give(self, topic: str, index: int, member_id: str) -> None:
        self.held[member_id][topic].add(index)
        self.load[member_id] += 1

    # -- dealing ---------------------------------------------------------------------------------

    def deal(self) -> None:
        """Keep what was had; the rest to the emptiest readers, of topics with few readers first."""
        free: dict[str, list[int]] = {}
        for topic in sorted(self.readers, key=lambda topic: (len(self.readers[topic]), topic)):
            free[topic] = []
            for index in range(self._topics[topic].partition_count):
                owner = self.owners.get(TopicPartition(topic, index))
                if owner is None:
                    free[topic].append(index)
                else:
                    self._give(topic, index, owner)
        for topic, indexes in free.items():
            (self._deal_by_rack if self._racks else self._deal_topic)(topic, indexes)

    def _deal_topic(self, topic: str, free: Sequence[int]) -> None:
        emptiest = [(self.load[each], self.place[each], each) for each in self.readers[topic]]
        heapify(emptiest)
        for index in free:
            load, place, member_id = emptiest[0]
            self._give(topic, index, member_id)
            heapreplace(emptiest, (load + 1, place, member_id))

    def _deal_by_rack(self, topic: str, free: Sequence[int]) -> None:
        for index in free:
            racks = self._topics[topic].partition_racks[index]

            def fitness(each: str, racks: frozenset[str] = racks) -> Fitness:
                return self.load[each], self._racks[each] not in racks, self.place[each]

            self._give(topic, index, min(self.readers[topic], key=fitness))
