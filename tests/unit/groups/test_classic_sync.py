"""SyncGroup, Heartbeat, LeaveGroup, and what time does to members."""

from __future__ import annotations

import pytest

from ottla.base.errors import ErrorCode
from ottla.wire.payloads.coordinator import GROUP_RECORDS
from ottla.wire.payloads.group_metadata import GroupMetadataValue
from tests.support.group_bench import REBALANCE_MS, SESSION_MS, GroupBench, reads

E = ErrorCode


def completing(members: int = 2, **config: int) -> tuple[GroupBench, list[str]]:
    """A group whose assignment is being made; the leader first."""
    bench = GroupBench(initial_rebalance_delay_ms=10, **config)  # type: ignore[arg-type]  # whole numbers
    tickets = [bench.join() for _ in range(members)]
    bench.advance(100)
    return bench, [bench.joined(ticket).member_id for ticket in tickets]


def test_followers_wait_for_the_leader_and_get_their_part() -> None:
    bench, (leader, follower) = completing()
    waiting = bench.sync(follower, 1)
    assert waiting in bench.waiting
    led = bench.sync(leader, 1, {leader: b"L", follower: b"F"})
    assert (bench.synced(led).assignment, bench.synced(waiting).assignment) == (b"L", b"F")
    assert bench.synced(led).protocol_name == "range"
    late = bench.sync(follower, 1)
    assert bench.synced(late).assignment == b"F"


def test_member_that_the_leader_forgot_gets_nothing() -> None:
    bench, (leader, follower) = completing()
    bench.sync(leader, 1, {leader: b"L", "nobody": b"?"})
    assert bench.synced(bench.sync(follower, 1)).assignment == b""


def test_assignment_is_kept_in_one_record() -> None:
    bench, (leader, follower) = completing()
    bench.sync(leader, 1, {leader: b"L", follower: b"F"})
    (logged,) = bench.log
    assert logged.value is not None
    value = GROUP_RECORDS.decode_value(2, logged.value)
    assert isinstance(value, GroupMetadataValue)
    assert (value.generation, value.protocol, value.leader) == (1, "range", leader)
    kept = [(each.member_id, each.subscription, each.assignment) for each in value.members]
    assert kept == [(leader, reads("t"), b"L"), (follower, reads("t"), b"F")]


def test_sync_is_checked() -> None:
    bench, (leader, _) = completing()
    assert bench.sync_error(bench.sync("who", 1)) is E.UNKNOWN_MEMBER_ID
    assert bench.sync_error(bench.sync(leader, 2)) is E.ILLEGAL_GENERATION
    wrong_type = bench.sync(leader, 1, protocol_type="connect", protocol="range")
    assert bench.sync_error(wrong_type) is E.INCONSISTENT_GROUP_PROTOCOL
    wrong_name = bench.sync(leader, 1, protocol_type="consumer", protocol="sticky")
    assert bench.sync_error(wrong_name) is E.INCONSISTENT_GROUP_PROTOCOL


def test_sync_while_the_group_rebalances_has_to_join_again() -> None:
    bench = GroupBench()
    leader, follower = bench.stable(2)
    bench.join(leader)
    assert bench.sync_error(bench.sync(follower, 1)) is E.REBALANCE_IN_PROGRESS


def test_sync_that_is_sent_twice_is_answered_twice() -> None:
    bench, (leader, follower) = completing()
    first, second = bench.sync(follower, 1), bench.sync(follower, 1)
    assert bench.sync_error(first) is E.REBALANCE_IN_PROGRESS
    bench.sync(leader, 1, {follower: b"F"})
    assert bench.synced(second).assignment == b"F"


def test_members_that_never_sync_are_out_after_the_rebalance_timeout() -> None:
    bench, (leader, silent) = completing()
    bench.sync(leader, 1, {leader: b"L"})
    for _ in range(7):
        bench.advance(8500)
        bench.heartbeat(leader, 1)
        bench.heartbeat(silent, 1)
    bench.advance(REBALANCE_MS - 7 * 8500)
    assert bench.heartbeat(leader, 1) is E.REBALANCE_IN_PROGRESS
    assert bench.heartbeat(silent, 1) is E.UNKNOWN_MEMBER_ID


def test_leader_that_never_syncs_is_out_and_those_who_wait_begin_again() -> None:
    bench, (leader, follower) = completing()
    waiting = bench.sync(follower, 1)
    for _ in range(7):
        bench.advance(8500)
        bench.heartbeat(leader, 1)
    bench.advance(REBALANCE_MS - 7 * 8500)
    assert bench.sync_error(waiting) is E.REBALANCE_IN_PROGRESS
    assert set(bench.group.members) == {follower}


def test_group_in_which_all_have_synced_waits_for_nobody() -> None:
    bench = GroupBench()
    members = bench.stable(2)
    for _ in range(20):
        bench.advance(9000)
        assert [bench.heartbeat(member, 1) for member in members] == [E.NONE, E.NONE]


# -- heartbeats ------------------------------------------------------------------------------------


def test_heartbeat_is_checked() -> None:
    bench = GroupBench()
    assert bench.heartbeat("who", 1) is E.UNKNOWN_MEMBER_ID
    (member,) = bench.stable(1)
    assert bench.heartbeat("who", 1) is E.UNKNOWN_MEMBER_ID
    assert bench.heartbeat(member, 0) is E.ILLEGAL_GENERATION
    assert bench.heartbeat(member, 1) is E.NONE


def test_heartbeat_between_join_and_sync_is_fine() -> None:
    bench, (leader, _) = completing()
    assert bench.heartbeat(leader, 1) is E.NONE


@pytest.mark.parametrize("silence_ms", [SESSION_MS - 1, SESSION_MS])
def test_member_that_misses_its_session_is_removed_and_the_rest_rebalance(silence_ms: int) -> None:
    bench = GroupBench()
    leader, silent = bench.stable(2)
    bench.advance(1000)
    bench.heartbeat(leader, 1)
    bench.advance(silence_ms - 1000)
    expected = E.NONE if silence_ms < SESSION_MS else E.REBALANCE_IN_PROGRESS
    assert bench.heartbeat(leader, 1) is expected
    assert (silent in bench.group.members) is (silence_ms < SESSION_MS)


def test_member_that_waits_for_others_is_not_expected_to_send_heartbeats() -> None:
    bench = GroupBench()
    leader, slow = bench.stable(2)
    ticket = bench.join(leader)
    for _ in range(3):
        bench.advance(9000)
        bench.heartbeat(slow, 1)
    bench.join(slow)
    assert len(bench.joined(ticket).members) == 2


def test_heartbeats_while_rebalancing_keep_a_member_alive() -> None:
    bench = GroupBench()
    leader, slow = bench.stable(2)
    bench.join(leader)
    for _ in range(3):
        bench.advance(9000)
        assert bench.heartbeat(slow, 1) is E.REBALANCE_IN_PROGRESS


# -- leaving ---------------------------------------------------------------------------------------


def test_last_member_that_leaves_makes_the_group_empty() -> None:
    bench = GroupBench()
    (member,) = bench.stable(1)
    assert bench.leave(member) == [E.NONE]
    assert bench.group.state_name == "Empty"
    assert (bench.generation, bench.group.protocol_type) == (2, "consumer")
    assert bench.heartbeat(member, 1) is E.UNKNOWN_MEMBER_ID


def test_several_leave_at_once_and_each_is_told() -> None:
    bench = GroupBench()
    leader, second, third = bench.stable(3)
    assert bench.leave(second, "who", third) == [E.NONE, E.UNKNOWN_MEMBER_ID, E.NONE]
    assert set(bench.group.members) == {leader}
    assert bench.heartbeat(leader, 1) is E.REBALANCE_IN_PROGRESS


def test_leaving_an_unknown_group_is_refused() -> None:
    assert GroupBench().leave("who") == [E.UNKNOWN_MEMBER_ID]


def test_member_that_leaves_while_others_wait_for_it_lets_them_go_on() -> None:
    bench = GroupBench()
    leader, follower = bench.stable(2)
    ticket = bench.join(leader)
    bench.leave(follower)
    assert [each.member_id for each in bench.joined(ticket).members] == [leader]


def test_id_that_is_given_back_is_waited_for_no_longer() -> None:
    bench = GroupBench()
    (member,) = bench.stable(1)
    told = bench.joined(bench.join(id_first=True)).member_id
    ticket = bench.join(member)
    assert bench.leave(told) == [E.NONE]
    assert bench.joined(ticket).generation_id == 2


def test_whoever_waits_and_is_sent_away_is_told() -> None:
    bench = GroupBench()
    leader, _ = bench.stable(2)
    ticket = bench.join(leader)
    bench.leave(leader)
    assert bench.join_error(ticket) is E.UNKNOWN_MEMBER_ID
    other, (first, second) = completing()
    waiting = other.sync(second, 1)
    other.leave(second)
    assert other.sync_error(waiting) is E.UNKNOWN_MEMBER_ID
    assert set(other.group.members) == {first}


# -- the log ---------------------------------------------------------------------------------------


def test_members_have_a_fresh_session_after_a_restart() -> None:
    bench = GroupBench()
    members = bench.stable(2)
    bench.advance(SESSION_MS - 1)
    bench.reload()
    bench.advance(SESSION_MS - 1)
    assert [bench.heartbeat(member, 1) for member in members] == [E.NONE, E.NONE]
    assert bench.synced(bench.sync(members[1], 1)).assignment == members[1].encode()
    bench.advance(SESSION_MS)
    bench.advance(REBALANCE_MS)
    assert bench.group.state_name == "Empty"


def test_rebalance_that_a_crash_cuts_off_is_begun_again_by_its_members() -> None:
    bench = GroupBench()
    leader, follower = bench.stable(2)
    tickets = [bench.join(leader), bench.join(follower)]
    assert bench.joined(tickets[0]).generation_id == 2
    bench.reload()
    assert bench.generation == 1
    assert bench.heartbeat(leader, 2) is E.ILLEGAL_GENERATION
    assert bench.rejoin_all(bench.join(leader)) == [leader, follower]


def test_those_who_wait_are_told_when_another_broker_takes_over() -> None:
    bench, (_, follower) = completing()
    waiting = bench.sync(follower, 1)
    other = GroupBench(initial_rebalance_delay_ms=1000)
    joining = other.join()
    bench.reload()
    other.reload(E.COORDINATOR_NOT_AVAILABLE)
    assert bench.sync_error(waiting) is E.NOT_COORDINATOR
    assert other.join_error(joining) is E.COORDINATOR_NOT_AVAILABLE


def test_of_a_member_in_several_records_the_last_one_counts() -> None:
    bench = GroupBench()
    (member,) = bench.stable(1)
    changed = [("sticky", reads("u")), ("range", reads("t"))]
    bench.stabilise([bench.join(member, protocols=changed, session_ms=20_000)])
    told = bench.describe()
    bench.reload()
    assert bench.describe() == told
    assert bench.group.topics == frozenset({"u"})
    assert bench.group.members[member].session_timeout_ms == 20_000
