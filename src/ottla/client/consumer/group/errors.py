"""How a group fails."""

from __future__ import annotations

from ottla.base.errors import ErrorCode, UserError


class GroupError(UserError):
    """The group refuses this member; `code` says why. The next read tries to join again."""

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(f"{code.name}: {message}")
        self.code = code


class FencedMemberError(GroupError):
    """Another member has this one's `group_instance_id`: this one is out for good."""


class CommitFailedError(GroupError):
    """The positions are not kept, since the partitions went to others, or are about to.

    What was read since the last commit is read again by whoever has the partitions now.
    """
