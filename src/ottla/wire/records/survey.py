"""Checking many batches that lie one behind the other, as a recovery does: columns, no objects.

The work has two forms that do the same: Python here, C in `_native.c`. `survey` is the one in use:
C where it could be compiled at installation, unless the environment says OTTLA_PURE_PYTHON=1.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from enum import IntEnum
from typing import Final, NamedTuple

from ottla.base.world import Buffer
from ottla.wire.records.crc32c import crc32c
from ottla.wire.records.header import (
    CRC_FROM,
    HEADER,
    HEADER_SIZE,
    LENGTH_OVERHEAD,
    MAGIC,
    BatchHeader,
)
from ottla.wire.records.twins import is_c_refused

try:
    from ottla.wire.records import _native
except ImportError:  # no C compiler at installation
    IS_COMPILED = False
else:
    IS_COMPILED = True

COLUMNS: Final = 6


class Stop(IntEnum):
    """Why a survey ends."""

    CUT = 0
    """The buffer ends here, or within a batch: more bytes may tell."""
    INVALID = 1
    """What follows is no batch, damaged, or goes back in offsets."""


class Survey(NamedTuple):
    """Whole and valid batches: `size` bytes of them, and their columns, all of one length.

    `positions` count from the begin of the file, in which `buffer` lies at `position`. `stop` says
    why there are no more.
    """

    buffer: memoryview
    position: int
    stop: Stop
    size: int
    bases: array[int]
    nexts: array[int]
    positions: array[int]
    max_timestamps: array[int]
    epochs: array[int]
    producer_ids: array[int]

    def __len__(self) -> int:
        return len(self.bases)

    def header(self, index: int) -> BatchHeader:
        return BatchHeader(*HEADER.unpack_from(self.buffer, self.positions[index] - self.position))

    def batch(self, index: int) -> memoryview:
        """All bytes of one batch; only as long as the buffer is not used for something else."""
        end = self.positions[index + 1] if index + 1 < len(self) else self.position + self.size
        return self.buffer[self.positions[index] - self.position : end - self.position]


Surveying = Callable[[Buffer, int, int], Survey]
"""(buffer, its position in its file, the least offset that may come) -> what is whole in it."""


def survey_in_python(buffer: Buffer, position: int, next_offset: int) -> Survey:
    """See `Surveying`."""
    view = memoryview(buffer)
    columns = tuple(array("q") for _ in range(COLUMNS))
    stop, at, end = Stop.CUT, 0, len(view)
    while end - at >= HEADER_SIZE:
        header = BatchHeader(*HEADER.unpack_from(view, at))
        size = header.batch_length + LENGTH_OVERHEAD
        if size < HEADER_SIZE:
            stop = Stop.INVALID
            break
        if size > end - at:
            break
        if not _is_valid(view[at : at + size], header, next_offset):
            stop = Stop.INVALID
            break
        next_offset = header.next_offset
        row = (
            header.base_offset,
            next_offset,
            position + at,
            header.max_timestamp,
            header.partition_leader_epoch,
            header.producer_id,
        )
        for column, cell in zip(columns, row, strict=True):
            column.append(cell)
        at += size
    return Survey(view, position, stop, at, *columns)


def _is_valid(batch: memoryview, header: BatchHeader, next_offset: int) -> bool:
    return (
        header.magic == MAGIC
        and header.base_offset >= next_offset
        and header.last_offset_delta >= 0
        and crc32c(batch[CRC_FROM:]) == header.crc
    )


def survey_in_c(buffer: Buffer, position: int, next_offset: int) -> Survey:
    """See `Surveying`; only where `_native` was compiled. Runs without the GIL."""
    stop, size, columns = _native.survey(buffer, position, next_offset)
    arrays = (array("q", column) for column in columns)
    return Survey(memoryview(buffer), position, Stop(stop), size, *arrays)


def _chosen() -> Surveying:
    return survey_in_c if IS_COMPILED and not is_c_refused() else survey_in_python


survey: Final = _chosen()
