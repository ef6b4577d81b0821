"""Ranges: of each topic, every reader gets a run of partitions that lie beside each other.

The same as Java's, member by member. Topics with the same readers and equally many partitions are
cut alike, so that one member has the same numbers of all of them: what a join of topics needs.

Where racks are known (KIP-881) a reader first gets partitions that have a replica in its rack, as
many as it would get anyway. Co-partitioned topics then stay cut alike as far as possible: a number
goes to a member in whose rack all of them have a replica.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Final

from ottla.base.ids import TopicPartition
from ottla.client.consumer.assignors.contract import GroupMember, Rebalancing, TopicShape
from ottla.client.consumer.assignors.readers import racks_matter, readers_by_topic

NAME: Final = "range"


class Range:
    """The assignor `range`."""

    name = NAME
    rebalancing = Rebalancing.EAGER

    def user_data(self, owned: Sequence[TopicPartition], generation: int) -> bytes | None:
        """Nothing: ranges do not depend on what was before."""
        return None

    def assign(
        self, members: Sequence[GroupMember], topics: Mapping[str, TopicShape]
    ) -> dict[str, list[TopicPartition]]:
        """The first readers in line get one partition more where a topic does not divide."""
        states = [
            _Cut(topic, topics[topic], readers)
            for topic, readers in readers_by_topic(members, topics).items()
        ]
        if any(racks_matter(state.readers, [state.shape]) for state in states):
            _match_racks(states)
        shares: dict[str, list[TopicPartition]] = {member.member_id: [] for member in members}
        for state in states:
            state.cut_the_rest()
            for partition, member_id in enumerate(state.owners):
                shares[member_id].append(TopicPartition(state.topic, partition))
        return shares


class _Cut:
    """One topic on its way to its readers. A partition without an owner yet has "" for it."""

    def __init__(self, topic: str, shape: TopicShape, readers: list[GroupMember]) -> None:
        self.topic = topic
        self.shape = shape
        self.readers = readers
        self.owners = [""] * shape.partition_count
        self.length, self.longer_left = divmod(shape.partition_count, len(readers))
        self.taken: defaultdict[str, int] = defaultdict(int)

    @property
    def kind(self) -> tuple[tuple[str, ...], int]:
        """Topics of one kind are co-partitioned."""
        return tuple(reader.member_id for reader in self.readers), self.shape.partition_count

    def room(self, member_id: str) -> int:
        """How many partitions more it may have; never grows."""
        longest = self.length + (1 if self.longer_left else 0)
        return max(0, longest - self.taken[member_id])

    def give(self, member_id: str, partitions: Iterable[int]) -> None:
        """These have an owner now."""
        before = self.taken[member_id]
        for partition in partitions:
            self.owners[partition] = member_id
            self.taken[member_id] += 1
        if before <= self.length < self.taken[member_id]:
            self.longer_left -= 1

    def cut_the_rest(self) -> None:
        """What has no owner, in runs."""
        self._deal_runs({None: range(len(self.owners))}, by_rack=False)

    def cut_by_rack(self) -> None:
        """To each reader only what has a replica in its rack; one without a rack takes anything."""
        by_rack: defaultdict[str | None, list[int]] = defaultdict(list)
        for partition, racks in enumerate(self.shape.partition_racks):
            by_rack[None].append(partition)
            for rack in racks:
                by_rack[rack].append(partition)
        self._deal_runs(by_rack, by_rack=True)

    def _deal_runs(self, partitions: Mapping[str | None, Iterable[int]], *, by_rack: bool) -> None:
        # An iterator goes on where the reader before left it: what it passed has an owner.
        left = {rack: iter(each) for rack, each in partitions.items()}
        for reader in self.readers:
            line = left.get((reader.rack or None) if by_rack else None)
            room = self.room(reader.member_id)
            if line is not None and room:
                free = (partition for partition in line if not self.owners[partition])
                self.give(reader.member_id, list(islice(free, room)))


def _match_racks(states: Sequence[_Cut]) -> None:
    alike: defaultdict[tuple[tuple[str, ...], int], list[_Cut]] = defaultdict(list)
    for state in states:
        alike[state.kind].append(state)
    for together in alike.values():
        if len(together) > 1:
            _match_racks_alike(together)
        elif racks_matter(together[0].readers, [together[0].shape]):
            together[0].cut_by_rack()


def _match_racks_alike(states: Sequence[_Cut]) -> None:
    """Each number to the first reader with room in whose rack all of these topics have it."""
    first = states[0]
    line: defaultdict[str | None, deque[tuple[int, str]]] = defaultdict(deque)
    for place, reader in enumerate(first.readers):
        line[reader.rack or None].append((place, reader.member_id))
    for partition in range(first.shape.partition_count):
        common = frozenset.intersection(*(s.shape.partition_racks[partition] for s in states))
        waiting = [line[rack] for rack in (None, *common) if rack in line]
        for readers in waiting:
            while readers and not first.room(readers[0][1]):
                readers.popleft()
        heads = [readers[0] for readers in waiting if readers]
        if heads:
            _, member_id = min(heads)
            for state in states:
                state.give(member_id, [partition])
