"""Groups of both protocols, and what older brokers make of them."""

from __future__ import annotations

from ottla.base.errors import ErrorCode
from ottla.base.ids import TopicPartition
from ottla.client.admin import (
    AclOperation,
    GroupState,
    GroupType,
    MemberToRemove,
    OffsetAndMetadata,
    UnsupportedByBrokerError,
)
from ottla.client.errors import RefusedError
from ottla.wire.messages import consumer_group_describe, describe_groups
from ottla.wire.messages.consumer_group_describe import (
    ConsumerGroupDescribeRequest,
    ConsumerGroupDescribeResponse,
)
from ottla.wire.messages.describe_groups import DescribeGroupsRequest, DescribeGroupsResponse
from ottla.wire.messages.leave_group import LeaveGroupRequest, LeaveGroupResponse
from ottla.wire.messages.list_groups import ListedGroup, ListGroupsRequest, ListGroupsResponse
from ottla.wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitResponse,
    OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
)
from ottla.wire.messages.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchResponse,
    OffsetFetchResponseGroup,
    OffsetFetchResponsePartition,
    OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
)
from ottla.wire.payloads.consumer_protocol import (
    AssignedPartitions,
    ConsumerProtocolAssignment,
    ConsumerProtocolSubscription,
    encode_consumer_protocol,
)
from ottla.wire.versions import VersionRange
from tests.support.scripted_cluster import KAFKA_2_1
from tests.unit.client.admin.conftest import MakeCluster

FIRST, SECOND = TopicPartition("orders", 0), TopicPartition("orders", 1)


def code_of(error: object) -> ErrorCode:
    assert isinstance(error, RefusedError)
    return error.code


def of_consumers(node: int, request: ConsumerGroupDescribeRequest) -> ConsumerGroupDescribeResponse:
    partitions = consumer_group_describe.TopicPartitions(
        topic_id=bytes(16), topic_name="orders", partitions=[1, 0]
    )
    member = consumer_group_describe.Member(
        member_id="m",
        member_epoch=3,
        client_id="c",
        client_host="/h",
        subscribed_topic_names=["orders"],
        subscribed_topic_regex="",
        assignment=consumer_group_describe.Assignment(topic_partitions=[partitions]),
        target_assignment=consumer_group_describe.Assignment(),
        member_type=1,
    )
    return ConsumerGroupDescribeResponse(
        groups=[
            consumer_group_describe.DescribedGroup(
                group_id=group_id,
                group_state="Reconciling",
                group_epoch=4,
                assignment_epoch=3,
                assignor_name="uniform",
                members=[member],
                authorized_operations=1 << 3 | 1 << 8,
            )
            if group_id == "new"
            else consumer_group_describe.DescribedGroup(
                group_id=group_id, error_code=ErrorCode.GROUP_ID_NOT_FOUND
            )
            for group_id in request.group_ids
        ]
    )


def classic(group_id: str) -> describe_groups.DescribedGroup:
    if group_id == "dead":
        return describe_groups.DescribedGroup(group_id=group_id, group_state="Dead")
    member = describe_groups.DescribedGroupMember(
        member_id="m",
        client_id="c",
        client_host="/h",
        member_metadata=encode_consumer_protocol(ConsumerProtocolSubscription(topics=["orders"])),
        member_assignment=encode_consumer_protocol(
            ConsumerProtocolAssignment(
                assigned_partitions=[AssignedPartitions(topic="orders", partitions=[0, 1])]
            )
        ),
    )
    strange = describe_groups.DescribedGroupMember(
        member_id="s", client_id="c", client_host="/h", member_metadata=b"?", member_assignment=b"?"
    )
    return describe_groups.DescribedGroup(
        group_id=group_id,
        group_state="Stable",
        protocol_type="consumer",
        protocol_data="range",
        members=[member, strange],
    )


def of_classic(node: int, request: DescribeGroupsRequest) -> DescribeGroupsResponse:
    return DescribeGroupsResponse(groups=[classic(group_id) for group_id in request.groups])


def test_groups_of_both_protocols_are_told_in_one_form(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(
        {ConsumerGroupDescribeRequest: of_consumers, DescribeGroupsRequest: of_classic}
    )
    cluster.view.coordinators = {"new": 2, "old": 2, "dead": 2}
    told = cluster.run(cluster.admin().groups.describe("new", "old", "dead"))
    new, old = told["new"], told["old"]
    assert (new.type, new.state) == (GroupType.CONSUMER, GroupState.RECONCILING)
    assert (new.group_epoch, new.assignment_epoch, new.assignor) == (4, 3, "uniform")
    assert new.authorized_operations == frozenset({AclOperation.READ, AclOperation.DESCRIBE})
    assert new.members[0].assignment == (FIRST, SECOND)
    assert new.members[0].target_assignment == ()
    assert new.members[0].speaks_classic is False
    assert (old.type, old.state, old.assignor) == (GroupType.CLASSIC, GroupState.STABLE, "range")
    assert old.group_epoch is None
    assert old.authorized_operations is None
    member, strange = old.members
    assert (member.subscribed_topics, member.assignment) == (
        frozenset({"orders"}),
        (FIRST, SECOND),
    )
    assert (strange.subscribed_topics, strange.assignment) == (frozenset(), ())
    assert new.coordinator is not None
    assert new.coordinator.node_id == 2
    assert code_of(told.errors["dead"]) is ErrorCode.GROUP_ID_NOT_FOUND
    (request,) = cluster.asked(DescribeGroupsRequest)
    assert request.groups == ["old", "dead"]


def test_where_the_newer_protocol_is_off_groups_are_classic(make_cluster: MakeCluster) -> None:
    def off(node: int, request: ConsumerGroupDescribeRequest) -> ConsumerGroupDescribeResponse:
        groups = [
            consumer_group_describe.DescribedGroup(
                group_id=group_id, error_code=ErrorCode.UNSUPPORTED_VERSION
            )
            for group_id in request.group_ids
        ]
        return ConsumerGroupDescribeResponse(groups=groups)

    cluster = make_cluster({ConsumerGroupDescribeRequest: off, DescribeGroupsRequest: of_classic})
    cluster.view.coordinators = {"old": 2}
    told = cluster.run(cluster.admin().groups.describe("old"))
    assert told["old"].type is GroupType.CLASSIC


def test_a_broker_that_knows_no_types_lists_classic_groups(make_cluster: MakeCluster) -> None:
    def answer(node: int, request: ListGroupsRequest) -> ListGroupsResponse:
        return ListGroupsResponse(groups=[ListedGroup(group_id="g", protocol_type="consumer")])

    versions = {**KAFKA_2_1, ListGroupsRequest: VersionRange(0, 2)}
    cluster = make_cluster({ListGroupsRequest: answer}, versions=versions)
    (group,) = cluster.run(cluster.admin().groups.list(types=[GroupType.CLASSIC]))
    assert (group.group_id, group.state, group.type) == ("g", GroupState.UNKNOWN, GroupType.UNKNOWN)


def test_offsets_of_many_groups_are_one_request_and_of_old_brokers_one_each(
    make_cluster: MakeCluster,
) -> None:
    def new(node: int, request: OffsetFetchRequest) -> OffsetFetchResponse:
        partition = OffsetFetchResponsePartitions(partition_index=0, committed_offset=5)
        topic = OffsetFetchResponseTopics(name="orders", partitions=[partition])
        return OffsetFetchResponse(
            groups=[
                OffsetFetchResponseGroup(group_id=group.group_id, topics=[topic])
                for group in request.groups
            ]
        )

    def old(node: int, request: OffsetFetchRequest) -> OffsetFetchResponse:
        partition = OffsetFetchResponsePartition(partition_index=0, committed_offset=5)
        topic = OffsetFetchResponseTopic(name="orders", partitions=[partition])
        return OffsetFetchResponse(topics=[topic])

    expected = {
        "a": {FIRST: OffsetAndMetadata(5)},
        "b": {FIRST: OffsetAndMetadata(5), SECOND: None},
    }
    for answer, versions, requests in (
        (new, {}, 1),
        (old, {**KAFKA_2_1, OffsetFetchRequest: VersionRange(1, 5)}, 2),
    ):
        cluster = make_cluster({OffsetFetchRequest: answer}, versions=versions)
        cluster.view.coordinators = {"a": 2, "b": 2}
        told = cluster.run(
            cluster.admin().groups.offsets_of_many({"a": None, "b": [FIRST, SECOND]})
        )
        assert told.all() == expected
        assert len(cluster.asked(OffsetFetchRequest)) == requests


def test_offsets_that_a_transaction_may_move_are_waited_for(make_cluster: MakeCluster) -> None:
    errors = [ErrorCode.UNSTABLE_OFFSET_COMMIT, ErrorCode.NONE]

    def answer(node: int, request: OffsetFetchRequest) -> OffsetFetchResponse:
        partition = OffsetFetchResponsePartitions(
            partition_index=0, committed_offset=5, error_code=errors.pop(0)
        )
        topic = OffsetFetchResponseTopics(name="orders", partitions=[partition])
        return OffsetFetchResponse(groups=[OffsetFetchResponseGroup(group_id="g", topics=[topic])])

    cluster = make_cluster({OffsetFetchRequest: answer})
    cluster.view.coordinators = {"g": 2}
    offsets = cluster.run(cluster.admin().groups.offsets("g", require_stable=True))
    assert offsets == {FIRST: OffsetAndMetadata(5)}
    assert not errors


def test_only_the_partitions_that_a_moved_coordinator_refused_are_committed_again(
    make_cluster: MakeCluster,
) -> None:
    def answer(node: int, request: OffsetCommitRequest) -> OffsetCommitResponse:
        cluster.view.coordinators["g"] = 3
        return OffsetCommitResponse(
            topics=[
                OffsetCommitResponseTopic(
                    name=topic.name,
                    partitions=[
                        OffsetCommitResponsePartition(
                            partition_index=asked.partition_index,
                            error_code=ErrorCode.NOT_COORDINATOR
                            if node == 2 and asked.partition_index
                            else 0,
                        )
                        for asked in topic.partitions
                    ],
                )
                for topic in request.topics
            ]
        )

    cluster = make_cluster({OffsetCommitRequest: answer})
    cluster.view.coordinators = {"g": 2}
    done = cluster.run(cluster.admin().groups.alter_offsets("g", {FIRST: 1, SECOND: 2}))
    assert list(done.all()) == [FIRST, SECOND]
    _, again = cluster.asked(OffsetCommitRequest)
    assert [each.committed_offset for each in again.topics[0].partitions] == [2]


def test_old_brokers_let_members_leave_one_by_one(make_cluster: MakeCluster) -> None:
    def answer(node: int, request: LeaveGroupRequest) -> LeaveGroupResponse:
        error = 0 if request.member_id == "a" else ErrorCode.UNKNOWN_MEMBER_ID
        return LeaveGroupResponse(error_code=error)

    versions = {**KAFKA_2_1, LeaveGroupRequest: VersionRange(0, 2)}
    cluster = make_cluster({LeaveGroupRequest: answer}, versions=versions)
    cluster.view.coordinators = {"g": 2}
    members = [MemberToRemove("a"), MemberToRemove("b")]
    gone = cluster.run(cluster.admin().groups.remove_members("g", members))
    assert list(gone.done) == members[:1]
    assert code_of(gone.errors[members[1]]) is ErrorCode.UNKNOWN_MEMBER_ID


def test_what_has_left_an_old_broker_is_told_though_a_static_member_cannot(
    make_cluster: MakeCluster,
) -> None:
    versions = {**KAFKA_2_1, LeaveGroupRequest: VersionRange(0, 2)}
    cluster = make_cluster(
        {LeaveGroupRequest: lambda node, request: LeaveGroupResponse()}, versions=versions
    )
    cluster.view.coordinators = {"g": 2}
    plain, static = MemberToRemove("a"), MemberToRemove(group_instance_id="s")
    gone = cluster.run(cluster.admin().groups.remove_members("g", [plain, static]))
    assert list(gone.done) == [plain]
    assert isinstance(gone.errors[static], UnsupportedByBrokerError)
