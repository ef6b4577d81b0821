"""`ottla topic offsets`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ottla.base.errors import UserError
from ottla.base.ids import TopicPartition
from ottla.cli.asked_partitions import partitions_of
from ottla.cli.cluster import ask
from ottla.cli.completion import TOPICS
from ottla.cli.moments import Moment
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.output import Output, output_option, refuse

if TYPE_CHECKING:
    from ottla.client.admin.admin import Admin
    from ottla.client.admin.offsets import ListedOffset
    from ottla.client.admin.outcomes import Outcomes

    Listed = Outcomes[TopicPartition, ListedOffset | None]

ENDS = {
    "topic": "topic",
    "partition": "partition",
    "first": "first",
    "end": "end",
    "offsets": "offsets",
}
AT = {
    "topic": "topic",
    "partition": "partition",
    "offset": "offset",
    "timestamp_at_ms": "timestamp",
}


@click.command()
@click.argument("asked", nargs=-1, metavar="[TOPIC[:PARTITION,…]]…", shell_complete=TOPICS)
@click.option(
    "--at", "time_ms", type=Moment(), metavar="TIME", help="Of the first record at or after a time."
)
@click.option("--newest", is_flag=True, help="Of the record with the latest timestamp.")
@click.option(
    "--committed", is_flag=True, help="The end of what read_committed consumers see, not the log's."
)
@click.option("--internal", is_flag=True, help="The brokers' own topics, too, without names.")
@cluster_options
@output_option
def command(
    asked: tuple[str, ...],
    time_ms: int | None,
    newest: bool,
    committed: bool,
    internal: bool,
    cluster: ClusterOptions,
    output: Output,
) -> None:
    """Show where partitions begin and end, or what offset belongs to a time.

    Between the two lie fewer records than offsets where some were compacted away, or mark
    transactions.

    \b
    ottla topic offsets orders
    ottla topic offsets orders:0,4-6 prices --committed
    ottla topic offsets orders --at 2026-05-01T12:00
    ottla topic offsets --newest --json
    """
    if time_ms is not None and newest:
        raise click.UsageError("--at and --newest are two questions: ask one")

    async def question(admin: Admin) -> tuple[Listed, Listed]:
        from ottla.client.admin.offsets import OffsetSpec

        partitions = await partitions_of(admin, asked, "TOPIC", internal=internal)
        if time_ms is not None:
            found = await admin.offsets.list(dict.fromkeys(partitions, time_ms))
            return found, found
        if newest:
            spec = dict.fromkeys(partitions, OffsetSpec.MAX_TIMESTAMP)
            found = await admin.offsets.list(spec)
            return found, found
        firsts = await admin.offsets.list(dict.fromkeys(partitions, OffsetSpec.EARLIEST))
        ends = await admin.offsets.list(
            dict.fromkeys(partitions, OffsetSpec.LATEST),
            isolation_level="read_committed" if committed else "read_uncommitted",
        )
        return firsts, ends

    firsts, ends = ask(cluster, question)
    if time_ms is not None or newest:
        output.show([_at(*each) for each in sorted(firsts.done.items())], AT)
    else:
        both = sorted(firsts.done.keys() & ends.done.keys())
        output.show([_ends(each, firsts.done[each], ends.done[each]) for each in both], ENDS)
    errors: dict[TopicPartition, UserError] = {**firsts.errors, **ends.errors}
    refuse(errors)


def _at(partition: TopicPartition, found: ListedOffset | None) -> dict[str, object]:
    return {
        **partition._asdict(),
        "offset": None if found is None else found.offset,
        "timestamp_at_ms": None if found is None else found.timestamp_ms,
    }


def _ends(
    partition: TopicPartition, first: ListedOffset | None, end: ListedOffset | None
) -> dict[str, object]:
    begins = 0 if first is None else first.offset
    ends = 0 if end is None else end.offset
    return {**partition._asdict(), "first": begins, "end": ends, "offsets": ends - begins}
