"""What kafka-consumer-groups tells of groups: offsets, members, states."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import TYPE_CHECKING, Final

from ottla.cli.groups.lag import lag_of
from ottla.cli.scripts.padded import Column, padded

if TYPE_CHECKING:
    from ottla.cli.groups.lag import PartitionLag
    from ottla.client.admin.admin import Admin
    from ottla.client.admin.group_descriptions import GroupDescription, MemberDescription
    from ottla.client.offset_and_metadata import OffsetAndMetadata

NONE: Final = "-"
_GROUP: Final = Column("GROUP", 15, grows=True)
_MEMBER: Final = Column("CONSUMER-ID", 15, grows=True)
_HOST: Final = Column("HOST", 15, grows=True)


async def offsets(admin: Admin, group_ids: Sequence[str], *, verbose: bool) -> None:
    """How far each group is. Raises UserError."""
    async for group in _described(admin, group_ids):
        lags = await lag_of(admin, group, group.group_id)
        epochs = await admin.groups.offsets(group.group_id) if verbose else None
        # Partitions of the busiest member come first, those that nobody reads come last.
        lags.sort(key=lambda lag: (-_size(lag.member), lag.partition))
        columns = [
            *(_GROUP, Column("TOPIC", 15, grows=True), Column("PARTITION", 10)),
            *((Column("LEADER-EPOCH", 15),) if verbose else ()),
            *(Column("CURRENT-OFFSET", 15), Column("LOG-END-OFFSET", 15), Column("LAG", 15)),
            *(_MEMBER, _HOST, Column("CLIENT-ID")),
        ]
        rows = [
            _offset_row(
                group,
                lag,
                None if epochs is None else _epoch(epochs.get(lag.partition)),
            )
            for lag in lags
        ]
        _print(columns, rows)


def _size(member: MemberDescription | None) -> int:
    return 0 if member is None else len(member.assignment)


def _epoch(committed: OffsetAndMetadata | None) -> str:
    return NONE if committed is None or committed.leader_epoch < 0 else str(committed.leader_epoch)


def _offset_row(group: GroupDescription, lag: PartitionLag, epoch: str | None) -> list[str]:
    member = lag.member
    return [
        *(group.group_id, lag.partition.topic, str(lag.partition.partition)),
        *(() if epoch is None else (epoch,)),
        *map(_number, (lag.committed, lag.end, lag.lag)),
        *(
            (NONE, NONE, NONE)
            if member is None
            else (member.member_id, member.host, member.client_id)
        ),
    ]


async def members(admin: Admin, group_ids: Sequence[str], *, verbose: bool) -> None:
    """Who is in each group. Raises UserError."""
    async for group in _described(admin, group_ids):
        listed = sorted(group.members, key=lambda member: -len(member.assignment))
        static = any(member.group_instance_id for member in listed)
        # Of interest while members of both protocols are in one group.
        upgrading = verbose and any(
            member.speaks_classic and member.member_epoch is not None for member in listed
        )
        columns = [
            *(_GROUP, _MEMBER),
            *((Column("GROUP-INSTANCE-ID", 17, grows=True),) if static else ()),
            *(_HOST, Column("CLIENT-ID", 15, grows=True), Column("#PARTITIONS", 15)),
            *(_DETAILS if verbose else ()),
            *((Column("UPGRADED"),) if upgrading else ()),
        ]
        rows = []
        for member in listed:
            instance = [member.group_instance_id or NONE] if static else []
            details = _details(member) if verbose else []
            upgraded = [str(not member.speaks_classic).lower()] if upgrading else []
            rows.append([
                *(group.group_id, member.member_id, *instance, member.host, member.client_id),
                *(str(len(member.assignment)), *details, *upgraded),
            ])  # fmt: skip
        _print(columns, rows)


_DETAILS: Final = (
    Column("CURRENT-EPOCH", 15),
    Column("CURRENT-ASSIGNMENT", 20, grows=True),
    Column("TARGET-EPOCH", 15),
    Column("TARGET-ASSIGNMENT", 20, grows=True),
)


def _details(member: MemberDescription) -> list[str]:
    epoch = _number(member.member_epoch)
    target = member.target_assignment
    return [
        *(epoch, _assignment(member.assignment)),
        *((NONE, NONE) if target is None else (epoch, _assignment(target))),
    ]


def _assignment(partitions: Iterable[tuple[str, int]]) -> str:
    """`orders:0,1;prices:2`, or `-` for nothing."""
    by_topic: dict[str, list[str]] = {}
    for topic, index in sorted(partitions):
        by_topic.setdefault(topic, []).append(str(index))
    return ";".join(f"{topic}:{','.join(found)}" for topic, found in by_topic.items()) or NONE


async def states(admin: Admin, group_ids: Sequence[str], *, verbose: bool) -> None:
    """Each group as a whole. Raises UserError."""
    async for group in _described(admin, group_ids):
        epochs = (Column("GROUP-EPOCH", 15), Column("TARGET-ASSIGNMENT-EPOCH", 25))
        columns = [
            *(_GROUP, Column("COORDINATOR (ID)", 25, grows=True)),
            *(Column("ASSIGNMENT-STRATEGY", 20, grows=True), Column("STATE", 20)),
            *(epochs if verbose else ()),
            Column("#MEMBERS"),
        ]
        known = map(_number, (group.group_epoch, group.assignment_epoch)) if verbose else ()
        node = group.coordinator
        place = NONE if node is None else f"{node.host}:{node.port}  ({node.node_id})"
        row = [
            *(group.group_id, place, group.assignor or NONE, group.state.value, *known),
            str(len(group.members)),
        ]
        _print(columns, [row])


async def _described(admin: Admin, group_ids: Sequence[str]) -> AsyncIterator[GroupDescription]:
    """One after another. What is said of those without members is for people only."""
    described = (await admin.groups.describe(*group_ids)).all()
    for group_id in group_ids:
        yield described[group_id]
        if not described[group_id].members:
            print(f"\nConsumer group '{group_id}' has no active members.", file=sys.stderr)


def _print(columns: Sequence[Column], rows: Iterable[Sequence[object]]) -> None:
    print("", *padded(columns, rows), sep="\n")


def _number(value: int | None) -> str:
    return NONE if value is None else str(value)
