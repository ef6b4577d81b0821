"""`ottla consume`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from ottla.base.errors import UserError
from ottla.cli.completion import GROUPS, TOPICS
from ottla.cli.moments import Duration
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.records.byte_forms import FORMS
from ottla.cli.records.places import Place, place
from ottla.cli.records.print_wish import PrintWish

if TYPE_CHECKING:
    from collections.abc import Collection

    from ottla.base.ids import TopicPartition
    from ottla.cli.rate import Rate
    from ottla.cli.records.choosing import Choice
    from ottla.cli.records.places import Span
    from ottla.cli.records.printing import Printer
    from ottla.client.admin import Admin
    from ottla.client.admin.offsets import IsolationLevel


class Wish(PrintWish, frozen=True, kw_only=True):
    """What was typed."""

    topics: tuple[str, ...]
    pattern: str | None
    begin: Place | None
    until: Place | None
    until_end: bool
    partitions: str | None
    count: int | None
    idle: int | None
    grep: str | None
    grep_key: str | None
    grep_value: str | None
    invert: bool
    group: str | None
    group_protocol: str
    commit: bool
    isolation_level: IsolationLevel
    rate: bool | None

    @property
    def end(self) -> Place | None:
        """Where reading ends; None for never."""
        return Place(-1) if self.until_end else self.until


@click.command()
@click.argument("topics", nargs=-1, metavar="[TOPIC[:0,2-4]…]", shell_complete=TOPICS)
@click.option("--pattern", metavar="REGEX", help="Also topics whose whole name matches.")
@click.option(
    "--from",
    "-s",
    "begin",
    type=place,
    metavar="PLACE",
    help="beginning (usual), end, an offset, +N from the beginning, -N from the end, a time "
    "(2026-05-01T12:30, today, @1777600000), or a duration ago (5m). In a group: where it has "
    "committed nothing, and only beginning or end.",
)
@click.option("--until", type=place, metavar="PLACE", help="End there, as --from.")
@click.option("--until-end", "-e", is_flag=True, help="End behind the records there are now.")
@click.option("--partitions", "-p", metavar="0,2-4", help="Only these.")
@click.option("--count", "-n", type=click.IntRange(1), help="End after so many records printed.")
@click.option("--idle", type=Duration(), metavar="TIME", help="End where nothing came for so long.")
@click.option(
    "--format",
    "-f",
    default="text",
    show_default=True,
    metavar="FORMAT",
    help="text, json (one object a line, which `ottla produce` takes again), raw (values, nothing "
    "between them), hex, base64, or a template such as '{time:%H:%M} {key} {value:hex}': topic, "
    "partition, offset, timestamp, time, key, value, headers, header.NAME, key_size, value_size.",
)
@click.option("--key-as", "key_form", type=click.Choice(FORMS), help="How keys are written.")
@click.option("--value-as", "value_form", type=click.Choice(FORMS), help="How values are written.")
@click.option("--keys", "-k", is_flag=True, help="Print keys, too.")
@click.option("--headers", "-H", is_flag=True, help="Print headers, too.")
@click.option("--places", "-P", is_flag=True, help="Print topic, partition and offset, too.")
@click.option("--times", "-t", is_flag=True, help="Print timestamps, too.")
@click.option("--separator", default="\\t", show_default=True, help="Between the columns.")
@click.option("--delimiter", "-D", metavar="TEXT", help="Behind each record; else a new line.")
@click.option("--null", default="null", show_default=True, help="Stands for no key, no value.")
@click.option("--grep", metavar="REGEX", help="Only records whose key or value holds this.")
@click.option("--grep-key", metavar="REGEX", help="Only records whose key holds this.")
@click.option("--grep-value", metavar="REGEX", help="Only records whose value holds this.")
@click.option("--invert", "-v", is_flag=True, help="Only records that --grep… would leave out.")
@click.option(
    "--group",
    "-g",
    metavar="GROUP",
    help="Share with the group's other members.",
    shell_complete=GROUPS,
)
@click.option(
    "--group-protocol",
    type=click.Choice(["classic", "consumer"]),
    default="classic",
    show_default=True,
    help="How the group agrees; consumer is that of Kafka 4.",
)
@click.option(
    "--commit/--no-commit",
    default=True,
    show_default=True,
    help="Keep for the group what was printed.",
)
@click.option(
    "--isolation-level",
    type=click.Choice(["read_uncommitted", "read_committed"]),
    default="read_uncommitted",
    show_default=True,
    help="Whether records of open and aborted transactions are read.",
)
@click.option(
    "--rate/--no-rate",
    default=None,
    help="Tell on standard error how fast it goes; usual where that alone is a terminal.",
)
@cluster_options
def command(cluster: ClusterOptions, **typed: Any) -> None:
    """Print records of topics, from the beginning on and as they come.

    \b
    ottla consume orders
    ottla consume orders -s -10 -e -kPt
    ottla consume orders -s 15m --grep 'customer-7|error' -f json
    ottla consume orders:0 prices:1-3 -n 5 -f '{time:%H:%M:%S} {key} {value}'
    ottla consume --pattern 'logs-.*' -s today --until now
    ottla consume orders -e -f raw
    ottla consume orders -g billing -e
    """
    wish = Wish(**typed)
    if not wish.topics and wish.pattern is None:
        raise click.UsageError("name a topic, or --pattern.")
    if wish.until is not None and wish.until_end:
        raise click.UsageError("--until and --until-end exclude each other.")
    if wish.group is None:
        _read_alone(cluster, wish)
    else:
        _check_group(wish)
        _read_in_group(cluster, wish)


def _check_group(wish: Wish) -> None:
    if wish.partitions is not None or any(":" in topic for topic in wish.topics):
        raise click.UsageError("a group shares all partitions: name none with --group.")
    if wish.begin not in (None, Place(-1), Place(-2)):
        raise click.UsageError(
            "with --group, --from is beginning or end; `ottla group reset` moves a group."
        )
    if wish.until is not None and wish.until != Place(-1):
        raise click.UsageError("with --group, --until is end.")


def _printer(wish: Wish, *, is_terminal: bool) -> Printer:
    from ottla.cli.records.printing import printer_of

    return printer_of(wish, for_people=is_terminal)


def _choice(wish: Wish) -> Choice:
    from ottla.cli.records.choosing import Choice

    return Choice(anywhere=wish.grep, key=wish.grep_key, value=wish.grep_value, invert=wish.invert)


def _rate(wish: Wish) -> Rate:
    from ottla.cli.rate import Rate

    alone = sys.stderr.isatty() and not sys.stdout.isatty()
    live = sys.stderr.isatty() and (alone if wish.rate is None else wish.rate)
    return Rate(live=live, at_end=bool(wish.rate))


# -- alone -----------------------------------------------------------------------------------------


def _read_alone(cluster: ClusterOptions, wish: Wish) -> None:
    from ottla.cli.cluster import ask
    from ottla.cli.plain_clients import blocking_consumer
    from ottla.cli.records.reading import Ends, Keeper, Reading
    from ottla.cli.typed_texts import number_list

    only = None
    if wish.partitions is not None:
        only = set(number_list(wish.partitions, "--partitions"))
    printer, choice = _printer(wish, is_terminal=sys.stdout.isatty()), _choice(wish)
    spans = ask(cluster, lambda admin: _spans(admin, wish, only))
    reads = {place: span for place, span in spans.items() if span.end is None or not _empty(span)}
    if not reads:
        return
    ends = None
    if wish.end is not None:
        ends = {place: span.end for place, span in reads.items() if span.end is not None}
    rate = _rate(wish)
    with blocking_consumer(
        cluster,
        auto_offset_reset="earliest",
        isolation_level=wish.isolation_level,
        allow_auto_create_topics=False,
        enable_auto_commit=False,  # a file may name a group
    ) as consumer:
        consumer.assign(reads)
        for place, span in reads.items():
            consumer.seek(place, span.begin)
        try:
            Reading(
                consumer,
                sys.stdout.buffer,
                printer=printer,
                choice=choice,
                ends=Ends(ends),
                rate=rate,
                keeper=Keeper(),
                count=wish.count,
                idle_ms=wish.idle,
            ).run()
        finally:
            rate.end()


def _empty(span: Span) -> bool:
    return span.end is not None and span.end <= span.begin


async def _spans(
    admin: Admin, wish: Wish, only: Collection[int] | None
) -> dict[TopicPartition, Span]:
    from ottla.cli.records.places import partitions_of, spans

    partitions = await partitions_of(admin, wish.topics, pattern=wish.pattern, only=only)
    begin = wish.begin or Place(-2)
    return await spans(admin, partitions, begin, wish.end, wish.isolation_level)


# -- in a group ------------------------------------------------------------------------------------


def _read_in_group(cluster: ClusterOptions, wish: Wish) -> None:
    from ottla.cli.cluster import ask
    from ottla.cli.plain_clients import blocking_consumer
    from ottla.cli.records.group_reading import Commits, Follow, Share
    from ottla.cli.records.reading import Keeper, Reading

    rate = _rate(wish)
    printer, choice = _printer(wish, is_terminal=sys.stdout.isatty()), _choice(wish)
    out = sys.stdout.buffer
    # A member would wait for brokers and topics, without a word, for as long as there are none.
    ask(cluster, lambda admin: _check_topics(admin, wish.topics))
    with blocking_consumer(
        cluster,
        auto_offset_reset="latest" if wish.begin == Place(-1) else "earliest",
        isolation_level=wish.isolation_level,
        allow_auto_create_topics=False,
        group_id=wish.group,
        group_protocol=wish.group_protocol,
        enable_auto_commit=False,
    ) as consumer:
        keeper = Commits(consumer) if wish.commit else Keeper()
        ends = Share(
            wish.group or "",
            lambda: consumer.group_metadata().generation >= 0,
            is_bounded=wish.end is not None,
            hears_of_none=wish.group_protocol == "classic",
        )
        listener = Follow(consumer, keeper, ends, out.flush)
        if wish.pattern is None:
            consumer.subscribe(wish.topics, listener=listener)
        else:
            consumer.subscribe(pattern=_one_pattern(wish), listener=listener)
        try:
            Reading(
                consumer,
                out,
                printer=printer,
                choice=choice,
                ends=ends,
                rate=rate,
                keeper=keeper,
                count=wish.count,
                idle_ms=wish.idle,
            ).run()
            out.flush()
        finally:
            keeper.close()
            rate.end()


async def _check_topics(admin: Admin, names: Collection[str]) -> None:
    if names:
        (await admin.topics.describe(*dict.fromkeys(names))).all()


def _one_pattern(wish: Wish) -> str:
    """Topics by name and by expression, as one expression."""
    import re

    try:
        re.compile(wish.pattern or "")
    except re.error as error:
        raise UserError(f"{wish.pattern!r} is no regular expression: {error}") from error
    return "|".join([*map(re.escape, wish.topics), f"(?:{wish.pattern})"])
