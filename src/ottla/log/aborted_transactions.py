"""`.txnindex`: the transactions of one segment that were aborted, in order of their markers.

Consumers of committed records are told them, to skip what lies between. Read only: no marker is
written by this log yet, and what recovery reads again is not entered.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final, NamedTuple

from ottla.base.world import Disk
from ottla.log import names
from ottla.log.index_file import DamagedIndexError

_ENTRY: Final = struct.Struct(">hqqqq")
_VERSION: Final = 0


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

    __slots__ = ("_bases", "_directory", "_disk")

    def __init__(self, directory: str, disk: Disk, folder_names: Iterable[str]) -> None:
        self._directory = directory
        self._disk = disk
        self._bases = sorted(
            int(name.removesuffix(names.TXN_INDEX_SUFFIX))
            for name in folder_names
            if name.endswith(names.TXN_INDEX_SUFFIX)
        )

    def between(self, offset: int, end_offset: int) -> list[AbortedTransaction]:
        """Those that have records in [offset, end_offset), and perhaps a few that begin later.

        Raises OSError, and DamagedIndexError for a file that cannot be one.
        """
        found: list[AbortedTransaction] = []
        for base_offset in self._bases:
            for transaction in self._read(base_offset):
                if transaction.last_offset >= offset and transaction.first_offset < end_offset:
                    found.append(transaction)
                if transaction.last_stable_offset >= end_offset:
                    return found
        return found

    def truncate_to(self, end_offset: int) -> None:
        """Forget transactions whose marker is at `end_offset` or behind it. Raises OSError."""
        for base_offset in self._bases:
            path = self._path(base_offset)
            if not self._disk.exists(path):  # went with its segment
                continue
            kept = [entry for entry in self._read(base_offset) if entry.last_offset < end_offset]
            file = self._disk.open(path)
            try:
                file.truncate(len(kept) * _ENTRY.size)
                file.sync()
            finally:
                file.close()

    def _read(self, base_offset: int) -> list[AbortedTransaction]:
        path = self._path(base_offset)
        if not self._disk.exists(path):
            return []
        content = self._disk.read_file(path)
        return decode_aborted(content[: len(content) - len(content) % _ENTRY.size])

    def _path(self, base_offset: int) -> str:
        return f"{self._directory}/{names.segment_stem(base_offset)}{names.TXN_INDEX_SUFFIX}"


def decode_aborted(content: bytes) -> list[AbortedTransaction]:
    """The entries of a file. Raises DamagedIndexError for an unknown version."""
    entries = []
    for version, *fields in _ENTRY.iter_unpack(content):
        if version != _VERSION:
            raise DamagedIndexError(f"aborted transactions have version 0, not {version}")
        entries.append(AbortedTransaction(*fields))
    return entries
