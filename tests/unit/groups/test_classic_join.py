"""JoinGroup: who becomes a member, under which id, and when that takes a rebalance."""

from __future__ import annotations

import pytest

from ottla.base.errors import ErrorCode
from ottla.base.limits import NEW_MEMBER_JOIN_MS_MAX, REBALANCE_REASON_LENGTH_MAX
from tests.support.group_bench import RANGE, SESSION_MS, GroupBench, reads

E = ErrorCode


def test_first_member_leads_and_learns_of_all_others_of_nobody() -> None:
    bench = GroupBench(initial_rebalance_delay_ms=1000)
    first, second = bench.join(client="a"), bench.join(client="b")
    bench.advance(3000)
    leader, follower = bench.joined(first), bench.joined(second)
    assert leader.leader == follower.leader == leader.member_id == "a-1"
    assert [each.member_id for each in leader.members] == ["a-1", "b-2"]
    assert [each.metadata for each in leader.members] == [reads("t")] * 2
    assert follower.members == []
    assert (leader.generation_id, leader.protocol_name, leader.protocol_type) == (
        1,
        "range",
        "consumer",
    )


@pytest.mark.parametrize("session_ms", [5999, 1_800_001])
def test_session_timeout_out_of_bounds_is_refused(session_ms: int) -> None:
    bench = GroupBench()
    assert bench.join_error(bench.join(session_ms=session_ms)) is E.INVALID_SESSION_TIMEOUT
    assert not bench.shard.groups


def test_unknown_id_in_an_unknown_group_is_refused_and_makes_none() -> None:
    bench = GroupBench()
    ticket = bench.join("who")
    assert bench.join_error(ticket) is E.UNKNOWN_MEMBER_ID
    assert bench.joined(ticket).member_id == "who"
    assert not bench.shard.groups


def test_unknown_id_in_a_known_group_is_refused() -> None:
    bench = GroupBench()
    bench.stable()
    assert bench.join_error(bench.join("who")) is E.UNKNOWN_MEMBER_ID


def test_group_that_refuses_its_first_member_is_not_kept() -> None:
    bench = GroupBench()
    assert bench.join_error(bench.join(protocol_type="")) is E.INCONSISTENT_GROUP_PROTOCOL
    assert bench.join_error(bench.join(protocols=[])) is E.INCONSISTENT_GROUP_PROTOCOL
    assert not bench.shard.groups


def test_protocol_that_is_named_twice_counts_once() -> None:
    bench = GroupBench(initial_rebalance_delay_ms=0)
    first = bench.join(client="a", protocols=[("range", reads("t")), ("range", reads("u"))])
    bench.advance(0)
    assert bench.joined(first).protocol_name == "range"
    second, again = bench.join(client="b"), bench.join(bench.joined(first).member_id)
    assert bench.joined(second).protocol_name == bench.joined(again).protocol_name == "range"


# -- the id first (KIP-394) ------------------------------------------------------------------------


def test_new_member_is_told_its_id_and_joins_with_it() -> None:
    bench = GroupBench()
    told = bench.joined(bench.join(id_first=True))
    assert (told.error_code, told.member_id) == (E.MEMBER_ID_REQUIRED, "c-1")
    ticket = bench.join("c-1", id_first=True)
    bench.advance(0)
    assert bench.joined(ticket).generation_id == 1


def test_rebalance_waits_for_members_that_were_told_their_id() -> None:
    bench = GroupBench()
    bench.stable(1)
    bench.join(id_first=True, session_ms=6000)
    second = bench.join()
    bench.heartbeat("c-1", 1)
    old = bench.join("c-1")
    assert old in bench.waiting
    bench.advance(6000)
    assert bench.joined(old).generation_id == bench.joined(second).generation_id == 2


def test_id_that_nobody_came_back_with_is_forgotten() -> None:
    bench = GroupBench()
    bench.join(id_first=True, session_ms=6000)
    bench.advance(6000)
    assert bench.join_error(bench.join("c-1")) is E.UNKNOWN_MEMBER_ID
    assert not bench.shard.groups


def test_static_members_need_no_id_first() -> None:
    bench = GroupBench()
    ticket = bench.join(instance="one", id_first=True)
    bench.advance(0)
    assert bench.joined(ticket).generation_id == 1


# -- the initial delay -----------------------------------------------------------------------------


def test_new_group_waits_and_waits_longer_as_long_as_members_come() -> None:
    bench = GroupBench(initial_rebalance_delay_ms=3000)
    tickets = [bench.join()]
    for _ in range(3):
        bench.advance(2000)
        tickets.append(bench.join())
    bench.advance(5999)
    assert bench.waiting == set(tickets)
    bench.advance(1)
    assert bench.joined(tickets[0]).generation_id == 1
    assert len(bench.joined(tickets[0]).members) == 4


def test_new_group_waits_no_longer_than_the_rebalance_timeout_of_its_first_member() -> None:
    bench = GroupBench(initial_rebalance_delay_ms=3000)
    first = bench.join(rebalance_ms=7000)
    for _ in range(6):
        bench.advance(1000)
        bench.join(rebalance_ms=7000)
    bench.advance(999)
    assert first in bench.waiting
    bench.advance(1)
    assert len(bench.joined(first).members) == 7


def test_group_that_became_empty_waits_again() -> None:
    bench = GroupBench(initial_rebalance_delay_ms=1000)
    first = bench.join()
    bench.advance(1000)
    bench.leave(bench.joined(first).member_id)
    again = bench.join()
    bench.advance(999)
    assert again in bench.waiting
    bench.advance(1)
    assert bench.joined(again).generation_id == 3


# -- joining again ---------------------------------------------------------------------------------


def test_follower_that_missed_its_answer_is_told_the_current_generation() -> None:
    bench = GroupBench()
    _, follower = bench.stable(2)
    answer = bench.joined(bench.join(follower))
    assert (answer.error_code, answer.generation_id) == (E.NONE, 1)
    assert bench.group.state_name == "Stable"


def test_leader_that_joins_again_makes_the_group_rebalance() -> None:
    bench = GroupBench()
    leader, follower = bench.stable(2)
    bench.join(leader)
    assert bench.heartbeat(follower, 1) is E.REBALANCE_IN_PROGRESS


def test_changed_subscription_makes_the_group_rebalance() -> None:
    bench = GroupBench()
    leader, follower = bench.stable(2)
    ticket = bench.join(follower, protocols=[("range", reads("t", "u"))])
    assert bench.heartbeat(leader, 1) is E.REBALANCE_IN_PROGRESS
    bench.rejoin_all(ticket)
    assert bench.group.topics == frozenset({"t", "u"})


def test_member_that_joins_again_while_the_assignment_is_made_gets_the_same_generation() -> None:
    bench = GroupBench(initial_rebalance_delay_ms=10)
    tickets = [bench.join(), bench.join()]
    bench.advance(100)
    ids = [bench.joined(ticket).member_id for ticket in tickets]
    again = bench.joined(bench.join(ids[0]))
    assert (again.generation_id, [each.member_id for each in again.members]) == (1, ids)
    assert bench.group.state_name == "CompletingRebalance"


def test_newcomer_while_the_assignment_is_made_sends_those_who_wait_for_it_back() -> None:
    bench = GroupBench(initial_rebalance_delay_ms=10)
    tickets = [bench.join(), bench.join()]
    bench.advance(100)
    follower = bench.joined(tickets[1]).member_id
    waiting = bench.sync(follower, 1)
    bench.join()
    assert bench.sync_error(waiting) is E.REBALANCE_IN_PROGRESS


def test_request_that_is_sent_twice_is_answered_twice_and_makes_one_member() -> None:
    bench = GroupBench()
    leader, follower = bench.stable(2)
    first = bench.join(leader)
    second = bench.join(leader)
    assert bench.join_error(first) is E.REBALANCE_IN_PROGRESS
    bench.rejoin_all(second)
    assert set(bench.group.members) == {leader, follower}


def test_member_that_does_not_join_again_in_time_is_out() -> None:
    bench = GroupBench()
    leader, silent = bench.stable(2)
    ticket = bench.join(leader)
    for _ in range(6):
        bench.advance(9000)
        bench.heartbeat(silent, 1)
    bench.advance(6000)
    assert [each.member_id for each in bench.joined(ticket).members] == [leader]
    assert bench.heartbeat(silent, 2) is E.UNKNOWN_MEMBER_ID


def test_next_leader_is_one_of_those_who_joined() -> None:
    bench = GroupBench()
    leader, other = bench.stable(2)
    new = bench.join()
    ticket = bench.join(other)
    bench.leave(leader)
    assert bench.joined(ticket).leader == bench.joined(new).leader == other


def test_new_member_that_waits_too_long_for_its_first_rebalance_is_told_to_come_again() -> None:
    bench = GroupBench(session_timeout_ms_max=10**9)
    bench.stable(1, rebalance_ms=10**9, session_ms=10**9)
    ticket = bench.join(rebalance_ms=10**9)
    bench.advance(NEW_MEMBER_JOIN_MS_MAX)
    assert bench.join_error(ticket) is E.UNKNOWN_MEMBER_ID


# -- protocols -------------------------------------------------------------------------------------


def test_protocol_with_most_votes_among_those_that_all_can_use_is_chosen() -> None:
    bench = GroupBench(initial_rebalance_delay_ms=10)
    first, second, third = (
        [(name, reads("t")) for name in names]
        for names in (["x", "a", "b"], ["b", "a"], ["b", "y", "a"])
    )
    ticket = bench.join(protocols=first)
    bench.join(protocols=second)
    bench.join(protocols=third)
    bench.advance(100)
    assert bench.joined(ticket).protocol_name == "b"


def test_member_without_a_protocol_in_common_is_refused() -> None:
    bench = GroupBench()
    bench.stable(1)
    other = [("roundrobin", reads("t"))]
    assert bench.join_error(bench.join(protocols=other)) is E.INCONSISTENT_GROUP_PROTOCOL


def test_member_of_another_protocol_type_is_refused() -> None:
    bench = GroupBench()
    bench.stable(1)
    refused = bench.join(protocol_type="connect")
    assert bench.join_error(refused) is E.INCONSISTENT_GROUP_PROTOCOL


def test_empty_group_may_change_its_protocol_type() -> None:
    bench = GroupBench()
    bench.leave(*bench.stable(1))
    ticket = bench.join(protocol_type="connect", protocols=[("default", b"?")])
    bench.advance(0)
    assert bench.joined(ticket).protocol_type == "connect"
    assert bench.group.topics is None


# -- size ------------------------------------------------------------------------------------------


def test_full_group_takes_nobody_more_and_keeps_its_members() -> None:
    bench = GroupBench(size_max=2)
    _, follower = bench.stable(2)
    assert bench.join_error(bench.join()) is E.GROUP_MAX_SIZE_REACHED
    assert bench.join_error(bench.join(follower)) is E.NONE


def test_in_a_full_group_that_rebalances_the_quickest_get_the_places() -> None:
    bench = GroupBench(size_max=2)
    leader, follower = bench.stable(2)
    bench.join(follower, protocols=[("range", reads("u"))])
    newcomer = bench.join(protocols=RANGE)
    late = bench.join(leader)
    assert bench.join_error(late) is E.GROUP_MAX_SIZE_REACHED
    assert bench.joined(newcomer).generation_id == 2
    assert set(bench.group.members) == {follower, bench.joined(newcomer).member_id}


def test_session_of_a_member_begins_anew_when_it_joins() -> None:
    bench = GroupBench()
    (member,) = bench.stable(1)
    bench.advance(SESSION_MS - 1)
    bench.rejoin_all(bench.join(member))
    bench.advance(SESSION_MS - 1)
    assert bench.heartbeat(member, 2) is E.NONE


def test_a_session_that_ends_sooner_than_thought_is_looked_at_in_time() -> None:
    bench = GroupBench(initial_rebalance_delay_ms=5 * SESSION_MS)
    ticket = bench.join()
    assert bench.heartbeat("c-1", 0) is E.REBALANCE_IN_PROGRESS
    bench.advance(SESSION_MS)
    assert bench.join_error(ticket) is E.UNKNOWN_MEMBER_ID


def test_of_an_endless_reason_the_beginning_is_kept() -> None:
    bench = GroupBench()
    bench.join(reason="x" * 30_000)
    (entry,) = bench.group.journal
    assert entry.causes[0].detail == "x" * REBALANCE_REASON_LENGTH_MAX


def test_who_leaves_a_group_that_is_not_there_is_told_for_itself() -> None:
    assert GroupBench().leave("x", ("", "one")) == [E.UNKNOWN_MEMBER_ID] * 2
