"""`.txnindex`: the transactions of one segment that were aborted, in order of their markers.

Consumers of committed records are told them, to skip what lies between. The newest entries are in
memory, and written when their segment ends and with each flush; recovery makes anew what a crash
takes. A file is never read as a whole: its entries are found by bisection.
"""

from __future__ import annotations

import contextlib
import struct
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from ottla.base.world import Disk, File
from ottla.log import names
from ottla.log.index_file import DamagedIndexError

_ENTRY: Final = struct.Struct(">hqqqq")
_VERSION: Final = 0
_ENTRIES_READ_AT_ONCE: Final = 256


class AbortedTransaction(NamedTuple):
    """From its first record to its marker, both inclusive.

    `last_stable_offset` is what it was when the marker was written: none that ends later begins
    below it.
    """

    producer_id: int
    first_offset: int
    last_offset: int
    last_stable_offset: int


class AbortedTransactions:
    """The `.txnindex` files of one log; most logs have none, and then nothing is looked at."""

    __slots__ = ("_bases", "_directory", "_disk", "_pending")

    def __init__(self, directory: str, disk: Disk, folder_names: Iterable[str]) -> None:
        self._directory = directory
        self._disk = disk
        self._bases = sorted(
            int(name.removesuffix(names.TXN_INDEX_SUFFIX))
            for name in folder_names
            if name.endswith(names.TXN_INDEX_SUFFIX)
        )
        # In order of their markers, all behind those in the files.
        self._pending: list[AbortedTransaction] = []

    # --- reading ---

    def between(self, offset: int, end_offset: int) -> list[AbortedTransaction]:
        """Those that have records in [offset, end_offset), and perhaps a few that begin later.

        Raises OSError, and DamagedIndexError for a file that cannot be one.
        """
        if not self._bases and not self._pending:
            return []
        found: list[AbortedTransaction] = []
        for transaction in self._from(offset):
            if transaction.first_offset < end_offset:
                found.append(transaction)
            if transaction.last_stable_offset >= end_offset:
                break
        return found

    def _from(self, offset: int) -> Iterator[AbortedTransaction]:
        """All whose marker is not below `offset`, in order of the markers."""
        first = max(bisect_right(self._bases, offset) - 1, 0)
        for base_offset in self._bases[first:]:
            yield from self._read_from(base_offset, offset)
        yield from self._pending[bisect_left(self._pending, offset, key=_last_offset) :]

    def _read_from(self, base_offset: int, offset: int) -> Iterator[AbortedTransaction]:
        path = self._path(base_offset)
        if not self._disk.exists(path):  # went with its segment
            return
        file = self._disk.open(path)
        try:
            count = file.size // _ENTRY.size
            entry = bisect_left(range(count), offset, key=lambda index: _read(file, index, 1)[0][2])
            while entry < count:
                entries = _read(file, entry, min(count - entry, _ENTRIES_READ_AT_ONCE))
                yield from entries
                entry += len(entries)
        finally:
            file.close()

    # --- writing ---

    def note(self, transaction: AbortedTransaction) -> None:
        """One more, behind all others; in memory."""
        self._pending.append(transaction)

    def drop_staged(self, log_end_offset: int) -> None:
        """Forget those whose marker was not written."""
        while self._pending and self._pending[-1].last_offset >= log_end_offset:
            self._pending.pop()

    def write(self, base_offset: int, next_offset: int) -> str | None:
        """Write those that ended below `next_offset` to the file of the segment at `base_offset`.

        The path, which is not synced yet; None where there is nothing to write. Raises OSError;
        then they stay in memory.
        """
        count = bisect_left(self._pending, next_offset, key=_last_offset)
        if not count:
            return None
        path = self._path(base_offset)
        self._append(path, self._pending[:count])
        del self._pending[:count]
        if base_offset not in self._bases:
            self._bases = sorted((*self._bases, base_offset))
        return path

    def _append(self, path: str, entries: list[AbortedTransaction]) -> None:
        file = self._disk.open(path, create=True)
        try:
            size = file.size - file.size % _ENTRY.size
            if size != file.size:
                file.truncate(size)
            try:
                file.append([encode_aborted(entries)])
            except OSError:
                with contextlib.suppress(OSError):
                    file.truncate(size)
                raise
        finally:
            file.close()

    def truncate_to(self, end_offset: int) -> None:
        """Forget transactions whose marker is at `end_offset` or behind it; durably.

        So go entries that a crash has torn, and all behind them. Raises OSError.
        """
        self._pending.clear()
        for base_offset in self._bases:
            path = self._path(base_offset)
            if self._disk.exists(path):
                self._cut(path, end_offset)

    def _cut(self, path: str, end_offset: int) -> None:
        file = self._disk.open(path)
        try:
            size = _sound_entries(file, end_offset) * _ENTRY.size
            if size != file.size:
                file.truncate(size)
                file.sync()
        finally:
            file.close()

    def replace_segments(self, base_offsets: Iterable[int], *, written: int | None) -> None:
        """These segments have gone; the one at `written` has taken their place, with a file."""
        bases = set(self._bases).difference(base_offsets)
        self._bases = sorted(bases if written is None else bases | {written})

    def _path(self, base_offset: int) -> str:
        return f"{self._directory}/{names.segment_stem(base_offset)}{names.TXN_INDEX_SUFFIX}"


def _last_offset(transaction: AbortedTransaction) -> int:
    return transaction.last_offset


def _read(file: File, entry: int, count: int) -> list[AbortedTransaction]:
    return decode_aborted(file.read_at(entry * _ENTRY.size, count * _ENTRY.size))


def _sound_entries(file: File, end_offset: int) -> int:
    """How many at the begin of a file are whole, in order, and of markers below `end_offset`."""
    count = file.size // _ENTRY.size
    sound, before = 0, -1
    while sound < count:
        try:
            entries = _read(file, sound, min(count - sound, _ENTRIES_READ_AT_ONCE))
        except DamagedIndexError:
            return sound
        for _, first_offset, last_offset, _ in entries:
            if not (0 <= first_offset < last_offset and before < last_offset < end_offset):
                return sound
            before = last_offset
            sound += 1
    return sound


def encode_aborted(entries: Iterable[AbortedTransaction]) -> bytes:
    """What `decode_aborted` reads."""
    return b"".join(_ENTRY.pack(_VERSION, *entry) for entry in entries)


def decode_aborted(content: bytes) -> list[AbortedTransaction]:
    """The entries of a file. Raises DamagedIndexError for an unknown version."""
    entries = []
    for version, *fields in _ENTRY.iter_unpack(content):
        if version != _VERSION:
            raise DamagedIndexError(f"aborted transactions have version 0, not {version}")
        entries.append(AbortedTransaction(*fields))
    return entries
