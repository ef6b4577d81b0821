"""Which partitions members may keep, of those that they say they have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from ottla.base.ids import TopicPartition
from ottla.client.consumer.assignors.contract import GroupMember, TopicShape


class Claim(NamedTuple):
    """What a member was given in a generation."""

    generation: int
    partitions: Iterable[TopicPartition]


NO_CLAIM = Claim(-1, ())


def settled_claims(
    line: Iterable[GroupMember], claims: Mapping[str, Claim], topics: Mapping[str, TopicShape]
) -> dict[TopicPartition, str]:
    """Whose each partition was, where its last owner still reads it, and it is still there.

    A partition that several claim was last that of the one with the newest generation. Where they
    name the same generation one of them errs, and nobody knows which: it is as if nobody had it.
    """
    newest: dict[TopicPartition, int] = {}
    owners: dict[TopicPartition, str | None] = {}
    readers: dict[str, frozenset[str]] = {}
    for member in line:
        readers[member.member_id] = member.topics
        generation, partitions = claims[member.member_id]
        for partition in partitions:
            known = newest.get(partition)
            if known is None or known < generation:
                newest[partition], owners[partition] = generation, member.member_id
            elif known == generation and owners[partition] != member.member_id:
                owners[partition] = None
    return {
        partition: member_id
        for partition, member_id in owners.items()
        if member_id is not None
        and partition.topic in readers[member_id]
        and partition.topic in topics
        and 0 <= partition.partition < topics[partition.topic].partition_count
    }
