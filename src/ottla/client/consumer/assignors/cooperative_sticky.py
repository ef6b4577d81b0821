"""Sticky without a pause: members go on reading while the group agrees anew (KIP-429).

What goes to another member is left out of everybody's share at first. Its owner then gives it
back and joins again, and the round that this begins finds it without an owner.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from ottla.base.errors import ProtocolError
from ottla.base.ids import TopicPartition
from ottla.client.consumer.assignors.claims import Claim
from ottla.client.consumer.assignors.contract import GroupMember, Rebalancing, TopicShape
from ottla.client.consumer.assignors.sticky import share_stickily
from ottla.wire.payloads.consumer_protocol import (
    CooperativeStickyUserData,
    decode_cooperative_sticky_user_data,
    encode_user_data,
)

NAME: Final = "cooperative-sticky"


class CooperativeSticky:
    """The assignor `cooperative-sticky`."""

    name = NAME
    rebalancing = Rebalancing.COOPERATIVE

    def user_data(self, owned: Sequence[TopicPartition], generation: int) -> bytes | None:
        """The generation: a leader that reads subscriptions of version 1 finds it nowhere else."""
        return encode_user_data(CooperativeStickyUserData(generation=generation))

    def assign(
        self, members: Sequence[GroupMember], topics: Mapping[str, TopicShape]
    ) -> dict[str, list[TopicPartition]]:
        """Without what must be given back first."""
        claims = {member.member_id: Claim(_generation(member), member.owned) for member in members}
        shares = share_stickily(members, topics, claims)
        return _without_transfers(shares, claims)


def _generation(member: GroupMember) -> int:
    if member.generation >= 0 or member.user_data is None:
        return member.generation
    try:
        return decode_cooperative_sticky_user_data(member.user_data).generation
    except ProtocolError:
        return -1


def _without_transfers(
    shares: Mapping[str, list[TopicPartition]], claims: Mapping[str, Claim]
) -> dict[str, list[TopicPartition]]:
    """A member that had a partition keeps it against older claims, but not against equal ones."""
    claimed: defaultdict[TopicPartition, dict[str, int]] = defaultdict(dict)
    for member_id, (generation, partitions) in claims.items():
        for partition in partitions:
            claimed[partition][member_id] = generation

    def is_free_for(member_id: str, partition: TopicPartition) -> bool:
        holders = claimed.get(partition)
        if holders is None:
            return True
        mine = holders.get(member_id)
        others = [each for holder, each in holders.items() if holder != member_id]
        return not others or (mine is not None and mine > max(others))

    return {
        member_id: [partition for partition in share if is_free_for(member_id, partition)]
        for member_id, share in shares.items()
    }
