"""Ranges: of each topic, every reader gets a run of partitions that lie beside each other.

Topics with the same readers and equally many partitions are cut alike, so that one member has the
same numbers of all of them: what a join of topics needs. Nothing is sticky. The racks do not count
(as in Apache Kafka since 4.0).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

from ottla.groups.assignors.subscription import PartitionCounts, Shares, Subscriber
from ottla.groups.topics_view import TopicPartition


def assign_ranges(members: Sequence[Subscriber], counts: PartitionCounts) -> Shares:
    """The first members, by rank, get one partition more where a topic does not divide."""
    readers: defaultdict[bytes, list[str]] = defaultdict(list)
    for member in sorted(members, key=lambda member: member.rank):
        for topic_id in member.topic_ids:
            readers[topic_id].append(member.member_id)
    shares: dict[str, list[TopicPartition]] = {member.member_id: [] for member in members}
    for topic_id, member_ids in readers.items():
        for member_id, run in zip(
            member_ids, _runs(counts[topic_id], len(member_ids)), strict=True
        ):
            shares[member_id] += [(topic_id, index) for index in run]
    return {member_id: frozenset(share) for member_id, share in shares.items()}


def _runs(count: int, parts: int) -> list[range]:
    """`range(count)` in parts that differ by at most one, the longer ones first."""
    length, longer = divmod(count, parts)
    starts = [number * length + min(number, longer) for number in range(parts + 1)]
    return [range(start, end) for start, end in pairwise(starts)]
