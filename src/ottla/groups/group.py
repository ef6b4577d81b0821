"""What every kind of group answers, whatever protocol its members speak."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from ottla.base.errors import ErrorCode
from ottla.groups.turn import Turn
from ottla.wire.payloads.records import CoordinatorRecord


class Committer(NamedTuple):
    """Who brings offsets: a member, or with all defaults somebody from outside.

    `generation` is a member's epoch in the consumer protocol.
    """

    generation: int = -1
    member_id: str = ""
    group_instance_id: str | None = None

    @property
    def is_member(self) -> bool:
        """Whether it says that it is one."""
        return self.generation >= 0 or self.member_id != "" or self.group_instance_id is not None


class Group(Protocol):
    """A group of whatever type, to those who keep its offsets, list it and delete it."""

    group_id: str
    soonest_ms: int
    """When something may be due, by the monotonic clock; never later than that."""

    @property
    def type_name(self) -> str:
        """As ListGroups names it."""
        ...

    @property
    def state_name(self) -> str:
        """As ListGroups and DescribeGroups name it."""
        ...

    @property
    def protocol_type(self) -> str | None:
        """None for a group that nobody has ever joined."""
        ...

    @property
    def is_empty(self) -> bool:
        """Whether it has no members and waits for none: only then it can be deleted."""
        ...

    @property
    def is_vacant(self) -> bool:
        """Whether nothing would be lost by forgetting it, its offsets aside."""
        ...

    @property
    def empty_since_ms(self) -> int | None:
        """Since when it has no members, by the wall clock; None where that is not known."""
        ...

    def check_commit(
        self, committer: Committer, turn: Turn, *, transactional: bool, version: int
    ) -> ErrorCode:
        """Whether offsets may be committed now; a member that may, has shown that it lives."""
        ...

    def check_fetch(self, member_id: str | None, member_epoch: int) -> ErrorCode:
        """Whether offsets may be told to who says that it is this member."""
        ...

    def check_offset_delete(self) -> ErrorCode:
        """Whether offsets may be deleted at all."""
        ...

    def is_reading(self, topic: str) -> bool:
        """Whether members read the topic, or may read it."""
        ...

    def may_expire(self, topic: str) -> bool:
        """Whether the age of offsets of the topic counts now (KIP-211)."""
        ...

    def tombstones(self) -> list[CoordinatorRecord]:
        """What takes the group's own records back; its offsets' are not among them."""
        ...

    def unloaded(self, error: ErrorCode) -> list[tuple[int, object]]:
        """What those who wait are told when somebody else takes over."""
        ...
