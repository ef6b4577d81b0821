"""A member of a group of the consumer protocol (KIP-848), heartbeat by heartbeat."""

from __future__ import annotations

from typing import Any

import pytest

from ottla.base.errors import ErrorCode
from ottla.base.ids import TopicPartition
from ottla.client.backoff import Backoff
from ottla.client.consumer.group.consumer_member import ConsumerMember
from ottla.client.consumer.group.errors import FencedMemberError, GroupError
from ottla.client.consumer.options import ConsumerOptions
from ottla.client.consumer.subscription import Subscription
from ottla.wire.messages.consumer_group_heartbeat import (
    AssignedTopicPartitions,
    Assignment,
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
)
from tests.support.cluster import SeededRng

ID = b"t" * 16
NAMES = {ID: "t"}
T0, T1 = TopicPartition("t", 0), TopicPartition("t", 1)
BY_NAME = Subscription(names=frozenset({"t"}))


class Script:
    """Says what the member asks, and answers."""

    def __init__(self, subscription: Subscription = BY_NAME, **settings: Any) -> None:
        options = ConsumerOptions(group_id="g", group_protocol="consumer", **settings)
        self.member = ConsumerMember(options, "me", Backoff(100, 1000, SeededRng()))
        self.now_ms = 0.0
        self.member.subscribe(subscription, subscription.names)

    def asked(self) -> ConsumerGroupHeartbeatRequest | None:
        ask = self.member.ask(self.now_ms)
        made = None if ask is None else ask.make(1)
        assert made is None or isinstance(made, ConsumerGroupHeartbeatRequest)
        return made

    def beat(self, epoch: int = 1, *given: int, **fields: Any) -> ConsumerGroupHeartbeatRequest:
        """One heartbeat that is answered; with an assignment where partitions are given."""
        request = self.asked()
        assert request is not None
        assignment = Assignment(
            topic_partitions=[AssignedTopicPartitions(topic_id=ID, partitions=list(given))]
        )
        answer: dict[str, Any] = {
            "member_id": "me",
            "member_epoch": epoch,
            "heartbeat_interval_ms": 1000,
            "assignment": assignment if given else None,
        }
        self.member.answered(ConsumerGroupHeartbeatResponse(**(answer | fields)), self.now_ms)
        self.member.name(NAMES)
        return request

    def read(self) -> list[str]:
        """The reader does what there is to do."""
        done: list[str] = []
        while (step := self.member.ownership.step()) is not None:
            self.member.ownership.done(step)
            done.append(step.kind.name)
        if done and self.member.ownership.is_reconciled:
            self.member.reconciled()
        return done

    def join(self, *given: int) -> ConsumerGroupHeartbeatRequest:
        assert self.member.wants_preparation
        self.member.prepared()
        return self.beat(1, *given)


def joined() -> Script:
    script = Script()
    script.join(0, 1)
    assert script.read() == ["TAKE", "TELL"]
    script.beat()
    return script


def held(request: ConsumerGroupHeartbeatRequest) -> list[int] | None:
    if request.topic_partitions is None:
        return None
    return [index for topic in request.topic_partitions for index in topic.partitions]


def test_everything_is_told_to_join_and_after_that_only_what_has_changed() -> None:
    script = Script(client_rack="r", group_remote_assignor="uniform", group_instance_id="i")
    request = script.join(0)
    assert (request.member_id, request.member_epoch, request.instance_id) == ("me", 0, "i")
    assert request.subscribed_topic_names == ["t"]
    assert (request.rack_id, request.server_assignor) == ("r", "uniform")
    assert request.rebalance_timeout_ms == 300_000
    assert held(request) == []
    assert script.asked() is None
    assert script.read() == ["TAKE", "TELL"]
    confirmed = script.beat()
    assert held(confirmed) == [0]
    assert confirmed.subscribed_topic_names is None
    assert (confirmed.rack_id, confirmed.rebalance_timeout_ms) == (None, -1)
    assert confirmed.instance_id == "i"
    script.now_ms += 1000
    again = script.beat()
    assert held(again) is None


def test_heartbeats_come_as_often_as_the_coordinator_says() -> None:
    script = joined()
    script.now_ms += 999
    assert script.asked() is None
    script.now_ms += 1
    assert script.asked() is not None


def test_what_is_taken_away_is_confirmed_once_the_reader_has_given_it_back() -> None:
    script = joined()
    script.now_ms += 1000
    script.beat(2, 1)
    assert script.asked() is None
    assert script.read() == ["REVOKE", "TAKE"]
    request = script.beat(2)
    assert held(request) == [1]
    assert request.member_epoch == 2


def test_an_assignment_that_changes_nothing_is_confirmed_without_the_reader() -> None:
    script = joined()
    script.now_ms += 1000
    script.beat(3, 0, 1)
    assert script.read() == []
    request = script.beat(3)
    assert request.member_epoch == 3


@pytest.mark.parametrize("error", [ErrorCode.FENCED_MEMBER_EPOCH, ErrorCode.UNKNOWN_MEMBER_ID])
def test_who_is_fenced_loses_all_and_joins_again_as_the_same_member(error: ErrorCode) -> None:
    script = joined()
    script.now_ms += 1000
    script.beat(error_code=error)
    assert not script.member.is_joined
    assert script.read() == ["LOSE"]
    request = script.join(0)
    assert (request.member_id, request.member_epoch) == ("me", 0)
    assert held(request) == []
    assert request.subscribed_topic_names == ["t"]


def test_an_instance_id_that_another_has_is_fatal() -> None:
    script = Script(group_instance_id="i")
    script.member.prepared()
    script.beat(error_code=ErrorCode.UNRELEASED_INSTANCE_ID)
    assert isinstance(script.member.error, FencedMemberError)
    assert not script.member.wants_preparation
    script.now_ms += 10_000
    assert script.asked() is None


def test_what_is_refused_is_told_with_the_words_of_the_coordinator() -> None:
    script = Script()
    script.member.prepared()
    script.beat(error_code=ErrorCode.UNSUPPORTED_ASSIGNOR, error_message="there is no such")
    assert isinstance(script.member.error, GroupError)
    assert "there is no such" in str(script.member.error)
    assert script.member.wants_preparation


def test_everything_is_told_again_after_an_answer_was_lost() -> None:
    script = joined()
    script.now_ms += 1000
    assert script.asked() is not None
    script.member.failed(script.now_ms)
    assert script.asked() is None
    script.now_ms += 200
    request = script.asked()
    assert request is not None
    assert request.member_epoch == 1
    assert request.subscribed_topic_names == ["t"]
    assert held(request) == [0, 1]


def test_a_coordinator_that_loads_is_asked_again_after_a_wait() -> None:
    script = joined()
    script.now_ms += 1000
    script.beat(error_code=ErrorCode.COORDINATOR_LOAD_IN_PROGRESS)
    assert script.asked() is None
    assert script.member.is_joined
    script.now_ms += 1000
    assert script.asked() is not None


@pytest.mark.parametrize(
    "error", [ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, ErrorCode.NOT_COORDINATOR]
)
def test_what_is_given_back_is_told_soon_after_a_refusal_that_passes(error: ErrorCode) -> None:
    script = joined()
    script.now_ms += 1000
    script.beat(2, 1)
    script.read()
    script.beat(2, error_code=error)
    script.now_ms += 200
    request = script.asked()
    assert request is not None
    assert held(request) == [1]


def test_an_expression_goes_to_the_coordinator_and_is_taken_back() -> None:
    script = Script(Subscription(expression="orders-.*"))
    request = script.join(0)
    assert request.subscribed_topic_regex == "orders-.*"
    script.read()
    script.beat()
    script.member.subscribe(BY_NAME, BY_NAME.names)
    changed = script.beat()
    assert (changed.subscribed_topic_regex, changed.subscribed_topic_names) == ("", ["t"])


def test_an_expression_is_taken_back_also_where_the_first_word_of_that_was_lost() -> None:
    script = Script(Subscription(expression="orders-.*"))
    script.join(0)
    script.read()
    script.beat()
    for _ in range(2):  # the second look comes before anything could be asked
        script.member.subscribe(BY_NAME, BY_NAME.names)
    assert script.asked() is not None
    script.member.failed(script.now_ms)
    script.now_ms += 1000
    script.member.subscribe(BY_NAME, BY_NAME.names)
    assert script.beat().subscribed_topic_regex == ""


def test_while_a_name_is_missing_the_coordinator_is_told_once_of_what_is_held() -> None:
    script = joined()
    script.now_ms += 1000
    unknown = AssignedTopicPartitions(topic_id=b"u" * 16, partitions=[0])
    known = AssignedTopicPartitions(topic_id=ID, partitions=[0, 1])
    script.beat(2, assignment=Assignment(topic_partitions=[known, unknown]))
    assert script.beat(2).member_epoch == 2
    script.member.name(NAMES)
    assert script.asked() is None
    script.member.name({**NAMES, b"u" * 16: "u"})
    script.read()
    assert script.member.ownership.owned == {T0, T1, TopicPartition("u", 0)}


def test_an_assignment_of_nothing_is_taken_while_nothing_is_known() -> None:
    script = joined()
    script.now_ms += 1000
    script.beat(2, assignment=Assignment(topic_partitions=[]))
    assert script.read() == ["REVOKE", "TAKE"]
    assert not script.member.ownership.owned


def test_topics_that_are_not_known_by_name_yet_are_waited_for() -> None:
    script = Script()
    script.member.prepared()
    unknown = AssignedTopicPartitions(topic_id=b"u" * 16, partitions=[0])
    known = AssignedTopicPartitions(topic_id=ID, partitions=[0])
    script.beat(assignment=Assignment(topic_partitions=[known, unknown]))
    script.read()
    assert script.member.ownership.owned == {T0}
    script.member.name({**NAMES, b"u" * 16: "u"})
    script.read()
    assert script.member.ownership.owned == {T0, TopicPartition("u", 0)}


@pytest.mark.parametrize(("instance", "epoch"), [(None, -1), ("i", -2)])
def test_a_member_leaves_for_good_and_a_static_one_for_a_while(
    instance: str | None, epoch: int
) -> None:
    script = Script(group_instance_id=instance)
    script.join(0)
    ask = script.member.leave("why")
    assert ask is not None
    request = ask.make(1)
    assert isinstance(request, ConsumerGroupHeartbeatRequest)
    assert request.member_epoch == epoch
    assert script.member.leave("again") is None


def test_a_commit_with_an_old_epoch_asks_for_the_new_one_and_an_unknown_member_is_out() -> None:
    script = joined()
    script.member.commit_refused(ErrorCode.STALE_MEMBER_EPOCH, script.member.identity)
    assert script.member.is_joined
    assert script.beat(4) is not None
    script.member.commit_refused(ErrorCode.UNKNOWN_MEMBER_ID, script.member.identity)
    assert script.read() == ["LOSE"]
