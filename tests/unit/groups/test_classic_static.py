"""Static members (KIP-345, KIP-814): a name that outlives its process."""

from __future__ import annotations

from ottla.base.errors import ErrorCode
from tests.support.group_bench import RANGE, SESSION_MS, GroupBench, reads

E = ErrorCode


def test_restart_takes_the_place_and_the_assignment_over_without_a_rebalance() -> None:
    bench = GroupBench()
    leader, follower = bench.stable_static("one", "two")
    answer = bench.joined(bench.join(instance="two", client="new"))
    assert (answer.error_code, answer.generation_id, answer.leader) == (E.NONE, 1, leader)
    assert answer.member_id.startswith("new-")
    assert bench.heartbeat(leader, 1) is E.NONE
    synced = bench.synced(bench.sync(answer.member_id, 1, instance="two"))
    assert synced.assignment == follower.encode()


def test_whoever_acts_in_the_name_of_a_member_that_was_replaced_is_fenced() -> None:
    bench = GroupBench()
    _, old = bench.stable_static("one", "two")
    bench.join(instance="two")
    assert bench.heartbeat(old, 1, "two") is E.FENCED_INSTANCE_ID
    assert bench.sync_error(bench.sync(old, 1, instance="two")) is E.FENCED_INSTANCE_ID
    assert bench.commit(1, old, 1, instance="two") is E.FENCED_INSTANCE_ID
    assert bench.leave((old, "two")) == [E.FENCED_INSTANCE_ID]
    assert bench.join_error(bench.join(old, instance="two")) is E.FENCED_INSTANCE_ID
    assert bench.heartbeat(old, 1) is E.UNKNOWN_MEMBER_ID


def test_unknown_instance_is_an_unknown_member() -> None:
    bench = GroupBench()
    (member,) = bench.stable_static("one")
    assert bench.heartbeat(member, 1, "other") is E.UNKNOWN_MEMBER_ID


def test_leader_that_restarts_skips_the_assignment_and_learns_of_its_members() -> None:
    bench = GroupBench()
    _, follower = bench.stable_static("one", "two")
    answer = bench.joined(bench.join(instance="one"))
    assert answer.skip_assignment
    assert answer.leader == answer.member_id
    assert {each.member_id for each in answer.members} == {answer.member_id, follower}


def test_leader_that_knows_nothing_of_skipping_is_told_that_it_does_not_lead() -> None:
    bench = GroupBench()
    old, _ = bench.stable_static("one", "two")
    answer = bench.joined(bench.join(instance="one", may_skip=False))
    assert not answer.skip_assignment
    assert answer.leader == old
    assert answer.members == []
    assert bench.group.leader == answer.member_id


def test_restart_with_another_protocol_makes_the_group_rebalance() -> None:
    bench = GroupBench()
    both = [("range", reads("t")), ("sticky", reads("t"))]
    bench.stable_static("one", protocols=both)
    ticket = bench.join(instance="one", protocols=both[::-1])
    assert bench.joined(ticket).generation_id == 2
    assert bench.joined(ticket).protocol_name == "sticky"


def test_restart_while_the_assignment_is_made_begins_again() -> None:
    bench = GroupBench(initial_rebalance_delay_ms=10)
    tickets = [bench.join(instance="one"), bench.join(instance="two")]
    bench.advance(100)
    old = bench.joined(tickets[1]).member_id
    waiting = bench.sync(old, 1, instance="two")
    again = bench.join(instance="two")
    assert bench.sync_error(waiting) is E.FENCED_INSTANCE_ID
    assert bench.group.state_name == "PreparingRebalance"
    assert again in bench.waiting


def test_second_one_with_the_name_fences_the_first_that_still_waits_to_join() -> None:
    bench = GroupBench(initial_rebalance_delay_ms=1000)
    first, second = bench.join(instance="one"), bench.join(instance="one")
    assert bench.join_error(first) is E.FENCED_INSTANCE_ID
    bench.advance(3000)
    assert bench.joined(second).generation_id == 1
    assert len(bench.group.members) == 1


def test_static_member_that_is_away_keeps_its_place_through_a_rebalance() -> None:
    bench = GroupBench()
    leader, away = bench.stable_static("one", "two", session_ms=200_000)
    ticket = bench.join(leader, instance="one", session_ms=200_000)
    bench.advance(60_000)
    assert {each.member_id for each in bench.joined(ticket).members} == {leader, away}
    assert bench.joined(ticket).generation_id == 2


def test_static_member_is_out_when_its_session_ends() -> None:
    bench = GroupBench()
    leader, _ = bench.stable_static("one", "two")
    bench.advance(SESSION_MS - 1)
    bench.heartbeat(leader, 1)
    bench.advance(1)
    assert bench.heartbeat(leader, 1) is E.REBALANCE_IN_PROGRESS
    assert set(bench.group.members) == {leader}


def test_rebalance_without_anybody_here_waits_for_sessions_to_end() -> None:
    bench = GroupBench()
    leader, follower = bench.stable_static("one", "two", session_ms=200_000, rebalance_ms=30_000)
    bench.leave(leader)
    bench.advance(199_999)
    assert bench.group.state_name == "PreparingRebalance"
    assert set(bench.group.members) == {follower}
    bench.advance(1)
    assert bench.group.state_name == "PreparingRebalance" or not bench.group.members
    bench.advance(60_000)
    assert bench.group.state_name == "Empty"


def test_admin_removes_static_members_by_name_alone() -> None:
    bench = GroupBench()
    leader, follower = bench.stable_static("one", "two")
    assert bench.leave(("", "two"), ("", "three")) == [E.NONE, E.UNKNOWN_MEMBER_ID]
    assert set(bench.group.members) == {leader}
    assert bench.group.static_members == {"one": leader}
    assert follower not in bench.group.members


def test_static_members_and_their_names_are_known_after_a_restart() -> None:
    bench = GroupBench()
    leader, follower = bench.stable_static("one", "two")
    bench.reload()
    assert bench.group.static_members == {"one": leader, "two": follower}
    answer = bench.joined(bench.join(instance="two", protocols=RANGE))
    assert (answer.generation_id, answer.leader) == (1, leader)
    bench.reload()
    assert answer.member_id in bench.group.members
    assert bench.heartbeat(follower, 1, "two") is E.FENCED_INSTANCE_ID


def test_static_member_that_returns_keeps_its_place_in_the_order() -> None:
    bench = GroupBench()
    bench.stable_static("one", "two", "three")
    bench.join(instance="one")
    told = bench.describe()
    bench.reload()
    assert bench.describe() == told
    assert [each.group_instance_id for each in told.members] == ["one", "two", "three"]


def test_an_id_that_was_given_out_takes_no_instance_id_over() -> None:
    bench = GroupBench()
    (known,) = bench.stable_static("one")
    pending = bench.joined(bench.join(id_first=True)).member_id
    assert bench.join_error(bench.join(pending, instance="one")) is E.FENCED_INSTANCE_ID
    assert bench.join_error(bench.join(pending, instance="two")) is E.UNKNOWN_MEMBER_ID
    assert bench.heartbeat(known, 1, "one") is E.NONE


def test_static_member_that_restarts_in_its_first_rebalance_waits_as_long_as_it_takes() -> None:
    bench = GroupBench(initial_rebalance_delay_ms=3 * SESSION_MS)
    bench.join(instance="one")
    again = bench.join(instance="one")
    bench.advance(3 * SESSION_MS)
    assert bench.join_error(again) is E.NONE


def test_absent_static_members_without_patience_do_not_keep_the_broker_busy() -> None:
    bench = GroupBench()
    bench.stable_static("one")
    bench.join(instance="one", rebalance_ms=0)
    newcomer = bench.join(client="new", rebalance_ms=0)
    bench.leave(f"new-{newcomer}")
    looks = 0
    while not bench.group.is_empty:
        bench.elapsed_ms = max(bench.elapsed_ms, bench.shard.next_deadline_ms)
        bench.take(bench.shard.expire(bench.now))
        looks += 1
        assert looks < 20
    assert bench.elapsed_ms == SESSION_MS
