"""Sticky: shares as even as the subscriptions allow, and few partitions that change hands.

What goes first: even shares, then keeping what one had, then readers near a replica where racks
are known (KIP-881): a rack decides where a partition goes that goes anywhere, and moves none.
KIP-54; KIP-341 for members that come back from an older generation.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from ottla.base.errors import ProtocolError
from ottla.base.ids import TopicPartition
from ottla.client.consumer.assignors.alike import share_alike
from ottla.client.consumer.assignors.claims import NO_CLAIM, Claim, settled_claims
from ottla.client.consumer.assignors.contract import GroupMember, Rebalancing, TopicShape
from ottla.client.consumer.assignors.mixed import share_mixed
from ottla.client.consumer.assignors.readers import lined_up, racks_matter
from ottla.wire.payloads.consumer_protocol import (
    OwnedPartitions,
    StickyUserData,
    decode_sticky_user_data,
    encode_user_data,
)

NAME: Final = "sticky"


class Sticky:
    """The assignor `sticky`: members give everything back, and get most of it again."""

    name = NAME
    rebalancing = Rebalancing.EAGER

    def user_data(self, owned: Sequence[TopicPartition], generation: int) -> bytes | None:
        """What this member was given last; nothing for one that never was given anything."""
        if not owned and generation < 0:
            return None
        by_topic: defaultdict[str, list[int]] = defaultdict(list)
        for topic, index in sorted(owned):
            by_topic[topic].append(index)
        previous = [OwnedPartitions(topic=t, partitions=indexes) for t, indexes in by_topic.items()]
        return encode_user_data(StickyUserData(previous_assignment=previous, generation=generation))

    def assign(
        self, members: Sequence[GroupMember], topics: Mapping[str, TopicShape]
    ) -> dict[str, list[TopicPartition]]:
        """Each share in order of topics and numbers."""
        return share_stickily(members, topics, {each.member_id: _claim(each) for each in members})


def _claim(member: GroupMember) -> Claim:
    """Unreadable words are none: whoever wrote them then merely gets other partitions."""
    if member.user_data is None:
        return Claim(member.generation, member.owned)
    try:
        told = decode_sticky_user_data(member.user_data)
    except ProtocolError:
        return NO_CLAIM
    partitions = [
        TopicPartition(owned.topic, index)
        for owned in told.previous_assignment
        for index in owned.partitions
    ]
    return Claim(told.generation, partitions)


def share_stickily(
    members: Sequence[GroupMember], topics: Mapping[str, TopicShape], claims: Mapping[str, Claim]
) -> dict[str, list[TopicPartition]]:
    """All that anybody reads, to one of its readers; `claims` has every member."""
    if not members:
        return {}
    line = lined_up(members)
    read = {topic: topics[topic] for topic in sorted(_topics_of(line)) if topic in topics}
    owners = settled_claims(line, claims, read)
    by_rack = racks_matter(line, read.values())
    wanted = {frozenset(member.topics & read.keys()) for member in line}
    share = share_alike if len(wanted) == 1 else share_mixed
    return share(line, read, owners, by_rack=by_rack)


def _topics_of(members: Iterable[GroupMember]) -> set[str]:
    return {topic for member in members for topic in member.topics}
