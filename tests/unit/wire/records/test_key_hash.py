"""The hash of keys as the Java client's, in Python and in C."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.wire.records import rows
from ottla.wire.records.key_hash import hash_number, murmur2
from ottla.wire.records.rows import Placing, place_in_c, place_in_python, rows_of
from tests.unit.wire.strategies import examples

EVERY_FORM = pytest.mark.parametrize(
    "form",
    [
        pytest.param(place_in_python, id="python"),
        pytest.param(
            place_in_c,
            id="c",
            marks=pytest.mark.skipif(not rows.IS_COMPILED, reason="the C twin was not compiled"),
        ),
    ],
)
BY_JAVA = {
    "": 275646681,
    "a": -1563381124,
    "ab": 316155434,
    "abc": 479470107,
    "abcd": -1323649548,
    "abcde": 461995741,
    "foobar": -790332482,
    "21": -973932308,
    "a-little-bit-long-string": -985981536,
    "a-little-bit-longer-string": -1486304829,
    "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    "é中文": 280301115,
}
"""What `Utils.murmur2` of Kafka 4.3.1 gives, as Java's signed int."""

FOLD_BY_JAVA = 1476454985914407045
"""`fold = fold * 31 + murmur2(prefix)` over the prefixes of bytes 0 to 255, as a Java long."""

MODULI = (1009, 1013, 4099)
"""What C does not tell whole it tells by its remainders: together they say all of 31 bits."""


def signed(number: int, bits: int) -> int:
    number &= (1 << bits) - 1
    return number - (1 << bits) if number >> bits - 1 else number


def partition_of(form: Placing, key: bytes, partitions: int) -> int:
    ((partition, start, end),) = form(rows_of([b""], keys=[key]), 0, 1, partitions, 0).shares
    assert (start, end) == (0, 1)
    return partition


@pytest.mark.parametrize("key", BY_JAVA)
def test_the_hash_of_a_key_is_the_java_client_s(key: str) -> None:
    assert signed(murmur2(key.encode()), 32) == BY_JAVA[key]
    assert hash_number(key.encode()) == BY_JAVA[key] & 0x7FFF_FFFF


def test_the_hash_of_every_length_and_byte_is_the_java_client_s() -> None:
    every = bytes(range(256))
    fold = 0
    for length in range(257):
        fold = fold * 31 + signed(murmur2(every[:length]), 32)
    assert signed(fold, 64) == FOLD_BY_JAVA


@EVERY_FORM
@pytest.mark.parametrize("key", BY_JAVA)
def test_a_column_s_keys_go_where_the_java_client_puts_them(form: Placing, key: str) -> None:
    for partitions in MODULI:
        expected = (BY_JAVA[key] & 0x7FFF_FFFF) % partitions
        assert partition_of(form, key.encode(), partitions) == expected


@given(key=st.binary(max_size=40))
@examples(300)
def test_both_forms_agree_on_any_key(key: bytes) -> None:
    for partitions in MODULI:
        assert partition_of(rows.place_rows, key, partitions) == hash_number(key) % partitions
