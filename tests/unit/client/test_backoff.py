"""Waits after failures."""

from __future__ import annotations

from itertools import pairwise

import pytest

from ottla.client.backoff import JITTER, Backoff
from tests.support.cluster import SeededRng


class Middle:
    """No jitter."""

    def below(self, bound: int) -> int:
        return bound // 2

    def uuid(self) -> bytes:
        raise AssertionError("nobody asks for it")


def test_waits_double_up_to_the_longest_and_begin_anew() -> None:
    backoff = Backoff(100, 1000, Middle())
    assert [backoff.next_ms() for _ in range(6)] == [100, 200, 400, 800, 1000, 1000]
    assert backoff.failures == 6
    backoff.reset()
    assert backoff.next_ms() == 100


def test_a_first_wait_above_the_longest_is_the_longest() -> None:
    assert Backoff(100, 10, Middle()).next_ms() == 10
    assert [Backoff(0, 0, Middle()).next_ms() for _ in range(3)] == [0, 0, 0]


def test_endless_failures_cost_nothing_more() -> None:
    backoff = Backoff(1, 1 << 20, Middle())
    for _ in range(10_000):
        backoff.next_ms()
    assert backoff.next_ms() == 1 << 20


@pytest.mark.parametrize("seed", range(5))
def test_waits_differ_by_their_jitter_and_no_more(seed: int) -> None:
    rng = SeededRng(seed)
    waits = [Backoff(1000, 1000, rng).next_ms() for _ in range(200)]
    assert 1000 * (1 - JITTER) <= min(waits) < 850
    assert 1150 < max(waits) <= 1000 * (1 + JITTER)
    assert all(first != second for first, second in pairwise(waits))
