"""Records as columns, in Arrow's memory layout: buffers and positions, no object per record.

Whoever fills them: `columns.open_records` from batches, `BytesColumn.of` from Python's values, or
Arrow itself. Nothing here is checked when it is made; what reads columns checks what it reads.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import accumulate, chain, pairwise
from typing import Any, Final

import msgspec

from ottla.base.world import Buffer
from ottla.wire.records.arrow import to_arrow
from ottla.wire.records.record import Record, RecordHeader
from ottla.wire.records.twins import is_c_refused

try:
    from ottla.wire.records import _columns
except ImportError:  # no C compiler at installation
    IS_COMPILED = False
else:
    IS_COMPILED = True

_BITS: Final = tuple(1 << bit for bit in range(8))


Listing = Callable[[Buffer, "array[int]", "bytes | None", int, int], "list[bytes | None]"]
"""(data, ends, valid, begin, end) -> these values of a column as Python's."""


def list_in_python(
    data: Buffer, ends: array[int], valid: bytes | None, begin: int, end: int
) -> list[bytes | None]:
    """See `Listing`."""
    first = ends[begin]
    piece = bytes(data[first : ends[end]])
    places = pairwise(position - first for position in ends[begin : end + 1])
    if valid is None:
        return [piece[start:stop] for start, stop in places]
    return [
        piece[start:stop] if valid[index >> 3] & _BITS[index & 7] else None
        for index, (start, stop) in enumerate(places, begin)
    ]


list_values: Final[Listing] = (
    _columns.values if IS_COMPILED and not is_c_refused() else list_in_python
)


class BytesColumn(msgspec.Struct, frozen=True, gc=False):
    """Byte strings and nulls, as Arrow's `binary`: value i is `data[ends[i]:ends[i + 1]]`.

    `ends` are int32, one more than there are values, the first is 0. In `valid` bit i, from the
    lowest of the first byte on, is 0 where value i is null; None where none is.
    """

    data: Buffer
    ends: array[int]
    valid: bytes | None = None

    @staticmethod
    def of(values: Sequence[bytes | None]) -> BytesColumn:
        """A column of these values. Raises OverflowError where they exceed 2 GiB."""
        valid = _bitmap(values) if None in values else None
        present = values if valid is None else [value or b"" for value in values]
        ends = array("i", accumulate(map(len, present), initial=0))  # type: ignore[arg-type] # none is None
        return BytesColumn(b"".join(present), ends, valid)  # type: ignore[arg-type] # none is None

    def check(self) -> None:
        """Raises ValueError where the buffers contradict each other."""
        _check_ends(self.ends, len(self.data))
        if self.valid is not None and len(self.valid) * 8 < len(self):
            raise ValueError(f"{len(self.valid)} bytes of validity for {len(self)} values")

    def __len__(self) -> int:
        return len(self.ends) - 1

    def is_null(self, index: int) -> bool:
        """For an index in `range(len(self))`."""
        return self.valid is not None and not self.valid[index >> 3] & _BITS[index & 7]

    def __getitem__(self, index: int) -> bytes | None:
        if not 0 <= index < len(self):
            raise IndexError(f"value {index} of a column of {len(self)}")
        if self.is_null(index):
            return None
        return bytes(self.data[self.ends[index] : self.ends[index + 1]])

    def __iter__(self) -> Iterator[bytes | None]:
        return iter(self.to_list())

    def to_list(self, begin: int = 0, end: int | None = None) -> list[bytes | None]:
        """The values from `begin` up to `end`, all where nothing is said, as Python's."""
        end = len(self) if end is None else end
        if self._are_null(begin, end):
            return [None] * (end - begin)
        return list_values(self.data, self.ends, self.valid, begin, end)

    def _are_null(self, begin: int, end: int) -> bool:
        """Whether all of these, and their neighbours in the same bytes, are null."""
        if self.valid is None or self.ends[begin] != self.ends[end]:
            return False
        return not any(self.valid[begin >> 3 : (end + 7) >> 3])


def _bitmap(values: Sequence[object]) -> bytes:
    valid = bytearray((len(values) + 7) // 8)
    for index, value in enumerate(values):
        if value is not None:
            valid[index >> 3] |= _BITS[index & 7]
    return bytes(valid)


def _check_ends(ends: array[int], end: int) -> None:
    if not ends or ends[0] < 0 or ends[-1] > end:
        raise ValueError(f"positions outside of what they point to, which ends at {end}")
    if any(start > stop for start, stop in pairwise(ends)):
        raise ValueError("positions go back")


class HeadersColumn(msgspec.Struct, frozen=True, gc=False):
    """Headers of records, as Arrow's `list<struct<name, value>>`.

    Those of record i are the names and values from `ends[i]` to `ends[i + 1]`; names are UTF-8 and
    never null. `ends` are int32, one more than there are records, the first is 0.
    """

    ends: array[int]
    names: BytesColumn
    values: BytesColumn

    @staticmethod
    def of(headers: Sequence[Sequence[RecordHeader]]) -> HeadersColumn:
        """A column of these headers, those of one record after those of another.

        Raises UnicodeEncodeError for a name that UTF-8 cannot carry.
        """
        pairs = list(chain.from_iterable(headers))
        return HeadersColumn(
            array("i", accumulate(map(len, headers), initial=0)),
            BytesColumn.of([name.encode() for name, _ in pairs]),
            BytesColumn.of([value for _, value in pairs]),
        )

    def check(self) -> None:
        """Raises ValueError where the columns contradict each other."""
        self.names.check()
        self.values.check()
        _check_ends(self.ends, len(self.names))
        if len(self.names) != len(self.values):
            raise ValueError(f"{len(self.names)} names for {len(self.values)} headers")
        for name in self.names.to_list():
            if name is None:
                raise ValueError("a header without a name")
            name.decode()

    @staticmethod
    def empty(count: int) -> HeadersColumn:
        """That of `count` records without headers."""
        nothing = BytesColumn(b"", array("i", [0]))
        return HeadersColumn(array("i", [0]) * (count + 1), nothing, nothing)

    def __len__(self) -> int:
        return len(self.ends) - 1

    def __getitem__(self, index: int) -> tuple[RecordHeader, ...]:
        if not 0 <= index < len(self):
            raise IndexError(f"headers {index} of a column of {len(self)}")
        return tuple(
            ((self.names[at] or b"").decode(), self.values[at])
            for at in range(self.ends[index], self.ends[index + 1])
        )

    def __iter__(self) -> Iterator[tuple[RecordHeader, ...]]:
        return iter(self.to_list())

    def to_list(self, begin: int = 0, end: int | None = None) -> list[tuple[RecordHeader, ...]]:
        """The headers of the records from `begin` up to `end`, as Python's."""
        end = len(self) if end is None else end
        first, last = self.ends[begin], self.ends[end]
        if first == last:
            return [()] * (end - begin)
        names = [(name or b"").decode() for name in self.names.to_list(first, last)]
        pairs = list(zip(names, self.values.to_list(first, last), strict=True))
        places = pairwise(self.ends[begin : end + 1])
        return [tuple(pairs[start - first : stop - first]) for start, stop in places]


class RecordColumns(msgspec.Struct, frozen=True, gc=False):
    """Records of batches that lie one behind the other.

    `timestamps` are milliseconds, -1 for none. `next_offset` follows the last batch that was looked
    at, those that were left out included: where reading goes on. `size` is the bytes of all these.
    """

    offsets: array[int]
    timestamps: array[int]
    keys: BytesColumn
    values: BytesColumn
    headers: HeadersColumn
    next_offset: int
    size: int

    def __len__(self) -> int:
        return len(self.offsets)

    def record(self, index: int) -> Record:
        """One record, as Python's."""
        return Record(
            self.offsets[index],
            self.timestamps[index],
            self.keys[index],
            self.values[index],
            self.headers[index],
        )

    def to_arrow(self) -> Any:
        """A `pyarrow.RecordBatch` on the same memory; see `arrow.to_arrow`.

        Raises ImportError where pyarrow is missing.
        """
        return to_arrow(self)

    def to_list(self) -> list[Record]:
        """All records, as Python's."""
        columns = (self.offsets, self.timestamps, self.keys, self.values, self.headers)
        return list(map(Record, *columns))


def columns_of(records: Iterable[Record], *, next_offset: int, size: int) -> RecordColumns:
    """Columns of these records. Raises OverflowError for an offset or a time beyond 64 bits."""
    rows = list(records)
    return RecordColumns(
        array("q", [record.offset for record in rows]),
        array("q", [record.timestamp for record in rows]),
        BytesColumn.of([record.key for record in rows]),
        BytesColumn.of([record.value for record in rows]),
        HeadersColumn.of([record.headers for record in rows]),
        next_offset,
        size,
    )
