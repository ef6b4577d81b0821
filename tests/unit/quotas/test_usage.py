"""What clients use, and when they must wait."""

from __future__ import annotations

import pytest

from ottla.quotas.bounds import DEFAULT, UNBOUNDED, UNNAMED, Bound, Bounds, Entity, Sharers
from ottla.quotas.rate import Windows
from ottla.quotas.usage import Gauges, PermitUsage, RateUsage

ELEVEN = Windows(11, 1000)


def bytes_of(**quotas: float) -> RateUsage:
    usage = RateUsage(ELEVEN)
    usage.bounds = Bounds({Entity(user, UNNAMED): rate for user, rate in quotas.items()})
    return usage


def test_who_has_no_quota_is_neither_counted_nor_held() -> None:
    usage = bytes_of(alice=100)
    assert usage.add("bob", "app", 10**9, 0) == 0
    assert usage.most_at_once("bob", "app") == UNBOUNDED
    assert len(usage) == 0


def test_clients_of_one_user_use_up_its_quota_together() -> None:
    usage = bytes_of(alice=100)
    assert usage.add("alice", "one", 1000, 0) == 0
    assert usage.add("alice", "two", 500, 0) == 5000
    assert usage.most_at_once("alice", "two") == 1000


def test_each_client_has_the_default_for_itself() -> None:
    usage = RateUsage(ELEVEN)
    usage.bounds = Bounds({Entity(UNNAMED, DEFAULT): 100})
    assert usage.add("alice", "one", 1000, 0) == 0
    assert usage.add("alice", "two", 1000, 0) == 0
    assert usage.add("bob", "two", 1000, 0) == 10_000


def test_another_quota_holds_for_what_is_used_already() -> None:
    usage = bytes_of(alice=100)
    usage.add("alice", "app", 1000, 0)
    usage.bounds = Bounds({Entity("alice", UNNAMED): 50.0})
    assert usage.add("alice", "app", 0, 0) == 10_000


def test_a_wait_may_have_a_most() -> None:
    usage = RateUsage(ELEVEN, throttle_ms_max=1000)
    usage.bounds = Bounds({Entity("alice", UNNAMED): 1.0})
    assert usage.add("alice", "app", 1000, 0) == 1000


def test_what_is_counted_afterwards_is_waited_for_next_time() -> None:
    usage = bytes_of(alice=100)
    usage.add_afterwards("alice", "app", 2000, 0)
    usage.add_afterwards("bob", "app", 2000, 0)
    assert usage.add("alice", "app", 0, 0) == 10_000


def test_strict_permits_are_refused_while_something_is_owed() -> None:
    usage = PermitUsage(ELEVEN)
    usage.bounds = Bounds({Entity("alice", UNNAMED): 1.0})
    assert usage.take("alice", "app", 15, 0, strict=True) == 0  # the last may be too large
    assert usage.take("alice", "app", 1, 0, strict=True) == 4000
    assert usage.take("alice", "app", 1, 4000, strict=True) == 0
    assert usage.take("bob", "app", 10**6, 0, strict=True) == 0


def test_permits_of_old_requests_are_given_and_waited_for() -> None:
    usage = PermitUsage(ELEVEN)
    usage.bounds = Bounds({Entity("alice", UNNAMED): 1.0})
    assert usage.take("alice", "app", 15, 0, strict=False) == 4000
    assert usage.take("alice", "app", 1, 0, strict=False) == 5000


@pytest.mark.parametrize("rate", [0.0, 5e-324])
def test_permits_that_hardly_ever_come_are_waited_for_as_long_as_can_be_said(rate: float) -> None:
    usage = PermitUsage(ELEVEN)
    usage.bounds = Bounds({Entity("alice", UNNAMED): rate})
    assert usage.take("alice", "app", 1, 0, strict=False) == 2**31 - 1


@pytest.mark.parametrize("rate", [float("inf"), float("nan")])
def test_who_had_any_number_of_permits_has_later_only_so_many(rate: float) -> None:
    usage = PermitUsage(ELEVEN)
    usage.bounds = Bounds({Entity("alice", UNNAMED): rate})
    for now_ms in (0, 0, 5):
        assert usage.take("alice", "app", 10**9, now_ms, strict=True) == 0
    usage.bounds = Bounds({Entity("alice", UNNAMED): 1.0})
    assert usage.take("alice", "app", 15, 5, strict=True) == 0
    assert usage.take("alice", "app", 1, 5, strict=True) == 4000


@pytest.mark.parametrize("rate", [float("inf"), float("nan")])
def test_a_rate_that_is_no_bound_holds_nobody(rate: float) -> None:
    usage = bytes_of(alice=rate)
    assert usage.add("alice", "app", 10**12, 0) == 0
    assert usage.most_at_once("alice", "app") == UNBOUNDED


def test_who_was_not_seen_for_longest_is_forgotten_first() -> None:
    made: list[str] = []

    def make(bound: Bound, now_ms: int) -> str:
        made.append(bound.sharers.user)
        return bound.sharers.user

    gauges = Gauges(make, most=2)
    for user in ("a", "b", "a", "c", "a", "b"):
        gauges.of(Bound(Sharers(user, ""), 1), 0)
    assert made == ["a", "b", "c", "b"]
    assert len(gauges) == 2
