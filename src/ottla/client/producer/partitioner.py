"""Which partition a record goes to: by its key as in Kafka's Java client, or batch by batch."""

from __future__ import annotations

from functools import lru_cache

from ottla.base.limits import PARTITIONER_KEYS_KEPT_MAX
from ottla.base.world import Rng
from ottla.wire.records.key_hash import hash_number

key_number = lru_cache(maxsize=PARTITIONER_KEYS_KEPT_MAX)(hash_number)
"""What is divided by the number of partitions, for keys that come again and again."""


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
