from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Any

import pytest

from ottla.wire.records.arrow import to_arrow
from ottla.wire.records.batch import build_batch
from ottla.wire.records.columns import RecordColumns, open_records
from ottla.wire.records.record import Record

RECORDS = [
    Record(0, -1, b"k", b"v"),
    Record(1, 1_795_000_000_123, None, b"", (("naïve", b"\xff"), ("empty", None))),
    Record(2, 0, b"", None),
]


def opened(records: list[Record]) -> RecordColumns:
    return open_records(build_batch(records))


@pytest.fixture
def arrow() -> Any:
    return pytest.importorskip("pyarrow", reason="pyarrow is an extra: pip install 'ottla[arrow]'")


def test_records_are_rows_of_arrow_s_types(arrow: Any) -> None:
    rows = to_arrow(opened([Record(0, 5), *RECORDS]))
    rows.validate(full=True)
    pair = arrow.struct([("name", arrow.string()), ("value", arrow.binary())])
    assert [(field.name, field.type) for field in rows.schema] == [
        ("offset", arrow.int64()),
        ("timestamp", arrow.timestamp("ms", tz="UTC")),
        ("key", arrow.binary()),
        ("value", arrow.binary()),
        ("headers", arrow.list_(pair)),
    ]
    assert rows.column("offset").to_pylist() == [0, 1, 2, 3]
    assert rows.column("key").to_pylist() == [None, b"k", None, b""]
    assert rows.column("value").to_pylist() == [None, b"v", b"", None]
    assert rows.column("headers").to_pylist() == [
        [],
        [],
        [{"name": "naïve", "value": b"\xff"}, {"name": "empty", "value": None}],
        [],
    ]


def test_a_record_without_a_time_has_none_in_arrow(arrow: Any) -> None:
    columns = opened(RECORDS)
    assert list(columns.timestamps) == [-1, 1_795_000_000_123, 0]
    assert to_arrow(columns).column("timestamp").to_pylist() == [
        None,
        datetime.fromtimestamp(1_795_000_000.123, tz=UTC),
        datetime.fromtimestamp(0, tz=UTC),
    ]


def test_nothing_is_copied_on_the_way(arrow: Any) -> None:
    columns = opened(RECORDS)
    rows = to_arrow(columns)

    def places(name: str) -> set[int]:
        return {buffer.address for buffer in rows.column(name).buffers() if buffer}

    held: dict[str, list[Any]] = {
        "offset": [columns.offsets],
        "timestamp": [columns.timestamps],
        "key": [columns.keys.data, columns.keys.ends, columns.keys.valid],
        "value": [columns.values.data, columns.values.ends, columns.values.valid],
        "headers": [
            columns.headers.ends,
            columns.headers.names.data,
            columns.headers.names.ends,
            columns.headers.values.data,
            columns.headers.values.ends,
        ],
    }
    for name, parts in held.items():
        for part in parts:
            assert arrow.py_buffer(part).address in places(name), name


def test_columns_say_themselves_what_they_are_in_arrow(arrow: Any) -> None:
    columns = opened(RECORDS)
    rows = columns.to_arrow()
    assert rows.equals(to_arrow(columns))
    place = rows.column("value").buffers()[2].address
    assert place == arrow.py_buffer(columns.values.data).address


def test_no_records_are_no_rows(arrow: Any) -> None:
    rows = to_arrow(open_records(b""))
    rows.validate(full=True)
    assert rows.num_rows == 0


def test_it_says_what_to_install_where_pyarrow_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"pip install 'ottla\[arrow\]'"):
        to_arrow(open_records(b""))
