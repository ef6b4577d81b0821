"""What the tests ask of every Kafka client, so that a test is written once for all of them."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from typing import NamedTuple

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
REQUEST_BYTES_MAX = 8 * 1024 * 1024
"""What clients may send at once: room for records of a megabyte that no codec makes smaller."""
PATIENCE_SECONDS = 30.0

Headers = tuple[tuple[str, bytes | None], ...]


class Record(NamedTuple):
    """A record as it is produced; what is None is left to the client."""

    value: bytes | None
    key: bytes | None = None
    headers: Headers = ()
    timestamp_ms: int | None = None
    partition: int | None = None


class Stored(NamedTuple):
    """A record as it is consumed."""

    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers


class Place(Enum):
    """Where reading begins."""

    BEGINNING = "beginning"
    END = "end"
    OFFSET = "offset"
    TIME = "time"


class Start(NamedTuple):
    """A place; `number` is the offset or the timestamp of those that have one."""

    place: Place
    number: int = 0


BEGINNING = Start(Place.BEGINNING)
END = Start(Place.END)


def at_offset(offset: int) -> Start:
    """Begin with this offset, in every partition."""
    return Start(Place.OFFSET, offset)


def at_time(timestamp_ms: int) -> Start:
    """Begin with the first record that is not older."""
    return Start(Place.TIME, timestamp_ms)


class Reader(ABC):
    """A consumer of some partitions that knows where it is."""

    def __init__(self) -> None:
        self._gathered: list[Stored] = []

    def take(self, count: int, *, seconds: float = PATIENCE_SECONDS) -> list[Stored]:
        """The next `count` records. Raises TimeoutError where fewer come."""
        deadline = time.monotonic() + seconds
        while len(self._gathered) < count:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"{len(self._gathered)} of {count} records in {seconds:g} s")
            self._gathered += self.poll(min(left, 1.0))
        taken, self._gathered = self._gathered[:count], self._gathered[count:]
        return taken

    @abstractmethod
    def poll(self, seconds: float) -> list[Stored]:
        """What comes within the time, maybe nothing."""

    @abstractmethod
    def close(self) -> None:
        """Leave nothing behind."""


class Client(ABC):
    """A producer and a consumer of one library or tool.

    `complaints` gathers what the client itself had to say in its log: warnings and worse.
    """

    name: str
    codecs: frozenset[str] = frozenset(CODECS)
    sets_timestamps = True

    def __init__(self) -> None:
        self.complaints: list[str] = []

    def can_produce(self, record: Record) -> bool:
        """Whether the client has a way to say this."""
        return record.timestamp_ms is None or self.sets_timestamps

    @abstractmethod
    def produce(
        self,
        bootstrap: str,
        topic: str,
        records: Sequence[Record],
        *,
        codec: str = "none",
        acks: str = "all",
    ) -> None:
        """Produce in order and wait for every acknowledgement; raises where one is an error."""

    @abstractmethod
    def open_reader(
        self, bootstrap: str, topic: str, *, partitions: int = 1, start: Start = BEGINNING
    ) -> Reader:
        """A reader of partitions 0 to `partitions` - 1 that has found its place already."""

    @contextmanager
    def reader(
        self, bootstrap: str, topic: str, *, partitions: int = 1, start: Start = BEGINNING
    ) -> Iterator[Reader]:
        """A reader for the length of the block."""
        reader = self.open_reader(bootstrap, topic, partitions=partitions, start=start)
        try:
            yield reader
        finally:
            reader.close()

    def consume(
        self,
        bootstrap: str,
        topic: str,
        count: int,
        *,
        partitions: int = 1,
        start: Start = BEGINNING,
    ) -> list[Stored]:
        """The first `count` records from `start`."""
        with self.reader(bootstrap, topic, partitions=partitions, start=start) as reader:
            return reader.take(count)

    def close(self) -> None:  # noqa: B027 # most clients have nothing that outlives a call
        """End what runs for this client."""
