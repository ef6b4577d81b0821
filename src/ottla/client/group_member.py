"""Who commits positions of a group: what a consumer tells a transactional producer."""

from __future__ import annotations

from typing import NamedTuple


class GroupMember(NamedTuple):
    """With the member's id, only while it is a member; `generation` is its epoch under KIP-848."""

    group_id: str
    generation: int = -1
    member_id: str = ""
    instance_id: str | None = None
