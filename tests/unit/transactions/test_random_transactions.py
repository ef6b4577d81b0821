"""Random schedules of transactions: all or nothing, whatever comes late, twice, or crashes.

A failing case prints the seed that repeats it.
"""

from __future__ import annotations

import pytest

from tests.unit.transactions.simulation import World

STEPS = 400
SEEDS = 150


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("seed", range(SEEDS))
def test_transactions_are_all_or_nothing(seed: int, version: int) -> None:
    world = World(seed, version)
    for _ in range(STEPS):
        world.step()
    world.settle()
    world.check_outcomes()


@pytest.mark.parametrize("version", [1, 2])
def test_the_schedules_reach_what_they_are_for(version: int) -> None:
    committed = aborted = clients = crashes = 0
    for seed in range(20):
        world = World(seed, version)
        for _ in range(STEPS):
            world.step()
        committed += len(world.committed)
        aborted += len(world.aborted)
        clients += len(world.clients)
        crashes += world.coordinator_epoch
    assert committed > 10
    assert aborted > 10
    assert clients > 40
    assert crashes > 40
