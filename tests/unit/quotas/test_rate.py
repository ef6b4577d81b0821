"""A rate over windows, by the arithmetic of Apache Kafka."""

from __future__ import annotations

import pytest

from ottla.quotas.rate import WindowedRate, Windows, wait_ms

ELEVEN = Windows(11, 1000)


def test_a_first_burst_is_spread_over_all_full_windows() -> None:
    rate = WindowedRate()
    rate.add(5000, ELEVEN, 0)
    assert rate.measure(ELEVEN, 0) == (500, 10_000)
    assert rate.throttle_ms(500, ELEVEN, 0) == 0
    assert rate.throttle_ms(250, ELEVEN, 0) == 10_000
    assert rate.throttle_ms(400, ELEVEN, 0) == 2500


def test_the_wait_brings_the_rate_down_to_its_bound() -> None:
    rate = WindowedRate()
    rate.add(30_000, ELEVEN, 0)
    wait = rate.throttle_ms(1000, ELEVEN, 0)
    assert wait == 20_000
    rate = WindowedRate()
    rate.add(10_500, ELEVEN, 0)
    assert rate.throttle_ms(1000, ELEVEN, 0) == 500
    assert rate.throttle_ms(1000, ELEVEN, 999) == 0  # half a window more is covered by then


def test_a_window_that_is_over_begins_the_next() -> None:
    rate = WindowedRate()
    for second in range(11):
        rate.add(100, ELEVEN, second * 1000)
    assert rate.measure(ELEVEN, 10_000) == (110, 10_000)
    rate.add(100, ELEVEN, 10_999)
    assert rate.measure(ELEVEN, 10_999) == (1200 * 1000 / 10_999, 10_999)


def test_windows_without_use_in_time_are_forgotten() -> None:
    rate = WindowedRate()
    rate.add(1000, ELEVEN, 0)
    rate.add(1000, ELEVEN, 5000)
    assert rate.measure(ELEVEN, 10_999)[0] == pytest.approx(2000 / 10.999)
    assert rate.measure(ELEVEN, 11_000)[0] == pytest.approx(100)
    assert rate.measure(ELEVEN, 16_000) == (0, 10_000)


def test_what_is_taken_back_was_never_there() -> None:
    rate = WindowedRate()
    rate.add(100, ELEVEN, 0)
    rate.add(7000, ELEVEN, 10)
    rate.add(-7000, ELEVEN, 10)
    assert rate.measure(ELEVEN, 10)[0] == pytest.approx(100 / 10.010)


def test_a_single_window_has_a_rate_at_once() -> None:
    rate = WindowedRate()
    one = Windows(1, 1000)
    rate.add(5, one, 0)
    assert rate.measure(one, 0) == (5000, 1)


def test_a_wait_is_whole_milliseconds_of_an_int32() -> None:
    assert wait_ms(0.4) == 0
    assert wait_ms(0.5) == 1
    assert wait_ms(1e30) == 2**31 - 1
    assert wait_ms(float("inf")) == 2**31 - 1


def test_the_smallest_bound_there_is_can_be_waited_for() -> None:
    rate = WindowedRate()
    rate.add(1000, ELEVEN, 0)
    assert rate.throttle_ms(5e-324, ELEVEN, 0) == 2**31 - 1
