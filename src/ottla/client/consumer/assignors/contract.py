"""What an assignor is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Protocol

from msgspec import Struct

from ottla.base.ids import TopicPartition


class Rebalancing(Enum):
    """What members do with their partitions while the group agrees anew (KIP-429)."""

    EAGER = "everybody gives everything back first"
    COOPERATIVE = "everybody goes on reading, and gives back only what goes to another"


class GroupMember(Struct, frozen=True, kw_only=True):
    """A member as its subscription tells of it.

    `owned` is what it still reads, got in `generation` (-1 where it does not know, or never had
    any). `user_data` is what `Assignor.user_data` wrote there, or an assignor of another client.
    """

    member_id: str
    group_instance_id: str | None = None
    topics: frozenset[str]
    owned: tuple[TopicPartition, ...] = ()
    generation: int = -1
    rack: str | None = None
    user_data: bytes | None = None


class TopicShape(Struct, frozen=True):
    """Of each partition, in order, the racks that its replicas stand in; empty where unknown."""

    partition_racks: tuple[frozenset[str], ...]

    @classmethod
    def of(cls, partition_count: int) -> TopicShape:
        """So many partitions, of which no racks are known."""
        return cls((frozenset(),) * partition_count)

    @property
    def partition_count(self) -> int:
        return len(self.partition_racks)


class Assignor(Protocol):
    """Decides, in the member that leads a group, who shall read what. Knows no time and no I/O.

    The members of a group use one assignor, whose `name` all of them offered.
    """

    @property
    def name(self) -> str:
        """What members of all clients know it by."""
        ...

    @property
    def rebalancing(self) -> Rebalancing:
        """How the partitions change hands."""
        ...

    def user_data(self, owned: Sequence[TopicPartition], generation: int) -> bytes | None:
        """What this member tells the leader's assignor with its subscription.

        `owned` is what it was given last, also where it has given that back for this round.
        """
        ...

    def assign(
        self, members: Sequence[GroupMember], topics: Mapping[str, TopicShape]
    ) -> dict[str, list[TopicPartition]]:
        """The partitions of each member, every member named, whatever order they came in.

        Every partition of a topic in `topics` that anybody reads goes to one member that reads it;
        a cooperative assignor leaves out those that another must give back first.
        """
        ...
