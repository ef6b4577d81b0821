"""Making blocks: the form in Python and the one in C write the bytes that `build_batch` writes."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.base.limits import RECORD_TIMESTAMP_MS_MAX
from ottla.wire.records import blocks
from ottla.wire.records.batch import HEADER_SIZE, build_batch, read_header
from ottla.wire.records.blocks import (
    IS_COMPILED,
    BlockWriterInPython,
    EncodedBlock,
    Encoding,
    Values,
    encode_in_c,
    encode_in_python,
    encode_records,
)
from ottla.wire.records.columns import open_records
from ottla.wire.records.compression import Codec
from ottla.wire.records.layout import BytesColumn, HeadersColumn
from ottla.wire.records.record import Record, records_block
from tests.unit.wire.records.golden_batches import every_batch
from tests.unit.wire.records.record_strategies import any_records
from tests.unit.wire.strategies import examples

needs_c = pytest.mark.skipif(
    not IS_COMPILED, reason="the C twin was not compiled: no C compiler or no Python.h"
)
EVERY_FORM = pytest.mark.parametrize(
    "form",
    [
        pytest.param(encode_in_python, id="python"),
        pytest.param(encode_in_c, id="c", marks=needs_c),
    ],
)
EVERY_WRITER = pytest.mark.parametrize(
    "writer_form",
    [
        pytest.param(BlockWriterInPython, id="python"),
        pytest.param(getattr(blocks, "BlockWriterInC", None), id="c", marks=needs_c),
    ],
)
WriterForm = Callable[[], BlockWriterInPython]


def built(records: Sequence[Record]) -> EncodedBlock:
    """What `build_batch` makes of them."""
    batch = build_batch(records)
    header = read_header(batch)
    return EncodedBlock(
        bytes(batch[HEADER_SIZE:]),
        header.record_count,
        header.base_timestamp,
        header.max_timestamp,
    )


@EVERY_FORM
@given(records=any_records)
@examples(150)
def test_sequences_become_the_block_of_a_batch(form: Encoding, records: list[Record]) -> None:
    encoded = encode_records(
        [record.value for record in records],
        keys=tuple(record.key for record in records),
        timestamps=[record.timestamp for record in records],
        headers=[record.headers for record in records],
        form=form,
    )
    assert encoded == built(records)


@EVERY_FORM
@given(records=any_records)
@examples(150)
def test_columns_become_the_block_that_they_were_opened_from(
    form: Encoding, records: list[Record]
) -> None:
    opened = open_records(build_batch(records))
    encoded = encode_records(
        opened.values,
        keys=opened.keys,
        timestamps=opened.timestamps,
        headers=opened.headers,
        form=form,
    )
    assert encoded == built(records)


@EVERY_WRITER
@given(records=any_records)
@examples(150)
def test_a_writer_grows_to_the_block_of_a_batch(
    writer_form: WriterForm, records: list[Record]
) -> None:
    writer = writer_form()
    assert writer.encoded() == EncodedBlock(b"", 0, -1, -1)
    for number, record in enumerate(records):
        size = writer.write(record.timestamp, record.key, record.value, record.headers)
        expected = built(records[: number + 1])
        assert size == writer.size == len(expected.block)
        assert writer.encoded() == expected
        assert (writer.count, writer.base_timestamp, writer.max_timestamp) == (
            expected.count,
            expected.base_timestamp,
            expected.max_timestamp,
        )


@EVERY_FORM
def test_what_apache_kafka_and_its_clients_wrote_is_made_again(form: Encoding) -> None:
    codecs = set()
    for batch in every_batch():
        header = read_header(batch)
        if header.is_control or header.timestamp_type:
            continue  # a broker's time takes the place of those in the records
        opened = open_records(batch)
        encoded = encode_records(
            opened.values,
            keys=opened.keys,
            timestamps=opened.timestamps,
            headers=opened.headers,
            form=form,
        )
        assert encoded == EncodedBlock(
            bytes(records_block(batch, header)),
            header.record_count,
            header.base_timestamp,
            header.max_timestamp,
        )
        codecs.add(header.codec)
    assert codecs == set(Codec)


@EVERY_FORM
def test_values_alone_are_records_without_keys_headers_and_times(form: Encoding) -> None:
    encoded = encode_records([b"a", None], form=form)
    assert encoded == built([Record(value=b"a"), Record()])
    assert (encoded.base_timestamp, encoded.max_timestamp) == (-1, -1)


@EVERY_FORM
def test_one_time_may_be_that_of_all(form: Encoding) -> None:
    encoded = encode_records([b"a", b"b"], timestamps=5000, form=form)
    assert encoded == built([Record(0, 5000, None, b"a"), Record(0, 5000, None, b"b")])


@EVERY_FORM
@pytest.mark.parametrize("times", [[5, -1, 7], [-1, 4, -1], [9, 3, -1]], ids=str)
def test_a_record_without_a_time_has_that_of_the_first(form: Encoding, times: list[int]) -> None:
    encoded = encode_records([b"a"] * 3, timestamps=times, form=form)
    assert encoded == built([Record(0, time, None, b"a") for time in times])
    opened = open_records(build_batch([Record(0, time, None, b"a") for time in times]))
    assert list(opened.timestamps) == [times[0] if time < 0 else time for time in times]


@EVERY_WRITER
@pytest.mark.parametrize("times", [[5, -1, 7], [-1, 4, -1], [9, 3, -1]], ids=str)
def test_a_writer_gives_a_record_without_a_time_that_of_the_first(
    writer_form: WriterForm, times: list[int]
) -> None:
    writer = writer_form()
    for time in times:
        writer.write(time, None, b"a")
    assert writer.encoded() == built([Record(0, time, None, b"a") for time in times])


@EVERY_FORM
def test_columns_and_lists_may_be_mixed(form: Encoding) -> None:
    values: list[bytes | None] = [b"a", None, b"c" * 500]
    mixed: list[tuple[Values, Values]] = [
        (values, BytesColumn.of(values)),
        (BytesColumn.of(values), values),
    ]
    for one, other in mixed:
        assert encode_records(one, keys=other, form=form) == encode_records(
            values, keys=values, form=encode_in_python
        )


@EVERY_FORM
def test_any_buffer_may_hold_a_column(form: Encoding) -> None:
    column = BytesColumn.of([b"ab", None, b"c"])
    for data in (bytearray(column.data), memoryview(bytes(column.data))):
        same = BytesColumn(data, column.ends, column.valid)
        assert encode_records(same, form=form) == encode_records(column, form=encode_in_python)


@EVERY_FORM
def test_a_column_may_begin_within_its_data(form: Encoding) -> None:
    cut = BytesColumn(b"xxabcd", array("i", [2, 4, 6]))
    assert encode_records(cut, form=form) == encode_records([b"ab", b"cd"], form=form)


@EVERY_FORM
def test_columns_large_enough_to_let_others_run_are_encoded_alike(form: Encoding) -> None:
    records = [Record(0, n, b"%d" % n, bytes(100), (("n", b"%d" % n),)) for n in range(3000)]
    opened = open_records(build_batch(records))
    encoded = encode_records(
        opened.values,
        keys=opened.keys,
        timestamps=opened.timestamps,
        headers=opened.headers,
        form=form,
    )
    assert encoded == built(records)


CONTRADICTIONS = {
    "positions that go back": BytesColumn(b"abc", array("i", [0, 2, 1, 3])),
    "positions beyond the data": BytesColumn(b"abc", array("i", [0, 1, 2, 4])),
    "positions before the data": BytesColumn(b"abc", array("i", [-1, 1, 2, 3])),
    "too few bits of validity": BytesColumn(b"abc", array("i", [0, 1, 2, 3]), b""),
    "the farthest positions": BytesColumn(b"abc", array("i", [0, 2**31 - 1, -(2**31), 3])),
}


@EVERY_FORM
@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_columns_that_contradict_themselves_are_refused(form: Encoding, name: str) -> None:
    column = CONTRADICTIONS[name]
    good: list[bytes | None] = [b"a", b"b", b"c"]
    with pytest.raises(ValueError):
        encode_records(column, form=form)
    with pytest.raises(ValueError):
        encode_records(good, keys=column, form=form)
    headers = HeadersColumn(array("i", [0, 1, 2, 3]), BytesColumn.of(good), column)
    with pytest.raises(ValueError):
        encode_records(good, headers=headers, form=form)


NAMES = BytesColumn.of([b"a", b"b"])
BAD_HEADERS = {
    "fewer values than names": HeadersColumn(array("i", [0, 2]), NAMES, BytesColumn.of([b"a"])),
    "more values than names": HeadersColumn(array("i", [0, 1]), BytesColumn.of([b"a"]), NAMES),
    "a name that is null": HeadersColumn(array("i", [0, 2]), BytesColumn.of([b"a", None]), NAMES),
    "a name not UTF-8": HeadersColumn(array("i", [0, 2]), BytesColumn.of([b"a", b"\xff"]), NAMES),
    "more headers than there are": HeadersColumn(array("i", [0, 3]), NAMES, NAMES),
    "headers before the first": HeadersColumn(array("i", [-1, 2]), NAMES, NAMES),
    "headers that go back": HeadersColumn(array("i", [2, 0]), NAMES, NAMES),
}


@EVERY_FORM
@pytest.mark.parametrize("name", BAD_HEADERS)
def test_headers_that_contradict_themselves_are_refused(form: Encoding, name: str) -> None:
    with pytest.raises(ValueError):
        encode_records([b"a"], headers=BAD_HEADERS[name], form=form)


@EVERY_FORM
def test_columns_of_different_lengths_are_refused(form: Encoding) -> None:
    for wrong in ([b"a"], [b"a", b"b", b"c"]):
        for keys in (wrong, BytesColumn.of(wrong)):
            with pytest.raises(ValueError):
                encode_records([b"a", b"b"], keys=keys, form=form)
        with pytest.raises(ValueError):
            encode_records([b"a", b"b"], timestamps=[1] * len(wrong), form=form)
        with pytest.raises(ValueError):
            encode_records([b"a", b"b"], headers=[()] * len(wrong), form=form)


@EVERY_FORM
@pytest.mark.parametrize("time", [-2, RECORD_TIMESTAMP_MS_MAX + 1, 2**63, -(2**63) - 1])
def test_times_that_are_none_are_refused(form: Encoding, time: int) -> None:
    for times in ([time, 0], [0, time], time):
        with pytest.raises(ValueError):
            encode_records([b"a", b"b"], timestamps=times, form=form)


@EVERY_FORM
@pytest.mark.parametrize("wrong", ["text", 7, bytearray(b"x"), [b"x"]])
def test_what_is_not_bytes_is_refused(form: Encoding, wrong: object) -> None:
    values: list[bytes | None] = [b"a", wrong]  # type: ignore[list-item] # it is wrong
    with pytest.raises(TypeError):
        encode_records(values, form=form)
    with pytest.raises(TypeError):
        encode_records([b"a", b"b"], keys=values, form=form)


@EVERY_WRITER
def test_a_writer_is_as_before_after_a_refusal(writer_form: WriterForm) -> None:
    writer = writer_form()
    writer.write(5, b"k", b"v")
    before = writer.encoded()
    refused: list[tuple[type[Exception], tuple[object, ...]]] = [
        (ValueError, (-2, b"k", b"v")),
        (ValueError, (2**63 - 1, b"k", b"v")),
        (ValueError, (2**70, b"k", b"v")),
        (TypeError, (None, b"k", b"v")),
        (TypeError, (9.5, b"k", b"v")),
        (TypeError, (9, "k", b"v")),
        (TypeError, (9, b"k", bytearray(b"v"))),
        (TypeError, (9, b"k", b"v", None)),
        (TypeError, (9, b"k", b"v", 7)),
        (TypeError, (9, b"k", b"v", ["ab"])),
        (TypeError, (9, b"k", b"v", [("a",)])),
        (TypeError, (9, b"k", b"v", [("a", b"b", b"c")])),
        (TypeError, (9, b"k", b"v", [(b"a", b"b")])),
        (TypeError, (9, b"k", b"v", [("good", b""), ("a", "b")])),
        (UnicodeEncodeError, (9, b"k", b"v", [("\ud800", b"")])),
        (TypeError, (9, b"k")),
        (TypeError, (9, b"k", b"v", (), ())),
    ]
    for error, record in refused:
        with pytest.raises(error):
            writer.write(*record)  # type: ignore[arg-type] # they are wrong
        assert writer.encoded() == before
    writer.write(6, None, None, [("a", None)])
    expected = [Record(0, 5, b"k", b"v"), Record(0, 6, None, None, (("a", None),))]
    assert writer.encoded() == built(expected)


@EVERY_WRITER
def test_headers_may_be_any_sequence_of_pairs(writer_form: WriterForm) -> None:
    headers = [("a", b"1"), ("ö" * 100, None)]
    one, other = writer_form(), writer_form()
    one.write(1, None, b"v", headers)
    other.write(1, None, b"v", tuple(headers))
    assert one.encoded() == other.encoded() == built([Record(0, 1, None, b"v", tuple(headers))])


def test_more_than_a_batch_can_hold_is_refused_in_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "RECORDS_BLOCK_BYTES_MAX", 1000)
    with pytest.raises(ValueError):
        encode_records([bytes(400)] * 3, form=encode_in_python)
    writer = BlockWriterInPython()
    writer.write(0, None, bytes(900))
    before = writer.encoded()
    with pytest.raises(ValueError):
        writer.write(0, None, bytes(100))
    assert writer.encoded() == before


@needs_c
def test_more_than_a_batch_can_hold_is_refused_in_c() -> None:
    large = bytes(2**20)
    with pytest.raises(ValueError):
        encode_records([large] * 2048, form=encode_in_c)
    with pytest.raises(ValueError):
        encode_records([b""], headers=[[("a", large)] * 2048], form=encode_in_c)
    writer = blocks.BlockWriterInC()
    with pytest.raises(ValueError):
        writer.write(0, None, None, [("a", large)] * 2048)
    assert writer.encoded() == EncodedBlock(b"", 0, -1, -1)


@needs_c
@given(
    ends=st.lists(st.integers(-2, 12), min_size=2, max_size=6),
    valid=st.none() | st.binary(max_size=2),
)
@examples(300)
def test_both_forms_agree_on_any_column(ends: list[int], valid: bytes | None) -> None:
    column = BytesColumn(b"0123456789", array("i", ends), valid)
    told: list[EncodedBlock | None] = []
    for form in (encode_in_python, encode_in_c):
        try:
            told.append(encode_records(column, form=form))
        except ValueError:
            told.append(None)
    assert told[0] == told[1]
