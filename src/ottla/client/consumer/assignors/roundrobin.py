"""In turn: all partitions of all topics, one after the other, each to the next who reads it.

The same as Java's, member by member. Nothing is sticky, and racks do not count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ottla.base.ids import TopicPartition
from ottla.client.consumer.assignors.contract import GroupMember, Rebalancing, TopicShape
from ottla.client.consumer.assignors.readers import lined_up, readers_by_topic

NAME: Final = "roundrobin"


class RoundRobin:
    """The assignor `roundrobin`."""

    name = NAME
    rebalancing = Rebalancing.EAGER

    def user_data(self, owned: Sequence[TopicPartition], generation: int) -> bytes | None:
        """Nothing: turns do not depend on what was before."""
        return None

    def assign(
        self, members: Sequence[GroupMember], topics: Mapping[str, TopicShape]
    ) -> dict[str, list[TopicPartition]]:
        """Who does not read a topic is passed over, and not made up for it."""
        line = lined_up(members)
        shares: dict[str, list[TopicPartition]] = {member.member_id: [] for member in members}
        turn = 0
        for topic in readers_by_topic(members, topics):
            for partition in range(topics[topic].partition_count):
                while topic not in line[turn].topics:
                    turn = (turn + 1) % len(line)
                shares[line[turn].member_id].append(TopicPartition(topic, partition))
                turn = (turn + 1) % len(line)
        return shares
