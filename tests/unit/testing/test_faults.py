"""Faults count requests: which one goes wrong, how often, and until when."""

from __future__ import annotations

import pytest

from ottla.base.errors import ErrorCode
from ottla.testing.faults import ALWAYS, Cut, Delay, Fail, Faults, LoseAnswer

PRODUCE, FETCH = 0, 1


@pytest.fixture
def faults() -> Faults:
    return Faults(cut_all=lambda: 3)


def outcomes(faults: Faults, count: int, key: int = PRODUCE) -> list[bool]:
    """Whether each of the next requests goes wrong."""
    return [bool(faults.due(key)) for _ in range(count)]


def test_without_faults_nothing_goes_wrong(faults: Faults) -> None:
    assert outcomes(faults, 3) == [False, False, False]
    assert not faults.concern(PRODUCE)


def test_the_first_request_fails_and_the_next_do_not(faults: Faults) -> None:
    fault = faults.fail("Produce", "NOT_LEADER_OR_FOLLOWER")
    assert faults.due(PRODUCE) == [Fail(ErrorCode.NOT_LEADER_OR_FOLLOWER)]
    assert outcomes(faults, 2) == [False, False]
    assert (fault.seen, fault.hits) == (3, 1)


def test_nth_and_times_choose_requests_in_a_row(faults: Faults) -> None:
    faults.drop_connection("Produce", nth=2, times=2)
    assert outcomes(faults, 5) == [False, True, True, False, False]


def test_always_ends_when_it_is_cleared(faults: Faults) -> None:
    with faults.lose_answer("Produce", times=ALWAYS) as fault:
        assert outcomes(faults, 3) == [True, True, True]
    assert outcomes(faults, 1) == [False]
    assert fault.hits == 3


def test_other_apis_are_not_concerned(faults: Faults) -> None:
    fault = faults.fail("Fetch", ErrorCode.OFFSET_OUT_OF_RANGE)
    assert outcomes(faults, 2, PRODUCE) == [False, False]
    assert fault.seen == 0
    assert faults.concern(FETCH)


def test_several_faults_of_one_api_come_together(faults: Faults) -> None:
    faults.delay("Produce", 250)
    faults.drop_connection("Produce")
    faults.lose_answer("Produce", nth=2)
    assert faults.due(PRODUCE) == [Delay(0.25), Cut()]
    assert faults.due(PRODUCE) == [Delay(0.25), LoseAnswer()]


def test_a_failure_is_to_come_until_it_has_come(faults: Faults) -> None:
    faults.fail("Fetch", 1, nth=2)
    faults.due(FETCH)
    assert faults.may_fail(FETCH)
    faults.due(FETCH)
    assert not faults.may_fail(FETCH)


def test_clear_forgets_all(faults: Faults) -> None:
    faults.delay("Produce", 1)
    faults.fail("Fetch", -1)
    faults.clear()
    assert not faults.concern(PRODUCE)
    assert not faults.concern(FETCH)


def test_connections_are_dropped_at_once(faults: Faults) -> None:
    assert faults.drop_connections() == 3


def test_what_cannot_be_is_refused_by_name(faults: Faults) -> None:
    with pytest.raises(ValueError, match="'Produces' is no API; there are AddOffsetsToTxn"):
        faults.fail("Produces", 6)
    with pytest.raises(ValueError, match="'NOT_AN_ERROR' is no error code"):
        faults.fail("Produce", "NOT_AN_ERROR")
    with pytest.raises(ValueError, match="NONE is no error"):
        faults.fail("Produce", 0)
    with pytest.raises(ValueError, match="nth counts from 1"):
        faults.delay("Produce", 1, nth=0)
    with pytest.raises(ValueError, match="times is at least 1"):
        faults.delay("Produce", 1, times=0)
    with pytest.raises(ValueError, match="a delay of -1 ms"):
        faults.delay("Produce", -1)
