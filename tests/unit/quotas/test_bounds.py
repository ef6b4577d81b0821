"""The eight levels, from the strongest."""

from __future__ import annotations

import pytest

from ottla.quotas.bounds import DEFAULT, UNNAMED, Bound, Bounds, Entity, Sharers

BOTH, USER, CLIENT = Sharers("alice", "app"), Sharers("alice", ""), Sharers("", "app")

LEVELS = [
    (Entity("alice", "app"), BOTH),
    (Entity("alice", DEFAULT), BOTH),
    (Entity("alice", UNNAMED), USER),
    (Entity(DEFAULT, "app"), BOTH),
    (Entity(DEFAULT, DEFAULT), BOTH),
    (Entity(DEFAULT, UNNAMED), USER),
    (Entity(UNNAMED, "app"), CLIENT),
    (Entity(UNNAMED, DEFAULT), CLIENT),
]


@pytest.mark.parametrize("strongest", range(len(LEVELS)))
def test_the_strongest_level_that_is_set_applies(strongest: int) -> None:
    quotas = {entity: float(n) for n, (entity, _) in enumerate(LEVELS) if n >= strongest}
    assert Bounds(quotas).find("alice", "app") == Bound(LEVELS[strongest][1], strongest)


def test_nothing_applies_to_others() -> None:
    bounds = Bounds({Entity("alice", "app"): 1, Entity("alice", UNNAMED): 2})
    assert bounds.find("bob", "app") is None
    assert not Bounds()
    assert bounds


def test_a_client_without_an_id_shares_what_its_user_has() -> None:
    assert Bounds({Entity("alice", DEFAULT): 1}).find("alice", "") is None
    assert Bounds({Entity(UNNAMED, DEFAULT): 1}).find("alice", "") is None
    everyone = Bounds({Entity(DEFAULT, UNNAMED): 3})
    assert everyone.find("alice", "") == Bound(USER, 3)


def test_a_name_is_not_the_default_that_it_looks_like() -> None:
    assert Bounds({Entity("<default>", UNNAMED): 1}).find("alice", "app") is None


def test_what_is_remembered_of_a_client_is_short_however_long_its_name() -> None:
    name = "n" * 30_000
    bound = Bounds({Entity(UNNAMED, name): 1, Entity(UNNAMED, DEFAULT): 2}).find("alice", name)
    assert bound == Bound(Sharers("", "n" * 255), 1)
