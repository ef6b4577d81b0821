"""How late the loop is."""

from __future__ import annotations

from ottla.broker.metrics.loop_delay import LoopDelay
from tests.support.scraping import scraped
from tests.support.stepped_loop import SteppedClock, SteppedLoop

MS = 1_000_000


def test_delays_fall_below_the_end_of_their_bucket() -> None:
    delay = LoopDelay()
    for milliseconds in (0, 1, 3, 900):
        delay.note(milliseconds * MS)
    delay.note(-5)  # a timer may fire a little early
    delay.note(20_000 * MS)
    found = scraped(delay())
    assert found["ottla_loop_delay_seconds_bucket", {"le": "0.001048576"}] == 3
    assert found["ottla_loop_delay_seconds_bucket", {"le": "0.004194304"}] == 4
    assert found["ottla_loop_delay_seconds_bucket", {"le": "1.073741824"}] == 5
    assert found["ottla_loop_delay_seconds_bucket", {"le": "+Inf"}] == 6
    assert found["ottla_loop_delay_seconds_count"] == 6
    assert round(found["ottla_loop_delay_seconds_sum"], 3) == 20.904


def test_it_looks_four_times_a_second_until_it_is_stopped() -> None:
    loop = SteppedLoop(SteppedClock())
    delay = LoopDelay()
    loop.call(delay.start)
    for _ in range(4):
        loop.advance(250)
    assert scraped(delay())["ottla_loop_delay_seconds_count"] == 4
    delay.stop()
    loop.advance(1000)
    assert scraped(delay())["ottla_loop_delay_seconds_count"] == 4
    loop.close()
