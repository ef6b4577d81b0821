"""Resetting a group's offsets: a plan that can be looked at, and carrying it out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from ottla.base.errors import ErrorCode, UserError
from ottla.base.ids import TopicPartition
from ottla.cli.asked_partitions import partitions_of
from ottla.cli.groups.lag import present
from ottla.cli.rate import counted

if TYPE_CHECKING:
    from ottla.client.admin import Admin
    from ottla.client.admin.group_descriptions import GroupDescription
    from ottla.client.admin.offset_resets import OffsetReset, ResetTo
    from ottla.client.admin.outcomes import Outcomes


class NothingCommittedError(UserError):
    """No topic was named, and the group has committed nothing of any that there is."""


class ResetWish(Struct, frozen=True, kw_only=True):
    """Either a place to go `to`, or the `offsets` of a file."""

    group: str
    to: ResetTo | None
    offsets: Mapping[TopicPartition, int] | None
    topics: Sequence[str]
    """`TOPIC[:0,2-4]` each; none for all that the group has committed."""


async def plan(admin: Admin, wish: ResetWish) -> Outcomes[TopicPartition, OffsetReset]:
    """Where each partition goes. Raises UserError while the group has members."""
    _check_idle(await _group(admin, wish.group))
    if wish.offsets is not None:
        return await _plan_of_file(admin, wish.group, wish.offsets)
    assert wish.to is not None
    partitions = None
    if wish.topics:
        partitions = await partitions_of(admin, wish.topics, "TOPIC")
    else:
        partitions = await present(admin, list(await admin.groups.offsets(wish.group)))
        if not partitions:
            raise NothingCommittedError(
                f"{wish.group} has committed nothing of topics that there are: is its name right? "
                "--topic names topics that it has not read yet"
            )
    return await admin.groups.plan_reset(wish.group, wish.to, partitions)


async def _group(admin: Admin, group_id: str) -> GroupDescription | None:
    """None for one that is not there: it is made by its first offset."""
    told = await admin.groups.describe(group_id)
    error = told.error(group_id)
    if error is None:
        return told[group_id]
    if getattr(error, "code", None) is ErrorCode.GROUP_ID_NOT_FOUND:
        return None
    raise error


def _check_idle(group: GroupDescription | None) -> None:
    if group is not None and group.members:
        who = sorted({member.client_id for member in group.members})
        count = counted(len(group.members), "member")
        raise UserError(
            f"{group.group_id} has {count} ({', '.join(who)}) that would go on where they are: "
            "stop them first"
        )


async def _plan_of_file(
    admin: Admin, group_id: str, offsets: Mapping[TopicPartition, int]
) -> Outcomes[TopicPartition, OffsetReset]:
    """Each partition to its own offset, or the next one that there is."""
    from ottla.client.admin.offset_resets import ToOffset
    from ottla.client.admin.outcomes import Outcomes

    await partitions_of(admin, [f"{name}:{number}" for name, number in offsets], "LINE")
    done: dict[TopicPartition, OffsetReset] = {}
    errors: dict[TopicPartition, UserError] = {}
    by_offset: dict[int, list[TopicPartition]] = {}
    for partition, offset in offsets.items():
        by_offset.setdefault(offset, []).append(partition)
    for offset, partitions in by_offset.items():
        planned = await admin.groups.plan_reset(group_id, ToOffset(offset), partitions)
        done |= planned.done
        errors |= planned.errors
    return Outcomes(done, errors)


async def carry_out(
    admin: Admin, group_id: str, planned: Mapping[TopicPartition, OffsetReset]
) -> Outcomes[TopicPartition, None]:
    """Commit what is different."""
    changes = {partition: reset.offset for partition, reset in planned.items() if reset.is_change}
    return await admin.groups.alter_offsets(group_id, changes)
