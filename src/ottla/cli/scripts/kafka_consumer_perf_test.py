"""`kafka-consumer-perf-test`: how fast records are read."""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from ottla.base.ids import TopicPartition
from ottla.base.limits import MIB
from ottla.cli.cluster import consumer
from ottla.cli.scripts.clusters import cluster_from, run_on, typed_settings
from ottla.cli.scripts.command_line import Kind, Options, ScriptParser
from ottla.cli.scripts.java_text import java_date
from ottla.cli.scripts.metric_table import print_metrics
from ottla.cli.scripts.topic_filter import pattern_of
from ottla.client.consumer.group.listener import RebalanceListener

if TYPE_CHECKING:
    from ottla.client.consumer.consumer import Consumer
    from ottla.wire.records.columns import RecordColumns

_COUNTS: Final = (
    "data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, rebalance.time.ms, "
    "fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec"
)
_POLL_S: Final = 0.1
_DATE_FORMAT: Final = "yyyy-MM-dd HH:mm:ss:SSS"


def main(arguments: Sequence[str]) -> int:
    """0 also where fewer came than were asked for, which is told."""
    options = _parser().parse(arguments)
    _check(options)
    cluster = cluster_from(options.text("bootstrap-server"), _settings(options))
    run_on(cluster, _Run(consumer(cluster), options).run)
    return 0


def _parser() -> ScriptParser:
    parser = ScriptParser("Reads records, and tells how fast.")
    parser.value("bootstrap-server", argument="server to connect to", help="REQUIRED: any node.")
    parser.value("topic", help="The topic to read.")
    parser.value("include", argument="regex", help="Which topics to read: names that match.")
    parser.value("num-records", kind=Kind.LONG, argument="count", help="REQUIRED: how many.")
    parser.value("messages", kind=Kind.LONG, argument="count", help="The same, deprecated.")
    parser.value("group", argument="gid", help="The group to read in; else one of chance.")
    parser.value("command-property", argument="prop", help="key=value for the consumer.")
    parser.value("command-config", argument="file", help="A file of such settings.")
    parser.value("consumer.config", argument="file", help="The same, deprecated.")
    parser.flag("from-latest", help="Begin at the end, where nothing is committed.")
    parser.value("fetch-size", kind=Kind.INTEGER, default=MIB, help="Of a partition at once.")
    parser.value("socket-buffer-size", kind=Kind.INTEGER, help="Taken, and left to the system.")
    parser.value(
        "timeout",
        kind=Kind.LONG,
        argument="milliseconds",
        may_lack=True,
        default=10_000,
        help="End when no record came for so long.",
    )
    parser.flag("show-detailed-stats", help="A line for each interval.")
    parser.value(
        "reporting-interval", kind=Kind.LONG, argument="interval_ms", default=5_000, help="It."
    )
    parser.flag("hide-header", help="No line with the names of the columns.")
    parser.flag("print-metrics", help="The consumer's numbers at the end.")
    parser.value("date-format", default=_DATE_FORMAT, help="As java.text.SimpleDateFormat has it.")
    return parser


def _check(options: Options) -> None:
    options.require("bootstrap-server")
    for pair in (("topic", "include"), ("messages", "num-records")):
        if options.has(pair[0]) == options.has(pair[1]):
            told = ", ".join(f"[{name}]" for name in pair)
            options.refuse(f"Exactly one of the following arguments is required: {told}")
    if options.needed_integer("reporting-interval") <= 0:
        options.refuse("--reporting-interval is more than 0")
    if options.has("messages"):
        print("--messages is deprecated: --num-records is meant", file=sys.stderr)


def _settings(options: Options) -> dict[str, str]:
    usual = {
        "client.id": "perf-consumer-client",
        "group.id": options.text("group") or f"perf-consumer-{secrets.randbelow(100_000)}",
        "auto.offset.reset": "latest" if options.has("from-latest") else "earliest",
        "max.partition.fetch.bytes": str(options.needed_integer("fetch-size")),
    }
    files, properties = ("consumer.config", "command-config"), ("command-property",)
    return typed_settings(options, files, properties, usual)


class _Joining(RebalanceListener):
    """How long this was without partitions, from when it is made."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._since_s = time.monotonic()

    def on_assigned(self, partitions: Sequence[TopicPartition]) -> None:
        """See `RebalanceListener`."""
        self.seconds += time.monotonic() - self._since_s

    def on_revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """See `RebalanceListener`."""
        self._since_s = time.monotonic()


class _Run:
    """From joining to the last record."""

    def __init__(self, reader: Consumer, options: Options) -> None:
        self._consumer = reader
        self._options = options
        wanted = options.integer("num-records")
        self._wanted = options.needed_integer("messages") if wanted is None else wanted
        self._records = self._bytes = 0
        self._records_before = self._bytes_before = 0
        self._joining = _Joining()

    async def run(self) -> None:
        detailed = self._options.has("show-detailed-stats")
        if not self._options.has("hide-header"):
            print("time, threadId, " + _COUNTS if detailed else f"start.time, end.time, {_COUNTS}")
        async with self._consumer:
            topic = self._options.text("topic")
            if topic is not None:
                self._consumer.subscribe([topic], listener=self._joining)
            else:
                include = self._options.needed_text("include")
                self._consumer.subscribe(pattern=pattern_of(include), listener=self._joining)
            began, self._began_s = datetime.now().astimezone(), time.monotonic()
            await self._read_all(detailed=detailed)
            if not detailed:
                print(
                    f"{self._date(began)}, {self._date(datetime.now().astimezone())}, "
                    f"{self._totals()}"
                )
            if self._options.has("print-metrics"):
                print_metrics("consumer-metrics", self._consumer.metrics())

    def _date(self, moment: datetime) -> str:
        return java_date(moment, self._options.needed_text("date-format"))

    async def _read_all(self, *, detailed: bool) -> None:
        timeout_ms = self._options.integer("timeout")
        patience_s = (10_000 if timeout_ms is None else timeout_ms) / 1000
        interval_s = self._options.needed_integer("reporting-interval") / 1000
        last_s = told_s = time.monotonic()
        while self._records < self._wanted:
            batches = await self._consumer.poll_batch(min(_POLL_S, patience_s))
            now_s = time.monotonic()
            if batches:
                last_s = now_s
                for columns in batches.values():
                    self._add(columns)
            elif now_s - last_s > patience_s:
                print(
                    "WARNING: Exiting before consuming the expected number of records: timeout "
                    f"({patience_s * 1000:.0f} ms) exceeded. You can use the --timeout option to "
                    "increase the timeout."
                )
                return
            if detailed and now_s - told_s >= interval_s:
                self._tell(now_s - told_s)
                told_s = now_s

    def _add(self, columns: RecordColumns) -> None:
        self._records += len(columns)
        for column in (columns.keys, columns.values):
            self._bytes += column.ends[-1] if len(column) else 0

    def _tell(self, seconds: float) -> None:
        records = self._records - self._records_before
        mib = (self._bytes - self._bytes_before) / MIB
        self._records_before, self._bytes_before = self._records, self._bytes
        line = f"{self._date(datetime.now().astimezone())}, 0, {self._bytes / MIB:.4f}, "
        line += f"{mib / seconds:.4f}, {self._records}, {records / seconds:.4f}, "
        line += f"{self._joining.seconds * 1000:.0f}, {seconds * 1000:.0f}, "
        print(line + f"{mib / seconds:.4f}, {records / seconds:.4f}", flush=True)

    def _totals(self) -> str:
        seconds = max(time.monotonic() - self._began_s, 1e-9)
        fetching_s = max(seconds - self._joining.seconds, 1e-9)
        mib = self._bytes / MIB
        return (
            f"{mib:.4f}, {mib / seconds:.4f}, {self._records}, {self._records / seconds:.4f}, "
            f"{self._joining.seconds * 1000:.0f}, {fetching_s * 1000:.0f}, {mib / fetching_s:.4f}, "
            f"{self._records / fetching_s:.4f}"
        )
