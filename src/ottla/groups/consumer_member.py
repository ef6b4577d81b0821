"""A member of a consumer group, as its records keep it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Final

import msgspec
from msgspec import Struct

from ottla.groups.topics_view import TopicPartition

JOINING: Final = 0
"""The epoch of a member that has not been taken in, or that begins anew."""
LEAVING: Final = -1
LEAVING_FOR_NOW: Final = -2
"""The epoch of a static member that will be back under the same instance id."""

Held = Mapping[TopicPartition, int]
"""Partitions with the epoch of the member in which each was given to it (KIP-1251)."""

NOTHING_HELD: Final[Held] = MappingProxyType({})


class MemberState(IntEnum):
    """Where a member stands on its way to what it shall have, by the numbers of its record."""

    STABLE = 0
    UNREVOKED_PARTITIONS = 1
    """It has been told to give partitions back, and has not said that it did."""
    UNRELEASED_PARTITIONS = 2
    """Others still hold some that it shall have."""
    UNKNOWN = 127


class ClassicFacts(Struct, frozen=True):
    """Of a member that speaks the classic protocol; `protocols` are (name, metadata)."""

    session_timeout_ms: int
    protocols: tuple[tuple[str, bytes], ...]


class ConsumerMember(Struct, frozen=True, kw_only=True):
    """What it said of itself, and what it holds.

    `epoch` is that of the target assignment which it has reached; `previous_epoch` the one before,
    accepted from a member whose answer was lost. A partition in `revoking` is still its own until
    it says that it has let go.
    """

    member_id: str
    instance_id: str | None = None
    rack_id: str | None = None
    client_id: str = ""
    client_host: str = ""
    topic_names: frozenset[str] = frozenset()
    topic_regex: str | None = None
    rebalance_timeout_ms: int = -1
    server_assignor: str | None = None
    classic: ClassicFacts | None = None
    epoch: int = JOINING
    previous_epoch: int = JOINING
    state: MemberState = MemberState.STABLE
    assigned: Held = NOTHING_HELD
    revoking: Held = NOTHING_HELD

    def but(self, **changes: object) -> ConsumerMember:
        """The same member with some fields changed; itself where nothing changes."""
        if all(getattr(self, name) == value for name, value in changes.items()):
            return self
        return msgspec.structs.replace(self, **changes)

    @property
    def uses_classic_protocol(self) -> bool:
        return self.classic is not None

    @property
    def has_left_for_now(self) -> bool:
        return self.epoch == LEAVING_FOR_NOW

    @property
    def held(self) -> Collection[TopicPartition]:
        """All that nobody else may have."""
        return self.assigned.keys() | self.revoking.keys()

    def says_the_same_as(self, other: ConsumerMember) -> bool:
        """Whether both would be kept by the same record of what a member says of itself."""
        return all(getattr(self, name) == getattr(other, name) for name in _SAID)

    def stands_where(self, other: ConsumerMember) -> bool:
        """Whether both would be kept by the same record of what a member has."""
        return all(getattr(self, name) == getattr(other, name) for name in _HAD)

    def is_settled(self, target_epoch: int) -> bool:
        """Whether it has all that the target assignment of this epoch gives it."""
        return self.state is MemberState.STABLE and self.epoch == target_epoch


_HAD: Final = ("epoch", "previous_epoch", "state", "assigned", "revoking")
_SAID: Final = (
    "instance_id",
    "rack_id",
    "client_id",
    "client_host",
    "topic_names",
    "topic_regex",
    "rebalance_timeout_ms",
    "server_assignor",
    "classic",
)
