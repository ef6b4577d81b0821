"""Whether groups read: two looks, and between them somebody should have moved."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from ottla.base.ids import TopicPartition
from ottla.cli.doctor.finding import Finding, Level
from ottla.cli.groups.lag import PartitionLag, lag_of
from ottla.cli.moments import format_duration
from ottla.cli.rate import counted

if TYPE_CHECKING:
    from ottla.client.admin import Admin
    from ottla.client.admin.group_descriptions import GroupDescription

GROUPS_MAX: Final = 500
_REBALANCING: Final = ("PreparingRebalance", "CompletingRebalance", "Assigning", "Reconciling")

Timed = Callable[[Collection[PartitionLag]], Awaitable[Sequence[PartitionLag]]]
"""Adds how long ago the first unread records were written."""


class Patience(Struct, frozen=True, kw_only=True):
    """What is still fine."""

    lag_ms: int
    """How old an unread record may be."""
    sample_ms: int
    """Between both looks."""


class Look(Struct, frozen=True, kw_only=True):
    """A group at one moment."""

    group: GroupDescription
    lags: Sequence[PartitionLag]

    @property
    def committed(self) -> Mapping[TopicPartition, int | None]:
        """Where it is."""
        return {lag.partition: lag.committed for lag in self.lags}

    @property
    def late(self) -> list[PartitionLag]:
        """Partitions with something unread."""
        return [lag for lag in self.lags if lag.lag]


async def look_at_groups(admin: Admin, patience: Patience, timed: Timed) -> list[Finding]:
    """All groups that commit offsets to the cluster."""
    group_ids = [group.group_id for group in await admin.groups.list()][:GROUPS_MAX]
    first = await _look(admin, group_ids)
    doubtful = [
        group_id
        for group_id, look in first.items()
        if look.late or look.group.state.value in _REBALANCING
    ]
    findings: list[Finding] = []
    if doubtful:
        await asyncio.sleep(patience.sample_ms / 1000)
        second = await _look(admin, doubtful)
        for group_id, after in second.items():
            known = Look(group=after.group, lags=await timed(after.lags))
            findings += group_findings(first[group_id], known, patience)
    told = f"{counted(len(group_ids), 'group')}, {len(doubtful)} with something unread"
    return [Finding(level=Level.FINE, about="", told=told), *findings]


async def _look(admin: Admin, group_ids: Sequence[str]) -> dict[str, Look]:
    described = await admin.groups.describe(*group_ids)
    return {
        group_id: Look(group=group, lags=await lag_of(admin, group, group_id))
        for group_id, group in described.done.items()
    }


def group_findings(before: Look, after: Look, patience: Patience) -> list[Finding]:
    """What two looks at one group tell."""
    group = after.group
    about = f"group {group.group_id}"
    state = group.state.value
    if state in _REBALANCING and before.group.state is group.state:
        return [
            Finding(
                level=Level.WARNING,
                about=about,
                told=f"it is {state} since {format_duration(patience.sample_ms)} or longer",
                remedy=f"`ottla group journal {group.group_id}` tells why (on Ottla's brokers)",
            )
        ]
    worst = max(after.late, key=lambda lag: lag.lag_ms or 0, default=None)
    if worst is None or (worst.lag_ms or 0) < patience.lag_ms:
        return []
    unread = sum(lag.lag or 0 for lag in after.late)
    told = (
        f"{counted(unread, 'record')} unread, the oldest of {worst.partition} since "
        f"{format_duration(worst.lag_ms or 0)}"
    )
    if not group.members:
        return [
            Finding(
                level=Level.WARNING,
                about=about,
                told=f"nobody reads: {told}",
                remedy="start its consumers, or delete it: `ottla group delete`",
            )
        ]
    if _stands_still(before, after, worst.partition):
        return [
            Finding(
                level=Level.PROBLEM,
                about=about,
                told=f"it stands still: {told}; {counted(len(group.members), 'member')}",
                remedy="see in its consumers' logs what they do with the record there: "
                f"`ottla consume {worst.partition.topic}:{worst.partition.partition} "
                f"-s {worst.committed} -n 1`",
            )
        ]
    return [
        Finding(
            level=Level.WARNING,
            about=about,
            told=f"it is late: {told}",
            remedy="more members (up to one for each partition), or faster ones",
        )
    ]


def _stands_still(before: Look, after: Look, partition: TopicPartition) -> bool:
    return before.committed.get(partition) == after.committed.get(partition)
