"""The loop of `consume`: it ends where it should, and prints nothing beyond."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from io import BytesIO, RawIOBase

import pytest

from ottla.base.ids import TopicPartition
from ottla.cli.rate import Rate
from ottla.cli.records.choosing import Choice
from ottla.cli.records.printing import ValuesPrinter
from ottla.cli.records.reading import Ends, Keeper, Reading, write_whole
from ottla.wire.records.columns import RecordColumns
from ottla.wire.records.layout import BytesColumn, HeadersColumn

ONE, TWO = TopicPartition("t", 0), TopicPartition("t", 1)


def columns(first: int, count: int, *, next_offset: int | None = None) -> RecordColumns:
    return RecordColumns(
        array("q", range(first, first + count)),
        array("q", [0] * count),
        BytesColumn.of([None] * count),
        BytesColumn.of([b"%d" % n for n in range(first, first + count)]),
        HeadersColumn.empty(count),
        first + count if next_offset is None else next_offset,
        0,
    )


class Script:
    """Hands out these batches, then nothing; positions are as told."""

    def __init__(
        self,
        *batches: dict[TopicPartition, RecordColumns],
        positions: dict[TopicPartition, int] | None = None,
    ) -> None:
        self._batches = list(batches)
        self._positions = positions or {}

    def poll_batch(self, timeout_s: float | None = None) -> dict[TopicPartition, RecordColumns]:
        return self._batches.pop(0) if self._batches else {}

    def position(self, partition: tuple[str, int], *, timeout_s: float | None = None) -> int:
        return self._positions[TopicPartition(*partition)]


class Kept(Keeper):
    """What was noted."""

    def __init__(self) -> None:
        self.positions: dict[TopicPartition, int] = {}

    def printed(self, partition: TopicPartition, next_offset: int) -> None:
        self.positions[partition] = next_offset


def printed(
    script: Script,
    *,
    ends: dict[TopicPartition, int] | None = None,
    count: int | None = None,
    grep: str | None = None,
    idle_ms: int | None = None,
) -> tuple[Sequence[bytes], dict[TopicPartition, int]]:
    out, kept = BytesIO(), Kept()
    Reading(
        script,
        out,
        printer=ValuesPrinter(delimiter=b" ", null=b"-"),
        choice=Choice(anywhere=grep, key=None, value=None, invert=False),
        ends=Ends(ends),
        rate=Rate(live=False, at_end=False),
        keeper=kept,
        count=count,
        idle_ms=idle_ms,
    ).run()
    return out.getvalue().split(), kept.positions


def test_it_ends_when_every_partition_is_at_its_end() -> None:
    script = Script({ONE: columns(0, 3)}, {TWO: columns(5, 2)}, {ONE: columns(3, 9)})
    told, kept = printed(script, ends={ONE: 3, TWO: 7})
    assert told == [b"0", b"1", b"2", b"5", b"6"]
    assert kept == {ONE: 3, TWO: 7}


def test_nothing_behind_an_end_is_printed() -> None:
    told, _ = printed(Script({ONE: columns(0, 10)}), ends={ONE: 4})
    assert told == [b"0", b"1", b"2", b"3"]


def test_an_end_that_no_record_reaches_is_seen_by_the_position() -> None:
    script = Script({ONE: columns(0, 2)}, positions={ONE: 5})
    assert printed(script, ends={ONE: 5})[0] == [b"0", b"1"]


def test_a_count_ends_in_the_middle_of_a_batch_and_is_kept_exactly() -> None:
    script = Script({ONE: columns(0, 2)}, {TWO: columns(0, 5), ONE: columns(2, 5)})
    told, kept = printed(script, count=4)
    assert told == [b"0", b"1", b"0", b"1"]
    assert kept == {ONE: 2, TWO: 2}


def test_records_that_are_left_out_do_not_count_and_are_behind_all_the_same() -> None:
    told, kept = printed(Script({ONE: columns(0, 30)}), count=2, grep="^1.$")
    assert told == [b"10", b"11"]
    assert kept == {ONE: 12}
    told, kept = printed(Script({ONE: columns(0, 30, next_offset=31)}), ends={ONE: 31}, grep="x")
    assert (told, kept) == ([], {ONE: 31})


def test_idleness_ends_it() -> None:
    assert printed(Script({ONE: columns(0, 1)}), idle_ms=1)[0] == [b"0"]


@pytest.mark.parametrize("size", [1, 3, 100])
def test_an_output_that_takes_little_at_a_time_gets_all(size: int) -> None:
    taken: list[bytes] = []

    class Slow(RawIOBase):
        def write(self, data: object) -> int:
            assert isinstance(data, memoryview)
            taken.append(bytes(data[:size]))
            return len(taken[-1])

    write_whole(Slow(), b"0123456789")  # type: ignore[arg-type]  # as an unbuffered output
    assert b"".join(taken) == b"0123456789"
