"""Sorted entries of one size: what the offset index and the time index have in common.

The newest entries are in memory until somebody asks to `write` them, so that appending to a log
costs no second system call. Lookups read single entries, then one block: nothing stays in memory.
"""

from __future__ import annotations

import struct
from typing import Final

from ottla.base.limits import KIB
from ottla.log.open_files import PooledFile

_BLOCK_BYTES: Final = 4 * KIB

PENDING_BYTES_MAX: Final = 4 * KIB
"""Entries in memory; above it they are written, so an index never costs a partition much."""


class DamagedIndexError(Exception):
    """The index is missing or cannot belong to its log; it can be rebuilt from the log."""


class IndexFile:
    """Entries whose first field grows. Damage raises DamagedIndexError, a failing disk OSError."""

    __slots__ = ("_entry", "_file", "_last_written", "_pending", "_written")

    def __init__(self, file: PooledFile, entry: struct.Struct, *, fresh: bool) -> None:
        self._file = file
        self._entry = entry
        self._pending = bytearray()
        self._written = 0 if fresh else -1  # -1: not looked at yet
        self._last_written: tuple[int, int] | None = None

    @property
    def path(self) -> str:
        return self._file.path

    @property
    def file(self) -> PooledFile:
        return self._file

    @property
    def written(self) -> int:
        """Entries in the file."""
        if self._written < 0:
            self._written = self._count_written()
        return self._written

    @property
    def count(self) -> int:
        return self.written + len(self._pending) // self._entry.size

    @property
    def pending_bytes(self) -> int:
        return len(self._pending)

    def _count_written(self) -> int:
        try:
            size = self._file.get().size
        except FileNotFoundError as error:
            raise DamagedIndexError(f"{self.path} is missing") from error
        count, rest = divmod(size, self._entry.size)
        if rest:
            raise DamagedIndexError(f"{self.path} has {size} bytes, not a multiple of an entry")
        return count

    def add(self, key: int, value: int) -> None:
        """Append an entry, in memory."""
        self._pending += self._entry.pack(key, value)

    def write(self) -> None:
        """Bring the entries in memory into the file; makes the file where it is missing."""
        if self._written == 0:
            self._file.create()
        if self._pending:
            file = self._file.get()
            end = self.written * self._entry.size
            if file.size != end:  # an append that failed has left something
                file.truncate(end)
            file.append([self._pending])
            self._last_written = self.last()
            self._written = self.written + len(self._pending) // self._entry.size
            self._pending = bytearray()

    def entry(self, index: int) -> tuple[int, int]:
        """The entry at `index`, which must exist."""
        size = self._entry.size
        if index >= self.written:
            start = (index - self.written) * size
            key, value = self._entry.unpack_from(self._pending, start)
        else:
            key, value = self._entry.unpack(self._read(index, 1))
        return key, value

    def last(self) -> tuple[int, int] | None:
        """The newest entry. Once it was asked for, this never reads the file again."""
        if self._pending:
            start = len(self._pending) - self._entry.size
            key, value = self._entry.unpack_from(self._pending, start)
            return key, value
        if self._last_written is None and self.written:
            self._last_written = self.entry(self.written - 1)
        return self._last_written

    def floor(self, key: int) -> tuple[int, int] | None:
        """The last entry whose key is at most `key`."""
        index = self.count_up_to(key)
        return self.entry(index - 1) if index else None

    def count_up_to(self, key: int) -> int:
        """How many entries have a key of at most `key`."""
        if self._pending and self._entry.unpack_from(self._pending, 0)[0] <= key:
            return self.written + self._count_in_block(self._pending, key)
        low, high = 0, self.written
        entries_per_block = _BLOCK_BYTES // self._entry.size
        while high - low > entries_per_block:
            middle = (low + high) // 2
            if self._entry.unpack(self._read(middle, 1))[0] <= key:
                low = middle + 1
            else:
                high = middle
        return low + self._count_in_block(self._read(low, high - low), key)

    def _count_in_block(self, block: bytes | bytearray, key: int) -> int:
        count = 0
        for found, _ in self._entry.iter_unpack(block):
            if found > key:
                break
            count += 1
        return count

    def _read(self, index: int, count: int) -> bytes:
        if not count:
            return b""  # the file need not even exist yet
        size = self._entry.size
        data = self._file.get().read_at(index * size, count * size)
        if len(data) != count * size:
            raise DamagedIndexError(f"{self.path} ends before entry {index + count}")
        return data

    def keep(self, count: int) -> None:
        """Drop all entries from `count` on, in memory and in the file."""
        size = self._entry.size
        if count >= self.written:
            del self._pending[(count - self.written) * size :]
            return
        self._pending.clear()
        self._file.get().truncate(count * size)
        self._written = count
        self._last_written = None

    def pop_pending(self) -> tuple[int, int] | None:
        """Take back the newest entry, if it is still in memory."""
        if not self._pending:
            return None
        start = len(self._pending) - self._entry.size
        key, value = self._entry.unpack_from(self._pending, start)
        del self._pending[start:]
        return key, value

    def reset(self) -> None:
        """Start anew, whatever the file holds; the file is emptied by the next `write`."""
        self._pending.clear()
        self._written = 0
        self._last_written = None

    def release(self) -> None:
        self._file.release()
