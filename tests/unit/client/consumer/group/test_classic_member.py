"""A member of a classic group, answer by answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from ottla.base.errors import ErrorCode
from ottla.base.ids import TopicPartition
from ottla.client.backoff import Backoff
from ottla.client.consumer.assignors import BY_NAME, GroupMember, Rebalancing, TopicShape
from ottla.client.consumer.group.classic_member import ClassicMember, Phase
from ottla.client.consumer.group.classic_protocol import assignments_of, subscription_bytes
from ottla.client.consumer.group.errors import FencedMemberError, GroupError
from ottla.client.consumer.options import ConsumerOptions
from ottla.client.consumer.subscription import Subscription
from ottla.wire.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from ottla.wire.messages.join_group import (
    JoinGroupRequest,
    JoinGroupResponse,
    JoinGroupResponseMember,
)
from ottla.wire.messages.leave_group import LeaveGroupRequest
from ottla.wire.messages.sync_group import SyncGroupRequest, SyncGroupResponse
from ottla.wire.payloads.consumer_protocol import decode_subscription
from tests.support.cluster import SeededRng

T0, T1 = TopicPartition("t", 0), TopicPartition("t", 1)
SUBSCRIBED = Subscription(names=frozenset({"t"}))


class Script:
    """Says what the member asks, and answers."""

    def __init__(self, *strategies: str, **settings: Any) -> None:
        options = ConsumerOptions(
            group_id="g", partition_assignment_strategy=strategies or ["range"], **settings
        )
        backoff = Backoff(100, 1000, SeededRng())
        self.member = ClassicMember(options, options.assignors(), backoff)
        self.now_ms = 0.0
        self.member.subscribe(SUBSCRIBED, SUBSCRIBED.names)

    def asked(self) -> Any:
        ask = self.member.ask(self.now_ms)
        return None if ask is None else ask.make(ask.kind.VERSIONS.max)

    def later(self, ms: float = 2_000) -> None:
        self.now_ms += ms

    def prepare(self) -> None:
        """What the reader does at its turn."""
        ownership = self.member.ownership
        while self.member.wants_preparation:
            ownership.give_back(self.member.to_give_back())
            step = ownership.step()
            if step is None:
                self.member.prepared()
            else:
                ownership.done(step)

    def read(self) -> list[str]:
        """The reader does what there is to do."""
        done: list[str] = []
        while (step := self.member.ownership.step()) is not None:
            self.member.ownership.done(step)
            done.append(step.kind.name)
        if done:
            self.member.reconciled()
        return done

    def join(self, generation: int = 1, **fields: Any) -> JoinGroupRequest:
        self.prepare()
        request = self.asked()
        assert isinstance(request, JoinGroupRequest), request
        answer: dict[str, Any] = {
            "generation_id": generation,
            "protocol_type": "consumer",
            "protocol_name": "range",
            "leader": "other",
            "member_id": "m",
        }
        self.member.answered(JoinGroupResponse(**(answer | fields)), self.now_ms)
        return request

    def sync(self, *partitions: TopicPartition, error: int = 0) -> SyncGroupRequest:
        request = self.asked()
        assert isinstance(request, SyncGroupRequest), request
        (given,) = assignments_of({"m": partitions})
        answer = SyncGroupResponse(error_code=error, assignment=given.assignment)
        self.member.answered(answer, self.now_ms)
        return request

    def heartbeat(self, error: int = 0) -> HeartbeatRequest:
        self.later(3_000)
        request = self.asked()
        assert isinstance(request, HeartbeatRequest), request
        self.member.answered(HeartbeatResponse(error_code=error), self.now_ms)
        return request


def stable(*strategies: str, **settings: Any) -> Script:
    script = Script(*strategies, **settings)
    script.join(protocol_name=(strategies or ("range",))[0])
    script.sync(T0, T1)
    assert script.read() == ["TAKE", "TELL"]
    return script


def test_nothing_is_asked_before_the_reader_has_prepared_it() -> None:
    script = Script()
    assert script.member.wants_preparation
    assert script.asked() is None


def test_a_new_member_is_given_its_id_and_asks_again_with_it() -> None:
    script = Script()
    script.join(error_code=ErrorCode.MEMBER_ID_REQUIRED, member_id="given", generation=-1)
    request = script.asked()
    assert isinstance(request, JoinGroupRequest)
    assert request.member_id == "given"
    assert request.reason == "joining"


def test_a_heartbeat_each_interval_and_a_rebalance_waits_for_the_reader() -> None:
    script = stable()
    assert script.asked() is None
    assert script.heartbeat().generation_id == 1
    script.heartbeat(ErrorCode.REBALANCE_IN_PROGRESS)
    assert script.member.wants_preparation
    script.heartbeat(ErrorCode.REBALANCE_IN_PROGRESS)
    request = script.join(2)
    assert not decode_subscription(request.protocols[0].metadata).owned_partitions
    assert request.reason == "the group rebalances"


def test_cooperative_members_keep_what_they_have_and_join_again_after_giving_back() -> None:
    script = stable("cooperative-sticky")
    script.heartbeat(ErrorCode.REBALANCE_IN_PROGRESS)
    request = script.join(2, protocol_name="cooperative-sticky")
    (held,) = decode_subscription(request.protocols[0].metadata).owned_partitions
    assert (held.topic, held.partitions) == ("t", [0, 1])
    script.sync(T0)
    assert script.read() == ["REVOKE", "TAKE", "TELL"]
    assert script.member.wants_preparation
    assert script.member.ownership.owned == {T0}
    assert "given partitions back" in (script.join(3).reason or "")


def test_one_eager_assignor_makes_all_eager() -> None:
    script = stable("range", "cooperative-sticky")
    script.heartbeat(ErrorCode.REBALANCE_IN_PROGRESS)
    assert script.member.to_give_back() == {T0, T1}


@pytest.mark.parametrize(
    ("error", "member_id"), [(ErrorCode.ILLEGAL_GENERATION, "m"), (ErrorCode.UNKNOWN_MEMBER_ID, "")]
)
def test_who_was_put_out_loses_all_and_joins_again(error: ErrorCode, member_id: str) -> None:
    script = stable()
    script.heartbeat(error)
    assert not script.member.is_joined
    assert script.asked() is None
    assert script.read() == ["LOSE"]
    assert script.join(5).member_id == member_id


def test_a_fenced_instance_is_out_for_good() -> None:
    script = stable(group_instance_id="i")
    script.heartbeat(ErrorCode.FENCED_INSTANCE_ID)
    assert isinstance(script.member.error, FencedMemberError)
    assert script.read() == ["LOSE"]
    script.member.rejoin("whatever")
    assert not script.member.wants_preparation
    script.later()
    assert script.asked() is None


@pytest.mark.parametrize(
    "error", [ErrorCode.NOT_COORDINATOR, ErrorCode.COORDINATOR_LOAD_IN_PROGRESS]
)
def test_what_passes_is_asked_again_after_a_wait(error: ErrorCode) -> None:
    script = Script()
    script.join(error_code=error)
    assert script.asked() is None
    script.later()
    assert isinstance(script.asked(), JoinGroupRequest)
    assert script.member.error is None


@pytest.mark.parametrize(
    "error",
    [
        ErrorCode.INCONSISTENT_GROUP_PROTOCOL,
        ErrorCode.INVALID_SESSION_TIMEOUT,
        ErrorCode.GROUP_AUTHORIZATION_FAILED,
        ErrorCode.GROUP_MAX_SIZE_REACHED,
    ],
)
def test_what_is_refused_is_told_and_tried_again_by_the_next_read(error: ErrorCode) -> None:
    script = Script()
    script.join(error_code=error)
    assert isinstance(script.member.error, GroupError)
    assert script.member.error.code is error
    script.later()
    assert script.asked() is None
    script.join()
    assert script.member.phase is Phase.SYNCING


def test_a_group_of_another_type_is_refused() -> None:
    script = Script()
    script.join(protocol_type="connect")
    assert isinstance(script.member.error, GroupError)


def test_a_rebalance_during_the_sync_joins_again_without_the_reader() -> None:
    script = Script()
    script.join()
    script.sync(error=ErrorCode.REBALANCE_IN_PROGRESS)
    assert isinstance(script.asked(), JoinGroupRequest)


def test_a_lost_answer_to_a_sync_joins_again() -> None:
    script = Script()
    script.join()
    assert isinstance(script.asked(), SyncGroupRequest)
    script.member.failed(script.now_ms)
    script.later()
    assert isinstance(script.asked(), JoinGroupRequest)


def test_a_lost_answer_to_a_heartbeat_is_no_reason_to_leave() -> None:
    script = stable()
    script.later(3_000)
    assert isinstance(script.asked(), HeartbeatRequest)
    script.member.failed(script.now_ms)
    script.later()
    assert isinstance(script.asked(), HeartbeatRequest)


# -- leading -------------------------------------------------------------------------------------


def member_told(member_id: str) -> JoinGroupResponseMember:
    metadata = subscription_bytes(["t"], [], generation=-1, rack=None, user_data=None)
    return JoinGroupResponseMember(member_id=member_id, metadata=metadata)


def test_the_leader_assigns_and_joins_again_when_partitions_are_added() -> None:
    script = Script()
    script.join(leader="m", members=[member_told("m"), member_told("other")])
    assert script.asked() is None
    assert script.member.election is not None
    assert script.member.election.topics == {"t"}
    script.member.assign({"t": TopicShape.of(2)}, script.now_ms)
    sent = script.sync(T0)
    assert {given.member_id for given in sent.assignments} == {"m", "other"}
    script.read()
    script.member.look_at({"t": TopicShape.of(2)})
    assert not script.member.wants_preparation
    script.member.look_at({"t": TopicShape.of(3)})
    assert script.member.wants_preparation


def test_racks_matter_to_those_who_name_theirs() -> None:
    for rack, matters in (("", False), ("a", True)):
        script = Script(client_rack=rack)
        script.join(leader="m", members=[member_told("m")])
        script.member.assign({"t": TopicShape((frozenset("a"),))}, script.now_ms)
        script.sync(T0)
        script.read()
        script.member.look_at({"t": TopicShape((frozenset("b"),))})
        assert script.member.wants_preparation is matters


def test_a_leader_that_is_to_skip_the_assignment_sends_none() -> None:
    script = Script(group_instance_id="i")
    script.join(leader="m", members=[member_told("m")], skip_assignment=True)
    script.member.assign({"t": TopicShape.of(2)}, script.now_ms)
    assert not script.sync(T0).assignments


class _Broken:
    name = "range"
    rebalancing = Rebalancing.EAGER

    def user_data(self, owned: Sequence[TopicPartition], generation: int) -> bytes | None:
        return None

    def assign(
        self, members: Sequence[GroupMember], topics: Mapping[str, TopicShape]
    ) -> dict[str, list[TopicPartition]]:
        raise ZeroDivisionError


def test_what_an_assignor_raises_is_told() -> None:
    options = ConsumerOptions(group_id="g", partition_assignment_strategy=[_Broken()])
    script = Script()
    script.member = ClassicMember(options, options.assignors(), Backoff(100, 1000, SeededRng()))
    script.member.subscribe(SUBSCRIBED, SUBSCRIBED.names)
    script.join(leader="m", members=[member_told("m")])
    script.member.assign({"t": TopicShape.of(1)}, script.now_ms)
    assert isinstance(script.member.error, ZeroDivisionError)


# -- leaving and committing ----------------------------------------------------------------------


def test_a_dynamic_member_says_that_it_leaves_and_a_static_one_does_not() -> None:
    ask = stable().member.leave("why")
    assert ask is not None
    old, new = ask.make(2), ask.make(5)
    assert isinstance(old, LeaveGroupRequest)
    assert isinstance(new, LeaveGroupRequest)
    assert (old.member_id, old.members) == ("m", [])
    assert [(left.member_id, left.reason) for left in new.members] == [("m", "why")]
    assert stable(group_instance_id="i").member.leave("why") is None


def test_a_refused_commit_tells_the_member_unless_it_has_gone_on_since() -> None:
    script = stable()
    before = script.member.identity._replace(generation=0)
    script.member.commit_refused(ErrorCode.UNKNOWN_MEMBER_ID, before)
    assert script.member.is_joined
    script.member.commit_refused(ErrorCode.REBALANCE_IN_PROGRESS, script.member.identity)
    assert script.member.is_joined
    assert script.member.wants_preparation
    script.member.commit_refused(ErrorCode.UNKNOWN_MEMBER_ID, script.member.identity)
    assert script.read() == ["LOSE"]


def test_an_assignor_is_told_what_was_assigned_last_also_when_it_was_given_back() -> None:
    script = stable("sticky")
    script.heartbeat(ErrorCode.REBALANCE_IN_PROGRESS)
    request = script.join(2, protocol_name="sticky")
    told = decode_subscription(request.protocols[0].metadata).user_data
    assert told is not None
    assert bytes(told) == BY_NAME["sticky"].user_data([T0, T1], 1)
