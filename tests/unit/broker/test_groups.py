"""Groups over a whole broker: requests in their versions, the log, restarts, refused appends."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from ottla.base.errors import ErrorCode
from ottla.base.ids import ZERO_UUID
from ottla.base.limits import MEMBER_ID_PREFIX_LENGTH_MAX
from ottla.wire.messages.delete_groups import DeleteGroupsRequest, DeleteGroupsResponse
from ottla.wire.messages.describe_groups import DescribeGroupsRequest, DescribeGroupsResponse
from ottla.wire.messages.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from ottla.wire.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from ottla.wire.messages.join_group import (
    JoinGroupRequest,
    JoinGroupRequestProtocol,
    JoinGroupResponse,
)
from ottla.wire.messages.leave_group import LeaveGroupRequest, LeaveGroupResponse, MemberIdentity
from ottla.wire.messages.list_groups import ListGroupsRequest, ListGroupsResponse
from ottla.wire.messages.metadata import (
    MetadataRequest,
    MetadataRequestTopic,
    MetadataResponse,
)
from ottla.wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
)
from ottla.wire.messages.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestPartition,
    OffsetDeleteRequestTopic,
    OffsetDeleteResponse,
)
from ottla.wire.messages.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopic,
    OffsetFetchRequestTopics,
    OffsetFetchResponse,
)
from ottla.wire.messages.produce import ProduceResponse
from ottla.wire.messages.sync_group import (
    SyncGroupRequest,
    SyncGroupRequestAssignment,
    SyncGroupResponse,
)
from ottla.wire.messages.txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequestPartition,
    TxnOffsetCommitRequestTopic,
    TxnOffsetCommitResponse,
)
from ottla.wire.payloads.internal_topics import CONSUMER_OFFSETS, TRANSACTION_STATE
from tests.support.data_requests import BY_NAME, produce
from tests.support.group_bench import reads
from tests.support.memory_broker import MemoryBroker
from tests.support.memory_client import Client
from tests.support.records import batch_of
from tests.unit.broker.conftest import Connect, StartBroker

E = ErrorCode
GOLDEN = Path(__file__).parents[2] / "golden" / "log-dir" / "__consumer_offsets-0"
QUICK = {
    "group_initial_rebalance_delay_ms": "0",
    "offsets_topic_num_partitions": "3",
    "group_min_session_timeout_ms": "1000",
}
DAY_MS = 86_400_000


@pytest.fixture
def broker(start_broker: StartBroker) -> MemoryBroker:
    """A broker with a topic, whose groups do not wait for more members."""
    broker = start_broker(**QUICK)
    broker.create_topic("orders", partitions=3)
    return broker


@pytest.fixture
def client(broker: MemoryBroker, connect: Connect) -> Client:
    """A client that has asked for the coordinator of its group."""
    client = connect(broker)
    find(client, "g")
    return client


def find(client: Client, *groups: str, key_type: int = 0) -> FindCoordinatorResponse:
    request = FindCoordinatorRequest(coordinator_keys=list(groups), key_type=key_type)
    return client.ask(request, FindCoordinatorResponse)


def joining(member_id: str = "", **fields: Any) -> JoinGroupRequest:
    protocol = JoinGroupRequestProtocol(name="range", metadata=reads("orders"))
    settings = {
        "group_id": "g",
        "session_timeout_ms": 10_000,
        "rebalance_timeout_ms": 60_000,
        "member_id": member_id,
        "protocol_type": "consumer",
        "protocols": [protocol],
        **fields,
    }
    return JoinGroupRequest(**settings)


def member_of(client: Client, **fields: Any) -> str:
    """Join a group that nobody is in, and get its only assignment; the member's id."""
    told = client.ask(joining(**fields), JoinGroupResponse)
    joined = client.ask(joining(told.member_id, **fields), JoinGroupResponse)
    assert joined.error_code == E.NONE
    mine = SyncGroupRequestAssignment(member_id=joined.member_id, assignment=b"all")
    sync = SyncGroupRequest(
        group_id="g",
        generation_id=joined.generation_id,
        member_id=joined.member_id,
        protocol_type="consumer",
        protocol_name="range",
        assignments=[mine],
    )
    assert client.ask(sync, SyncGroupResponse).assignment == b"all"
    return joined.member_id


def heartbeat(client: Client, member_id: str, generation: int = 1) -> ErrorCode:
    request = HeartbeatRequest(group_id="g", generation_id=generation, member_id=member_id)
    return ErrorCode(client.ask(request, HeartbeatResponse).error_code)


def committing(
    *offsets: tuple[str, int, int], group: str = "g", member_id: str = "", generation: int = -1
) -> OffsetCommitRequest:
    return OffsetCommitRequest(
        group_id=group,
        generation_id_or_member_epoch=generation,
        member_id=member_id,
        topics=[
            OffsetCommitRequestTopic(
                name=topic,
                partitions=[
                    OffsetCommitRequestPartition(partition_index=index, committed_offset=offset)
                ],
            )
            for topic, index, offset in offsets
        ],
    )


def committed(client: Client, *offsets: tuple[str, int, int], **who: Any) -> list[ErrorCode]:
    response = client.ask(committing(*offsets, **who), OffsetCommitResponse, version=9)
    return [
        ErrorCode(partition.error_code)
        for topic in response.topics
        for partition in topic.partitions
    ]


def offset_of(client: Client, topic: str = "orders", index: int = 0, group: str = "g") -> int:
    topics = [OffsetFetchRequestTopics(name=topic, partition_indexes=[index])]
    request = OffsetFetchRequest(groups=[OffsetFetchRequestGroup(group_id=group, topics=topics)])
    response = client.ask(request, OffsetFetchResponse, version=9)
    assert response.groups[0].error_code == E.NONE, response
    return response.groups[0].topics[0].partitions[0].committed_offset


# -- the coordinator -------------------------------------------------------------------------------


def test_coordinator_is_this_node_and_its_topic_is_made_as_the_settings_say(
    broker: MemoryBroker, connect: Connect
) -> None:
    client = connect(broker)
    first, second = find(client, "a", "b").coordinators
    assert (first.error_code, first.node_id, first.host, first.port) == (0, 1, "127.0.0.1", 9092)
    assert (first.key, second.key) == ("a", "b")
    image = broker.broker.metadata.image
    assert len(image.topics_by_name[CONSUMER_OFFSETS].partitions) == 3
    assert image.topic_configs(CONSUMER_OFFSETS)["cleanup.policy"] == "compact"


def test_share_groups_and_unknown_kinds_have_no_coordinator(client: Client) -> None:
    (share,) = find(client, "g:id:0", key_type=2).coordinators
    (unknown,) = find(client, "g", key_type=9).coordinators
    assert (share.error_code, share.node_id) == (E.COORDINATOR_NOT_AVAILABLE, -1)
    assert (unknown.error_code, unknown.node_id) == (E.INVALID_REQUEST, -1)


def test_old_clients_are_told_the_coordinator_in_the_old_form(client: Client) -> None:
    answer = client.ask(FindCoordinatorRequest(key="g"), FindCoordinatorResponse, version=0)
    assert (answer.error_code, answer.node_id, answer.host) == (E.NONE, 1, "127.0.0.1")


def test_nobody_asks_for_groups_where_there_is_no_topic_of_them(
    broker: MemoryBroker, connect: Connect
) -> None:
    client = connect(broker)
    assert heartbeat(client, "m") is E.NOT_COORDINATOR
    assert client.ask(ListGroupsRequest(), ListGroupsResponse).groups == []


@pytest.mark.parametrize("topic", [CONSUMER_OFFSETS, TRANSACTION_STATE])
def test_clients_may_not_write_into_the_topics_of_coordinators(
    broker: MemoryBroker, client: Client, topic: str
) -> None:
    if topic == TRANSACTION_STATE:
        broker.create_topic(TRANSACTION_STATE)
    request = produce((topic, 0, batch_of(b"a")))
    answer = client.ask(request, ProduceResponse, version=BY_NAME)
    error = answer.responses[0].partition_responses[0].error_code
    assert error == E.INVALID_TOPIC_EXCEPTION
    assert broker.partition(topic).log.log_end_offset == 0


def test_clients_do_not_make_the_topics_of_coordinators_by_asking_for_them(
    broker: MemoryBroker, connect: Connect
) -> None:
    request = MetadataRequest(topics=[MetadataRequestTopic(name=CONSUMER_OFFSETS)])
    answer = connect(broker).ask(request, MetadataResponse)
    assert answer.topics[0].error_code == E.UNKNOWN_TOPIC_OR_PARTITION
    assert CONSUMER_OFFSETS not in broker.broker.metadata.image.topics_by_name


# -- members ---------------------------------------------------------------------------------------


def test_member_joins_syncs_beats_and_leaves(client: Client) -> None:
    member_id = member_of(client)
    assert heartbeat(client, member_id) is E.NONE
    leaving = LeaveGroupRequest(group_id="g", members=[MemberIdentity(member_id=member_id)])
    answer = client.ask(leaving, LeaveGroupResponse)
    assert [member.error_code for member in answer.members] == [E.NONE]
    assert heartbeat(client, member_id) is E.UNKNOWN_MEMBER_ID


@pytest.mark.parametrize("version", range(10))
def test_every_version_of_join_begins_a_generation(client: Client, version: int) -> None:
    first = joining()
    if version >= 4:
        told = client.ask(first, JoinGroupResponse, version=version)
        assert told.error_code == E.MEMBER_ID_REQUIRED
        assert told.protocol_name is None if version >= 7 else told.protocol_name == ""
        first = joining(told.member_id)
    answer = client.ask(first, JoinGroupResponse, version=version)
    assert (answer.error_code, answer.generation_id, answer.leader) == (0, 1, answer.member_id)


def test_a_member_id_is_the_name_of_the_client_and_a_uuid_in_hex(client: Client) -> None:
    joined = client.ask(joining(), JoinGroupResponse)
    assert joined.error_code == E.MEMBER_ID_REQUIRED
    assert str(UUID(joined.member_id[-36:])) == joined.member_id[-36:]


def test_of_an_endless_instance_id_a_member_id_has_the_beginning(client: Client) -> None:
    endless = "i" * 32_000
    joined = client.ask(joining(group_instance_id=endless), JoinGroupResponse)
    assert joined.error_code == E.NONE
    assert joined.member_id.startswith("i" * MEMBER_ID_PREFIX_LENGTH_MAX + "-")
    again = client.ask(joining(group_instance_id=endless), JoinGroupResponse)
    assert (again.error_code, again.member_id != joined.member_id) == (E.NONE, True)


@pytest.mark.parametrize("version", [0, 2, 3, 5])
def test_who_leaves_an_unknown_group_is_told_in_the_form_of_its_version(
    client: Client, version: int
) -> None:
    old = LeaveGroupRequest(group_id="g", member_id="who")
    new = LeaveGroupRequest(group_id="g", members=[MemberIdentity(member_id="who")])
    answer = client.ask(old if version < 3 else new, LeaveGroupResponse, version=version)
    told = [answer.error_code, *(member.error_code for member in answer.members)]
    assert told == ([E.UNKNOWN_MEMBER_ID] if version < 3 else [E.NONE, E.UNKNOWN_MEMBER_ID])


def test_one_member_that_leaves_in_the_old_form_gets_its_own_error(client: Client) -> None:
    member_id = member_of(client)
    old = LeaveGroupRequest(group_id="g", member_id="who")
    assert client.ask(old, LeaveGroupResponse, version=2).error_code == E.UNKNOWN_MEMBER_ID
    old = LeaveGroupRequest(group_id="g", member_id=member_id)
    assert client.ask(old, LeaveGroupResponse, version=2).error_code == E.NONE


def test_group_without_a_name_is_none(client: Client) -> None:
    assert client.ask(joining(group_id=""), JoinGroupResponse).error_code == E.INVALID_GROUP_ID
    nameless = HeartbeatRequest(group_id="", generation_id=1, member_id="m")
    assert client.ask(nameless, HeartbeatResponse).error_code == E.INVALID_GROUP_ID
    leaving = LeaveGroupRequest(group_id="")
    assert client.ask(leaving, LeaveGroupResponse).error_code == E.INVALID_GROUP_ID


def test_member_that_waits_is_told_when_the_broker_stops(
    broker: MemoryBroker, connect: Connect, client: Client
) -> None:
    member_of(client)
    other = connect(broker)
    told = other.ask(joining(), JoinGroupResponse)
    other.send(joining(told.member_id))
    assert other.answers() == []
    broker.stop()
    (answer,) = other.answers()
    assert isinstance(answer, JoinGroupResponse)
    assert answer.error_code == E.COORDINATOR_NOT_AVAILABLE


# -- offsets ---------------------------------------------------------------------------------------


def test_offsets_are_there_after_a_kill(
    broker: MemoryBroker, connect: Connect, client: Client
) -> None:
    member_id = member_of(client)
    who = {"member_id": member_id, "generation": 1}
    assert committed(client, ("orders", 0, 5), ("orders", 1, 6), **who) == [E.NONE, E.NONE]
    broker.stop_uncleanly()
    broker.start()
    again = connect(broker)
    assert [offset_of(again), offset_of(again, index=1), offset_of(again, index=2)] == [5, 6, -1]
    assert heartbeat(again, member_id) is E.NONE
    broker.loop.advance(10_000)
    assert heartbeat(again, member_id) is E.UNKNOWN_MEMBER_ID


def test_unknown_partitions_are_refused_by_themselves(client: Client) -> None:
    wanted = [("orders", 0, 5), ("orders", 3, 5), ("orders", -1, 5), ("nothing", 0, 5)]
    unknown = E.UNKNOWN_TOPIC_OR_PARTITION
    assert committed(client, *wanted) == [E.NONE, unknown, unknown, unknown]
    assert offset_of(client) == 5


def test_topics_are_named_by_id_in_the_newest_version(broker: MemoryBroker, client: Client) -> None:
    topic_id = broker.broker.metadata.image.topics_by_name["orders"].topic_id
    nobody = b"?" * 16
    request = committing(("orders", 0, 5), ("orders", 0, 5))
    request.topics[0].topic_id, request.topics[1].topic_id = topic_id, nobody
    answer = client.ask(request, OffsetCommitResponse)
    errors = {topic.topic_id: topic.partitions[0].error_code for topic in answer.topics}
    assert errors == {topic_id: E.NONE, nobody: E.UNKNOWN_TOPIC_ID}
    named = [
        OffsetFetchRequestTopics(topic_id=each, partition_indexes=[0])
        for each in (topic_id, nobody)
    ]
    groups = [
        OffsetFetchRequestGroup(group_id="g", topics=named),
        OffsetFetchRequestGroup(group_id="g"),
    ]
    found = client.ask(OffsetFetchRequest(groups=groups), OffsetFetchResponse)
    told = [
        {topic.topic_id: topic.partitions[0].committed_offset for topic in group.topics}
        for group in found.groups
    ]
    assert told == [{topic_id: 5, nobody: -1}, {topic_id: 5}]
    assert found.groups[0].topics[-1].partitions[0].error_code == E.UNKNOWN_TOPIC_ID
    assert ZERO_UUID not in told[1]


@pytest.mark.parametrize("version", range(1, 8))
def test_old_clients_fetch_the_offsets_of_one_group(client: Client, version: int) -> None:
    committed(client, ("orders", 0, 5))
    topics = [OffsetFetchRequestTopic(name="orders", partition_indexes=[0, 1])]
    request = OffsetFetchRequest(group_id="g", topics=topics)
    answer = client.ask(request, OffsetFetchResponse, version=version)
    assert [each.committed_offset for each in answer.topics[0].partitions] == [5, -1]
    if version >= 2:
        everything = OffsetFetchRequest(group_id="g", topics=None)
        answer = client.ask(everything, OffsetFetchResponse, version=version)
        assert [each.committed_offset for each in answer.topics[0].partitions] == [5]


def test_several_groups_are_fetched_at_once(client: Client) -> None:
    committed(client, ("orders", 0, 5))
    committed(client, ("orders", 0, 6), group="h")
    groups = [OffsetFetchRequestGroup(group_id=each) for each in ("g", "h", "unknown")]
    answer = client.ask(OffsetFetchRequest(groups=groups), OffsetFetchResponse, version=9)
    told = {
        group.group_id: [topic.partitions[0].committed_offset for topic in group.topics]
        for group in answer.groups
    }
    assert told == {"g": [5], "h": [6], "unknown": []}


def test_deleted_topic_takes_its_offsets_with_it(broker: MemoryBroker, client: Client) -> None:
    broker.create_topic("other")
    for group in ("g", "h", "i"):
        committed(client, ("orders", 0, 5), ("other", 0, 7), group=group)
    broker.delete_topic("orders")
    broker.create_topic("orders")
    for group in ("g", "h", "i"):
        assert offset_of(client, group=group) == -1
        assert offset_of(client, "other", group=group) == 7


def test_topic_that_was_deleted_while_its_offsets_could_not_be_takes_them_at_the_next_start(
    broker: MemoryBroker, connect: Connect, client: Client
) -> None:
    committed(client, ("orders", 0, 5))
    broker.loop.create_task(broker.broker.groups.stop())
    broker.loop.settle()
    broker.delete_topic("orders")
    broker.stop_uncleanly()
    broker.start()
    broker.loop.settle()
    broker.create_topic("orders")
    assert offset_of(connect(broker)) == -1


def test_commit_that_the_disk_refuses_is_not_told_as_done_and_does_not_count(
    broker: MemoryBroker, client: Client
) -> None:
    committed(client, ("orders", 0, 5))
    broker.disk.fail("append", CONSUMER_OFFSETS, errno.ENOSPC)
    assert committed(client, ("orders", 0, 6)) == [E.COORDINATOR_NOT_AVAILABLE]
    broker.disk.heal()
    broker.loop.settle()
    assert committed(client, ("orders", 1, 7)) == [E.COORDINATOR_LOAD_IN_PROGRESS]
    assert offset_of(client) == 5
    assert committed(client, ("orders", 0, 8)) == [E.NONE]
    assert offset_of(client) == 8


def test_offsets_expire_while_the_broker_runs(broker: MemoryBroker, client: Client) -> None:
    committed(client, ("orders", 0, 5))
    broker.loop.advance(7 * DAY_MS + 600_000)
    assert offset_of(client) == -1
    assert client.ask(ListGroupsRequest(), ListGroupsResponse).groups == []


def test_offsets_are_deleted_one_by_one(client: Client) -> None:
    committed(client, ("orders", 0, 5), ("orders", 1, 6))
    asked = [
        OffsetDeleteRequestTopic(
            name=name, partitions=[OffsetDeleteRequestPartition(partition_index=0)]
        )
        for name in ("orders", "nothing")
    ]
    answer = client.ask(OffsetDeleteRequest(group_id="g", topics=asked), OffsetDeleteResponse)
    errors = [topic.partitions[0].error_code for topic in answer.topics]
    assert errors == [E.NONE, E.UNKNOWN_TOPIC_OR_PARTITION]
    assert (offset_of(client), offset_of(client, index=1)) == (-1, 6)
    unknown = OffsetDeleteRequest(group_id="nobody", topics=asked)
    assert client.ask(unknown, OffsetDeleteResponse).error_code == E.GROUP_ID_NOT_FOUND


# -- admin -----------------------------------------------------------------------------------------


def test_groups_are_described_with_their_members(client: Client) -> None:
    member_id = member_of(client)
    asked = DescribeGroupsRequest(groups=["g", "nobody"], include_authorized_operations=True)
    group, unknown = client.ask(asked, DescribeGroupsResponse).groups
    assert (group.group_state, group.protocol_type, group.protocol_data) == (
        "Stable",
        "consumer",
        "range",
    )
    (member,) = group.members
    assert (member.member_id, member.client_id, member.client_host, member.member_assignment) == (
        member_id,
        "memory-client",
        "/192.0.2.7",
        b"all",
    )
    assert group.authorized_operations > 0
    assert (unknown.error_code, unknown.group_state) == (E.GROUP_ID_NOT_FOUND, "Dead")
    (dead,) = client.ask(
        DescribeGroupsRequest(groups=["nobody"]), DescribeGroupsResponse, version=5
    ).groups
    assert (dead.error_code, dead.group_state) == (E.NONE, "Dead")


def test_groups_are_listed_by_state_and_type(client: Client) -> None:
    member_of(client)
    committed(client, ("orders", 0, 5), group="simple")

    def listed(states: list[str], types: list[str]) -> set[str]:
        request = ListGroupsRequest(states_filter=states, types_filter=types)
        return {each.group_id for each in client.ask(request, ListGroupsResponse).groups}

    assert listed([], []) == {"g", "simple"}
    assert listed(["stable"], []) == {"g"}
    assert listed(["Empty", "Dead"], ["Classic"]) == {"simple"}
    assert listed([], ["consumer"]) == set()


def test_groups_are_deleted_when_nobody_is_in_them(client: Client) -> None:
    member_id = member_of(client)
    committed(client, ("orders", 0, 5), group="simple")
    asked = DeleteGroupsRequest(groups_names=["g", "simple", "nobody"])
    results = client.ask(asked, DeleteGroupsResponse).results
    errors = [each.error_code for each in results]
    assert errors == [E.NON_EMPTY_GROUP, E.NONE, E.GROUP_ID_NOT_FOUND]
    client.ask(
        LeaveGroupRequest(group_id="g", members=[MemberIdentity(member_id=member_id)]),
        LeaveGroupResponse,
    )
    asked = DeleteGroupsRequest(groups_names=["g"])
    assert client.ask(asked, DeleteGroupsResponse).results[0].error_code == E.NONE
    assert client.ask(ListGroupsRequest(), ListGroupsResponse).groups == []


# -- logs of Apache Kafka --------------------------------------------------------------------------


def test_log_that_apache_kafka_wrote_is_served(start_broker: StartBroker, connect: Connect) -> None:
    broker = start_broker(**{**QUICK, "offsets_topic_num_partitions": "1"})
    broker.create_topic("idempotent", partitions=3)
    broker.create_topic("codec-none")
    find(connect(broker), "g")
    broker.loop.advance(1000)
    broker.stop_uncleanly()
    folder = broker.folder(CONSUMER_OFFSETS)
    name = "00000000000000000000.log"
    with_kafkas = broker.disk.open(f"{folder}/{name}", create=True)
    with_kafkas.truncate(0)
    with_kafkas.append([(GOLDEN / name).read_bytes()])
    with_kafkas.sync()
    with_kafkas.close()
    broker.start()
    client = connect(broker)
    assert offset_of(client, "codec-none", group="golden-group") == 40
    told = [offset_of(client, "idempotent", each, group="group-classic") for each in range(3)]
    assert told == [50, 50, -1]
    asked = DescribeGroupsRequest(groups=["group-classic"])
    (group,) = client.ask(asked, DescribeGroupsResponse).groups
    assert (group.group_state, group.protocol_type, group.members) == ("Empty", "consumer", [])


def test_positions_in_a_transaction_belong_to_a_group_with_a_name(client: Client) -> None:
    request = TxnOffsetCommitRequest(
        transactional_id="transfer",
        group_id="",
        producer_id=1,
        producer_epoch=0,
        topics=[
            TxnOffsetCommitRequestTopic(
                name="orders",
                partitions=[
                    TxnOffsetCommitRequestPartition(partition_index=index, committed_offset=5)
                    for index in (0, 99)
                ],
            )
        ],
    )
    answer = client.ask(request, TxnOffsetCommitResponse)
    told = [each.error_code for each in answer.topics[0].partitions]
    assert told == [E.INVALID_GROUP_ID, E.UNKNOWN_TOPIC_OR_PARTITION]
