"""How far groups are behind: in records from offsets, in time from the first unread record.

The time of a partition is how long ago the oldest record was written that the group has not
committed; 0 where it has committed all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from ottla.base.ids import NO_LEADER, TopicPartition

if TYPE_CHECKING:
    from ottla.client.admin import Admin
    from ottla.client.admin.group_descriptions import GroupDescription, MemberDescription
    from ottla.client.admin.offsets import IsolationLevel
    from ottla.client.consumer.consumer import Consumer

LOOK_S: Final = 5.0
"""How long first unread records are looked for: what is not found then stays unknown."""
PARTITIONS_LOOKED_AT_MAX: Final = 2_000


class PartitionLag(Struct, frozen=True, kw_only=True):
    """One partition of a group; None for what is not there, or not known."""

    partition: TopicPartition
    committed: int | None
    first: int | None
    end: int | None
    """What readers of committed records can reach: see `committed_only`."""
    member: MemberDescription | None = None
    lag_ms: int | None = None

    @property
    def lag(self) -> int | None:
        """In records, as offsets tell them."""
        if self.committed is None or self.end is None:
            return None
        return max(0, self.end - self.committed)

    @property
    def unread_from(self) -> int | None:
        """Where the first unread record is looked for; None where there is nothing unread."""
        if not self.lag or self.committed is None:
            return None
        return max(self.committed, self.first or 0)


async def lag_of(
    admin: Admin, group: GroupDescription | None, group_id: str, *, committed_only: bool = False
) -> list[PartitionLag]:
    """All partitions that the group has committed or that its members read, without their times.

    `committed_only` counts only what readers of committed records can reach.
    """
    offsets = await admin.groups.offsets(group_id)
    readers = {} if group is None else _readers(group)
    partitions = sorted({*offsets, *readers})
    firsts, ends = await _ends(admin, partitions, committed_only=committed_only)
    return [
        PartitionLag(
            partition=partition,
            committed=None if (found := offsets.get(partition)) is None else found.offset,
            first=firsts.get(partition),
            end=ends.get(partition),
            member=readers.get(partition),
        )
        for partition in partitions
    ]


def _readers(group: GroupDescription) -> dict[TopicPartition, MemberDescription]:
    return {partition: member for member in group.members for partition in member.assignment}


async def _ends(
    admin: Admin, partitions: Collection[TopicPartition], *, committed_only: bool
) -> tuple[Mapping[TopicPartition, int], Mapping[TopicPartition, int]]:
    """First and next offsets; those of topics that are gone, and that nobody leads, are left out:
    asking about them would wait for them."""
    from ottla.client.admin.offsets import OffsetSpec

    there = await present(admin, partitions, is_led=True)
    level: IsolationLevel = "read_committed" if committed_only else "read_uncommitted"
    found = []
    for spec in (OffsetSpec.EARLIEST, OffsetSpec.LATEST):
        listed = await admin.offsets.list(dict.fromkeys(there, spec), isolation_level=level)
        found.append(
            {partition: told.offset for partition, told in listed.done.items() if told is not None}
        )
    return found[0], found[1]


async def present(
    admin: Admin, partitions: Collection[TopicPartition], *, is_led: bool = False
) -> list[TopicPartition]:
    """Those that there are; with `is_led` only those that have a leader."""
    names = {partition.topic for partition in partitions}
    described = (await admin.topics.describe(*names)).done if names else {}
    there = {
        TopicPartition(name, each.index)
        for name, topic in described.items()
        for each in topic.partitions
        if not is_led or each.leader != NO_LEADER
    }
    return [partition for partition in partitions if partition in there]


async def with_times(
    consumer: Consumer, lags: Collection[PartitionLag], *, now_ms: int
) -> list[PartitionLag]:
    """The same with the time that each is behind; reads one batch of each partition with unread
    records, for up to five seconds."""
    unread = {lag.partition: lag.unread_from for lag in lags if lag.unread_from is not None}
    wanted = dict(list(unread.items())[:PARTITIONS_LOOKED_AT_MAX])
    times = await _first_times(consumer, wanted) if wanted else {}
    return [_with_time(lag, times, now_ms) for lag in lags]


def _with_time(lag: PartitionLag, times: Mapping[TopicPartition, int], now_ms: int) -> PartitionLag:
    from msgspec.structs import replace

    if lag.lag == 0:
        return replace(lag, lag_ms=0)
    written_ms = times.get(lag.partition, -1)
    return lag if written_ms < 0 else replace(lag, lag_ms=max(0, now_ms - written_ms))


async def _first_times(
    consumer: Consumer, wanted: Mapping[TopicPartition, int]
) -> dict[TopicPartition, int]:
    consumer.assign(())  # what was looked at for another group is paused
    consumer.assign(wanted)
    for partition, offset in wanted.items():
        consumer.seek(partition, offset)
    times: dict[TopicPartition, int] = {}
    loop = asyncio.get_running_loop()
    end_s = loop.time() + LOOK_S
    while len(times) < len(wanted) and (left_s := end_s - loop.time()) > 0:
        for partition, columns in (await consumer.poll_batch(min(left_s, 0.5))).items():
            if len(columns):
                times[partition] = columns.timestamps[0]
                consumer.pause(partition)
        if all(consumer.current_lag(each) == 0 for each in wanted if each not in times):
            break  # nothing is left but marks of transactions, for example
    return times
