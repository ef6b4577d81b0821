"""Records made into the plain block of a batch: from columns, from sequences, or one by one.

The work has two forms that do the same: Python here, C in `_blocks.c` and
`_block_writer.c`; `twins` holds the switch.
A block becomes a batch by `compression.compress` and `batch.assemble`.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence

import msgspec

from ottla.base.limits import RECORD_TIMESTAMP_MS_MAX, RECORDS_BLOCK_BYTES_MAX
from ottla.wire.records.header import NO_TIMESTAMP
from ottla.wire.records.layout import BytesColumn, HeadersColumn
from ottla.wire.records.record import Record, RecordHeader, encode_record
from ottla.wire.records.twins import is_c_refused

try:
    from ottla.wire.records import _block_writer, _blocks
except ImportError:  # no C compiler at installation
    IS_COMPILED = False
else:
    IS_COMPILED = True

Values = Sequence[bytes | None] | BytesColumn
Headers = Sequence[Sequence[RecordHeader]] | HeadersColumn


class EncodedBlock(msgspec.Struct, frozen=True, gc=False):
    """The plain records of one batch, and what its header says of them.

    `max_timestamp` is -1 where no record has a time. The records count offsets from 0.
    """

    block: bytes
    count: int
    base_timestamp: int
    max_timestamp: int


Encoding = Callable[[Values, Values | None, "array[int] | int", HeadersColumn | None], EncodedBlock]
"""(values, keys, timestamps, headers), all of one length -> their block."""


class BlockWriterInPython:
    """A block that grows record by record. See `encode_records` for times and errors.

    After an error it is as it was before.
    """

    __slots__ = ("_block", "base_timestamp", "count", "max_timestamp")

    def __init__(self) -> None:
        self._block = bytearray()
        self.count = 0
        self.base_timestamp = NO_TIMESTAMP
        self.max_timestamp = NO_TIMESTAMP

    @property
    def size(self) -> int:
        """Bytes written."""
        return len(self._block)

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
        _check_record(record)
        base = self.base_timestamp if self.count else timestamp
        effective = timestamp if timestamp >= 0 else base
        before = len(self._block)
        encode_record(self._block, self.count, effective - base, record)
        if len(self._block) > RECORDS_BLOCK_BYTES_MAX:
            del self._block[before:]
            raise ValueError(f"records of more than {RECORDS_BLOCK_BYTES_MAX} bytes in a batch")
        self.base_timestamp = base
        self.max_timestamp = max(self.max_timestamp, effective)
        self.count += 1
        return len(self._block)

    def encoded(self) -> EncodedBlock:
        """What was written until now, as a copy."""
        return EncodedBlock(bytes(self._block), self.count, self.base_timestamp, self.max_timestamp)


def _check_record(record: Record) -> None:
    if not NO_TIMESTAMP <= record.timestamp <= RECORD_TIMESTAMP_MS_MAX:
        raise ValueError(f"a timestamp of {record.timestamp} ms")
    _check_bytes("key", record.key)
    _check_bytes("value", record.value)
    for header in record.headers:
        _check_header(header)


def _check_header(header: object) -> None:
    if not isinstance(header, tuple) or len(header) != 2 or not isinstance(header[0], str):
        raise TypeError("a header is a name and a value")
    _check_bytes("header", header[1])


def _check_bytes(what: str, given: object) -> None:
    if given is not None and not isinstance(given, bytes):
        raise TypeError(f"a {what} is bytes or None, not {type(given).__name__}")


def encode_in_python(
    values: Values,
    keys: Values | None,
    timestamps: array[int] | int,
    headers: HeadersColumn | None,
) -> EncodedBlock:
    """See `Encoding`."""
    for column in (values, keys):
        if isinstance(column, BytesColumn):
            column.check()
    if headers is not None:
        headers.check()
    count = len(values)
    writer = BlockWriterInPython()
    for timestamp, key, value, named in zip(
        [timestamps] * count if isinstance(timestamps, int) else timestamps,
        [None] * count if keys is None else keys,
        values,
        [()] * count if headers is None else headers,
        strict=True,
    ):
        writer.write(timestamp, key, value, named)
    return writer.encoded()


def encode_in_c(
    values: Values,
    keys: Values | None,
    timestamps: array[int] | int,
    headers: HeadersColumn | None,
) -> EncodedBlock:
    """See `Encoding`; only where `_blocks` was compiled. Large columns run without the GIL."""
    count = len(values)
    named = None if headers is None else (headers.ends, _in_c(headers.names), _in_c(headers.values))
    return EncodedBlock(
        *_blocks.encode(
            count, _in_c(values), None if keys is None else _in_c(keys), timestamps, named
        )
    )


def _in_c(values: Values) -> _blocks.Source:
    """A column as its buffers, anything else as a list."""
    if isinstance(values, BytesColumn):
        return (values.data, values.ends, values.valid)
    return values if isinstance(values, list) else list(values)


if IS_COMPILED:

    class BlockWriterInC(_block_writer.BlockWriter):
        """As `BlockWriterInPython`."""

        __slots__ = ()

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
    count = len(values)
    assert count, "a batch holds at least one record"
    if not isinstance(timestamps, int):
        _check_length("timestamps", len(timestamps), count)
        timestamps = _int64s(timestamps)
    if keys is not None:
        _check_length("keys", len(keys), count)
    if headers is not None:
        _check_length("headers", len(headers), count)
        if not isinstance(headers, HeadersColumn):
            headers = _headers_column(headers)
    return form(values, keys, timestamps, headers)


def _check_length(what: str, length: int, count: int) -> None:
    if length != count:
        raise ValueError(f"{length} {what} for {count} values")


def _headers_column(headers: Sequence[Sequence[RecordHeader]]) -> HeadersColumn:
    try:
        return HeadersColumn.of(headers)
    except OverflowError as error:
        raise ValueError("headers of more than 2 GiB") from error


def _int64s(timestamps: Sequence[int]) -> array[int]:
    if isinstance(timestamps, array) and timestamps.typecode == "q":
        return timestamps
    try:
        return array("q", timestamps)
    except OverflowError as error:
        raise ValueError(f"a timestamp is above {RECORD_TIMESTAMP_MS_MAX}") from error
