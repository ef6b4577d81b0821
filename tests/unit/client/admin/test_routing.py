"""Who is asked about what, what is asked again and where, and what is left when time is over."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from ottla.base.errors import ErrorCode, UserError
from ottla.base.ids import TopicPartition
from ottla.client.admin import Admin
from ottla.client.admin.errors import AdminClosedError, UnsupportedByBrokerError
from ottla.client.admin.offsets import ListedOffset, OffsetSpec
from ottla.client.errors import ClusterClosedError, DeadlineError, RefusedError
from ottla.wire.messages.create_topics import (
    CreatableTopicResult,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from ottla.wire.messages.delete_groups import (
    DeletableGroupResult,
    DeleteGroupsRequest,
    DeleteGroupsResponse,
)
from ottla.wire.messages.find_coordinator import FindCoordinatorRequest
from ottla.wire.messages.list_groups import ListedGroup, ListGroupsRequest, ListGroupsResponse
from ottla.wire.messages.list_offsets import (
    ListOffsetsPartitionResponse,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopicResponse,
)
from ottla.wire.messages.metadata import MetadataRequest
from ottla.wire.versions import VersionRange
from tests.support.scripted_cluster import FIRST, KAFKA_2_1, address_of
from tests.unit.client.admin.conftest import MakeCluster

ORDERS = [TopicPartition("orders", index) for index in range(3)]
LATEST = dict.fromkeys(ORDERS, OffsetSpec.LATEST)


def code_of(error: UserError | None) -> ErrorCode:
    assert isinstance(error, RefusedError)
    return error.code


# -- the controller --------------------------------------------------------------------------------


def created(
    error: Callable[[int, str], int] = lambda node, name: 0,
) -> Callable[[int, CreateTopicsRequest], CreateTopicsResponse]:
    """Answers with an error for each node and topic."""

    def answer(node: int, request: CreateTopicsRequest) -> CreateTopicsResponse:
        return CreateTopicsResponse(
            topics=[
                CreatableTopicResult(name=topic.name, error_code=error(node, topic.name))
                for topic in request.topics
            ]
        )

    return answer


def test_a_change_goes_to_the_controller(make_cluster: MakeCluster) -> None:
    cluster = make_cluster({CreateTopicsRequest: created()})
    cluster.view.controller_id = 3
    made = cluster.run(cluster.admin().topics.create("a", "b"))
    assert list(made.all()) == ["a", "b"]
    assert cluster.nodes_asked(CreateTopicsRequest) == [3]


def test_what_an_old_controller_refuses_is_asked_of_the_new_one(
    make_cluster: MakeCluster,
) -> None:
    def error(node: int, name: str) -> int:
        cluster.view.controller_id = 2
        return ErrorCode.NONE if node == 2 else ErrorCode.NOT_CONTROLLER

    cluster = make_cluster({CreateTopicsRequest: created(error)})
    made = cluster.run(cluster.admin().topics.create("a", "b"))
    assert not made.errors
    assert cluster.nodes_asked(CreateTopicsRequest) == [1, 2]


def test_a_controller_that_is_gone_is_looked_up_anew(make_cluster: MakeCluster) -> None:
    cluster = make_cluster({CreateTopicsRequest: created()})
    admin = cluster.admin()
    cluster.run(admin.topics.create("a"))
    cluster.network.stop(address_of(1))
    cluster.view.controller_id = 2
    assert not cluster.run(admin.topics.create("b")).errors
    assert cluster.nodes_asked(CreateTopicsRequest) == [1, 2]


def test_only_what_was_throttled_is_asked_again(make_cluster: MakeCluster) -> None:
    refusals = [ErrorCode.THROTTLING_QUOTA_EXCEEDED]

    def error(node: int, name: str) -> int:
        if name == "slow" and refusals:
            return refusals.pop()
        return ErrorCode.TOPIC_ALREADY_EXISTS if name == "there" else ErrorCode.NONE

    cluster = make_cluster({CreateTopicsRequest: created(error)})
    made = cluster.run(cluster.admin().topics.create("slow", "there", "new"))
    assert list(made.done) == ["slow", "new"]
    assert code_of(made.errors["there"]) is ErrorCode.TOPIC_ALREADY_EXISTS
    asked = [
        [topic.name for topic in request.topics] for request in cluster.asked(CreateTopicsRequest)
    ]
    assert asked == [["slow", "there", "new"], ["slow"]]


def test_an_answer_that_leaves_out_an_item_is_an_error_of_that_item(
    make_cluster: MakeCluster,
) -> None:
    def answer(node: int, request: CreateTopicsRequest) -> CreateTopicsResponse:
        return CreateTopicsResponse(topics=[CreatableTopicResult(name="a")])

    cluster = make_cluster({CreateTopicsRequest: answer})
    made = cluster.run(cluster.admin().topics.create("a", "b"))
    assert list(made.done) == ["a"]
    assert "leaves out b" in str(made.errors["b"])


# -- leaders ---------------------------------------------------------------------------------------


class Leaders:
    """Answers ListOffsets as whoever leads; `refusals` by partition come first."""

    def __init__(self) -> None:
        self.led = dict.fromkeys(ORDERS, 1)
        self.refusals: dict[TopicPartition, list[ErrorCode]] = {}
        self.on_refusal: Callable[[], None] = lambda: None

    def __call__(self, node: int, request: ListOffsetsRequest) -> ListOffsetsResponse:
        return ListOffsetsResponse(
            topics=[
                ListOffsetsTopicResponse(
                    name=topic.name,
                    partitions=[
                        self._answer(node, TopicPartition(topic.name, asked.partition_index))
                        for asked in topic.partitions
                    ],
                )
                for topic in request.topics
            ]
        )

    def _answer(self, node: int, partition: TopicPartition) -> ListOffsetsPartitionResponse:
        code = ErrorCode.NONE
        if self.refusals.get(partition):
            code = self.refusals[partition].pop(0)
        elif self.led[partition] != node:
            code = ErrorCode.NOT_LEADER_OR_FOLLOWER
        if code:
            self.on_refusal()
        return ListOffsetsPartitionResponse(
            partition_index=partition.partition, error_code=code, offset=7
        )


def indexes_asked(requests: list[Any]) -> list[list[int]]:
    return [
        [asked.partition_index for topic in request.topics for asked in topic.partitions]
        for request in requests
    ]


def test_each_leader_is_asked_once_about_all_it_leads(make_cluster: MakeCluster) -> None:
    leaders = Leaders()
    leaders.led = {ORDERS[0]: 2, ORDERS[1]: 3, ORDERS[2]: 2}
    cluster = make_cluster({ListOffsetsRequest: leaders})
    cluster.create("orders", (2, 0), (3, 0), (2, 0))
    found = cluster.run(cluster.admin().offsets.list(LATEST))
    assert found.all() == dict.fromkeys(ORDERS, ListedOffset(offset=7))
    assert list(found.done) == ORDERS
    assert indexes_asked(cluster.asked(ListOffsetsRequest)) == [[0, 2], [1]]


def test_what_a_stale_leader_refuses_is_grouped_anew_and_the_rest_is_not_asked_twice(
    make_cluster: MakeCluster,
) -> None:
    leaders = Leaders()
    leaders.led = {ORDERS[0]: 1, ORDERS[1]: 2, ORDERS[2]: 3}

    def learn() -> None:
        cluster.create("orders", (1, 0), (2, 1), (3, 1), topic_id=bytes(15) + b"1")

    leaders.on_refusal = learn
    cluster = make_cluster({ListOffsetsRequest: leaders})
    cluster.create("orders", (1, 0), (1, 0), (1, 0), topic_id=bytes(15) + b"1")
    found = cluster.run(cluster.admin().offsets.list(LATEST))
    assert list(found.all()) == ORDERS
    assert indexes_asked(cluster.asked(ListOffsetsRequest)) == [[0, 1, 2], [1], [2]]
    assert len(cluster.asked(MetadataRequest)) == 2


def test_a_leader_that_hangs_up_is_asked_again_where_the_metadata_says(
    make_cluster: MakeCluster,
) -> None:
    leaders = Leaders()

    def answer(node: int, request: ListOffsetsRequest) -> ListOffsetsResponse | None:
        if node == 2:
            cluster.create("orders", (1, 1), (1, 1), (1, 1), topic_id=bytes(15) + b"1")
            return None
        return leaders(node, request)

    cluster = make_cluster({ListOffsetsRequest: answer})
    cluster.create("orders", (2, 0), (2, 0), (2, 0), topic_id=bytes(15) + b"1")
    assert not cluster.run(cluster.admin().offsets.list(LATEST)).errors
    assert cluster.nodes_asked(ListOffsetsRequest) == [1, 2]


def test_a_leader_that_is_silent_does_not_hold_up_the_others(make_cluster: MakeCluster) -> None:
    leaders = Leaders()
    leaders.led = {ORDERS[0]: 1, ORDERS[1]: 2, ORDERS[2]: 2}
    leaders.refusals = {ORDERS[0]: [ErrorCode.LEADER_NOT_AVAILABLE] * 3}
    cluster = make_cluster({ListOffsetsRequest: leaders})
    cluster.create("orders", (1, 0), (2, 0), (2, 0))
    cluster.network.silent.add(address_of(2))
    found = cluster.run(cluster.admin().offsets.list(LATEST, timeout_s=3))
    assert found[ORDERS[0]] == ListedOffset(offset=7)
    for late in ORDERS[1:]:
        assert isinstance(found.errors[late], DeadlineError)


def test_an_error_of_one_partition_leaves_the_others_their_results(
    make_cluster: MakeCluster,
) -> None:
    leaders = Leaders()
    leaders.refusals = {ORDERS[1]: [ErrorCode.TOPIC_AUTHORIZATION_FAILED]}
    cluster = make_cluster({ListOffsetsRequest: leaders})
    cluster.create("orders", (1, 0), (1, 0), (1, 0))
    found = cluster.run(cluster.admin().offsets.list(LATEST))
    assert list(found.done) == [ORDERS[0], ORDERS[2]]
    assert code_of(found.error(ORDERS[1])) is ErrorCode.TOPIC_AUTHORIZATION_FAILED
    with pytest.raises(RefusedError, match="orders-1"):
        found[ORDERS[1]]
    with pytest.raises(RefusedError, match="TOPIC_AUTHORIZATION_FAILED"):
        found.all()


def test_an_unknown_partition_is_given_up_after_a_while_and_the_others_at_once(
    make_cluster: MakeCluster,
) -> None:
    cluster = make_cluster({ListOffsetsRequest: Leaders()})
    cluster.create("orders", (1, 0))
    wanted = [ORDERS[0], ORDERS[1], TopicPartition("nosuch", 0)]
    found = cluster.run(cluster.admin().offsets.list(dict.fromkeys(wanted, OffsetSpec.LATEST)))
    assert list(found.done) == ORDERS[:1]
    codes = {item: code_of(error) for item, error in found.errors.items()}
    assert codes == dict.fromkeys(wanted[1:], ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    assert 5_000 <= cluster.loop.clock.elapsed_ms < 7_000


def test_a_topic_that_was_just_made_is_waited_for(make_cluster: MakeCluster) -> None:
    cluster = make_cluster({ListOffsetsRequest: Leaders()})
    asking = cluster.loop.create_task(cluster.admin().offsets.list(LATEST))
    cluster.loop.advance(200)
    assert not asking.done()
    cluster.create("orders", (1, 0), (1, 0), (1, 0))
    cluster.finish(asking, ms_max=2_000)
    assert list(asking.result().done) == ORDERS


# -- coordinators ----------------------------------------------------------------------------------


def deleted(
    error: Callable[[int, str], int],
) -> Callable[[int, DeleteGroupsRequest], DeleteGroupsResponse]:
    def answer(node: int, request: DeleteGroupsRequest) -> DeleteGroupsResponse:
        return DeleteGroupsResponse(
            results=[
                DeletableGroupResult(group_id=name, error_code=error(node, name))
                for name in request.groups_names
            ]
        )

    return answer


def test_groups_are_asked_about_at_their_coordinators_by_one_lookup(
    make_cluster: MakeCluster,
) -> None:
    cluster = make_cluster({DeleteGroupsRequest: deleted(lambda node, name: 0)})
    cluster.view.coordinators = {"a": 2, "b": 3, "c": 2}
    assert list(cluster.run(cluster.admin().groups.delete("a", "b", "c")).all()) == ["a", "b", "c"]
    names = [request.groups_names for request in cluster.asked(DeleteGroupsRequest)]
    assert names == [["a", "c"], ["b"]]
    assert len(cluster.asked(FindCoordinatorRequest)) == 1


def test_a_group_that_has_moved_is_asked_about_at_its_new_coordinator(
    make_cluster: MakeCluster,
) -> None:
    def error(node: int, name: str) -> int:
        if name == "a" and node == 2:
            cluster.view.coordinators["a"] = 3
            return ErrorCode.NOT_COORDINATOR
        return ErrorCode.NON_EMPTY_GROUP if name == "b" else ErrorCode.NONE

    cluster = make_cluster({DeleteGroupsRequest: deleted(error)})
    cluster.view.coordinators = {"a": 2, "b": 2}
    gone = cluster.run(cluster.admin().groups.delete("a", "b"))
    assert list(gone.done) == ["a"]
    assert code_of(gone.errors["b"]) is ErrorCode.NON_EMPTY_GROUP
    assert cluster.nodes_asked(DeleteGroupsRequest) == [2, 3]


def test_a_group_without_a_coordinator_does_not_hold_up_the_others(
    make_cluster: MakeCluster,
) -> None:
    cluster = make_cluster({DeleteGroupsRequest: deleted(lambda node, name: 0)})
    cluster.view.coordinators = {"a": 2}
    admin = cluster.admin()
    gone = cluster.run(admin.groups.delete("a", "lost", timeout_s=2))
    assert list(gone.done) == ["a"]
    assert isinstance(gone.errors["lost"], DeadlineError)
    assert "lost was not done within 2 s: COORDINATOR_NOT_AVAILABLE" in str(gone.errors["lost"])
    assert cluster.loop.clock.elapsed_ms == 2_000


# -- every broker ----------------------------------------------------------------------------------


def groups_of(node: int, request: ListGroupsRequest) -> ListGroupsResponse:
    return ListGroupsResponse(groups=[ListedGroup(group_id=f"group-{node}")])


def test_every_broker_is_asked_and_one_that_loads_is_asked_again(
    make_cluster: MakeCluster,
) -> None:
    loading = [ErrorCode.COORDINATOR_LOAD_IN_PROGRESS]

    def answer(node: int, request: ListGroupsRequest) -> ListGroupsResponse:
        if node == 2 and loading:
            return ListGroupsResponse(error_code=loading.pop())
        return groups_of(node, request)

    cluster = make_cluster({ListGroupsRequest: answer})
    found = cluster.run(cluster.admin().groups.list())
    assert [group.group_id for group in found] == ["group-1", "group-2", "group-3"]
    assert cluster.nodes_asked(ListGroupsRequest) == [1, 2, 2, 3]


def test_a_broker_that_cannot_be_reached_is_an_error_of_its_own(make_cluster: MakeCluster) -> None:
    cluster = make_cluster({ListGroupsRequest: groups_of})
    cluster.network.stop(address_of(3))
    told = cluster.run(cluster.admin().groups.list_by_broker(timeout_s=2))
    assert sorted(told.done) == [1, 2]
    assert "nobody listens on node-3" in str(told.errors[3])
    assert cluster.loop.clock.elapsed_ms == 2_000
    with pytest.raises(DeadlineError):
        cluster.run(cluster.admin().groups.list(timeout_s=2))


def test_the_time_of_a_call_counts_from_the_lookup_of_brokers(make_cluster: MakeCluster) -> None:
    cluster = make_cluster({ListGroupsRequest: groups_of})
    cluster.network.stalled.add(FIRST)
    cluster.network.silent.add(address_of(3))
    asking = cluster.loop.create_task(cluster.admin().groups.list_by_broker(timeout_s=2))
    cluster.loop.settle()
    cluster.loop.advance(1_500)
    cluster.network.resume(FIRST)
    cluster.finish(asking, ms_max=5_000)
    assert sorted(asking.result().done) == [1, 2]
    assert cluster.loop.clock.elapsed_ms == 2_000


# -- what is not offered ---------------------------------------------------------------------------


def test_an_api_that_no_broker_offers_is_an_error_that_names_it(make_cluster: MakeCluster) -> None:
    cluster = make_cluster({})
    with pytest.raises(
        UnsupportedByBrokerError, match=r"takes CreateTopicsRequest .* does not offer it"
    ):
        cluster.run(cluster.admin().topics.create("a"))


def test_an_api_that_one_broker_lacks_is_the_error_of_what_is_there(
    make_cluster: MakeCluster,
) -> None:
    cluster = make_cluster({ListGroupsRequest: groups_of}, lacking={2: {ListGroupsRequest}})
    told = cluster.run(cluster.admin().groups.list_by_broker())
    assert sorted(told.done) == [1, 3]
    assert isinstance(told.errors[2], UnsupportedByBrokerError)


def test_what_another_broker_refused_is_told_beside_what_one_lacks(
    make_cluster: MakeCluster,
) -> None:
    def refuse(node: int, request: ListGroupsRequest) -> ListGroupsResponse:
        return ListGroupsResponse(error_code=ErrorCode.CLUSTER_AUTHORIZATION_FAILED)

    cluster = make_cluster({ListGroupsRequest: refuse}, 2, lacking={2: {ListGroupsRequest}})
    told = cluster.run(cluster.admin().groups.list_by_broker())
    assert code_of(told.errors[1]) is ErrorCode.CLUSTER_AUTHORIZATION_FAILED
    assert isinstance(told.errors[2], UnsupportedByBrokerError)


# -- the end of a call -----------------------------------------------------------------------------


def test_a_call_that_is_cancelled_leaves_nothing_behind(make_cluster: MakeCluster) -> None:
    cluster = make_cluster({ListOffsetsRequest: Leaders()})
    cluster.create("orders", (1, 0), (2, 0), (3, 0))
    cluster.network.silent |= {address_of(2), address_of(3)}
    asking = cluster.loop.create_task(cluster.admin().offsets.list(LATEST))
    cluster.loop.advance(50)
    asking.cancel()
    cluster.loop.settle()
    assert asking.cancelled()


def test_closing_the_cluster_ends_calls_with_the_reason(make_cluster: MakeCluster) -> None:
    cluster = make_cluster({ListOffsetsRequest: Leaders()})
    client = cluster.client()
    admin = Admin("unused:1")
    cluster.loop.finish(admin.start_on(client))
    asking = cluster.loop.create_task(admin.offsets.list(LATEST))
    cluster.loop.advance(50)
    cluster.loop.finish(client.close())
    with pytest.raises(ClusterClosedError):
        cluster.run(asyncio.wait_for(asking, 5))


def test_nothing_is_asked_about_no_items(make_cluster: MakeCluster) -> None:
    cluster = make_cluster({})
    assert len(cluster.run(cluster.admin().topics.create())) == 0
    assert not cluster.network.connects


def test_administration_that_is_not_started_or_closed_says_so(make_cluster: MakeCluster) -> None:
    cluster = make_cluster({})
    admin = cluster.admin()
    cluster.loop.finish(admin.close())
    with pytest.raises(AdminClosedError):
        cluster.run(admin.topics.list())
    with pytest.raises(UserError, match="has no setting group_id"):
        Admin("a:1", group_id="x")


def test_offsets_that_an_old_broker_does_not_know_leave_others_be(
    make_cluster: MakeCluster,
) -> None:
    leaders = Leaders()
    versions = {**KAFKA_2_1, ListOffsetsRequest: VersionRange(1, 6)}
    cluster = make_cluster({ListOffsetsRequest: leaders}, versions=versions)
    cluster.create("orders", (1, 0), (1, 0), topic_id=bytes(15) + b"1")
    wanted = {ORDERS[0]: OffsetSpec.LATEST, ORDERS[1]: OffsetSpec.MAX_TIMESTAMP}
    told = cluster.run(cluster.admin().offsets.list(wanted))
    assert list(told.done) == ORDERS[:1]
    assert "MAX_TIMESTAMP" in str(told.errors[ORDERS[1]])
    assert indexes_asked(cluster.asked(ListOffsetsRequest)) == [[0]]
