from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.wire.primitives import (
    MalformedError,
    read_uvarint,
    skip_tags,
    write_long_string_length,
    write_uvarint,
)


def written(value: int) -> bytes:
    out = bytearray()
    write_uvarint(out, value)
    return bytes(out)


@given(st.integers(0, 2**32 - 1))
def test_varints_come_back(value: int) -> None:
    encoded = written(value)
    assert read_uvarint(memoryview(encoded), 0) == (value, len(encoded))


@pytest.mark.parametrize(
    ("value", "encoded"),
    [(0, "00"), (127, "7f"), (128, "8001"), (16384, "808001"), (2**32 - 1, "ffffffff0f")],
)
def test_varints_have_the_bytes_of_the_protocol(value: int, encoded: str) -> None:
    assert written(value).hex() == encoded


@pytest.mark.parametrize("encoded", ["ffffffff10", "ffffffff7f", "808080808001", "ffffffffffff01"])
def test_a_varint_of_more_than_32_bits_is_malformed(encoded: str) -> None:
    with pytest.raises(MalformedError):
        read_uvarint(memoryview(bytes.fromhex(encoded)), 0)


@pytest.mark.parametrize("encoded", ["", "80", "ffffffff"])
def test_a_varint_cut_short_is_an_index_error(encoded: str) -> None:
    with pytest.raises(IndexError):
        read_uvarint(memoryview(bytes.fromhex(encoded)), 0)


@pytest.mark.parametrize("value", [-1, 2**32])
def test_a_number_outside_32_bits_is_not_written(value: int) -> None:
    with pytest.raises(ValueError):
        written(value)


def test_a_string_that_no_reader_would_take_is_not_written() -> None:
    write_long_string_length(bytearray(), 32768)
    with pytest.raises(ValueError):
        write_long_string_length(bytearray(), 32769)


def test_tags_are_skipped_by_their_sizes() -> None:
    fields = bytes.fromhex("020503aabbccac0200") + b"next"
    assert skip_tags(memoryview(fields), 1, fields[0]) == len(fields) - len(b"next")


def test_more_tags_claimed_than_there_are_is_an_index_error() -> None:
    fields = bytes.fromhex("ffffffff0f0500")
    with pytest.raises(IndexError):
        skip_tags(memoryview(fields), 1, fields[0])
