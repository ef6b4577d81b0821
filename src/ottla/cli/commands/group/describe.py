"""`ottla group describe`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import click

from ottla.cli.completion import GROUPS
from ottla.cli.exit_codes import Exit
from ottla.cli.groups.asking import coordinator_text, described
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option, refuse
from ottla.cli.rate import counted

if TYPE_CHECKING:
    from ottla.base.errors import UserError
    from ottla.cli.groups.lag import PartitionLag
    from ottla.client.admin.group_descriptions import GroupDescription

COLUMNS: Final = {
    "topic": "topic",
    "partition": "partition",
    "committed": "committed",
    "end": "end",
    "lag": "lag",
    "lag_ms": "behind by",
    "client_id": "client",
    "host": "host",
}

Found = list[tuple["GroupDescription", list["PartitionLag"]]]


@click.command()
@click.argument("groups", nargs=-1, metavar="[GROUP…]", shell_complete=GROUPS)
@click.option(
    "--time/--no-time",
    "with_time",
    default=True,
    show_default=True,
    help="Look at the first unread record of each partition: how long ago was it written?",
)
@click.option(
    "--isolation-level",
    type=click.Choice(["read_uncommitted", "read_committed"]),
    default="read_uncommitted",
    show_default=True,
    help="Whether the end is that of all records or of decided ones.",
)
@click.option("--max-lag", type=click.IntRange(0), help="Exit with 3 where a partition has more.")
@cluster_options
@output_option
def command(
    groups: tuple[str, ...],
    with_time: bool,
    isolation_level: str,
    max_lag: int | None,
    cluster: ClusterOptions,
    output: Output,
) -> None:
    """Show how far groups are, in records and in time; all groups where none is named.

    \b
    ottla group describe billing
    ottla group describe --no-time -o json
    ottla group describe billing --max-lag 10000
    """
    import asyncio

    committed_only = isolation_level == "read_committed"
    found, errors = asyncio.run(
        _look(cluster, groups, with_time=with_time, committed_only=committed_only)
    )
    _show(found, output)
    refuse(errors)
    lags = [lag.lag or 0 for _, partitions in found for lag in partitions]
    if max_lag is not None and max(lags, default=0) > max_lag:
        sys.exit(Exit.FOUND)


async def _look(
    cluster: ClusterOptions, groups: Sequence[str], *, with_time: bool, committed_only: bool
) -> tuple[Found, dict[str, UserError]]:
    from ottla.cli.cluster import connected_admin
    from ottla.cli.groups.lag import lag_of

    async with connected_admin(cluster) as admin:
        told = await described(admin, groups)
        found = [
            (group, await lag_of(admin, group, group.group_id, committed_only=committed_only))
            for group in told.done.values()
        ]
    if with_time:
        found = await _timed(cluster, found, committed_only=committed_only)
    return found, dict(told.errors)


async def _timed(cluster: ClusterOptions, found: Found, *, committed_only: bool) -> Found:
    from ottla.cli.cluster import consumer
    from ottla.cli.groups.lag import with_times
    from ottla.transport.clock import SystemClock

    if not any(lag.lag is not None for _, lags in found for lag in lags):
        return found
    level = "read_committed" if committed_only else None
    timed: Found = []
    async with consumer(
        cluster,
        auto_offset_reset="earliest",
        isolation_level=level,
        allow_auto_create_topics=False,
        enable_auto_commit=False,
        max_partition_fetch_bytes=64 * 1024,
    ) as reading:
        for group, lags in found:
            timed.append((group, await with_times(reading, lags, now_ms=SystemClock().now_ms())))
    return timed


def _show(found: Found, output: Output) -> None:
    if not output.is_for_people:
        output.show((_row(group, lag) for group, lags in found for lag in lags), COLUMNS)
        return
    for group, lags in found:
        print(_head(group))
        output.show((_row(group, lag) for lag in lags), COLUMNS)
        print()


def _head(group: GroupDescription) -> str:
    assignor = f", {group.assignor}" if group.assignor else ""
    return (
        f"{group.group_id}: {group.state.value}, {group.type.value}{assignor}, "
        f"{counted(len(group.members), 'member')}, coordinator {coordinator_text(group)}"
    )


def _row(group: GroupDescription, lag: PartitionLag) -> dict[str, object]:
    member = lag.member
    return {
        "group": group.group_id,
        "state": group.state.value,
        "topic": lag.partition.topic,
        "partition": lag.partition.partition,
        "committed": lag.committed,
        "first": lag.first,
        "end": lag.end,
        "lag": lag.lag,
        "lag_ms": lag.lag_ms,
        "member_id": None if member is None else member.member_id,
        "client_id": None if member is None else member.client_id,
        "host": None if member is None else member.host,
    }
