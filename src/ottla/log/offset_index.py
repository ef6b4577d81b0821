"""The offset index of a segment: a batch every few KiB, by its last offset.

An entry is (last offset of a batch - base offset of the segment: int32, position of the batch in
the log file: int32), as in Kafka's `.index` files.
"""

from __future__ import annotations

import struct
from typing import Final

from ottla.log.index_file import IndexFile
from ottla.log.open_files import PooledFile

_ENTRY: Final = struct.Struct(">ii")
ENTRY_SIZE: Final = _ENTRY.size


class OffsetIndex(IndexFile):
    """Keys are relative offsets, values are positions."""

    __slots__ = ("_base_offset",)

    def __init__(self, file: PooledFile, base_offset: int, *, fresh: bool) -> None:
        super().__init__(file, _ENTRY, fresh=fresh)
        self._base_offset = base_offset

    def add_batch(self, last_offset: int, position: int) -> None:
        self.add(last_offset - self._base_offset, position)

    def batch_before(self, offset: int) -> tuple[int, int] | None:
        """(last offset, position) of the last indexed batch that ends at or before `offset`."""
        found = self.floor(offset - self._base_offset)
        return (self._base_offset + found[0], found[1]) if found else None

    def last_batch(self) -> tuple[int, int] | None:
        """(last offset, position) of the last indexed batch."""
        last = self.last()
        return (self._base_offset + last[0], last[1]) if last else None

    def entries(self) -> list[tuple[int, int]]:
        """All entries as (absolute offset, position)."""
        pairs = (self.entry(index) for index in range(self.count))
        return [(self._base_offset + relative, position) for relative, position in pairs]

    def drop_pending(self, next_offset: int) -> None:
        """Drop entries in memory, of batches that end behind `next_offset`: never reads a file."""
        while found := self.pop_pending():
            if found[0] + self._base_offset < next_offset:
                self.add(*found)
                return

    def keep_before(self, next_offset: int) -> None:
        """Drop the entries of batches that end behind `next_offset`."""
        self.keep(self.count_up_to(next_offset - self._base_offset - 1))
