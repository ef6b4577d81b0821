"""`kafka-console-producer`: lines of standard input become records."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final, cast

from ottla.base.errors import UserError
from ottla.base.limits import KIB
from ottla.cli.cluster import producer
from ottla.cli.output import reason
from ottla.cli.scripts.clusters import cluster_from, run_on, typed_settings
from ottla.cli.scripts.command_line import Kind, Options, ScriptParser
from ottla.cli.scripts.line_reader import LineReader

if TYPE_CHECKING:
    import io

    from ottla.client.producer.producer import Producer

_CHUNK_BYTES: Final = 256 * KIB
_UNSETTLED_MAX: Final = 1_000
"""Sends whose outcome nobody has looked at yet."""
_LINE_READER: Final = "org.apache.kafka.tools.LineMessageReader"
_DEFAULTS: Final = {
    "linger.ms": "1000",
    "acks": "-1",
    "retries": "3",
    "request.timeout.ms": "1500",
    "client.id": "console-producer",
}
_SETTINGS: Final = {
    "timeout": "linger.ms",
    "request-required-acks": "acks",
    "message-send-max-retries": "retries",
    "request-timeout-ms": "request.timeout.ms",
    "retry-backoff-ms": "retry.backoff.ms",
    "max-memory-bytes": "buffer.memory",
    "max-partition-memory-bytes": "batch.size",
    "batch-size": "batch.size",
    "metadata-expiry-ms": "metadata.max.age.ms",
    "max-block-ms": "max.block.ms",
}
"""Options that are settings of the producer."""


def main(arguments: Sequence[str]) -> int:
    """Also 0 where records could not be delivered: that is told on standard error, as in Kafka."""
    options = _parser().parse(arguments)
    options.require("bootstrap-server", "topic")
    texts = _settings(options)
    reader = LineReader(_reader_properties(options))
    cluster = cluster_from(options.text("bootstrap-server"), texts)
    writer = producer(cluster)
    run = _Run(writer, reader, options.needed_text("topic"), waits=options.has("sync"))
    return run_on(cluster, run.run)


def _parser() -> ScriptParser:
    parser = ScriptParser("Makes records of what it reads on standard input, line by line.")
    parser.value("topic", help="REQUIRED: the topic to write to.")
    parser.value("bootstrap-server", argument="server to connect to", help="REQUIRED: any node.")
    parser.flag("sync", help="Wait for the outcome of each record before the next is sent.")
    parser.value(
        "compression-codec",
        may_lack=True,
        help="none, gzip, snappy, lz4 or zstd; gzip where no value is given.",
    )
    parser.value("reader-property", argument="prop", help="key=value for the reader of lines.")
    parser.value("property", argument="prop", help="The same, deprecated.")
    parser.value("reader-config", argument="file", help="A file of such properties.")
    parser.value("command-property", argument="prop", help="key=value for the producer.")
    parser.value("producer-property", argument="prop", help="The same, deprecated.")
    parser.value("command-config", argument="file", help="A file of such settings.")
    parser.value("producer.config", argument="file", help="The same, deprecated.")
    parser.value("line-reader", argument="class", help="Only Kafka's own.", default=_LINE_READER)
    parser.value("request-required-acks", help="acks of the producer. (default: -1)")
    for name, setting in _SETTINGS.items():
        if name not in parser:
            default = _DEFAULTS.get(setting)
            told = f"{setting} of the producer."
            parser.value(
                name,
                kind=Kind.LONG,
                help=f"{told} (default: {default})" if default else told,
            )
    parser.value("socket-buffer-size", kind=Kind.INTEGER, help="Taken, and left to the system.")
    return parser


def _settings(options: Options) -> dict[str, str]:
    """The weakest first: defaults, files, properties, options. Raises UserError."""
    if options.text("line-reader") != _LINE_READER:
        raise UserError("--line-reader takes a class of Java, and there is no Java here")
    files = ("producer.config", "command-config")
    properties = ("producer-property", "command-property")
    texts = typed_settings(options, files, properties, _DEFAULTS)
    texts |= {
        setting: str(options.value(name))
        for name, setting in _SETTINGS.items()
        if options.has(name)
    }
    if options.has("compression-codec"):
        texts["compression.type"] = options.text("compression-codec") or "gzip"
    return texts


def _reader_properties(options: Options) -> dict[str, str]:
    texts = typed_settings(options, ("reader-config",), ("property", "reader-property"))
    if options.has("property"):
        print("--property is deprecated: --reader-property is meant", file=sys.stderr)
    return texts


class _Run:
    """From the first line to the last outcome."""

    def __init__(self, writer: Producer, reader: LineReader, topic: str, *, waits: bool) -> None:
        self._producer = writer
        self._reader = reader
        self._topic = topic
        self._waits = waits
        self._unsettled: list[Awaitable[object]] = []

    async def run(self) -> int:
        async with self._producer:
            try:
                async for lines in _lines_read():
                    await self._send_all(lines)
            finally:
                await self._settle()
        return 0

    async def _send_all(self, lines: Sequence[bytes]) -> None:
        if self._reader.takes_lines_whole and not self._waits:
            with _Told(self._topic):
                self._unsettled.append(await self._producer.send_batch(self._topic, lines))
        else:
            await self._send_each(lines)
        if len(self._unsettled) >= _UNSETTLED_MAX:
            await self._settle()

    async def _send_each(self, lines: Iterable[bytes]) -> None:
        for line in lines:
            key, value, headers = self._reader.read(line)
            with _Told(self._topic):
                self._unsettled.append(
                    await self._producer.put(self._topic, value, key, headers=headers)
                )
            if self._waits or len(self._unsettled) >= _UNSETTLED_MAX:
                await self._settle()

    async def _settle(self) -> None:
        """Tell of what was not delivered."""
        # Not by the time that a batch waits for more: who asks for one by one waits for each.
        await self._producer.flush()
        unsettled, self._unsettled = self._unsettled, []
        for delivery in unsettled:
            with _Told(self._topic):
                await delivery


class _Told:
    """Tells on standard error what could not be sent, and goes on."""

    def __init__(self, topic: str) -> None:
        self._topic = topic

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, UserError):
            return False
        told = f"Error when sending message to topic {self._topic} with error:"
        print(told, reason(error), file=sys.stderr)
        return True


async def _lines_read() -> AsyncIterator[Sequence[bytes]]:
    """The lines of standard input, those that are there at once; the last may lack its end.

    Raises UserError where a shell has closed it.
    """
    if sys.stdin is None:
        raise UserError("standard input is closed: there are no lines to send")
    prompts = sys.stdin.isatty() and sys.stdout.isatty()
    chunks = _Chunks()
    rest = b""
    while True:
        if prompts:
            print(">", end="", flush=True)
        chunk = await chunks.next()
        if not chunk:
            break
        *whole, rest = (rest + chunk).split(b"\n")
        if whole:
            yield [line.removesuffix(b"\r") for line in whole]
    if rest:
        yield [rest]


class _Chunks:
    """Standard input, read by a thread that nobody waits for.

    Ctrl-C ends the program, and not the line after it.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._wanted = threading.Semaphore(0)
        self._read: asyncio.Queue[bytes | OSError] = asyncio.Queue(1)
        threading.Thread(target=self._read_all, name="standard input", daemon=True).start()

    async def next(self) -> bytes:
        """Nothing at the end. Raises OSError."""
        self._wanted.release()
        chunk = await self._read.get()
        if isinstance(chunk, OSError):
            raise chunk
        return chunk

    def _read_all(self) -> None:
        read = _reader()
        chunk: bytes | OSError = b" "
        while chunk and not isinstance(chunk, OSError):
            self._wanted.acquire()
            try:
                chunk = read(_CHUNK_BYTES)
            except OSError as error:
                chunk = error
            with suppress(RuntimeError):  # the loop has ended meanwhile
                self._loop.call_soon_threadsafe(self._read.put_nowait, chunk)


def _reader() -> Callable[[int], bytes]:
    """Without Python's buffer, whose lock a thread that still reads would keep to the end."""
    try:
        number = sys.stdin.fileno()
    except (OSError, ValueError):
        return cast("io.BufferedIOBase", sys.stdin.buffer).read1
    return lambda count: os.read(number, count)
