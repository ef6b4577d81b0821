"""How many connections may be made."""

from __future__ import annotations

from ottla.quotas.connections import AT_ONCE, Admission, ConnectionUsage
from ottla.quotas.rate import Windows

ELEVEN = Windows(11, 1000)


def test_without_quotas_nobody_waits() -> None:
    usage = ConnectionUsage(ELEVEN)
    assert not usage.is_bounded
    assert usage.admit("10.0.0.7", 0) == AT_ONCE


def test_an_address_that_makes_too_many_loses_them() -> None:
    usage = ConnectionUsage(ELEVEN)
    usage.bound_addresses({"10.0.0.7": 1}, None)
    assert usage.is_bounded
    assert [usage.admit("10.0.0.7", 0) for _ in range(10)] == [AT_ONCE] * 10
    assert usage.admit("10.0.0.7", 0) == Admission(may_stay=False, wait_ms=1000)
    assert usage.admit("10.0.0.8", 0) == AT_ONCE
    # What was closed is not counted: one more second, one more connection.
    assert usage.admit("10.0.0.7", 11_000) == AT_ONCE


def test_addresses_without_a_quota_of_their_own_have_that_of_others() -> None:
    usage = ConnectionUsage(ELEVEN)
    usage.bound_addresses({"10.0.0.7": 100}, 1)
    assert all(usage.admit("10.0.0.7", 0).may_stay for _ in range(100))
    assert [usage.admit("10.0.0.8", 0).may_stay for _ in range(11)] == [True] * 10 + [False]


def test_too_many_in_all_are_served_one_after_the_other() -> None:
    usage = ConnectionUsage(ELEVEN)
    usage.bound_all(2)
    admitted = [usage.admit(f"10.0.0.{n}", 0) for n in range(23)]
    assert admitted[:20] == [AT_ONCE] * 20
    assert [found.wait_ms for found in admitted[20:]] == [500, 1000, 1500]
    assert all(found.may_stay for found in admitted)
    usage.bound_all(None)
    assert usage.admit("10.0.0.1", 0) == AT_ONCE
