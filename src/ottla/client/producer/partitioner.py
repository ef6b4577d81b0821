"""Which partition a record goes to: by its key as in Kafka's Java client, or batch by batch."""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Final

from ottla.base.limits import PARTITIONER_KEYS_KEPT_MAX
from ottla.base.world import Rng

_SEED: Final = 0x9747B28C
_MIXER: Final = 0x5BD1E995
_UINT32: Final = 0xFFFF_FFFF
_POSITIVE: Final = 0x7FFF_FFFF


def murmur2(data: bytes) -> int:
    """The 32-bit MurmurHash 2 with the seed of Kafka's clients; unsigned."""
    length = len(data)
    value = _SEED ^ length
    words = length >> 2
    for word in struct.unpack_from(f"<{words}I", data):
        mixed = word * _MIXER & _UINT32
        mixed = (mixed ^ mixed >> 24) * _MIXER
        value = (value * _MIXER ^ mixed) & _UINT32
    tail = data[words << 2 :]
    if tail:
        value = (value ^ int.from_bytes(tail, "little")) * _MIXER & _UINT32
    value = (value ^ value >> 13) * _MIXER & _UINT32
    return value ^ value >> 15


@lru_cache(maxsize=PARTITIONER_KEYS_KEPT_MAX)
def key_number(key: bytes) -> int:
    """What is divided by the number of partitions: the hash without its sign."""
    return murmur2(key) & _POSITIVE


class StickyPartition:
    """Records without a key fill one batch, then go to another partition (KIP-480)."""

    __slots__ = ("_rng", "current")

    def __init__(self, rng: Rng) -> None:
        self._rng = rng
        self.current = -1

    def rotate(self, count: int, without: frozenset[int] = frozenset()) -> int:
        """Choose another of `count` partitions, at random.

        Those in `without`, which nobody leads now, only where nothing else is there.
        """
        choices = [index for index in range(count) if index not in without] or list(range(count))
        if len(choices) > 1 and self.current in choices:
            choices.remove(self.current)
        self.current = choices[self._rng.below(len(choices))]
        return self.current
