"""The last offset of each key, in memory that is bounded whatever the keys are.

24 bytes an entry: 16 of a hash of the key and 8 of the offset, in three flat arrays with open
addressing, as in Kafka's cleaner. Two keys of one hash would be taken for one: with 128 bits of
BLAKE2b nobody will see that, nor can anybody bring it about.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from struct import Struct
from typing import Final

ENTRY_BYTES: Final = 24
_SLOTS_MIN: Final = 3
_HALVES: Final[Callable[[bytes], tuple[int, int]]] = Struct("QQ").unpack


class OffsetMap:
    """Offsets by key; takes up to `capacity` keys. Offsets are put in growing order."""

    __slots__ = ("_firsts", "_offsets", "_seconds", "capacity", "count", "slots")

    def __init__(self, memory_bytes: int, load_factor: float, *, keys_max: int) -> None:
        """`keys_max`: no more keys can come; a small log takes little memory."""
        self.slots = _prime_at_most(max(memory_bytes // ENTRY_BYTES, _SLOTS_MIN))
        wanted = int(keys_max / load_factor) + _SLOTS_MIN
        if wanted < self.slots:
            self.slots = min(self.slots, _prime_at_least(wanted))
        # A slot must stay free, or a search for a key that is not there would never end.
        self.capacity = max(min(int(self.slots * load_factor), self.slots - 1), 1)
        self.count = 0
        # Zeroed pages cost nothing until they are used.
        self._firsts = memoryview(bytearray(8 * self.slots)).cast("Q")
        self._seconds = memoryview(bytearray(8 * self.slots)).cast("Q")
        self._offsets = memoryview(bytearray(8 * self.slots)).cast("q")  # one more; 0 is free

    @property
    def is_full(self) -> bool:
        return self.count >= self.capacity

    @property
    def memory_bytes(self) -> int:
        return ENTRY_BYTES * self.slots

    def put(self, key: bytes, offset: int) -> None:
        """Note a key's newest offset; not while the map is full."""
        first, second = _HALVES(blake2b(key, digest_size=16).digest())
        slots = self.slots
        slot = first % slots
        offsets = self._offsets
        if offsets[slot]:
            firsts, seconds = self._firsts, self._seconds
            # The slots are a prime number: every step leads through all of them.
            step = 1 + second % (slots - 1)
            while offsets[slot]:
                if firsts[slot] == first and seconds[slot] == second:
                    offsets[slot] = offset + 1
                    return
                slot = (slot + step) % slots
        self._firsts[slot] = first
        self._seconds[slot] = second
        offsets[slot] = offset + 1
        self.count += 1

    def get(self, key: bytes) -> int:
        """The offset of a key, -1 where it was never put."""
        first, second = _HALVES(blake2b(key, digest_size=16).digest())
        slots = self.slots
        slot = first % slots
        offsets, firsts = self._offsets, self._firsts
        step = 0
        while found := offsets[slot]:
            if firsts[slot] == first and self._seconds[slot] == second:
                return found - 1
            step = step or 1 + second % (slots - 1)
            slot = (slot + step) % slots
        return -1


def _prime_at_most(number: int) -> int:
    while not _is_prime(number):
        number -= 1
    return number


def _prime_at_least(number: int) -> int:
    while not _is_prime(number):
        number += 1
    return number


def _is_prime(number: int) -> bool:
    if number % 2 == 0:
        return number == 2
    return all(number % divisor for divisor in range(3, int(number**0.5) + 1, 2))
