"""Opening batches: all their records as columns, in one pass and without an object per record.

The work has two forms that do the same: Python here, C in `_columns.c`; `twins` holds the switch.
What columns are (`layout`) and how they become a block again (`blocks`) is offered here, too.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.limits import COLUMN_BYTES_MAX, DECOMPRESSED_BYTES_MAX
from ottla.base.world import Buffer
from ottla.wire.records.blocks import BlockWriter, EncodedBlock, encode_records
from ottla.wire.records.header import BatchHeader, check_crc, iter_batches
from ottla.wire.records.layout import BytesColumn, HeadersColumn, RecordColumns, columns_of
from ottla.wire.records.record import Record, iter_block, records_block
from ottla.wire.records.twins import is_c_refused

try:
    from ottla.wire.records import _columns
except ImportError:  # no C compiler at installation
    IS_COMPILED = False
else:
    IS_COMPILED = True

__all__ = [
    "BlockWriter",
    "BytesColumn",
    "EncodedBlock",
    "HeadersColumn",
    "RecordColumns",
    "encode_records",
    "open_records",
]

Skipping = Callable[[BatchHeader, memoryview], bool]
"""(header, batch) -> whether a batch is left out. It is asked in order about every batch, control
batches too, so that it can follow the markers of transactions; about the batch at which a call
stopped it is asked again in the next."""


class OpenedBatch(NamedTuple):
    """A data batch on its way: its plain records, and where reading was before it."""

    block: Buffer
    header: BatchHeader
    offset_before: int
    size_before: int


class Selection(NamedTuple):
    """The batches whose records are wanted, and where reading is behind the last batch of all."""

    chosen: list[OpenedBatch]
    next_offset: int
    size: int

    def until(self, count: int) -> tuple[int, int]:
        """Next offset and size where only the first `count` batches are good."""
        if count == len(self.chosen):
            return self.next_offset, self.size
        damaged = self.chosen[count]
        return damaged.offset_before, damaged.size_before


Opening = Callable[[Selection, int], RecordColumns]
"""(batches, from offset) -> the columns of the batches up to the first damaged one."""


def _select(
    batches: Buffer, from_offset: int, skip: Skipping | None, *, with_crc: bool, limit: int
) -> Selection:
    chosen: list[OpenedBatch] = []
    next_offset, size, room = from_offset, 0, min(limit, COLUMN_BYTES_MAX)
    try:
        for header, batch in iter_batches(batches):
            if header.last_offset_delta < 0:
                raise _corrupt(f"a batch from {header.base_offset} to {header.last_offset}")
            if _is_wanted(header, batch, from_offset, skip):
                if with_crc:
                    check_crc(batch, 0, header.size)
                # A plain block is in the memory already: the first may have any size.
                block = records_block(batch, header, limit=room)
                if len(block) > room and chosen:
                    break
                chosen.append(OpenedBatch(block, header, next_offset, size))
                room = max(room - len(block), 0)
            next_offset = max(next_offset, header.next_offset)
            size += header.size
    except ProtocolError:
        if not chosen:
            raise
    return Selection(chosen, next_offset, size)


def _is_wanted(
    header: BatchHeader, batch: memoryview, from_offset: int, skip: Skipping | None
) -> bool:
    is_skipped = skip is not None and skip(header, batch)
    return not (is_skipped or header.is_control or header.last_offset < from_offset)


def _corrupt(reason: str) -> ProtocolError:
    return ProtocolError(ErrorCode.CORRUPT_MESSAGE, reason)


def open_in_python(selection: Selection, from_offset: int) -> RecordColumns:
    """See `Opening`."""
    records: list[Record] = []
    count = 0
    try:
        for batch in selection.chosen:
            records += _wanted_records(batch, from_offset)
            count += 1
    except ProtocolError:
        if count == 0:
            raise
    next_offset, size = selection.until(count)
    return columns_of(records, next_offset=next_offset, size=size)


def _wanted_records(batch: OpenedBatch, from_offset: int) -> list[Record]:
    records = list(iter_block(bytes(batch.block), batch.header))
    try:
        array("q", [record.offset for record in records])
        array("q", [record.timestamp for record in records])
    except OverflowError as error:
        raise _corrupt("an offset or a time is beyond 64 bits") from error
    return [record for record in records if record.offset >= from_offset]


def open_in_c(selection: Selection, from_offset: int) -> RecordColumns:
    """See `Opening`; only where `_columns` was compiled. Large batches run without the GIL."""
    count, reason, columns = _columns.open_blocks(_in_c(selection.chosen), from_offset)
    if reason is not None and count == 0:
        raise _corrupt(reason)
    offsets, timestamps, keys, values, header_ends, names, header_values = columns
    next_offset, size = selection.until(count)
    return RecordColumns(
        offsets,
        timestamps,
        BytesColumn(*keys),
        BytesColumn(*values),
        HeadersColumn(header_ends, BytesColumn(*names), BytesColumn(*header_values)),
        next_offset,
        size,
    )


def _in_c(chosen: Sequence[OpenedBatch]) -> list[tuple[Buffer, int, int, int, int]]:
    """What `_columns.open_blocks` takes of each batch; a broker's time stands in place of all."""
    return [
        (
            block,
            header.record_count,
            header.base_offset,
            header.max_timestamp if header.timestamp_type else header.base_timestamp,
            header.timestamp_type,
        )
        for block, header, _, _ in chosen
    ]


DEFAULT_FORM: Final[Opening] = open_in_c if IS_COMPILED and not is_c_refused() else open_in_python


def open_records(
    batches: Buffer,
    *,
    from_offset: int = 0,
    skip: Skipping | None = None,
    check_crc: bool = True,
    limit: int = DECOMPRESSED_BYTES_MAX,
    form: Opening = DEFAULT_FORM,
) -> RecordColumns:
    """The records of whole batches, from `from_offset` on; never those of control batches.

    A cut batch at the end is left alone, as in a fetch. Opening ends before the batch with which
    the plain records would exceed `limit` bytes, and before a damaged one: `next_offset` and `size`
    say where. Raises ProtocolError (CORRUPT_MESSAGE, UNSUPPORTED_COMPRESSION_TYPE) where that is
    the first one whose records are wanted: a call either brings something or says what is wrong.
    Columns of the smallest records take five times their plain bytes.
    """
    selection = _select(batches, from_offset, skip, with_crc=check_crc, limit=limit)
    return form(selection, from_offset)
