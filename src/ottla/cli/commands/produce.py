"""`ottla produce`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click
import msgspec

from ottla.base.errors import ErrorCode, UserError
from ottla.cli.completion import TOPICS
from ottla.cli.moments import Moment
from ottla.cli.options import ClusterOptions, cluster_options
from ottla.cli.rate import counted
from ottla.cli.records.byte_forms import FORMS

if TYPE_CHECKING:
    from ottla.blocking.producer import Producer
    from ottla.cli.rate import Rate
    from ottla.cli.records.sending import Sending
    from ottla.cli.records.typed_rows import Common, Parser, Rows
    from ottla.client.admin import Admin
    from ottla.client.producer import StoredRows


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What was typed."""

    topic: str
    values: tuple[str, ...]
    files: tuple[str, ...]
    format: str
    key: str | None
    key_form: str | None
    separator: str | None
    delimiter: str
    null: str | None
    headers: tuple[str, ...]
    timestamp: int | None
    partition: int | None
    keep_partitions: bool
    compression: str | None
    acks: str | None
    transactional_id: str | None
    verbose: bool
    rate: bool | None


@click.command()
@click.argument("topic", shell_complete=TOPICS)
@click.argument("values", nargs=-1, metavar="[VALUE…]")
@click.option(
    "--file", "files", multiple=True, metavar="FILE", help="Read this file; - is standard input."
)
@click.option(
    "--format",
    "-f",
    type=click.Choice([*FORMS, "raw"]),
    default="text",
    show_default=True,
    help="What a line is: a value as text, hex, base64 or a number; an object as `ottla consume "
    "--format json` prints them; with raw each file is one value.",
)
@click.option("--key", "-k", help="The key of all records that bring none.")
@click.option("--key-as", "key_form", type=click.Choice(FORMS), help="What keys are; else text.")
@click.option("--separator", "-K", metavar="TEXT", help="Each line is a key, this, and a value.")
@click.option("--delimiter", "-D", default="\\n", show_default=True, help="Between two lines.")
@click.option("--null", "-Z", metavar="TEXT", help="A line, or its key, that is this is null.")
@click.option(
    "--header", "-H", "headers", multiple=True, metavar="NAME=VALUE", help="For all records."
)
@click.option("--timestamp", type=Moment(), metavar="TIME", help="Of all records; else now.")
@click.option("--partition", "-p", type=click.IntRange(0), help="Where all go; else by their key.")
@click.option(
    "--keep-partitions", is_flag=True, help="With --format json: the partitions of the objects."
)
@click.option(
    "--compression",
    "-z",
    type=click.Choice(["none", "gzip", "snappy", "lz4", "zstd"]),
    help="How batches travel and lie.",
)
@click.option("--acks", type=click.Choice(["all", "1", "0"]), help="Who must have a record.")
@click.option("--transactional-id", metavar="ID", help="All in one transaction, or nothing.")
@click.option("--verbose", "-v", is_flag=True, help="Print where records are stored.")
@click.option(
    "--rate/--no-rate",
    default=None,
    help="Tell on standard error how fast it goes; usual where files go to a terminal.",
)
@cluster_options
def command(cluster: ClusterOptions, **typed: Any) -> None:
    """Write records to a topic: arguments, lines of files, or lines of standard input.

    \b
    ottla produce orders 'first order' 'second order' -v
    ottla produce orders -k customer-7 -H source=cli '{"total": 12}'
    ottla produce orders -K : -z zstd --file orders.txt
    ottla produce orders -Z NULL -k customer-7 NULL
    ottla produce pictures -f raw --file cat.png --file dog.png
    ottla produce orders -f json --keep-partitions --file saved.jsonl
    """
    wish = Wish(**typed)
    _check(wish)
    from ottla.cli.cluster import TIMEOUT_MS, ask
    from ottla.cli.plain_clients import blocking_producer

    count = ask(cluster, lambda admin: _partition_count(admin, wish.topic))
    if count is None:
        print(f"There is no topic {wish.topic} yet: brokers are asked for it.", file=sys.stderr)
    rate = _rate(wish)
    with blocking_producer(
        cluster,
        compression=wish.compression,
        acks=wish.acks,
        transactional_id=wish.transactional_id,
        max_block_ms=TIMEOUT_MS,
        linger_ms=0 if _is_typed(wish) else 5,
    ) as producer:
        try:
            _produce(producer, wish, rate, count)
        finally:
            rate.end()


async def _partition_count(admin: Admin, topic: str) -> int | None:
    """None for a topic that is not there; brokers may make it for its first record.

    Asked before anything is sent: a producer waits long for what may still come, and says nothing.
    """
    described = await admin.topics.describe(topic)
    error = described.error(topic)
    if error is None:
        return len(described[topic].partitions)
    if getattr(error, "code", None) is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
        return None
    raise error


def _is_typed(wish: Wish) -> bool:
    from ottla.cli.records.input_files import is_typed

    return not wish.values and is_typed(wish.files)


def _check(wish: Wish) -> None:
    if wish.values and wish.files:
        raise click.UsageError("give values or --file, not both.")
    if wish.format == "json" and (wish.separator or wish.null is not None):
        raise click.UsageError("objects bring their keys and nulls: leave out -K and -Z.")
    if wish.format == "raw" and wish.separator:
        raise click.UsageError("with --format raw there are no lines to separate.")
    if wish.keep_partitions and (wish.format != "json" or wish.partition is not None):
        raise click.UsageError("--keep-partitions is for --format json without --partition.")
    if wish.transactional_id is not None and wish.acks not in (None, "all"):
        raise click.UsageError("a transaction needs --acks all.")


def _rate(wish: Wish) -> Rate:
    from ottla.cli.rate import Rate

    live = sys.stderr.isatty() and not wish.values and not _is_typed(wish)
    return Rate(live=live if wish.rate is None else wish.rate and live, at_end=bool(wish.rate))


def _produce(producer: Producer, wish: Wish, rate: Rate, count: int | None) -> None:
    from ottla.cli.records.sending import Sending

    stored = _tell if wish.verbose else None
    sending = Sending(producer, wish.topic, rate=rate, count=count, stored=stored)
    if wish.transactional_id is None:
        try:
            _send_all(sending, wish)
        except UserError:
            _tell_of_the_rest(sending, rate)
            raise
        return
    with producer.transaction():
        _send_all(sending, wish)


def _send_all(sending: Sending, wish: Wish) -> None:
    is_typed = _is_typed(wish)
    for rows in _rows(wish):
        sending.send(rows)
        if is_typed:
            # A person is told of each line what became of it.
            sending.end()
    sending.end()


def _tell_of_the_rest(sending: Sending, rate: Rate) -> None:
    """Who repairs a file and runs it again must know what is there already."""
    with suppress(UserError):  # the first error is the one that is told
        sending.end()
    if rate.records:
        print(f"{counted(rate.records, 'record')} before the error: stored.", file=sys.stderr)


def _tell(stored: StoredRows) -> None:
    for partition, offset, rows in stored.ranges:
        last = f"…{offset + len(rows) - 1}" if len(rows) > 1 and offset >= 0 else ""
        print(f"{stored.topic}-{partition}@{offset}{last}")


# -- what is sent ----------------------------------------------------------------------------------


def _rows(wish: Wish) -> Iterator[Rows]:
    from ottla.cli.records.typed_rows import rows_of

    common = _common(wish)
    if wish.format == "raw":
        for value in _whole_values(wish):
            yield rows_of(common, [value])
        return
    parser = _parser(wish, common)
    if wish.values:
        yield from parser.parse([_encoded(value) for value in wish.values], 1)
        return
    if _is_typed(wish):
        print("One record a line; Ctrl-D ends.", file=sys.stderr)
    yield from _rows_of_files(wish, parser)


def _rows_of_files(wish: Wish, parser: Parser) -> Iterator[Rows]:
    from ottla.cli.records.input_files import pieces, sources
    from ottla.cli.records.template import unescape
    from ottla.cli.records.typed_rows import LineCutter

    delimiter = _encoded(unescape(wish.delimiter))
    if not delimiter:
        raise UserError("the delimiter is empty: --format raw takes a file as one value")
    for source in sources(wish.files):
        cutter, number = LineCutter(delimiter), 1
        for piece in pieces(source):
            lines = cutter.cut(piece)
            yield from parser.parse(lines, number)
            number += len(lines)
        yield from parser.parse(cutter.end(), number)


def _whole_values(wish: Wish) -> Iterator[bytes]:
    from ottla.cli.records.input_files import sources

    if wish.values:
        yield from map(_encoded, wish.values)
        return
    for source in sources(wish.files):
        yield source.read()


def _encoded(text: str) -> bytes:
    """Arguments that were no UTF-8 are the bytes that they were."""
    return text.encode("utf-8", "surrogateescape")


def _common(wish: Wish) -> Common:
    from ottla.cli.records.byte_forms import bytes_of
    from ottla.cli.records.typed_rows import Common

    return Common(
        key=None if wish.key is None else bytes_of(wish.key, wish.key_form or "text"),
        timestamp_ms=wish.timestamp,
        headers=tuple(map(_header, wish.headers)),
        partition=wish.partition,
    )


def _header(text: str) -> tuple[str, bytes]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise click.BadParameter(f"takes NAME=VALUE, not {text!r}", param_hint="--header")
    return name, _encoded(value)


def _parser(wish: Wish, common: Common) -> Parser:
    from ottla.cli.records.template import unescape
    from ottla.cli.records.typed_rows import JsonParser, ValueParser

    if wish.format == "json":
        from ottla.transport.clock import SystemClock

        return JsonParser(
            common, keep_partitions=wish.keep_partitions, now_ms=SystemClock().now_ms()
        )
    return ValueParser(
        common,
        key_form=wish.key_form or "text",
        value_form=wish.format,
        separator=None if wish.separator is None else _encoded(unescape(wish.separator)) or None,
        null=None if wish.null is None else _encoded(wish.null),
    )
