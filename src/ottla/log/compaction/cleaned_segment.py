"""A segment that compaction writes: a log file, its indexes, all under `.cleaned` names."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Final

from ottla.base.world import Buffer, Disk
from ottla.log import names
from ottla.log.aborted_transactions import AbortedTransaction, encode_aborted
from ottla.log.compaction.source import Throttle
from ottla.log.offset_index import OffsetIndex
from ottla.log.open_files import OpenFiles, PooledFile
from ottla.log.scan import DamagedLogError
from ottla.log.time_index import TimeIndex
from ottla.wire.records.header import BatchHeader

_POSITION_MAX: Final = (1 << 31) - 1
"""Indexes keep positions as int32."""

CLEANED_SUFFIXES: Final = tuple(
    suffix + names.CLEANED_SUFFIX for suffix in (names.LOG_SUFFIX, *names.INDEX_SUFFIXES)
)


class CleanedFiles:
    """Takes batches in order; nothing is durable before `finish`."""

    def __init__(
        self,
        directory: str,
        base_offset: int,
        disk: Disk,
        *,
        index_interval_bytes: int,
        buffer_bytes: int,
        throttle: Throttle,
    ) -> None:
        self._disk = disk
        self._stem = f"{directory}/{names.segment_stem(base_offset)}"
        self._index_interval_bytes = index_interval_bytes
        self._buffer_bytes = buffer_bytes
        self._throttle = throttle
        self.base_offset = base_offset
        self.size = 0
        self._buffers: list[Buffer] = []
        self._buffered = 0
        self._bytes_since_index = 0
        self._largest = (-1, -1)
        remove_cleaned(disk, directory, base_offset)
        self._files = OpenFiles(disk)
        self._log = self._pooled(names.LOG_SUFFIX)
        self._offsets = OffsetIndex(
            self._pooled(names.OFFSET_INDEX_SUFFIX), base_offset, fresh=True
        )
        self._times = TimeIndex(self._pooled(names.TIME_INDEX_SUFFIX), base_offset, fresh=True)
        self._log.create()

    def _pooled(self, suffix: str) -> PooledFile:
        return PooledFile(self._files, self._stem + suffix + names.CLEANED_SUFFIX)

    @property
    def index_bytes(self) -> int:
        """The size of the larger index so far."""
        return max(8 * self._offsets.count, 12 * self._times.count)

    def add(self, header: BatchHeader, batch: Buffer) -> None:
        """Append a batch; `header` says its offsets and its largest timestamp.

        The buffer must not change any more. Raises OSError.
        """
        size = len(batch)
        if self.size + size > _POSITION_MAX:
            raise DamagedLogError(f"{self._stem} would grow beyond what its index can point at")
        if header.max_timestamp > self._largest[0]:
            self._largest = header.max_timestamp, header.last_offset
        if self._bytes_since_index > self._index_interval_bytes:
            self._offsets.add_batch(header.last_offset, self.size)
            self._times.add_if_later(*self._largest)
            self._bytes_since_index = 0
        self._bytes_since_index += size
        self.size += size
        self._buffers.append(batch)
        self._buffered += size
        if self._buffered >= self._buffer_bytes:
            self._write()

    def _write(self) -> None:
        if self._buffered:
            self._log.get().append(self._buffers)
            self._throttle(self._buffered)
        self._buffers, self._buffered = [], 0

    def finish(self, aborted: Sequence[AbortedTransaction]) -> None:
        """Write everything and sync the files; the folder is the caller's to sync."""
        self._write()
        if self._largest[0] >= 0:
            self._times.add_if_later(*self._largest)
        self._offsets.write()
        self._times.write()
        for file in (self._log, self._offsets.file, self._times.file):
            file.get().sync()
        if aborted:
            file = self._pooled(names.TXN_INDEX_SUFFIX)
            file.create().append([encode_aborted(aborted)])
            file.get().sync()
        self.close()

    def close(self) -> None:
        """Close the files that are open; also after a failure."""
        for file in (self._log, self._offsets.file, self._times.file):
            if file.file is not None:
                file.file.close()
            file.release()


def remove_cleaned(disk: Disk, directory: str, base_offset: int) -> None:
    """Remove what was written for this segment, as far as the disk lets us.

    What stays is removed at the next opening; nobody takes it for anything else.
    """
    stem = f"{directory}/{names.segment_stem(base_offset)}"
    for suffix in CLEANED_SUFFIXES:
        with contextlib.suppress(OSError):
            if disk.exists(stem + suffix):
                disk.unlink(stem + suffix)
