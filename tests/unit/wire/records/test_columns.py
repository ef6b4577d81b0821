"""Opening batches into columns: the form in Python and the one in C bring the same records."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.wire.records import memory
from ottla.wire.records.batch import (
    HEADER_SIZE,
    BatchHeader,
    assemble,
    build_batch,
    iter_batches,
    patch_log_append_time,
    patch_placement,
    read_header,
)
from ottla.wire.records.blocks import BlockWriter
from ottla.wire.records.columns import (
    IS_COMPILED,
    Opening,
    RecordColumns,
    open_in_c,
    open_in_python,
    open_records,
)
from ottla.wire.records.compression import Codec
from ottla.wire.records.record import Record, iter_records
from tests.unit.wire.records.golden_batches import log_files, sent_records
from tests.unit.wire.records.record_strategies import any_records, damaged
from tests.unit.wire.strategies import examples

needs_c = pytest.mark.skipif(
    not IS_COMPILED, reason="the C twin was not compiled: no C compiler or no Python.h"
)
FORMS = [
    pytest.param(open_in_python, id="python"),
    pytest.param(open_in_c, id="c", marks=needs_c),
]
EVERY_FORM = pytest.mark.parametrize("form", FORMS)

SOME = [
    Record(0, 1000, b"key", b"value"),
    Record(1, 1007, None, b"", (("h", b"x"), ("naïve", None), ("", b""))),
    Record(2, 999, b"", None),
    Record(3, 5000, b"k" * 200, b"v" * 70_000),
]


def batch_at(base_offset: int, records: list[Record], codec: Codec = Codec.NONE) -> bytes:
    batch = build_batch(records, codec=codec)
    patch_placement(batch, 0, base_offset, 0)
    return bytes(batch)


def three_batches() -> bytes:
    """Offsets 0-3, 4-7 and 8-11."""
    return b"".join(batch_at(base, SOME) for base in (0, 4, 8))


def with_block(block: bytes, *, count: int, **fields: int) -> bytes:
    """A sealed batch around these bytes."""
    header = read_header(build_batch([Record(timestamp=0)]))
    header.record_count = count
    for name, value in fields.items():
        setattr(header, name, value)
    return bytes(assemble(header, block))


def told(columns: RecordColumns) -> tuple[object, ...]:
    """Everything of them, down to the bytes."""
    return (
        columns.offsets,
        columns.timestamps,
        columns.keys,
        columns.values,
        columns.headers,
        columns.next_offset,
        columns.size,
    )


def outcome(form: Opening, batches: bytes, **how: object) -> object:
    """The columns, or what they were refused with."""
    try:
        return told(open_records(batches, form=form, **how))  # type: ignore[arg-type] # as given
    except ProtocolError as refused:
        return refused.code


@EVERY_FORM
@pytest.mark.parametrize("codec", Codec)
def test_records_of_all_batches_come_in_one(form: Opening, codec: Codec) -> None:
    batches = batch_at(7, SOME, codec) + batch_at(20, SOME, codec)
    opened = open_records(batches, form=form)
    assert opened.to_list() == [
        record for _, batch in iter_batches(batches) for record in iter_records(batch)
    ]
    assert list(opened.offsets) == [7, 8, 9, 10, 20, 21, 22, 23]
    assert (opened.next_offset, opened.size) == (24, len(batches))
    assert opened.record(1) == msgspec.structs.replace(SOME[1], offset=8)


@EVERY_FORM
def test_columns_lie_as_arrow_wants_them(form: Opening) -> None:
    opened = open_records(batch_at(0, [*SOME[:3], *SOME[:3], *SOME[:3]]), form=form)
    assert bytes(opened.keys.data) == b"keykeykey"
    assert list(opened.keys.ends) == [0, 3, 3, 3, 6, 6, 6, 9, 9, 9]
    assert opened.keys.valid == bytes([0b01101101, 0b1])
    assert opened.headers.names.valid is None
    assert list(opened.headers.ends) == [0, 0, 3, 3, 3, 6, 6, 6, 9, 9]
    assert opened.headers.names[1] == "naïve".encode()


@EVERY_FORM
def test_nothing_is_opened_of_nothing(form: Opening) -> None:
    for content in (b"", bytes(60), three_batches()[:100]):
        opened = open_records(content, from_offset=5, form=form)
        assert (len(opened), opened.next_offset, opened.size) == (0, 5, 0)
        assert opened.to_list() == []


@EVERY_FORM
def test_records_before_the_wanted_offset_are_left_out(form: Opening) -> None:
    opened = open_records(three_batches(), from_offset=6, form=form)
    assert list(opened.offsets) == [6, 7, 8, 9, 10, 11]
    assert list(opened.timestamps) == [999, 5000, 1000, 1007, 999, 5000]
    assert opened.values[0] is None
    assert opened.headers[3] == SOME[1].headers
    assert opened.next_offset == 12


@EVERY_FORM
def test_batches_before_the_wanted_offset_are_not_even_opened(form: Opening) -> None:
    content = bytearray(three_batches())
    content[HEADER_SIZE] ^= 0xFF
    assert list(open_records(content, from_offset=4, form=form).offsets) == list(range(4, 12))
    with pytest.raises(ProtocolError):
        open_records(content, from_offset=3, form=form)


@EVERY_FORM
def test_a_cut_batch_at_the_end_is_left_alone(form: Opening) -> None:
    content = three_batches()
    opened = open_records(content[:-1], form=form)
    assert (len(opened), opened.next_offset) == (8, 8)
    assert opened.size == 2 * len(content) // 3


@EVERY_FORM
def test_control_batches_are_passed_over(form: Opening) -> None:
    control = build_batch([Record(value=b"x")], base_offset=4, transactional=True, control=True)
    content = batch_at(0, SOME) + control
    opened = open_records(content, form=form)
    assert (len(opened), opened.next_offset, opened.size) == (4, 5, len(content))


@EVERY_FORM
def test_the_caller_leaves_out_batches_and_sees_all_of_them(form: Opening) -> None:
    control = build_batch([Record(value=b"x")], base_offset=12, control=True)
    asked: list[int] = []

    def skip(header: BatchHeader, batch: memoryview) -> bool:
        assert read_header(batch) == header
        asked.append(header.base_offset)
        return header.base_offset == 4

    opened = open_records(three_batches() + control, from_offset=4, skip=skip, form=form)
    assert asked == [0, 4, 8, 12]
    assert list(opened.offsets) == [8, 9, 10, 11]
    assert opened.next_offset == 13


@EVERY_FORM
def test_a_broker_s_time_is_that_of_all_records(form: Opening) -> None:
    batch = build_batch(SOME)
    patch_log_append_time(batch, read_header(batch), 77_000)
    assert list(open_records(batch, form=form).timestamps) == [77_000] * 4


@EVERY_FORM
def test_a_batch_that_compaction_emptied_has_no_records(form: Opening) -> None:
    opened = open_records(with_block(b"", count=0, last_offset_delta=9), form=form)
    assert (len(opened), opened.next_offset) == (0, 10)


@EVERY_FORM
def test_any_kind_of_buffer_will_do(form: Opening) -> None:
    content = three_batches()
    for buffer in (content, bytearray(content), memoryview(content)):
        assert len(open_records(buffer, form=form)) == 12


@EVERY_FORM
@pytest.mark.parametrize("at", [16, 17, 23, 61, 70])
def test_damage_ends_the_opening_and_is_raised_when_it_comes_first(form: Opening, at: int) -> None:
    content = bytearray(three_batches())
    second = len(content) // 3
    content[second + at] ^= 0x80
    opened = open_records(content, form=form)
    assert (len(opened), opened.next_offset, opened.size) == (4, 4, second)
    with pytest.raises(ProtocolError) as refused:
        open_records(content[second:], from_offset=4, form=form)
    assert refused.value.code is ErrorCode.CORRUPT_MESSAGE


@EVERY_FORM
def test_records_of_a_damaged_batch_are_all_left_out(form: Opening) -> None:
    content = bytearray(three_batches())
    content[-1] ^= 1
    opened = open_records(content, check_crc=False, form=form)
    assert (len(opened), opened.next_offset) == (8, 8)


@EVERY_FORM
def test_the_checksum_is_only_looked_at_where_it_is_wanted(form: Opening) -> None:
    content = bytearray(batch_at(0, SOME))
    content[17] ^= 1
    assert len(open_records(content, check_crc=False, form=form)) == 4
    with pytest.raises(ProtocolError):
        open_records(content, form=form)


@EVERY_FORM
def test_an_unknown_codec_is_named(form: Opening) -> None:
    with pytest.raises(ProtocolError) as refused:
        open_records(with_block(b"", count=0, attributes=6), form=form)
    assert refused.value.code is ErrorCode.UNSUPPORTED_COMPRESSION_TYPE


@EVERY_FORM
@pytest.mark.parametrize("codec", [Codec.GZIP, Codec.SNAPPY, Codec.LZ4, Codec.ZSTD])
def test_a_bomb_is_refused(form: Opening, codec: Codec) -> None:
    bomb = batch_at(0, [Record(timestamp=0, value=bytes(3_000_000))], codec)
    assert len(open_records(bomb, limit=3_000_100, form=form)) == 1
    with pytest.raises(ProtocolError) as refused:
        open_records(bomb, limit=2_999_999, form=form)
    assert refused.value.code is ErrorCode.CORRUPT_MESSAGE


@EVERY_FORM
@pytest.mark.parametrize("codec", Codec)
def test_many_batches_that_exceed_the_limit_come_in_pieces(form: Opening, codec: Codec) -> None:
    batches = b"".join(batch_at(4 * number, SOME, codec) for number in range(7))
    sizes, offsets, at, next_offset = [], [], 0, 0
    while at < len(batches):
        opened = open_records(batches[at:], from_offset=next_offset, limit=150_000, form=form)
        at += opened.size
        next_offset = opened.next_offset
        sizes.append(len(opened))
        offsets += opened.offsets.tolist()
    assert sizes == [8, 8, 8, 4]
    assert offsets == list(range(28))


@EVERY_FORM
def test_a_first_batch_that_is_not_compressed_may_have_any_size(form: Opening) -> None:
    assert len(open_records(three_batches(), limit=10, form=form)) == 4


BROKEN_BLOCKS = {
    "no record": (b"", 1),
    "a record of no bytes": (b"\x00", 1),
    "a length beyond the block": (b"\x10\x00\x00\x00\x01\x01\x00", 1),
    "a length below zero": (b"\x0d\x00\x00\x00\x01\x01\x00", 1),
    "a key longer than its record": (b"\x0c\x00\x00\x00\x04\x01\x00", 1),
    "a key of length -2": (b"\x0c\x00\x00\x00\x03\x01\x00", 1),
    "a value longer than its record": (b"\x0c\x00\x00\x00\x01\x04\x00", 1),
    "one header, and none there": (b"\x0c\x00\x00\x00\x01\x01\x02", 1),
    "fewer headers than none": (b"\x0c\x00\x00\x00\x01\x01\x01", 1),
    "a header without a name": (b"\x10\x00\x00\x00\x01\x01\x02\x01\x01", 1),
    "a name that is not UTF-8": (b"\x12\x00\x00\x00\x01\x01\x02\x02\xff\x01", 1),
    "bytes behind the headers": (b"\x14\x00\x00\x00\x01\x01\x02\x02a\x01\x00", 1),
    "bytes behind the fields": (b"\x0e\x00\x00\x00\x01\x01\x00\x00", 1),
    "bytes behind the last record": (b"\x0c\x00\x00\x00\x01\x01\x00\x00", 1),
    "a record more than is counted": (b"\x0c\x00\x00\x00\x01\x01\x00" * 2, 1),
    "a record less than is counted": (b"\x0c\x00\x00\x00\x01\x01\x00" * 2, 3),
    "less than no records": (b"", -1),
    "an endless varint": (b"\x0c" + b"\xff" * 30, 1),
    "a delta of more than 64 bits": (b"\x1e\x00" + b"\xff" * 9 + b"\x03\x00\x01\x01\x00", 1),
    "a varint that the record cuts": (b"\x04\x00\x80\x00\x00\x01\x01\x00", 1),
}


@EVERY_FORM
@pytest.mark.parametrize("name", BROKEN_BLOCKS)
def test_what_is_no_record_is_refused(form: Opening, name: str) -> None:
    block, count = BROKEN_BLOCKS[name]
    batch = with_block(block, count=count)
    with pytest.raises(ProtocolError) as refused:
        open_records(batch, form=form)
    assert refused.value.code is ErrorCode.CORRUPT_MESSAGE
    with pytest.raises(ProtocolError):
        list(iter_records(batch))


@EVERY_FORM
@pytest.mark.parametrize(
    "fields", [{"base_offset": 2**63 - 1}, {"base_timestamp": 2**63 - 1}], ids=str
)
def test_what_exceeds_64_bits_is_refused(form: Opening, fields: dict[str, int]) -> None:
    batch = with_block(b"\x0c\x00\x02\x02\x01\x01\x00", count=1, **fields)
    assert outcome(form, batch) is ErrorCode.CORRUPT_MESSAGE


@EVERY_FORM
def test_a_batch_that_counts_backwards_is_refused(form: Opening) -> None:
    assert outcome(form, with_block(b"", count=0, last_offset_delta=-1)) is (
        ErrorCode.CORRUPT_MESSAGE
    )


@EVERY_FORM
@given(name=st.binary(min_size=1, max_size=6) | st.text(max_size=3).map(str.encode))
@examples(300)
def test_names_of_headers_are_utf_8_as_python_understands_it(form: Opening, name: bytes) -> None:
    judge(form, name)


@EVERY_FORM
def test_every_lead_of_a_name_is_judged_as_python_does(form: Opening) -> None:
    for lead in range(0x80, 0x100):
        for second in (0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0):
            for rest in (b"", b"\x80", b"\x80\xbf", b"\x80\x7f"):
                judge(form, bytes([lead, second]) + rest)


def judge(form: Opening, name: bytes) -> None:
    """A header of this name is refused where it is not UTF-8, and brought where it is."""
    fields = b"\x00\x00\x00\x01\x01\x02" + bytes([2 * len(name)]) + name + b"\x01"
    batch = with_block(bytes([2 * len(fields)]) + fields, count=1)
    try:
        expected = name.decode()
    except UnicodeDecodeError:
        assert outcome(form, batch) is ErrorCode.CORRUPT_MESSAGE
    else:
        assert open_records(batch, form=form).headers[0] == ((expected, None),)


@EVERY_FORM
def test_what_apache_kafka_wrote_is_what_its_records_say(form: Opening) -> None:
    contents = [*log_files(), *filter(None, sent_records())]
    assert len(contents) > 30
    for content in contents:
        expected = [
            record
            for header, batch in iter_batches(content)
            if not header.is_control
            for record in iter_records(batch)
        ]
        opened = open_records(content, form=form)
        assert opened.to_list() == expected
        assert opened.size == len(content)


@needs_c
@given(records=any_records, base_offset=st.integers(0, 2**62), codec=st.sampled_from(Codec))
@examples(100)
def test_both_forms_bring_the_same_columns(
    records: list[Record], base_offset: int, codec: Codec
) -> None:
    batches = batch_at(base_offset, records, codec) * 2
    wanted = base_offset + len(records) // 2
    expected = outcome(open_in_python, batches, from_offset=wanted)
    assert outcome(open_in_c, batches, from_offset=wanted) == expected


@needs_c
@given(records=any_records, seed=st.integers(0, 2**32))
@examples(600)
def test_both_forms_agree_on_damaged_records(records: list[Record], seed: int) -> None:
    good = bytes(build_batch(records))
    batch = bytearray(damaged(good, seed, first=HEADER_SIZE))
    struct.pack_into(">i", batch, 8, len(batch) - 12)
    agree(bytes(batch))
    agree(good + bytes(batch))


@needs_c
@given(records=any_records, seed=st.integers(0, 2**32))
@examples(300)
def test_both_forms_agree_on_damaged_headers(records: list[Record], seed: int) -> None:
    agree(damaged(bytes(build_batch(records)), seed))


@needs_c
@given(block=st.binary(max_size=60), count=st.integers(-1, 5))
@examples(300)
def test_both_forms_agree_on_random_blocks(block: bytes, count: int) -> None:
    agree(with_block(block, count=count))


@needs_c
def test_both_forms_agree_on_every_truncation_and_every_changed_byte() -> None:
    block = bytes(build_batch(SOME[:3])[HEADER_SIZE:])
    for end in range(len(block)):
        agree(with_block(block[:end], count=3))
    for at in range(len(block)):
        for byte in range(256):
            agree(with_block(block[:at] + bytes([byte]) + block[at + 1 :], count=3))


def agree(batches: bytes) -> None:
    """Both forms bring the same columns, or refuse with the same error."""
    opened = outcome(open_in_python, batches, check_crc=False)
    assert outcome(open_in_c, batches, check_crc=False) == opened


@EVERY_FORM
def test_batches_large_enough_to_let_others_run_are_opened_alike(form: Opening) -> None:
    records = [Record(n, n, b"%d" % n, bytes(100), (("n", b"%d" % n),)) for n in range(3000)]
    opened = open_records(batch_at(0, records), form=form)
    assert opened.to_list() == records


@needs_c
@pytest.mark.parametrize("codec", [Codec.GZIP, Codec.ZSTD])
def test_both_forms_agree_on_damaged_compression(codec: Codec) -> None:
    good = batch_at(0, SOME, codec)
    for seed in range(100):
        agree(damaged(good, seed, first=HEADER_SIZE))


@pytest.mark.parametrize("asked", ["0", "1"])
def test_the_environment_chooses_the_form(asked: str) -> None:
    code = (
        "from ottla.wire.records import blocks, columns, rows; "
        "print(columns.DEFAULT_FORM.__name__, blocks.DEFAULT_FORM.__name__, "
        "blocks.BlockWriter.__name__, rows.measure_rows.__name__, rows.place_rows.__name__)"
    )
    told = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"OTTLA_PURE_PYTHON": asked},
        capture_output=True,
        text=True,
        check=True,
    )
    language = "c" if IS_COMPILED and asked == "0" else "python"
    writer = "BlockWriterInC" if language == "c" else "BlockWriterInPython"
    assert told.stdout.split() == [
        f"open_in_{language}",
        f"encode_in_{language}",
        writer,
        f"measure_in_{language}",
        f"place_in_{language}",
    ]


@needs_c
def test_headers_that_go_missing_while_a_batch_is_read_are_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another thread may write to the bytes between the two walks, as the memory is asked for."""
    from ottla.wire.records import _columns, _memory

    writer = BlockWriter()
    writer.write(0, b"k", bytes(70_000), (("a", b"1"), ("b", b"2")))
    block = bytearray(writer.encoded().block)
    at_count = len(block) - 9
    assert block[at_count] == 2 << 1

    def loses_a_header(size: int) -> memoryview:
        block[at_count] = 1 << 1
        return memory.fresh_block(size)

    monkeypatch.setattr(_memory, "block", loses_a_header)
    # A copy is another library, which takes the memory's source anew.
    copied = str(shutil.copy(_columns.__file__, tmp_path))
    loader = ExtensionFileLoader("_columns", copied)
    again = module_from_spec(spec_from_file_location("_columns", copied, loader=loader))  # type: ignore[arg-type]  # there is a spec, the loader is given
    with pytest.raises(RuntimeError, match="changed while they were read"):
        again.open_blocks([(block, 1, 0, 0, 0)], 0)
