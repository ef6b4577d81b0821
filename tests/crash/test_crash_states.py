"""Whatever a crash leaves, a start succeeds and every promise is kept.

A failing state prints the command that looks at it again.
"""

from __future__ import annotations

from typing import Final

import pytest

from ottla.testing.crash_states import crash_states, state_of
from tests.crash.exploring import SEED, explore, moments_of, replay
from tests.crash.scenarios import SCENARIOS
from tests.support.cluster import SeededRng

DISTINCT_DISKS_MIN: Final = {
    "appends_and_flushes": 400,
    "every_write_flushed": 500,
    "rolls": 5000,
    "cuts": 3500,
    "resets": 250,
    "records_are_deleted": 1200,
    "epochs_change": 3000,
    "producers_send_again": 2000,
    "producers_after_cuts": 2500,
    "retention": 8000,
    "stops_and_starts": 1500,
    "powers_lost": 5000,
    "two_partitions": 2500,
    "topics_come_and_go": 4000,
    "compacted_segments_are_replaced": 6000,
    "compaction_outruns_the_flush": 6000,
}
"""Fewer, and the generator has lost some of what it should try."""


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_promise_is_kept_in_every_state(name: str) -> None:
    explored = explore(name)
    print(f"{name}: {explored.states} states, {explored.distinct} different disks")
    assert explored.distinct >= DISTINCT_DISKS_MIN[name]


def test_all_scenarios_together_visit_enough_different_disks() -> None:
    """No two have a disk in common: their partitions have names of their own."""
    assert set(DISTINCT_DISKS_MIN) == set(SCENARIOS)
    assert sum(DISTINCT_DISKS_MIN.values()) >= 20_000


def test_a_state_is_made_again_from_its_id() -> None:
    moments = moments_of(SCENARIOS["cuts"])
    again = moments_of(SCENARIOS["cuts"])
    for number, state in enumerate(crash_states(moments, SeededRng(SEED))):
        if number % 500 == 0:
            assert state_of(again, state.id).content == state.content
            replay("cuts", state.id)
