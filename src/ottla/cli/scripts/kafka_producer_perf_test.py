"""`kafka-producer-perf-test`: how fast records are taken, and how soon."""

from __future__ import annotations

import asyncio
import math
import random
import secrets
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ottla.base.errors import UserError
from ottla.base.limits import MIB
from ottla.cli.cluster import producer
from ottla.cli.output import reason
from ottla.cli.scripts.clusters import cluster_from, key_values, read_file, run_on
from ottla.cli.scripts.metric_table import print_metrics
from ottla.cli.scripts.producer_stats import Stats
from ottla.cli.scripts.tool_parser import ToolParser

if TYPE_CHECKING:
    from ottla.client.producer import BatchDelivery
    from ottla.client.producer.producer import Producer

_ROWS_MAX: Final = 1_000
_ROUNDS_PER_S: Final = 200
"""With a throughput: as many calls a second as make a smooth load."""
_UNDER_WAY_MAX: Final = 1_000
_POOL_BYTES: Final = 4 * MIB
_TRANSACTION_MS: Final = 3_000
_SEED: Final = 0
"""The same records in every run, as Kafka's tool sends them."""


def main(arguments: Sequence[str]) -> int:
    """1 for `--help`, as Kafka's tool; 0 where nothing was typed and all was explained."""
    typed = _parser().read(arguments)
    if typed is None:
        return 1 if arguments else 0
    texts = _settings(typed)
    values = _values(typed)
    cluster = cluster_from(typed.bootstrap_server, texts)
    run_on(cluster, _Run(producer(cluster), typed, values).run)
    return 0


def _parser() -> ToolParser:
    parser = ToolParser(
        "kafka-producer-perf-test", "Writes records, and tells how fast and how soon they are in."
    )
    add = parser.add_argument
    add("--bootstrap-server", help="any node; stronger than bootstrap.servers of a file")
    add("--topic", required=True, help="where to")
    add("--num-records", required=True, type=int, help="how many")
    add("--throughput", required=True, type=float, help="records a second; -1 for all that goes")
    for name in ("--command-property", "--producer-props"):
        add(name, nargs="+", default=[], metavar="NAME=VALUE", help="settings of the producer")
    for name in ("--command-config", "--producer.config"):
        add(
            name,
            metavar="FILE",
            dest=name[2:].replace(".", "_").replace("-", "_"),
            help="a file of settings",
        )
    add("--print-metrics", action="store_true", help="the producer's numbers at the end")
    add("--transactional-id", help="write in transactions under this id")
    add("--transaction-duration-ms", type=int, help="how long each of them is")
    add(
        "--warmup-records",
        type=int,
        default=0,
        help="so many first ones are not of the steady state",
    )
    add("--reporting-interval", type=int, default=5_000, metavar="MS", help="how often to tell")
    add("--payload-delimiter", default="\\n", help="what is between the values of a file")
    kinds = parser.add_mutually_exclusive_group(required=True)
    kinds.add_argument("--record-size", type=int, help="bytes of a value, of chance")
    kinds.add_argument("--payload-file", help="values come from here")
    kinds.add_argument("--payload-monotonic", action="store_true", help="values count up")
    return parser


def _settings(typed: Namespace) -> dict[str, str]:
    """The weakest first: files, properties, options. Raises UserError."""
    texts: dict[str, str] = {"client.id": "perf-producer-client"}
    for path in (typed.producer_config, typed.command_config):
        if path is not None:
            texts |= read_file(path)
    texts |= key_values(typed.producer_props, "producer-props")
    texts |= key_values(typed.command_property, "command-property")
    if typed.transactional_id is not None:
        texts["transactional.id"] = typed.transactional_id
    elif typed.transaction_duration_ms is not None:
        texts.setdefault("transactional.id", f"performance-producer-{secrets.token_hex(8)}")
    _check(typed)
    return texts


def _check(typed: Namespace) -> None:
    if typed.num_records <= 0:
        raise UserError("--num-records should be greater than zero")
    if typed.record_size is not None and typed.record_size <= 0:
        raise UserError("--record-size should be greater than zero")
    if not 0 <= typed.warmup_records < typed.num_records:
        raise UserError("--warmup-records is at least 0 and less than --num-records")
    if typed.transaction_duration_ms is not None and typed.transaction_duration_ms <= 0:
        raise UserError("--transaction-duration-ms should be greater than zero")


def _values(typed: Namespace) -> Callable[[int], list[bytes]]:
    """The next so many values, again and again. Raises UserError for an empty file."""
    if typed.payload_monotonic:
        numbers = iter(range(typed.num_records))
        return lambda count: [b"%d" % next(numbers) for _ in range(count)]
    chance = random.Random(_SEED)  # noqa: S311 - bytes to measure with, and no secret
    pool = _file_values(typed) if typed.payload_file else _random_values(chance, typed.record_size)
    return lambda count: chance.choices(pool, k=count)


def _random_values(chance: random.Random, size: int) -> list[bytes]:
    letters = bytes(range(ord("A"), ord("Z") + 1))
    count = max(1, min(_ROWS_MAX, _POOL_BYTES // size))
    return [bytes(chance.choices(letters, k=size)) for _ in range(count)]


def _file_values(typed: Namespace) -> list[bytes]:
    try:
        delimiter = typed.payload_delimiter.encode().decode("unicode_escape").encode()
    except UnicodeDecodeError as error:
        told = f"--payload-delimiter {typed.payload_delimiter}: {error.reason}"
        raise UserError(told) from error
    try:
        content = Path(typed.payload_file).read_bytes()
    except OSError as error:
        raise UserError(f"{typed.payload_file}: {error.strerror}") from error
    values = [value for value in content.split(delimiter) if value]
    if not values:
        raise UserError(f"{typed.payload_file} has no values")
    return values


class _Run:
    """Sends all, and tells on the way and at the end."""

    def __init__(
        self, writer: Producer, typed: Namespace, values: Callable[[int], list[bytes]]
    ) -> None:
        self._producer = writer
        self._typed = typed
        self._values = values
        self._settling: set[asyncio.Task[None]] = set()
        self._sent = 0
        self._steady: Stats | None = None

    async def run(self) -> None:
        """Raises UserError where nothing can be sent."""
        async with self._producer:
            self._total, self._window = Stats(), Stats()
            if self._typed.warmup_records:
                print(
                    f"Warmup first {self._typed.warmup_records} records. Steady state results "
                    "will print after the complete test summary."
                )
            if self._producer.options.transactional_id is None:
                await self._send_until(math.inf)
            else:
                await self._send_in_transactions()
            await self._settle_all()
            print(self._total.total(""))
            steady = self._steady
            if steady is not None:
                print(steady.total(" steady state"))
            if self._typed.print_metrics:
                print_metrics("producer-metrics", self._producer.metrics())

    async def _send_in_transactions(self) -> None:
        loop = asyncio.get_running_loop()
        duration_s = (self._typed.transaction_duration_ms or _TRANSACTION_MS) / 1000
        while self._sent < self._typed.num_records:
            async with self._producer.transaction():
                await self._send_until(loop.time() + duration_s)

    async def _send_until(self, end_s: float) -> None:
        """Send what is left, or what goes until then."""
        loop = asyncio.get_running_loop()
        began_s, sent_before = loop.time(), self._sent
        rate = self._typed.throughput
        while self._sent < self._typed.num_records and loop.time() < end_s:
            if rate > 0:
                due_s = began_s + (self._sent - sent_before) / rate
                await asyncio.sleep(due_s - loop.time())
            await self._send(self._count())
            self._report()

    def _count(self) -> int:
        """How many to send at once; where the warm-up ends, one span ends too."""
        rows = _ROWS_MAX
        if self._typed.throughput > 0:
            rows = max(1, min(_ROWS_MAX, int(self._typed.throughput / _ROUNDS_PER_S)))
        warmup, every = int(self._typed.warmup_records), int(self._typed.num_records)
        return min(rows, (warmup if self._sent < warmup else every) - self._sent)

    async def _send(self, count: int) -> None:
        if self._sent == self._typed.warmup_records > 0:
            print("In steady state.")
            self._steady = self._window = Stats()
        values = self._values(count)
        sent_s = asyncio.get_running_loop().time()
        delivery = await self._producer.send_batch(self._typed.topic, values)
        self._sent += count
        size = sum(map(len, values))
        task = asyncio.create_task(self._settle(delivery, sent_s, size, self._steady))
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)
        if len(self._settling) >= _UNDER_WAY_MAX:
            await asyncio.wait(self._settling, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(0)

    async def _settle(
        self, delivery: BatchDelivery, sent_s: float, size: int, steady: Stats | None
    ) -> None:
        try:
            count = len(await delivery)
        except UserError as error:
            print(f"{delivery.taken} records were not stored: {reason(error)}", file=sys.stderr)
            return
        seconds = asyncio.get_running_loop().time() - sent_s
        for stats in {self._total, self._window, *([steady] if steady else [])}:
            stats.add(count, size, seconds)

    def _report(self) -> None:
        if self._window.elapsed_ms >= self._typed.reporting_interval:
            if self._window.count:
                print(self._window.window(), flush=True)
            self._window = Stats()

    async def _settle_all(self) -> None:
        await self._producer.flush()
        if self._settling:
            await asyncio.wait(self._settling)
