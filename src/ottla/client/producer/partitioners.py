"""Other ways to choose partitions than Kafka's own: those of other clients, and a program's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Final, Protocol
from zlib import crc32

from ottla.base.errors import UserError

ANYWHERE: Final = -1
"""What a partitioner answers for a record that may go wherever a batch is being filled."""

MURMUR2: Final = "murmur2"


class Partitioner(Protocol):
    """Chooses the partition of each record that is sent without one."""

    def __call__(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        partition_count: int,
        available: Sequence[int],
    ) -> int:
        """A number below `partition_count`, or ANYWHERE. `available` have a leader now.

        Called once for each record, when its topic's partitions are known: what it raises then
        may be told by the record's delivery only.
        """
        ...


def consistent_random(
    topic: str,
    key: bytes | None,
    value: bytes | None,
    partition_count: int,
    available: Sequence[int],
) -> int:
    """As librdkafka does without being told: by CRC-32; anywhere for no key, and an empty one."""
    return crc32(key) % partition_count if key else ANYWHERE


class RoundRobin:
    """One partition after the other, whatever the keys; those without a leader are left out."""

    def __init__(self) -> None:
        self._turns: dict[str, count[int]] = {}

    def __call__(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        partition_count: int,
        available: Sequence[int],
    ) -> int:
        turn = next(self._turns.setdefault(topic, count()))
        return available[turn % len(available)] if available else turn % partition_count


_BY_NAME: Final[Mapping[str, Callable[[], Partitioner] | None]] = {
    MURMUR2: None,
    "consistent_random": lambda: consistent_random,
    "crc32": lambda: consistent_random,
    "round_robin": RoundRobin,
}


def make_partitioner(named: str | Partitioner) -> Partitioner | None:
    """None for Kafka's own way. Raises UserError for a name that is unknown, and no callable."""
    if not isinstance(named, str):
        if not callable(named):
            raise UserError(f"a partitioner is a name or a callable, not {named!r}")
        return named
    if named not in _BY_NAME:
        raise UserError(f"partitioner is one of {', '.join(_BY_NAME)}, not {named!r}")
    make = _BY_NAME[named]
    return None if make is None else make()
