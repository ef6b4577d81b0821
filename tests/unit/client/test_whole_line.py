"""Our producer and consumer with a real broker between them, in seeded trouble.

A seed that fails stands in the name of its test: `pytest -k seed-17` runs the same again. More of
them, under numbers that no run before had, `make soak` tries; it tells where it began, and
OTTLA_SEED=4711 begins there.
"""

from __future__ import annotations

import os
import time

import pytest

from tests.support.whole_line import WholeLine

RECORD_SEEDS = range(100)
TRANSACTION_SEEDS = range(60)
OLD_SEEDS = range(40)
SOAK_SEEDS = 250
SOAKED = [
    (False, None),
    (False, "2.1"),
    (False, "2.8"),
    (False, "3.9"),
    (True, None),
    (True, "2.1"),
]
"""Not transactions of 2.8 and 3.9: a coordinator that is restarted there does not know which epoch
came before the last, as Kafka's does not, so a producer whose new epoch was lost is fenced."""
WRITES = 30
TRANSACTIONS = 8


def run(seed: int, *, transactional: bool = False, api_versions: str | None = None) -> WholeLine:
    line = WholeLine(seed, transactional=transactional, api_versions=api_versions)
    line.run(TRANSACTIONS if transactional else WRITES)
    line.check()
    return line


@pytest.mark.parametrize("seed", RECORD_SEEDS, ids="seed-{}".format)
def test_records_are_there_once_in_order_and_read_so(seed: int) -> None:
    run(seed)


@pytest.mark.parametrize("seed", TRANSACTION_SEEDS, ids="seed-{}".format)
def test_transactions_are_whole_or_not_there(seed: int) -> None:
    run(seed, transactional=True)


@pytest.mark.parametrize("seed", OLD_SEEDS, ids="seed-{}".format)
def test_the_same_holds_with_a_broker_of_old_versions(seed: int) -> None:
    run(seed, transactional=seed % 2 == 0, api_versions="2.1")


def test_a_seed_is_the_same_run_every_time() -> None:
    runs = [run(7), run(7)]
    assert runs[0].troubles == runs[1].troubles
    assert runs[0].clock.elapsed_ms == runs[1].clock.elapsed_ms
    assert runs[0].seen == runs[1].seen


def test_trouble_comes_of_every_kind() -> None:
    kinds = {kind for seed in range(6) for kind in run(seed).troubles}
    assert len(kinds) == 7, kinds


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("transactional", "api_versions"), SOAKED)
def test_seeds_that_nobody_has_tried(transactional: bool, api_versions: str | None) -> None:
    first = int(os.environ.get("OTTLA_SEED", time.time_ns() // 1000))
    print(f"seeds {first} to {first + SOAK_SEEDS - 1}")
    for seed in range(first, first + SOAK_SEEDS):
        run(seed, transactional=transactional, api_versions=api_versions)
