"""Lines that come in pieces, and rows that are made of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.base import limits
from ottla.base.errors import UserError
from ottla.base.ids import TopicPartition
from ottla.cli.records import typed_rows
from ottla.cli.records.json_rows import JsonLine, read_line
from ottla.cli.records.typed_rows import Common, JsonParser, LineCutter, ValueParser
from ottla.wire.records.record import Record


@given(
    st.lists(st.binary(max_size=8).map(lambda line: line.replace(b";", b"")), max_size=20),
    st.lists(st.integers(1, 9)),
)
def test_pieces_of_any_size_give_the_same_lines(lines: list[bytes], sizes: list[int]) -> None:
    whole = b"".join(line + b";" for line in lines)
    cutter, cut, at = LineCutter(b";"), list[bytes](), 0
    for size in [*sizes, len(whole) + 1]:
        cut += cutter.cut(whole[at : at + size])
        at += size
    assert cut + cutter.end() == lines


def test_a_delimiter_may_be_cut_by_a_piece() -> None:
    cutter = LineCutter(b"\r\n")
    assert cutter.cut(b"a\r") == []
    assert cutter.cut(b"\nb") == [b"a"]
    assert cutter.end() == [b"b"]
    assert cutter.end() == []


def test_a_line_without_an_end_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typed_rows, "CLI_LINE_BYTES_MAX", 10)
    cutter = LineCutter()
    cutter.cut(b"x" * 10)
    with pytest.raises(UserError, match="is the delimiter right"):
        cutter.cut(b"x")
    assert limits.CLI_READ_BYTES_MAX < limits.CLI_LINE_BYTES_MAX


def test_what_all_have_stands_beside_each_value() -> None:
    common = Common(key=b"k", timestamp_ms=5, headers=(("h", b"1"),), partition=2)
    (rows,) = ValueParser(common).parse([b"a", b"b"], 1)
    assert (rows.values, rows.keys, rows.partition) == ([b"a", b"b"], [b"k", b"k"], 2)
    assert (rows.timestamps, rows.headers) == ([5, 5], [(("h", b"1"),)] * 2)
    assert rows.size == 4


def test_plain_lines_are_the_column_that_is_sent() -> None:
    lines = [b"a", b"b"]
    (rows,) = ValueParser(Common()).parse(lines, 1)
    assert rows.values is lines
    assert (rows.keys, rows.timestamps, rows.headers) == (None, None, None)


def test_a_line_that_is_not_of_its_form_is_named_by_its_number() -> None:
    parser = ValueParser(Common(), value_form="int")
    with pytest.raises(UserError, match="line 42: 'x' is not int"):
        list(parser.parse([b"1", b"x"], 41))


records = st.builds(
    Record,
    offset=st.integers(0, 2**40),
    timestamp=st.integers(0, 2**40),
    key=st.none() | st.binary(max_size=9),
    value=st.none() | st.binary(max_size=9),
    headers=st.lists(st.tuples(st.text(max_size=5), st.none() | st.binary(max_size=5))).map(tuple),
)


@given(records)
def test_a_record_comes_back_from_its_json(record: Record) -> None:
    told = JsonLine().line(TopicPartition("orders", 3), record)
    assert b"\n" not in told
    read = read_line(told)
    assert (read.key, read.value, read.headers) == (record.key, record.value, record.headers)
    assert (read.partition, read.timestamp_ms) == (3, record.timestamp)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"1",
        b'{"key_base64":".","value":1}',
        '{"key_base64":"é","value":1}'.encode(),
        b'{"value":1,"headers":[{"value":"x"}]}',
        b'{"value":' + b"[" * 100_000,
        b'{"key":"k","valeu":"mistyped"}',
        b"\xff",
    ],
)
def test_what_is_no_record_is_refused(line: bytes) -> None:
    with pytest.raises(UserError):
        read_line(line)


def test_objects_go_by_their_partitions_and_say_the_rest_themselves() -> None:
    lines = [
        b'{"value":"a","partition":1,"timestamp":5}',
        b"  ",
        b'{"value":"b","key":"k"}',
        b'{"value":"c","partition":1,"timestamp":-1}',
    ]
    parser = JsonParser(Common(key=b"usual"), keep_partitions=True, now_ms=9)
    first, second = parser.parse(lines, 1)
    assert (first.partition, first.values, first.timestamps) == (1, [b"a", b"c"], [5, 9])
    assert (second.partition, second.values, second.keys) == (None, [b"b"], [b"k"])
    assert first.keys == [b"usual", b"usual"]
    (alone,) = JsonParser(Common(partition=7), keep_partitions=False, now_ms=9).parse(lines, 1)
    assert (alone.partition, len(alone.values)) == (7, 3)
