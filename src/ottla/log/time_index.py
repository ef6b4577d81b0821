"""The time index of a segment: how far the largest timestamp had come at which offset.

An entry is (timestamp: int64, offset - base offset of the segment: int32), as in Kafka's
`.timeindex` files: no batch up to and including that offset has a larger timestamp. Timestamps
grow strictly. The last entry of a closed segment is its largest timestamp.
"""

from __future__ import annotations

import struct
from typing import Final

from ottla.log.index_file import IndexFile
from ottla.log.open_files import PooledFile

_ENTRY: Final = struct.Struct(">qi")
ENTRY_SIZE: Final = _ENTRY.size


class TimeIndex(IndexFile):
    """Keys are timestamps, values are relative offsets."""

    __slots__ = ("_base_offset",)

    def __init__(self, file: PooledFile, base_offset: int, *, fresh: bool) -> None:
        super().__init__(file, _ENTRY, fresh=fresh)
        self._base_offset = base_offset

    def add_if_later(self, timestamp: int, offset: int) -> None:
        """Append an entry, unless the last one already has this timestamp or a later one."""
        last = self.last()
        if timestamp > (last[0] if last else -1):
            self.add(timestamp, offset - self._base_offset)

    def offset_before(self, timestamp: int) -> int:
        """Where to start looking for the first batch of at least `timestamp`: never behind it."""
        found = self.floor(timestamp)
        return self._base_offset + (found[1] if found else 0)

    def largest(self) -> tuple[int, int] | None:
        """(timestamp, offset) of the last entry."""
        last = self.last()
        return (last[0], self._base_offset + last[1]) if last else None

    def entries(self) -> list[tuple[int, int]]:
        """All entries as (timestamp, absolute offset)."""
        pairs = (self.entry(index) for index in range(self.count))
        return [(timestamp, self._base_offset + relative) for timestamp, relative in pairs]

    def drop_pending(self, next_offset: int) -> None:
        """Drop entries in memory that point at `next_offset` or later: never reads a file."""
        while found := self.pop_pending():
            if found[1] + self._base_offset < next_offset:
                self.add(*found)
                return

    def keep_before(self, next_offset: int) -> None:
        """Drop the entries that point at `next_offset` or later; offsets grow with timestamps."""
        count = self.count
        while count and self._base_offset + self.entry(count - 1)[1] >= next_offset:
            count -= 1
        self.keep(count)
