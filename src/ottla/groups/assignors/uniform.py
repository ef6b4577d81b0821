"""Uniform: as even as the subscriptions allow, and of all such shares one with few moves.

A member keeps what it had, as far as it may have that many. Where all members read the same, the
shares differ by at most one. Where they do not, no partition can be passed on, nor several along a
chain of members, so that a fuller member ends with less and an emptier one is not fuller than it.
The racks do not count (as in Apache Kafka since 4.0).
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from heapq import heapify, heappop, heappush

from ottla.groups.assignors.subscription import PartitionCounts, Shares, Subscriber
from ottla.groups.topics_view import TopicPartition

Held = dict[str, set[TopicPartition]]


def assign_uniformly(members: Sequence[Subscriber], counts: PartitionCounts) -> Shares:
    """Every partition that anybody reads, to one of its readers."""
    ordered = sorted(members, key=lambda member: member.rank)
    held = _kept(ordered, counts)
    free = _free(ordered, counts, held)
    if len({member.topic_ids for member in ordered}) <= 1:
        _level(held, free)
    else:
        _Readers(ordered, held).share(free)
    return {member_id: frozenset(share) for member_id, share in held.items()}


def _kept(members: Sequence[Subscriber], counts: PartitionCounts) -> Held:
    """What each member had and still reads; a partition that two claim stays with the first."""
    held: Held = {}
    claimed: set[TopicPartition] = set()
    for member in members:
        mine = {
            partition
            for partition in member.kept
            if partition[0] in member.topic_ids and partition[1] < counts[partition[0]]
        }
        held[member.member_id] = mine - claimed
        claimed |= mine
    return held


def _free(
    members: Sequence[Subscriber], counts: PartitionCounts, held: Held
) -> list[TopicPartition]:
    """In order of topics and numbers, so that who takes them in turn gets some of each topic."""
    taken = set().union(*held.values()) if held else set()
    topic_ids = sorted({topic_id for member in members for topic_id in member.topic_ids})
    everything = ((topic_id, index) for topic_id in topic_ids for index in range(counts[topic_id]))
    return [partition for partition in everything if partition not in taken]


# -- all read the same -----------------------------------------------------------------------------


def _level(held: Held, free: list[TopicPartition]) -> None:
    """Cut what is above the even share, and deal out what is free to those below it."""
    if not held:
        return
    total = len(free) + sum(map(len, held.values()))
    quotas = _quotas(held, total)
    for member_id, share in held.items():
        surplus = sorted(share)[quotas[member_id] :]
        share.difference_update(surplus)
        free += surplus
    free.sort()
    for partition, member_id in zip(free, _turns(held, quotas), strict=True):
        held[member_id].add(partition)


def _quotas(held: Held, total: int) -> dict[str, int]:
    """Those who have more than the floor keep one above it, as long as there are such places."""
    floor, places = divmod(total, len(held))
    quotas = {}
    for member_id in sorted(held, key=lambda member_id: len(held[member_id]) <= floor):
        quotas[member_id] = floor + (1 if places > 0 else 0)
        places -= 1
    return quotas


def _turns(held: Held, quotas: dict[str, int]) -> Iterator[str]:
    """Members with room, in turn, each once for every place it has."""
    room = deque(
        (member_id, quotas[member_id] - len(share))
        for member_id, share in held.items()
        if len(share) < quotas[member_id]
    )
    while room:
        member_id, places = room.popleft()
        yield member_id
        if places > 1:
            room.append((member_id, places - 1))


# -- they do not -----------------------------------------------------------------------------------


class _Readers:
    """Members with what they hold by topic: partitions of one topic are as good as each other."""

    def __init__(self, members: Sequence[Subscriber], held: Held) -> None:
        self.held = held
        self.order = {member.member_id: place for place, member in enumerate(members)}
        self.readers: defaultdict[bytes, list[str]] = defaultdict(list)
        for member in members:
            for topic_id in member.topic_ids:
                self.readers[topic_id].append(member.member_id)
        self.by_topic: dict[str, defaultdict[bytes, set[TopicPartition]]] = {}
        for member_id, share in held.items():
            self.by_topic[member_id] = defaultdict(set)
            for partition in share:
                self.by_topic[member_id][partition[0]].add(partition)

    def share(self, free: list[TopicPartition]) -> None:
        """Give out what is free, topics with few readers first, then even out."""
        for partition in sorted(free, key=lambda free: (len(self.readers[free[0]]), free)):
            self._give(partition, min(self.readers[partition[0]], key=self._fill))
        self._even_out()

    def _fill(self, member_id: str) -> tuple[int, int]:
        return len(self.held[member_id]), self.order[member_id]

    def _give(self, partition: TopicPartition, member_id: str) -> None:
        self.held[member_id].add(partition)
        self.by_topic[member_id][partition[0]].add(partition)

    def _pass_on(self, topic_id: bytes, giver: str, taker: str) -> None:
        partition = max(self.by_topic[giver][topic_id])
        self.held[giver].remove(partition)
        self.by_topic[giver][topic_id].remove(partition)
        self._give(partition, taker)

    def _even_out(self) -> None:
        """From the fullest member on, move one partition along a chain to one with two less.

        Whom a member reaches without finding such a one is settled with it: later members are not
        fuller than it, so they would find none there either.
        """
        heap = [
            (-len(share), self.order[member_id], member_id)
            for member_id, share in self.held.items()
        ]
        heapify(heap)
        settled: set[str] = set()
        while heap:
            negative, place, member_id = heappop(heap)
            load = len(self.held[member_id])
            if member_id in settled:
                continue
            if load != -negative:
                heappush(heap, (-load, place, member_id))
                continue
            reached = self._reach(member_id, settled)
            taker = min(reached, key=self._fill)
            if len(self.held[taker]) > load - 2:
                settled |= reached.keys()
                continue
            self._shift(reached, taker)
            for changed in (member_id, taker):
                heappush(heap, (-len(self.held[changed]), self.order[changed], changed))

    def _reach(self, start: str, settled: set[str]) -> dict[str, tuple[str, bytes] | None]:
        """Everyone whom `start` can pass on to, each with who hands it what topic."""
        reached: dict[str, tuple[str, bytes] | None] = {start: None}
        seen_topics: set[bytes] = set()
        queue = deque([start])
        while queue:
            giver = queue.popleft()
            for topic_id in sorted(t for t, share in self.by_topic[giver].items() if share):
                if topic_id in seen_topics:
                    continue
                seen_topics.add(topic_id)
                for taker in self.readers[topic_id]:
                    if taker not in reached and taker not in settled:
                        reached[taker] = (giver, topic_id)
                        queue.append(taker)
        return reached

    def _shift(self, reached: dict[str, tuple[str, bytes] | None], taker: str) -> None:
        """Pass one partition on along each step of the chain that ends at `taker`."""
        step = reached[taker]
        while step is not None:
            giver, topic_id = step
            self._pass_on(topic_id, giver, taker)
            taker, step = giver, reached[giver]
