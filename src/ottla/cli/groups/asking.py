"""Groups by the names that were typed, or all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ottla.client.admin import Admin
    from ottla.client.admin.group_descriptions import GroupDescription
    from ottla.client.admin.outcomes import Outcomes


async def described(admin: Admin, group_ids: Sequence[str]) -> Outcomes[str, GroupDescription]:
    """Those of these ids, or all groups by id."""
    wanted = list(group_ids) or [group.group_id for group in await admin.groups.list()]
    return await admin.groups.describe(*wanted)


def coordinator_text(group: GroupDescription) -> str:
    """Its coordinator as `1 (host:9092)`."""
    node = group.coordinator
    return "-" if node is None else f"{node.node_id} ({node.address})"
