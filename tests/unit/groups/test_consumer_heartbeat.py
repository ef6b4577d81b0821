"""Members of the consumer protocol join, share, give back, and leave."""

from __future__ import annotations

from typing import Any

import pytest

from ottla.base.errors import ErrorCode
from ottla.base.limits import REFUSAL_LENGTH_MAX
from ottla.groups.consumer_config import ConsumerConfig
from ottla.groups.consumer_member import MemberState
from tests.support.consumer_bench import (
    HEARTBEAT_MS,
    REVOKE_MS,
    SESSION_MS,
    Client,
    ConsumerBench,
    settle,
)

JOIN: dict[str, Any] = {
    "member_id": "m",
    "member_epoch": 0,
    "rebalance_timeout_ms": 1000,
    "subscribed_topic_names": ["t"],
    "topic_partitions": [],
}


# -- requests --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"member_id": ""}, ErrorCode.INVALID_REQUEST),
        ({"rebalance_timeout_ms": -1}, ErrorCode.INVALID_REQUEST),
        ({"topic_partitions": None}, ErrorCode.INVALID_REQUEST),
        ({"subscribed_topic_names": None}, ErrorCode.INVALID_REQUEST),
        ({"instance_id": " "}, ErrorCode.INVALID_REQUEST),
        ({"rack_id": ""}, ErrorCode.INVALID_REQUEST),
        ({"member_epoch": -2}, ErrorCode.INVALID_REQUEST),
        ({"member_epoch": -3}, ErrorCode.INVALID_REQUEST),
        ({"server_assignor": "sticky"}, ErrorCode.UNSUPPORTED_ASSIGNOR),
        ({"subscribed_topic_regex": "(a"}, ErrorCode.INVALID_REGULAR_EXPRESSION),
        ({"member_epoch": 3}, ErrorCode.GROUP_ID_NOT_FOUND),
        ({"member_epoch": -1}, ErrorCode.GROUP_ID_NOT_FOUND),
    ],
)
def test_a_request_that_breaks_a_rule_is_refused_and_leaves_no_trace(
    changes: dict[str, Any], error: ErrorCode
) -> None:
    bench = ConsumerBench()
    response = bench.send(**(JOIN | changes))
    assert response.error_code == error
    assert response.error_message
    assert not bench.log
    assert not bench.shard.groups


def test_the_first_member_gets_everything_at_once_and_hears_how_often_to_speak() -> None:
    bench = ConsumerBench()
    client = Client(bench, "m", "t")
    response = client.beat()
    assert client.numbers == [0, 1, 2, 3, 4, 5]
    assert (response.member_id, response.member_epoch) == ("m", 1)
    assert response.heartbeat_interval_ms == HEARTBEAT_MS


def test_a_heartbeat_without_news_writes_nothing_and_tells_no_assignment() -> None:
    bench = ConsumerBench()
    client = Client(bench, "m", "t")
    client.beat()
    written = len(bench.log)
    assert client.beat().assignment is None
    assert len(bench.log) == written


def test_a_heartbeat_that_tells_everything_is_told_everything() -> None:
    client = Client(ConsumerBench(), "m", "t")
    client.beat()
    assert client.beat(is_whole=True).assignment is not None


def test_a_group_that_is_full_takes_nobody_and_keeps_its_members() -> None:
    bench = ConsumerBench(consumer=ConsumerConfig(size_max=1))
    first = Client(bench, "a", "t")
    first.beat()
    assert Client(bench, "b", "t").beat().error_code == ErrorCode.GROUP_MAX_SIZE_REACHED
    assert not first.beat().error_code


# -- sharing ---------------------------------------------------------------------------------------


def test_a_partition_is_given_back_before_it_is_given_to_another() -> None:
    bench = ConsumerBench()
    first, second = Client(bench, "a", "t"), Client(bench, "b", "t")
    first.beat()
    first.revokes = False
    second.beat()
    assert second.numbers == []
    first.beat()
    assert len(first.holds) == 6, "it is told, but still reads"
    second.beat()
    assert second.numbers == []
    first.revokes = True
    settle(first, second)
    assert (len(first.holds), len(second.holds)) == (3, 3)
    assert not first.holds & second.holds


def test_states_and_epochs_of_a_slow_revocation() -> None:
    bench = ConsumerBench()
    first, second = Client(bench, "a", "t"), Client(bench, "b", "t")
    first.beat()
    second.beat()
    members = bench.consumers().members
    assert members["b"].state is MemberState.UNRELEASED_PARTITIONS
    assert members["b"].epoch == 2
    first.revokes = False
    first.beat()
    members = bench.consumers().members
    assert members["a"].state is MemberState.UNREVOKED_PARTITIONS
    assert members["a"].epoch == 1, "the epoch waits for the revocation"
    assert (len(members["a"].assigned), len(members["a"].revoking)) == (3, 3)
    first.revokes = True
    settle(first, second)
    assert {m.state for m in bench.consumers().members.values()} == {MemberState.STABLE}
    assert (first.epoch, second.epoch) == (2, 2)


def test_a_member_that_does_not_give_back_in_its_rebalance_timeout_is_fenced() -> None:
    bench = ConsumerBench()
    first, second = Client(bench, "a", "t"), Client(bench, "b", "t")
    first.beat()
    second.beat()
    first.revokes = False
    for _ in range(REVOKE_MS // HEARTBEAT_MS):
        first.beat()
        second.beat()
        bench.advance(HEARTBEAT_MS)
    first.beat()
    bench.advance(HEARTBEAT_MS)
    assert "a" not in bench.consumers().members
    second.beat()
    assert second.numbers == [0, 1, 2, 3, 4, 5]
    assert first.beat().error_code in (ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.NONE)


def test_who_leaves_frees_its_partitions() -> None:
    bench = ConsumerBench()
    first, second = Client(bench, "a", "t"), Client(bench, "b", "t")
    settle(first, second)
    assert first.leave().member_epoch == -1
    second.beat()
    assert second.numbers == [0, 1, 2, 3, 4, 5]


def test_a_member_that_is_not_heard_of_is_removed_when_its_session_ends() -> None:
    bench = ConsumerBench()
    first, second = Client(bench, "a", "t"), Client(bench, "b", "t")
    settle(first, second)
    bench.advance(SESSION_MS - 1)
    second.beat()
    assert "a" in bench.consumers().members
    bench.advance(1)
    assert "a" not in bench.consumers().members
    second.beat()
    assert second.numbers == [0, 1, 2, 3, 4, 5]
    assert first.beat().error_code == ErrorCode.UNKNOWN_MEMBER_ID


def test_sessions_begin_anew_where_the_group_is_loaded() -> None:
    bench = ConsumerBench()
    client = Client(bench, "a", "t")
    client.beat()
    bench.advance(SESSION_MS - 1)
    bench.reload()
    bench.advance(SESSION_MS - 1)
    assert not client.beat().error_code


def test_the_last_one_leaves_an_empty_group_behind() -> None:
    bench = ConsumerBench()
    client = Client(bench, "a", "t")
    client.beat()
    client.leave()
    assert bench.consumers().state_name == "Empty"
    assert Client(bench, "b", "t").beat().member_epoch == 3


# -- epochs ----------------------------------------------------------------------------------------


def test_a_member_whose_answer_was_lost_may_use_its_old_epoch() -> None:
    bench = ConsumerBench()
    first, second = Client(bench, "a", "t"), Client(bench, "b", "t")
    settle(first)
    second.beat()
    first.beat()
    response = first.beat(loses_answer=True)
    assert response.member_epoch == 2
    again = first.beat()
    assert not again.error_code
    assert again.member_epoch == 2
    assert again.assignment is not None, "what it missed is told again"


@pytest.mark.parametrize("epoch", [7, 1])
def test_a_member_with_an_epoch_that_is_not_its_own_is_fenced(epoch: int) -> None:
    bench = ConsumerBench()
    first, second, third = (Client(bench, name, "t") for name in "abc")
    for count in (1, 2, 3):
        settle(*[first, second, third][:count])
    first.epoch = epoch
    assert first.beat().error_code == ErrorCode.FENCED_MEMBER_EPOCH
    settle(first, second, third)
    assert len(first.holds | second.holds | third.holds) == 6


def test_an_old_epoch_with_partitions_that_are_not_its_own_is_fenced() -> None:
    bench = ConsumerBench()
    first, second = Client(bench, "a", "t"), Client(bench, "b", "t")
    settle(first, second)
    first.epoch -= 1
    first.holds |= second.holds
    assert first.beat().error_code == ErrorCode.FENCED_MEMBER_EPOCH


def test_a_member_may_begin_anew_at_any_time() -> None:
    bench = ConsumerBench()
    client = Client(bench, "a", "t")
    client.beat()
    client.epoch, client.holds, client.assigned = 0, frozenset(), None
    assert not client.beat().error_code
    assert client.numbers == [0, 1, 2, 3, 4, 5]


# -- static members --------------------------------------------------------------------------------


def test_a_static_member_that_will_be_back_gets_all_it_had_without_a_rebalance() -> None:
    bench = ConsumerBench()
    first = Client(bench, "a", "t", instance="i")
    second = Client(bench, "b", "t", instance="j")
    settle(first, second)
    had, epoch = first.holds, bench.consumers().epoch
    assert first.leave(-2).member_epoch == -2
    settle(second)
    assert len(second.holds) == 3
    back = Client(bench, "c", "t", instance="i")
    back.beat()
    assert back.holds == had
    assert bench.consumers().epoch == epoch
    assert "a" not in bench.consumers().members


def test_an_instance_that_has_not_left_is_not_taken_over() -> None:
    bench = ConsumerBench()
    first = Client(bench, "a", "t", instance="i")
    first.beat()
    rival = Client(bench, "b", "t", instance="i").beat()
    assert rival.error_code == ErrorCode.UNRELEASED_INSTANCE_ID
    assert not first.beat().error_code


def test_the_former_holder_of_an_instance_is_fenced() -> None:
    bench = ConsumerBench()
    first = Client(bench, "a", "t", instance="i")
    first.beat()
    epoch = first.epoch
    first.leave(-2)
    Client(bench, "b", "t", instance="i").beat()
    first.epoch = epoch
    assert first.beat().error_code == ErrorCode.FENCED_INSTANCE_ID


def test_a_static_member_that_does_not_come_back_in_time_is_removed() -> None:
    bench = ConsumerBench()
    first = Client(bench, "a", "t", instance="i")
    first.beat()
    first.leave(-2)
    bench.advance(SESSION_MS)
    assert not bench.consumers().members
    assert not bench.consumers().instances


def test_a_static_member_may_leave_for_good() -> None:
    bench = ConsumerBench()
    first = Client(bench, "a", "t", instance="i")
    first.beat()
    assert first.leave().member_epoch == -1
    assert not bench.consumers().instances


# -- subscriptions ---------------------------------------------------------------------------------


def test_a_topic_that_grows_is_shared_anew_at_the_next_heartbeat() -> None:
    bench = ConsumerBench({"t": 2})
    client = Client(bench, "a", "t")
    client.beat()
    bench.set_topics({"t": 4, "other": 1})
    client.beat()
    assert client.numbers == [0, 1, 2, 3]
    assert bench.consumers().epoch == 2


def test_topics_that_nobody_reads_change_nothing() -> None:
    bench = ConsumerBench({"t": 2})
    client = Client(bench, "a", "t")
    client.beat()
    written = len(bench.log)
    bench.set_topics({"t": 2, "other": 1})
    client.beat()
    assert len(bench.log) == written


def test_a_topic_that_comes_later_is_read_when_it_is_there() -> None:
    bench = ConsumerBench({})
    client = Client(bench, "a", "t")
    client.beat()
    assert client.numbers == []
    bench.set_topics({"t": 3})
    client.beat()
    assert client.numbers == [0, 1, 2]


def test_a_topic_that_is_deleted_is_given_back() -> None:
    bench = ConsumerBench({"t": 2, "u": 2})
    client = Client(bench, "a", "t", "u")
    client.beat()
    bench.set_topics({"u": 2})
    settle(client)
    assert {topic for topic, _ in client.holds} == {b"u" + b"." * 15}


def test_an_expression_stands_for_topics_that_come_and_go() -> None:
    bench = ConsumerBench({"logs.a": 1, "other": 1})
    client = Client(bench, "a", regex=r"logs\..*")
    client.beat()
    assert len(client.holds) == 1
    bench.set_topics({"logs.a": 1, "logs.b": 2, "other": 1})
    client.beat()
    assert len(client.holds) == 3
    assert bench.consumers().regexes[r"logs\..*"].topics == {"logs.a", "logs.b"}


def test_an_expression_that_nobody_uses_any_more_is_forgotten() -> None:
    bench = ConsumerBench({"a": 1, "b": 1})
    first, second = Client(bench, "x", regex="a"), Client(bench, "y", regex="b")
    settle(first, second)
    second.leave()
    assert set(bench.consumers().regexes) == {"a"}
    first.regex = "b"
    first.beat(is_whole=True)
    settle(first)
    assert set(bench.consumers().regexes) == {"b"}
    assert {topic for topic, _ in first.holds} == {b"b" + b"." * 15}


def test_names_and_an_expression_count_both() -> None:
    bench = ConsumerBench({"a": 1, "b": 1})
    client = Client(bench, "x", "a", regex="b")
    client.beat()
    assert len(client.holds) == 2


def test_the_assignor_that_most_members_ask_for_is_used() -> None:
    bench = ConsumerBench({"t": 4, "u": 4})
    first, second, third = (Client(bench, name, "t", "u", assignor="range") for name in "abc")
    third.assignor = "uniform"
    settle(first, second, third)
    described = bench.describe_consumers()
    assert described.assignor_name == "range"
    sizes = {len(client.holds) for client in (first, second, third)}
    assert sizes == {4, 2}, "two partitions more of both topics go to the same member"


# -- what others see -------------------------------------------------------------------------------


def test_a_described_group_tells_what_members_have_and_shall_have() -> None:
    bench = ConsumerBench()
    first, second = Client(bench, "a", "t"), Client(bench, "b", "t", instance="i")
    first.beat()
    second.beat()
    described = bench.describe_consumers()
    assert (described.group_state, described.group_epoch) == ("Reconciling", 2)
    assert (described.assignment_epoch, described.assignor_name) == (2, "uniform")
    one, other = described.members
    assert one.assignment.topic_partitions[0].partitions == [0, 1, 2, 3, 4, 5]
    assert len(one.target_assignment.topic_partitions[0].partitions) == 3
    assert (other.instance_id, other.assignment.topic_partitions) == ("i", [])
    assert {member.member_type for member in described.members} == {1}
    settle(first, second)
    assert bench.describe_consumers().group_state == "Stable"


def test_a_group_that_is_not_there_or_is_classic_cannot_be_described() -> None:
    bench = ConsumerBench()
    assert bench.describe_consumers("nobody").error_code == ErrorCode.GROUP_ID_NOT_FOUND
    bench.join()
    assert bench.describe_consumers("g").error_code == ErrorCode.GROUP_ID_NOT_FOUND


def test_everything_that_is_kept_is_read_again() -> None:
    bench = ConsumerBench({"t": 6, "u": 3})
    clients = [Client(bench, "a", "t"), Client(bench, "b", regex="[tu]", instance="i")]
    clients[0].beat()
    clients[1].beat()
    clients[0].beat()
    kept = bench.kept()
    bench.reload()
    assert bench.kept() == kept
    settle(*clients)
    assert len(clients[0].holds | clients[1].holds) == 9


# -- what is refused leaves no trace ---------------------------------------------------------------


def test_a_refused_expression_leaves_the_member_whose_place_was_asked_for() -> None:
    bench = ConsumerBench()
    old = Client(bench, "a", "t", instance="one")
    old.beat()
    old.leave(-2)
    refused = bench.send(**JOIN | {"instance_id": "one", "subscribed_topic_regex": "("})
    assert refused.error_code == ErrorCode.INVALID_REGULAR_EXPRESSION
    bench.advance(SESSION_MS)
    assert not bench.consumers().members


def test_a_refusal_repeats_no_endless_name() -> None:
    refused = ConsumerBench().send(**JOIN | {"server_assignor": "x" * 32_000})
    assert refused.error_message is not None
    assert len(refused.error_message) == REFUSAL_LENGTH_MAX
