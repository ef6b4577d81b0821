"""`kafka-console-consumer`: prints the records of topics."""

from __future__ import annotations

import json
import secrets
import sys
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from ottla.base.errors import UserError
from ottla.cli.asked_partitions import check_there
from ottla.cli.cluster import consumer
from ottla.cli.output import reason
from ottla.cli.scripts import message_formatter
from ottla.cli.scripts.clusters import cluster_from, key_values, read_file, run_on, typed_settings
from ottla.cli.scripts.command_line import Kind, Options, ScriptParser
from ottla.cli.scripts.topic_filter import pattern_of
from ottla.client.errors import DeadlineError

if TYPE_CHECKING:
    from ottla.cli.scripts.message_formatter import Formatter
    from ottla.client.consumer.consumer import Consumer
    from ottla.client.consumer.record import ConsumerRecord

_EARLIEST: Final = "earliest"
_LATEST: Final = "latest"
_AT_ONCE_MAX: Final = 500
_WAIT_S: Final = 1.0
_GROUP_NUMBERS: Final = 100_000
_FILES: Final = ("consumer.config", "command-config")
_PROPERTIES: Final = ("consumer-property", "command-property")


def main(arguments: Sequence[str]) -> int:
    """0 also where the time is over, which is told on standard error."""
    options = _parser().parse(arguments)
    _check(options)
    form = message_formatter.formatter(
        options.needed_text("formatter"), _formatter_properties(options)
    )
    cluster = cluster_from(options.text("bootstrap-server"), _settings(options))
    return run_on(cluster, _Run(consumer(cluster), form, options).run)


def _parser() -> ScriptParser:
    parser = ScriptParser("Prints records of topics on standard output.")
    parser.value("topic", help="The topic to read.")
    parser.value("include", argument="regex", help="Which topics to read: names that match.")
    parser.value("partition", kind=Kind.INTEGER, help="Only this one, from its end on.")
    parser.value(
        "offset",
        argument="consume offset",
        help="Where to begin: a number, earliest or latest; needs --partition.",
    )
    parser.flag("from-beginning", help="Begin at the first record, where nothing is committed.")
    parser.value("max-messages", kind=Kind.INTEGER, help="How many records; else for ever.")
    parser.value("timeout-ms", kind=Kind.LONG, help="End when no record came for so long.")
    parser.value("group", argument="group id", help="The group to read in.")
    parser.value(
        "isolation-level",
        default="read_uncommitted",
        help="read_committed leaves out what transactions have not committed.",
    )
    parser.value("bootstrap-server", argument="server to connect to", help="REQUIRED: any node.")
    parser.value("command-property", argument="prop", help="key=value for the consumer.")
    parser.value("consumer-property", argument="prop", help="The same, deprecated.")
    parser.value("command-config", argument="file", help="A file of such settings.")
    parser.value("consumer.config", argument="file", help="The same, deprecated.")
    parser.value(
        "formatter",
        argument="class",
        default=message_formatter.DEFAULT,
        help="DefaultMessageFormatter or NoOpMessageFormatter of org.apache.kafka.tools.consumer.",
    )
    parser.value("formatter-property", argument="prop", help="key=value, as print.key=true.")
    parser.value("property", argument="prop", help="The same, deprecated.")
    parser.value("formatter-config", argument="file", help="A file of such properties.")
    parser.value("key-deserializer", argument="class", help="One of Kafka's, as for values.")
    parser.value(
        "value-deserializer",
        argument="class",
        help="One of Kafka's own for strings, bytes and numbers.",
    )
    parser.flag("skip-message-on-error", help="Leave out records that cannot be shown.")
    parser.flag("enable-systest-events", help="Print a line of JSON at the end.")
    return parser


def _check(options: Options) -> None:
    """Raises UsageError."""
    options.require("bootstrap-server")
    if options.has("topic") == options.has("include"):
        options.refuse("Exactly one of the following arguments is required: [topic], [include]")
    if options.has("partition"):
        if not options.has("topic"):
            options.refuse("The topic is required when partition is specified.")
        if options.has("group"):
            options.refuse("Options group and partition cannot be specified together.")
    if options.has("offset"):
        if not options.has("partition"):
            options.refuse("The partition is required when offset is specified.")
        if options.has("from-beginning"):
            options.refuse("Options from-beginning and offset cannot be specified together.")
        _offset(options)


def _offset(options: Options) -> int | str:
    text = options.text("offset")
    if text is None:
        return _EARLIEST if options.has("from-beginning") else _LATEST
    if text.lower() in (_EARLIEST, _LATEST):
        return text.lower()
    if not text.isdecimal():
        options.refuse(
            f"The provided offset value '{text}' is incorrect. Valid values are 'earliest', "
            "'latest', or a non-negative long."
        )
    return int(text)


def _settings(options: Options) -> dict[str, str]:
    """The weakest first: files, properties, options. Raises UserError."""
    texts = {"client.id": "console-consumer"}
    groups = []
    for source in _sources(options):
        groups += [source["group.id"]] if "group.id" in source else []
        texts |= source
    if options.has("group"):
        groups.append(options.needed_text("group"))
    if len(set(groups)) > 1:
        options.refuse(f"several groups are named, and one is joined: {', '.join(groups)}")
    if groups:
        texts["group.id"] = groups[0]
    elif not options.has("partition"):
        # As Kafka names it; nobody comes back to a group of chance, so nothing is committed.
        texts["group.id"] = f"console-consumer-{secrets.randbelow(_GROUP_NUMBERS)}"
        texts["enable.auto.commit"] = "false"
    if options.has("from-beginning"):
        if texts.get("auto.offset.reset", _EARLIEST) != _EARLIEST:
            options.refuse("--from-beginning is auto.offset.reset=earliest, and another is set")
        texts["auto.offset.reset"] = _EARLIEST
    texts["isolation.level"] = options.needed_text("isolation-level")
    return texts


def _sources(options: Options) -> Iterator[dict[str, str]]:
    for name in _FILES:
        for path in options.texts(name):
            yield read_file(path)
    for name in _PROPERTIES:
        yield key_values(options.texts(name), name)


def _formatter_properties(options: Options) -> dict[str, str]:
    texts = typed_settings(options, ("formatter-config",), ("property", "formatter-property"))
    if options.has("property"):
        print("--property is deprecated: --formatter-property is meant", file=sys.stderr)
    for part in ("key", "value"):
        if options.has(f"{part}-deserializer"):
            texts[f"{part}.deserializer"] = options.needed_text(f"{part}-deserializer")
    return texts


class _Run:
    """From joining to the last record."""

    def __init__(self, reader: Consumer, form: Formatter, options: Options) -> None:
        self._consumer = reader
        self._form = form
        self._options = options
        self._left = options.integer("max-messages")
        if self._left is not None and self._left < 0:
            self._left = None
        self._count = 0

    async def run(self) -> int:
        try:
            async with self._consumer:
                self._begin()
                await self._tell_what_is_missing()
                await self._print_all()
        finally:
            print(f"Processed a total of {self._count} messages", file=sys.stderr)
            if self._options.has("enable-systest-events"):
                event = {"timestamp": int(time.time() * 1000), "name": "shutdown_complete"}
                print(json.dumps(event))
        return 0

    def _begin(self) -> None:
        number = self._options.integer("partition")
        topic = self._options.text("topic")
        if number is None:
            if topic is not None:
                self._consumer.subscribe([topic])
            else:
                self._consumer.subscribe(pattern=pattern_of(self._options.needed_text("include")))
            return
        assert topic is not None
        partition = (topic, number)
        self._consumer.assign([partition])
        offset = _offset(self._options)
        if isinstance(offset, int):
            self._consumer.seek(partition, offset)
        elif offset == _EARLIEST:
            self._consumer.seek_to_beginning(partition)
        else:
            self._consumer.seek_to_end(partition)

    async def _tell_what_is_missing(self) -> None:
        """Kafka's tool waits without a word for a partition that may still come."""
        number, topic = self._options.integer("partition"), self._options.text("topic")
        if number is None or topic is None:
            return
        try:
            there = await self._consumer.partitions_for(topic, timeout_s=_WAIT_S)
        except DeadlineError:
            print(f"there is no topic {topic}: waiting for it", file=sys.stderr)
            return
        try:
            check_there(topic, [number], [each.index for each in there])
        except UserError as missing:
            print(f"{missing}: waiting for it", file=sys.stderr)

    async def _print_all(self) -> None:
        timeout_ms = self._options.integer("timeout-ms")
        patience_s = None if timeout_ms is None or timeout_ms < 0 else timeout_ms / 1000
        last_s = time.monotonic()
        while self._left != 0:
            wait_s = _WAIT_S if patience_s is None else last_s + patience_s - time.monotonic()
            most = _AT_ONCE_MAX if self._left is None else min(_AT_ONCE_MAX, self._left)
            records = await self._consumer.poll(most, max(wait_s, 0))
            if records:
                self._print(records)
                last_s = time.monotonic()
            elif patience_s is not None and time.monotonic() >= last_s + patience_s:
                print(f"no record came within {timeout_ms} ms: this is the end", file=sys.stderr)
                return

    def _print(self, records: Sequence[ConsumerRecord]) -> None:
        lines = list[bytes]()
        try:
            for record in records:
                self._add(record, lines)
        finally:
            # At once: Python may have been told not to buffer, and a record is no system call.
            sys.stdout.buffer.write(b"".join(lines))
            sys.stdout.buffer.flush()
        if self._left is not None:
            self._left -= len(records)

    def _add(self, record: ConsumerRecord, lines: list[bytes]) -> None:
        try:
            lines.append(self._form.line(record))
        except UserError as error:
            if not self._options.has("skip-message-on-error"):
                raise
            place = f"{record.topic}-{record.partition} at offset {record.offset}"
            print(f"left out {place}: {reason(error)}", file=sys.stderr)
        self._count += 1
