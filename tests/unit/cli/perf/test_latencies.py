"""Percentiles of counted durations: near to the exact ones, in bounded memory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ottla.cli.perf.latencies import Latencies


@given(st.lists(st.floats(1e-6, 1000), min_size=1, max_size=200), st.floats(0.01, 1))
def test_a_percentile_is_within_a_64th_of_the_exact_one(seconds: list[float], share: float) -> None:
    latencies = Latencies()
    for each in seconds:
        latencies.add(each)
    exact = next(
        each
        for place, each in enumerate(sorted(seconds), 1)
        if place >= len(seconds) * share - 1e-9
    )
    told = latencies.percentile_ms(share)
    assert exact * 1000 * (1 - 1e-9) <= told <= exact * 1000 * (1 + 1 / 32)


def test_mean_and_maximum_are_exact_and_counts_weigh() -> None:
    latencies = Latencies()
    latencies.add(0.001, 9)
    latencies.add(0.011)
    assert latencies.row("t") == {
        "t_mean_ms": pytest.approx(2.0),
        "t_p50_ms": pytest.approx(1.0, rel=0.02),
        "t_p95_ms": 11.0,
        "t_p99_ms": 11.0,
        "t_p999_ms": 11.0,
        "t_max_ms": 11.0,
    }


def test_nothing_is_0() -> None:
    assert set(Latencies().row("t").values()) == {0.0}
