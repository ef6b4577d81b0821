"""Records made into the plain block of a batch: from columns, from sequences, or one by one.

The work has two forms that do the same: Python here, C in `_blocks.c` and
`_block_writer.c`; `twins` holds the switch.
A block becomes a batch by `compression.compress` and `batch.assemble`.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from ottla.base.limits import RECORDS_BLOCK_BYTES_MAX
from ottla.wire.records.header import NO_TIMESTAMP
from ottla.wire.records.record import Record, RecordHeader, encode_record
from ottla.wire.records.rows import Headers, Rows, Values, check_record, rows_of
from ottla.wire.records.twins import is_c_refused

try:
    from ottla.wire.records import _block_writer, _blocks
except ImportError:  # no C compiler at installation
    IS_COMPILED = False
else:
    IS_COMPILED = True

__all__ = [
    "BlockWriter",
    "EncodedBlock",
    "Encoding",
    "Headers",
    "Values",
    "encode_records",
]


class EncodedBlock(msgspec.Struct, frozen=True, gc=False):
    """The plain records of one batch, and what its header says of them.

    `max_timestamp` is -1 where no record has a time. The records count offsets from 0.
    """

    block: bytes
    count: int
    base_timestamp: int
    max_timestamp: int


_BEFORE_MAX: Final = 1024
"""Of the room for a header."""

Encoding = Callable[[Rows], EncodedBlock]
"""At least one row -> their block."""


class BlockWriterInPython:
    """A block that grows record by record. See `encode_records` for times and errors.

    After an error it is as it was before. Before the block there is room for a header.
    """

    __slots__ = (
        "_before",
        "_is_taken",
        "_memory",
        "_times",
        "base_timestamp",
        "count",
        "max_timestamp",
    )

    def __init__(self, before: int = 0, /) -> None:
        if not 0 <= before <= _BEFORE_MAX:
            raise ValueError("no header has this size")
        self._before = before
        self._memory = bytearray(before)
        self._is_taken = False
        self._times = array("q")
        self.count = 0
        self.base_timestamp = NO_TIMESTAMP
        self.max_timestamp = NO_TIMESTAMP

    @property
    def size(self) -> int:
        """Bytes written."""
        return len(self._memory) - self._before

    def write(
        self,
        timestamp: int,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[RecordHeader] = (),
        /,
    ) -> int:
        """Append one record; the size of the block so far."""
        record = Record(0, timestamp, key, value, tuple(headers))
        check_record(record)
        if not self._append(record, RECORDS_BLOCK_BYTES_MAX):
            raise ValueError(f"records of more than {RECORDS_BLOCK_BYTES_MAX} bytes in a batch")
        return self.size

    def _append(self, record: Record, limit: int) -> bool:
        """Unless the block would be longer than `limit`."""
        if self._is_taken:
            raise ValueError("the block was taken: nothing can follow")
        timestamp = record.timestamp
        base = self.base_timestamp if self.count else timestamp
        effective = timestamp if timestamp >= 0 else base
        end = len(self._memory)
        encode_record(self._memory, self.count, effective - base, record)
        if self.size > limit:
            del self._memory[end:]
            return False
        self.base_timestamp = base
        self.max_timestamp = max(self.max_timestamp, effective)
        self.count += 1
        self._times.append(timestamp)
        return True

    def write_rows(
        self, rows: Rows, order: array[int] | None, first: int, end: int, limit: int, /
    ) -> int:
        """Append rows until the block would be longer than `limit`, but always one to an empty one.

        They are those from `first` to `end` of `order`, or of `rows` where that is None. Returns
        the place of the first that was not written. Raises as `encode_records`, but does not look
        whether the columns' buffers fit: `measure_rows` has done so.
        """
        before = len(self._memory), self.count, self.base_timestamp, self.max_timestamp
        try:
            return self._append_rows(rows, order, first, end, limit)
        except BaseException:
            size, self.count, self.base_timestamp, self.max_timestamp = before
            del self._memory[size:], self._times[self.count :]
            raise

    def _append_rows(
        self, rows: Rows, order: array[int] | None, first: int, end: int, limit: int
    ) -> int:
        for place in range(first, end):
            record = rows.record(place if order is None else order[place])
            check_record(record)
            if not self._append(record, limit if self.count else RECORDS_BLOCK_BYTES_MAX):
                return place
        return end

    def time_at(self, index: int, /) -> int:
        """The time that this record was given. Raises IndexError."""
        if not 0 <= index < self.count:
            raise IndexError("a block has no such record")
        return self._times[index]

    def drop_records(self) -> None:
        """Let go of the bytes; what is left are counts and times. Nothing can follow."""
        self._memory = bytearray(self._before)
        self._is_taken = True

    def take(self) -> memoryview:
        """The room for a header and the block behind it, in the writer's own memory.

        Nothing can be written any more. Taken again, it is the same memory, with what was written
        into the room; after `drop_records` there is nothing behind the room.
        """
        self._is_taken = True
        return memoryview(self._memory)

    def encoded(self) -> EncodedBlock:
        """What was written until now, as a copy."""
        block = bytes(self._memory[self._before :])
        return EncodedBlock(block, self.count, self.base_timestamp, self.max_timestamp)


def encode_in_python(rows: Rows) -> EncodedBlock:
    """See `Encoding`."""
    rows.check()
    writer = BlockWriterInPython()
    for row in range(len(rows)):
        record = rows.record(row)
        writer.write(record.timestamp, record.key, record.value, record.headers)
    return writer.encoded()


def encode_in_c(rows: Rows) -> EncodedBlock:
    """See `Encoding`; only where `_blocks` was compiled. Large columns run without the GIL."""
    return EncodedBlock(*_blocks.encode(*rows.in_c()))


if IS_COMPILED:

    class BlockWriterInC(_block_writer.BlockWriter):
        """As `BlockWriterInPython`."""

        __slots__ = ()

        def write_rows(
            self, rows: Rows, order: array[int] | None, first: int, end: int, limit: int, /
        ) -> int:
            """See `BlockWriterInPython`; all are checked here, too."""
            return self.add_rows(rows.in_c(), order, first, end, limit)

        def encoded(self) -> EncodedBlock:
            """What was written until now, as a copy."""
            return EncodedBlock(*self.parts())


BlockWriter = BlockWriterInPython
DEFAULT_FORM: Encoding = encode_in_python
if IS_COMPILED and not is_c_refused():
    BlockWriter = BlockWriterInC  # type: ignore[misc, assignment] # it has the same methods
    DEFAULT_FORM = encode_in_c


def encode_records(
    values: Values,
    *,
    keys: Values | None = None,
    timestamps: Sequence[int] | int = NO_TIMESTAMP,
    headers: Headers | None = None,
    form: Encoding = DEFAULT_FORM,
) -> EncodedBlock:
    """The block of these records, of which there is at least one.

    `timestamps` are milliseconds, one for each record or one for all; a record without one (-1) is
    written with the first record's. Raises ValueError for columns that contradict themselves or
    differ in length, for a time below -1, and for more than RECORDS_BLOCK_BYTES_MAX;
    TypeError for a value that is neither bytes nor None.
    """
    assert len(values), "a batch holds at least one record"
    return form(rows_of(values, keys=keys, timestamps=timestamps, headers=headers))
