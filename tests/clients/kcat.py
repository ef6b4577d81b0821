"""kcat: librdkafka on the command line, as Debian packs it."""

from __future__ import annotations

import os
import re
import select
import subprocess
import tempfile
import time
from collections.abc import Sequence
from itertools import groupby

from tests.clients.contract import (
    BEGINNING,
    PATIENCE_SECONDS,
    REQUEST_BYTES_MAX,
    Client,
    Headers,
    Place,
    Reader,
    Record,
    Start,
    Stored,
)

# Sequences that no test's record holds; kcat splits what it produces by them.
RECORD_END = "\x1e\x1d\x1e\x1f"
KEY_END = "\x1d\x1f\x1d\x1e"
CONSUMED = r"%p %o %T %K %S %h\n%k%s"
"""How kcat prints a record: a line of numbers and headers, then as many bytes as it said."""
REACHED_END = re.compile(rb"^% Reached end of topic .+ \[(\d+)\] at offset \d+")


class KcatClient(Client):
    """A new process for everything it does."""

    name = "kcat"
    sets_timestamps = False

    def can_produce(self, record: Record) -> bool:
        """It skips empty lines, and its `-Z` makes both parts null where they are empty."""
        if record.key is None and not record.value:
            return False
        if record.value is None and not record.key:
            return False
        return super().can_produce(record)

    def produce(
        self,
        bootstrap: str,
        topic: str,
        records: Sequence[Record],
        *,
        codec: str = "none",
        acks: str = "all",
    ) -> None:
        command = ["kcat", "-P", "-b", bootstrap, "-t", topic, "-z", codec, "-X", f"acks={acks}"]
        command += ["-X", f"message.max.bytes={REQUEST_BYTES_MAX}"]
        for form, group in groupby(records, _options):
            self._run([*command, *form], RECORD_END.encode().join(map(_line, group)))

    def _run(self, command: list[str], given: bytes) -> None:
        done = subprocess.run(
            command, input=given, capture_output=True, check=False, timeout=PATIENCE_SECONDS
        )
        self.complaints += done.stderr.decode(errors="replace").splitlines()
        if done.returncode:
            raise RuntimeError(f"kcat failed: {done.stderr.decode(errors='replace')}")

    def open_reader(
        self, bootstrap: str, topic: str, *, partitions: int = 1, start: Start = BEGINNING
    ) -> KcatReader:
        return KcatReader(self, bootstrap, topic, partitions, start)


def _options(record: Record) -> tuple[str, ...]:
    """What kcat must be told to produce a record of this shape."""
    options = ["-D", RECORD_END]
    if record.key is not None:
        options += ["-K", KEY_END]
    if record.value is None:
        options.append("-Z")
    if record.partition is not None:
        options += ["-p", str(record.partition)]
    for name, value in record.headers:
        options += ["-H", name if value is None else f"{name}={value.decode()}"]
    return tuple(options)


def _line(record: Record) -> bytes:
    value = record.value or b""
    return value if record.key is None else record.key + KEY_END.encode() + value


class KcatReader(Reader):
    """A kcat that prints records as they come, until it is closed."""

    def __init__(
        self, client: KcatClient, bootstrap: str, topic: str, partitions: int, start: Start
    ) -> None:
        super().__init__()
        self._client = client
        self._partitions = partitions
        self._printed = bytearray()
        self._ended: set[int] = set()
        self._told = tempfile.TemporaryFile()  # noqa: SIM115 # closed in `close`
        self._process = subprocess.Popen(
            ["kcat", "-C", "-u", "-b", bootstrap, "-t", topic, "-o", _place(start), "-f", CONSUMED],
            stdout=subprocess.PIPE,
            stderr=self._told,
        )
        # A time after the last record means the end, too.
        if start.place in (Place.END, Place.TIME):
            self._wait_for_ends()

    def _wait_for_ends(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(self._ended) < self._partitions:
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise TimeoutError("kcat did not find the ends of the partitions")
            self._gathered += self.poll(0.05)
            self._listen()

    def _listen(self) -> list[str]:
        """Note the ends that kcat tells of; every other line."""
        told = os.pread(self._told.fileno(), 1 << 20, 0)
        others = []
        for line in told.splitlines():
            found = REACHED_END.match(line)
            if found:
                self._ended.add(int(found[1]))
            else:
                others.append(line.decode(errors="replace"))
        return others

    def poll(self, seconds: float) -> list[Stored]:
        assert self._process.stdout is not None
        stream = self._process.stdout.fileno()
        readable, _, _ = select.select([stream], [], [], seconds)
        if readable:
            printed = os.read(stream, 1 << 20)
            if not printed:
                raise RuntimeError(f"kcat ended: {self._listen()}")
            self._printed += printed
        return self._parse()

    def _parse(self) -> list[Stored]:
        records = []
        position = 0
        while (line_end := self._printed.find(b"\n", position)) >= 0:
            line = self._printed[position:line_end].decode()
            partition, offset, time_ms, key_size, value_size, headers = line.split(" ", 5)
            key_end = line_end + 1 + max(0, int(key_size))
            end = key_end + max(0, int(value_size))
            if end > len(self._printed):
                break
            records.append(
                Stored(
                    partition=int(partition),
                    offset=int(offset),
                    timestamp_ms=int(time_ms),
                    key=_part(self._printed, line_end + 1, key_end, key_size),
                    value=_part(self._printed, key_end, end, value_size),
                    headers=_headers(headers),
                )
            )
            position = end
        del self._printed[:position]
        return records

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE_SECONDS)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._client.complaints += self._listen()
        self._told.close()


def _place(start: Start) -> str:
    texts = {
        Place.BEGINNING: "beginning",
        Place.END: "end",
        Place.OFFSET: str(start.number),
        Place.TIME: f"s@{start.number}",
    }
    return texts[start.place]


def _part(printed: bytearray, start: int, end: int, size: str) -> bytes | None:
    return None if int(size) < 0 else bytes(printed[start:end])


def _headers(text: str) -> Headers:
    """From `name=value,…`; a test's header values hold no comma."""
    pairs = (pair.partition("=") for pair in text.split(",") if pair)
    return tuple((name, None if value == "NULL" else value.encode()) for name, _, value in pairs)
