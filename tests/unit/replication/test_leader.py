"""High watermark and in-sync replicas of a leader, as numbers."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from ottla.base.ids import LeaderEpoch, NodeId, Offset
from ottla.replication.leader import LeaderState

ME, TWO, THREE = NodeId(1), NodeId(2), NodeId(3)


def leader(*isr: NodeId, end: int = 0, high_watermark: int = 0) -> LeaderState:
    return LeaderState(
        ME,
        LeaderEpoch(0),
        isr or (ME,),
        log_end_offset=Offset(end),
        high_watermark=Offset(high_watermark),
    )


def test_alone_everything_is_committed_as_it_is_written() -> None:
    state = leader()
    assert state.appended(Offset(5))
    assert state.high_watermark == 5


def test_a_leader_alone_begins_with_all_that_it_has() -> None:
    assert leader(end=7).high_watermark == 7


def test_an_append_of_nothing_moves_nothing() -> None:
    state = leader(end=7)
    assert not state.appended(Offset(7))


def test_with_followers_the_slowest_decides() -> None:
    state = leader(ME, TWO, THREE)
    assert not state.appended(Offset(10))
    assert not state.follower_fetched(TWO, Offset(10), 0)
    assert state.follower_fetched(THREE, Offset(4), 0)
    assert state.high_watermark == 4
    assert state.follower_fetched(THREE, Offset(10), 0)
    assert state.high_watermark == 10


def test_a_replica_out_of_sync_is_not_waited_for() -> None:
    state = leader(ME, TWO)
    state.appended(Offset(10))
    state.follower_fetched(THREE, Offset(0), 0)
    assert state.follower_fetched(TWO, Offset(10), 0)
    assert state.high_watermark == 10


def test_a_follower_that_has_said_nothing_holds_the_watermark_where_it_is() -> None:
    state = leader(ME, TWO, end=9, high_watermark=3)
    assert state.high_watermark == 3
    assert not state.appended(Offset(12))
    assert state.high_watermark == 3


def test_a_follower_that_falls_back_does_not_take_the_watermark_with_it() -> None:
    state = leader(ME, TWO)
    state.appended(Offset(10))
    state.follower_fetched(TWO, Offset(10), 0)
    assert not state.follower_fetched(TWO, Offset(2), 0)
    assert state.high_watermark == 10


def test_a_smaller_in_sync_set_commits_more() -> None:
    state = leader(ME, TWO)
    state.appended(Offset(10))
    assert state.isr_changed([ME])
    assert state.high_watermark == 10


def test_a_larger_in_sync_set_waits_for_the_new_one() -> None:
    state = leader(ME, end=10)
    assert not state.isr_changed([ME, TWO])
    assert not state.appended(Offset(15))
    assert state.high_watermark == 10
    assert state.follower_fetched(TWO, Offset(15), 0)
    assert state.high_watermark == 15


def test_writes_may_want_a_number_of_replicas_in_sync() -> None:
    state = leader(ME, TWO)
    assert [state.has_enough_replicas(wanted) for wanted in (1, 2, 3)] == [True, True, False]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, 5)),
        st.tuples(st.sampled_from(["two", "three"]), st.integers(0, 5)),
        st.tuples(st.just("isr"), st.integers(0, 3)),
    ),
    max_size=40,
)


@given(STEPS)
def test_the_watermark_never_goes_back_and_never_passes_a_replica_in_sync(
    steps: Iterable[tuple[str, int]],
) -> None:
    state = leader(ME, TWO, THREE)
    ends = {ME: 0, TWO: 0, THREE: 0}
    for action, number in steps:
        before = state.high_watermark
        match action:
            case "append":
                ends[ME] += number
                moved = state.appended(Offset(ends[ME]))
            case "isr":
                # Only who has caught up joins, as the controller sees to it.
                joining = [node for node in (TWO, THREE)[:number] if ends[node] >= before]
                moved = state.isr_changed([ME, *joining])
            case _:
                follower = TWO if action == "two" else THREE
                ends[follower] = min(ends[follower] + number, ends[ME])
                moved = state.follower_fetched(follower, Offset(ends[follower]), 0)
        assert state.high_watermark >= before
        assert moved == (state.high_watermark > before)
        assert all(state.high_watermark <= ends[node] for node in state.isr)
