"""Partitioners that a program chooses: by name, or its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zlib import crc32

import pytest

from ottla.base.errors import UserError
from ottla.client.producer import ANYWHERE, Producer
from ottla.client.producer.errors import PartitionerError
from ottla.client.producer.partitioner import key_number
from tests.support.producer_bench import TOPIC, ProducerBench


class Recording:
    """Answers what it is told to, and remembers what it was asked."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, bytes | None, bytes | None, int, Sequence[int]]] = []

    def __call__(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        partition_count: int,
        available: Sequence[int],
    ) -> int:
        self.asked.append((topic, key, value, partition_count, available))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[no-any-return]  # also what no int is


def places(bench: ProducerBench, partitions: int) -> list[list[bytes | None]]:
    """The values in each partition."""
    bench.settle(200)
    return [
        [record.value for record in bench.cluster.log(TOPIC, index).records]
        for index in range(partitions)
    ]


KEYS = [b"", b"a", b"k", b"key-%d" % 7, b"\xff" * 9]


def test_kafka_s_own_way_has_a_name() -> None:
    with ProducerBench(partitions=7, partitioner="murmur2") as bench:
        for key in KEYS:
            bench.send(key, key=key)
        found = places(bench, 7)
    for key in KEYS:
        assert key in found[key_number(key) % 7]


@pytest.mark.parametrize("name", ["consistent_random", "crc32"])
def test_keys_go_where_librdkafka_puts_them(name: str) -> None:
    with ProducerBench(partitions=7, partitioner=name) as bench:
        for key in KEYS[1:]:
            bench.send(key, key=key)
        found = places(bench, 7)
    for key in KEYS[1:]:
        assert key in found[crc32(key) % 7]


def test_librdkafka_s_records_without_a_key_fill_one_batch() -> None:
    with ProducerBench(partitions=7, partitioner="consistent_random") as bench:
        bench.send_many(b"1", b"2", b"3")
        bench.send(b"4", key=b"")
        assert sorted(map(len, places(bench, 7))) == [0] * 6 + [4]


def test_one_partition_after_the_other_has_its_turn() -> None:
    with ProducerBench(partitions=3, partitioner="round_robin") as bench:
        for number in range(6):
            bench.send(b"%d" % number, key=b"the same")
        assert places(bench, 3) == [[b"0", b"3"], [b"1", b"4"], [b"2", b"5"]]


def test_a_callable_sees_the_record_and_chooses() -> None:
    chosen = Recording(2, 0)
    with ProducerBench(partitions=3, partitioner=chosen) as bench:
        bench.send(b"a", key=b"k")
        bench.send(None)
        assert places(bench, 3) == [[None], [], [b"a"]]
    assert chosen.asked == [
        (TOPIC, b"k", b"a", 3, (0, 1, 2)),
        (TOPIC, None, None, 3, (0, 1, 2)),
    ]


def test_partitions_without_a_leader_are_not_available() -> None:
    chosen = Recording(0, 0)
    with ProducerBench(partitions=3, partitioner=chosen) as bench:
        bench.send(b"a")
        bench.settle(50)
        topic = bench.producer._parts.accumulator.topics[TOPIC]  # type: ignore[union-attr]  # no node of the model loses its leader for good
        topic.leaderless = frozenset({1})
        bench.send(b"b")
        bench.settle(50)
    assert [asked[4] for asked in chosen.asked] == [(0, 1, 2), (0, 2)]


def test_who_names_a_partition_asks_nobody() -> None:
    chosen = Recording()
    with ProducerBench(partitions=3, partitioner=chosen) as bench:
        bench.send(b"a", partition=1)
        assert places(bench, 3) == [[], [b"a"], []]
    assert not chosen.asked


def test_anywhere_is_where_a_batch_is_filled() -> None:
    with ProducerBench(partitions=5, partitioner=Recording(*[ANYWHERE] * 4)) as bench:
        bench.send_many(b"1", b"2", b"3", b"4", key=b"k")
        assert sorted(map(len, places(bench, 5))) == [0, 0, 0, 0, 4]


def test_rows_are_placed_one_by_one_too() -> None:
    chosen = Recording(2, 0, 2, 1)
    with ProducerBench(partitions=3, partitioner=chosen) as bench:
        values = [b"a", b"b", b"c", b"d"]
        bench.start(bench.producer.send_batch(TOPIC, values, keys=[b"k", None, b"k", b"l"]))
        assert places(bench, 3) == [[b"b"], [b"d"], [b"a", b"c"]]
    assert [(asked[1], asked[2]) for asked in chosen.asked] == [
        (b"k", b"a"),
        (None, b"b"),
        (b"k", b"c"),
        (b"l", b"d"),
    ]


@pytest.mark.parametrize("answer", [3, -2, None, "1", ValueError("no idea")])
def test_a_partition_that_is_not_there_is_told_to_who_sends(answer: object) -> None:
    with ProducerBench(partitions=3, partitioner=Recording(0, answer, 1)) as bench:
        bench.send(b"first")
        bench.settle(200)
        with pytest.raises(PartitionerError):
            bench.send(b"lost")
        bench.send(b"last")
        assert places(bench, 3) == [[b"first"], [b"last"], []]


def test_a_record_that_had_to_wait_for_its_topic_is_told_by_its_delivery() -> None:
    with ProducerBench(partitions=3, partitioner=Recording(ValueError("no idea"), 1)) as bench:
        lost, kept = bench.send(b"lost"), bench.send(b"kept")
        assert places(bench, 3) == [[], [b"kept"], []]
        with pytest.raises(PartitionerError, match="no idea"):
            lost.result()
        assert kept.result().partition == 1


@pytest.mark.parametrize("partitioner", ["murmur3", 7])
def test_what_is_no_partitioner_is_refused(partitioner: object) -> None:
    with pytest.raises(UserError, match="partitioner is "):
        Producer("unused:1", partitioner=partitioner)
