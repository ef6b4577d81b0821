"""What an assignor is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from ottla.groups.topics_view import TopicPartition

Shares = dict[str, frozenset[TopicPartition]]
"""The partitions of each member, every member named."""


class Subscriber(Struct, frozen=True, kw_only=True):
    """A member: the ids of topics it reads, all of which exist, and what it was meant to have.

    Members are lined up by `rank`: the instance id of a static member, which outlives its member
    id, and the member id of any other.
    """

    member_id: str
    topic_ids: frozenset[bytes]
    kept: frozenset[TopicPartition] = frozenset()
    instance_id: str | None = None
    rack_id: str | None = None

    @property
    def rank(self) -> tuple[str, str]:
        return (self.instance_id or self.member_id, self.member_id)


PartitionCounts = Mapping[bytes, int]
"""How many partitions a topic has, by its id."""

Assignor = Callable[[Sequence[Subscriber], PartitionCounts], Shares]
"""Every partition of a topic that anybody reads goes to exactly one member that reads it."""
