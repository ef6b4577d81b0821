"""Counting requests, in Python and in C: both do the same."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable

import pytest

from ottla.broker.request_counts import (
    FIRST_BUCKET_BITS,
    IS_COMPILED,
    PLACES,
    RequestCounts,
    RequestCountsInPython,
)
from ottla.wire.records.twins import PURE_PYTHON_VARIABLE

SLOW_NS = 1_000_000
FIRST_BUCKET_NS = 1 << FIRST_BUCKET_BITS
LONGEST_NS = (1 << 63) - 1
TELL_FORM = (
    "from ottla.broker.request_counts import new_counts; print(type(new_counts(1)).__name__)"
)

NewCounts = Callable[[int], RequestCounts]


def in_c(slow_ns: int) -> RequestCounts:
    if not IS_COMPILED:
        pytest.skip("no C compiler was there at installation")
    from ottla.broker import _request_counts

    return _request_counts.RequestCounts(slow_ns)


@pytest.fixture(params=[RequestCountsInPython, in_c])
def new_counts(request: pytest.FixtureRequest) -> NewCounts:
    """Either form."""
    form: NewCounts = request.param
    return form


def test_it_begins_at_nothing(new_counts: NewCounts) -> None:
    assert new_counts(SLOW_NS).read() == (0, 0, 0, (0,) * PLACES)


def test_what_is_added_is_summed(new_counts: NewCounts) -> None:
    counts = new_counts(SLOW_NS)
    counts.add(1_000, 10, 4)
    counts.add(2_000, 20, 0)
    duration_ns, request_bytes, response_bytes, places = counts.read()
    assert (duration_ns, request_bytes, response_bytes) == (3_000, 30, 4)
    assert sum(places) == 2


def test_two_count_apart(new_counts: NewCounts) -> None:
    one, two = new_counts(SLOW_NS), new_counts(SLOW_NS)
    one.add(1_000, 10, 4)
    assert sum(one.read()[3]) == 1
    assert sum(two.read()[3]) == 0


@pytest.mark.parametrize(
    ("duration_ns", "place"),
    [
        (0, 0),
        (FIRST_BUCKET_NS - 1, 0),
        (FIRST_BUCKET_NS, 1),
        (2 * FIRST_BUCKET_NS - 1, 1),
        (2 * FIRST_BUCKET_NS, 2),
        (LONGEST_NS, PLACES - 1),
    ],
)
def test_a_duration_counts_at_its_bits(new_counts: NewCounts, duration_ns: int, place: int) -> None:
    counts = new_counts(SLOW_NS)
    counts.add(duration_ns, 1, 1)
    assert [at for at, count in enumerate(counts.read()[3]) if count] == [place]


def test_slow_is_what_takes_longer(new_counts: NewCounts) -> None:
    counts = new_counts(SLOW_NS)
    assert counts.add(SLOW_NS, 1, 1) is False
    assert counts.add(SLOW_NS + 1, 1, 1) is True


def test_nothing_takes_less_than_no_time(new_counts: NewCounts) -> None:
    counts = new_counts(SLOW_NS)
    with pytest.raises(ValueError, match="less than no time"):
        counts.add(-1, 1, 1)
    assert sum(counts.read()[3]) == 0


@pytest.mark.parametrize("wrong", [("1", 1, 1), (1, None, 1), (1, 1), (1, 1, 1, 1)])
def test_other_than_three_numbers_is_no_request(
    new_counts: NewCounts, wrong: tuple[object, ...]
) -> None:
    with pytest.raises(TypeError):
        new_counts(SLOW_NS).add(*wrong)  # type: ignore[arg-type]


def test_both_forms_count_alike() -> None:
    dice = random.Random(7)
    twins = RequestCountsInPython(SLOW_NS), in_c(SLOW_NS)
    for _ in range(2_000):
        asked = dice.getrandbits(dice.randrange(45)), dice.randrange(1 << 30), dice.randrange(99)
        python, c = (twin.add(*asked) for twin in twins)
        assert python is c
    assert twins[0].read() == twins[1].read()


@pytest.mark.parametrize(
    ("refused", "form"), [("1", "RequestCountsInPython"), ("", "RequestCounts")]
)
def test_one_switch_chooses_the_form(refused: str, form: str) -> None:
    if not IS_COMPILED:
        pytest.skip("no C compiler was there at installation")
    told = subprocess.run(
        [sys.executable, "-c", TELL_FORM],
        env={**os.environ, PURE_PYTHON_VARIABLE: refused},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == form
