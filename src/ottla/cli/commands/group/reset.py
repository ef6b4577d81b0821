"""`ottla group reset`."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any, Final

import click
import msgspec

from ottla.base.ids import TopicPartition
from ottla.cli.cluster import ask
from ottla.cli.completion import GROUPS, TOPICS
from ottla.cli.moments import Duration, Moment
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option, refuse
from ottla.cli.rate import counted

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from ottla.cli.groups.resets import ResetWish
    from ottla.client.admin import Admin
    from ottla.client.admin.offset_resets import OffsetReset, ResetTo
    from ottla.client.admin.outcomes import Outcomes

COLUMNS: Final = {
    "topic": "topic",
    "partition": "partition",
    "before": "committed",
    "offset": "new offset",
    "change": "change",
}


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """Where to go, as it was typed: one of these."""

    to_earliest: bool
    to_latest: bool
    to_current: bool
    to_offset: int | None
    shift_by: int | None
    to_time: int | None
    by_duration: int | None
    from_file: IO[str] | None


@click.command()
@click.argument("group", shell_complete=GROUPS)
@click.option("--to-earliest", is_flag=True, help="The first records there are.")
@click.option("--to-latest", is_flag=True, help="Behind the last records there are.")
@click.option("--to-current", is_flag=True, help="Where it is; behind the last where nowhere.")
@click.option("--to-offset", type=click.IntRange(0), help="This offset of each partition.")
@click.option("--shift-by", type=int, metavar="N", help="So many on, or back below 0.")
@click.option(
    "--to-datetime",
    "--to-time",
    "to_time",
    type=Moment(),
    metavar="TIME",
    help="The first record at or after a time, as 2026-05-01T12:30 (of this machine's zone).",
)
@click.option(
    "--by-duration",
    type=Duration(),
    metavar="TIME",
    help="The first record no older than 2h, 90s or PT1H30M.",
)
@click.option(
    "--from-file",
    type=click.File("r", encoding="utf-8"),
    help="Lines topic,partition,offset, as --export prints them.",
)
@click.option(
    "--topic",
    "topics",
    multiple=True,
    metavar="TOPIC[:0,2-4]",
    help="Only these; also topics that the group has not read yet.",
    shell_complete=TOPICS,
)
@click.option("--all-topics", is_flag=True, help="All that the group has committed.")
@click.option("--execute", is_flag=True, help="Do it; else it is only shown.")
@click.option("--dry-run", is_flag=True, help="Only show it, which is usual.")
@click.option("--export", is_flag=True, help="Print topic,partition,offset for --from-file.")
@cluster_options
@output_option
def command(
    group: str,
    topics: tuple[str, ...],
    all_topics: bool,
    execute: bool,
    dry_run: bool,
    export: bool,
    cluster: ClusterOptions,
    output: Output,
    **where: Any,
) -> None:
    """Move a group without members to other offsets: first to look at, then with --execute.

    \b
    ottla group reset billing --to-earliest --all-topics
    ottla group reset billing --by-duration 2h --topic orders --execute
    ottla group reset billing --to-datetime 2026-05-01T12:30 --topic orders:0,2-4
    ottla group reset billing --shift-by -100 --all-topics --execute
    ottla group reset billing --to-current --all-topics --export
    ottla group reset billing --from-file saved.csv --execute
    """
    wish = Wish(**where)
    if execute and dry_run:
        raise click.UsageError("--execute and --dry-run exclude each other.")
    reset = _reset_wish(group, wish, topics, all_topics=all_topics)
    planned, executed = ask(cluster, lambda admin: _reset(admin, reset, execute=execute))
    if export:
        from ottla.cli.groups.offset_lists import written_offsets

        offsets = {partition: each.offset for partition, each in planned.done.items()}
        for line in written_offsets(offsets):
            print(line)
    else:
        _show(planned.done, output, None if executed is None else executed.done)
    refuse(planned.errors)
    if executed is not None:
        refuse(executed.errors)


def _reset_wish(group: str, wish: Wish, topics: tuple[str, ...], *, all_topics: bool) -> ResetWish:
    from ottla.cli.groups.offset_lists import read_offsets
    from ottla.cli.groups.resets import ResetWish

    to = _to(wish)
    offsets = None if wish.from_file is None else read_offsets(wish.from_file, group)
    if (to is not None) + (offsets is not None) != 1:
        raise click.UsageError(
            "say where to once: --to-earliest, --to-latest, --to-current, --to-offset, --shift-by, "
            "--to-datetime, --by-duration or --from-file."
        )
    if offsets is not None and topics:
        raise click.UsageError("the file names its topics: leave out --topic.")
    if offsets is None and bool(topics) == all_topics:
        raise click.UsageError("name topics by --topic, or else --all-topics.")
    return ResetWish(group=group, to=to, offsets=offsets, topics=topics)


def _to(wish: Wish) -> ResetTo | None:
    """None for none, and for more than one: neither says where."""
    from ottla.client.admin import offset_resets as resets

    asked: list[ResetTo] = []
    asked += [resets.ToEarliest()] * wish.to_earliest
    asked += [resets.ToLatest()] * wish.to_latest
    asked += [resets.ToCurrent()] * wish.to_current
    if wish.to_offset is not None:
        asked.append(resets.ToOffset(wish.to_offset))
    if wish.shift_by is not None:
        asked.append(resets.ShiftBy(wish.shift_by))
    if wish.to_time is not None:
        asked.append(resets.ToTime(wish.to_time))
    if wish.by_duration is not None:
        asked.append(resets.ByDuration(wish.by_duration))
    if len(asked) > 1:
        raise click.UsageError("say where to once.")
    return asked[0] if asked else None


async def _reset(
    admin: Admin, wish: ResetWish, *, execute: bool
) -> tuple[Outcomes[TopicPartition, OffsetReset], Outcomes[TopicPartition, None] | None]:
    """Where one partition cannot be planned, none is moved."""
    from ottla.cli.groups.resets import carry_out, plan

    planned = await plan(admin, wish)
    if planned.errors or not execute:
        return planned, None
    return planned, await carry_out(admin, wish.group, planned.done)


def _show(
    planned: Mapping[TopicPartition, OffsetReset],
    output: Output,
    moved: Collection[TopicPartition] | None,
) -> None:
    """`moved` are those that the coordinator took; None where nothing was asked of it."""
    rows = [_row(partition, each, moved) for partition, each in sorted(planned.items())]
    output.show(rows, COLUMNS)
    if not output.is_for_people:
        return
    of = counted(len(rows), "partition")
    if moved is not None:
        output.say(f"moved {len(moved)} of {of}")
    else:
        count = sum(each.is_change for each in planned.values())
        output.say(f"{count} of {of} would move; nothing was changed: --execute does it")


def _row(
    partition: TopicPartition, reset: OffsetReset, moved: Collection[TopicPartition] | None
) -> dict[str, object]:
    change = None if reset.before is None else reset.offset - reset.before
    return {
        "topic": partition.topic,
        "partition": partition.partition,
        "before": reset.before,
        "offset": reset.offset,
        "change": change,
        "executed": moved is not None and (partition in moved or not reset.is_change),
    }
