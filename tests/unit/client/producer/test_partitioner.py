"""Partitions of keys as the Java client chooses them, and of records without one."""

from __future__ import annotations

from itertools import pairwise

import pytest

from ottla.client.producer.partitioner import StickyPartition, key_number, murmur2
from tests.support.cluster import SeededRng

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


def signed(number: int, bits: int) -> int:
    number &= (1 << bits) - 1
    return number - (1 << bits) if number >> bits - 1 else number


@pytest.mark.parametrize("key", BY_JAVA)
def test_the_hash_of_a_key_is_the_java_client_s(key: str) -> None:
    assert signed(murmur2(key.encode()), 32) == BY_JAVA[key]
    assert key_number(key.encode()) == BY_JAVA[key] & 0x7FFF_FFFF


def test_the_hash_of_every_length_and_byte_is_the_java_client_s() -> None:
    every = bytes(range(256))
    fold = 0
    for length in range(257):
        fold = fold * 31 + signed(murmur2(every[:length]), 32)
    assert signed(fold, 64) == FOLD_BY_JAVA


def test_records_without_a_key_go_to_another_partition_each_time() -> None:
    sticky = StickyPartition(SeededRng())
    places = [sticky.rotate(3) for _ in range(300)]
    assert all(one != next_one for one, next_one in pairwise(places))
    assert all(places.count(index) > 60 for index in range(3))


def test_partitions_without_a_leader_are_left_out_while_there_are_others() -> None:
    sticky = StickyPartition(SeededRng())
    assert {sticky.rotate(3, frozenset({1})) for _ in range(50)} == {0, 2}
    assert {sticky.rotate(2, frozenset({0, 1})) for _ in range(50)} == {0, 1}


def test_one_partition_is_always_chosen() -> None:
    sticky = StickyPartition(SeededRng())
    assert [sticky.rotate(1), sticky.rotate(1)] == [0, 0]
