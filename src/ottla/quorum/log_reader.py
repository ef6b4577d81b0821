"""Reading a log that another process may be writing: whole batches only, and nothing is repaired.

Follows `<base offset>.log` files in one folder. A batch that is cut or damaged is where the log
ends for now; its writer either completes it, or cuts it off at its next start.
"""

from __future__ import annotations

from ottla.base.errors import ProtocolError
from ottla.base.world import Disk, File
from ottla.log.names import LOG_SUFFIX, segment_base_offset, segment_stem
from ottla.quorum.batches import decode_batch
from ottla.quorum.contract import LogBatch, SnapshotNeededError
from ottla.wire.records.header import (
    HEADER_SIZE,
    MAGIC,
    BatchHeader,
    crc_matches,
    read_header,
)


class LogReader:
    """A place in the log that moves forward; asking for an earlier one starts over."""

    def __init__(self, directory: str, disk: Disk) -> None:
        self._directory = directory
        self._disk = disk
        self._file: File | None = None
        self._base = 0
        self._position = 0
        self._next_offset = 0

    def read(self, start_offset: int, *, end_offset: int, max_bytes: int) -> list[LogBatch]:
        """Batches from the one that holds `start_offset` on, none that ends after `end_offset`.

        At least one where there is one. Raises SnapshotNeededError where the log starts later.
        """
        if start_offset != self._next_offset or self._file is None:
            self._seek(start_offset)
        found: list[LogBatch] = []
        room = max_bytes
        while room > 0:
            batch = self._next_batch(end_offset)
            if batch is None:
                break
            whole, header = batch
            if header.next_offset > start_offset:
                found.append(decode_batch(whole, header))
                room -= header.size
        return found

    def close(self) -> None:
        """Let go of the open file; reading on opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _seek(self, offset: int) -> None:
        """To the start of the segment that holds `offset`, if it is there yet."""
        self.close()
        bases = self._segments()
        if not bases:
            return
        if offset < bases[0]:
            raise SnapshotNeededError(f"the log starts at {bases[0]}, not at {offset}")
        self._open(max(base for base in bases if base <= offset))

    def _open(self, base: int) -> None:
        self.close()
        self._file = self._disk.open(f"{self._directory}/{segment_stem(base)}{LOG_SUFFIX}")
        self._base = base
        self._position = 0
        self._next_offset = base

    def _segments(self) -> list[int]:
        bases = map(segment_base_offset, self._disk.list_dir(self._directory))
        return sorted(base for base in bases if base is not None)

    def _next_batch(self, end_offset: int) -> tuple[bytes, BatchHeader] | None:
        if self._file is None:
            return None
        header = self._header_at(self._file)
        if header is None and self._moves_on():
            header = self._header_at(self._file)
        if header is None or header.next_offset > end_offset:
            return None
        batch = self._file.read_at(self._position, header.size)
        if len(batch) < header.size or not crc_matches(batch, header):
            return None
        self._position += header.size
        self._next_offset = header.next_offset
        return batch, header

    def _moves_on(self) -> bool:
        """To the next segment, if there is one: it is named after the end of this one."""
        bases = self._segments()
        if bases and self._next_offset < bases[0]:
            raise SnapshotNeededError(f"the log starts at {bases[0]}, not at {self._next_offset}")
        if self._base == self._next_offset or self._next_offset not in bases:
            return False
        self._open(self._next_offset)
        return True

    def _header_at(self, file: File) -> BatchHeader | None:
        """The header of the next batch; None where there is none that could be one."""
        data = file.read_at(self._position, HEADER_SIZE)
        if len(data) < HEADER_SIZE:
            return None
        try:
            header = read_header(data)
        except ProtocolError:
            return None
        is_batch = header.magic == MAGIC and header.size >= HEADER_SIZE
        return header if is_batch and header.base_offset == self._next_offset else None
