"""The hash of keys by which Kafka's clients choose partitions; its twin in C is in `_rows.c`."""

from __future__ import annotations

import struct
from typing import Final

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


def hash_number(key: bytes) -> int:
    """What is divided by the number of partitions: the hash without its sign."""
    return murmur2(key) & _POSITIVE
