"""Partitions of keys as the Java client chooses them, and of records without one."""

from __future__ import annotations

from itertools import pairwise

from ottla.client.producer.partitioner import StickyPartition, key_number
from tests.support.cluster import SeededRng


def test_a_key_s_number_is_its_hash_without_the_sign() -> None:
    assert key_number(b"foobar") == -790332482 & 0x7FFF_FFFF


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
