"""When to look at which group again."""

from __future__ import annotations

from ottla.base.effects import NEVER
from ottla.groups.deadlines import Deadlines


def test_the_soonest_of_several_for_a_key_counts() -> None:
    deadlines = Deadlines()
    deadlines.at("a", 20)
    deadlines.at("a", 10)
    deadlines.at("a", 30)
    assert deadlines.next_ms == 10
    assert deadlines.take_due(10) == ["a"]
    assert deadlines.next_ms == NEVER


def test_groups_that_come_and_go_leave_nothing_behind() -> None:
    deadlines = Deadlines()
    deadlines.at("stays", 5000)
    for number in range(10_000):
        deadlines.at("goes", 10_000 + number)
        deadlines.forget("goes")
    assert len(deadlines._heap) < 200
    assert deadlines.take_due(5000) == ["stays"]
