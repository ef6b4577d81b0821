"""A cluster as its clients see it: leaders, topics, coordinators, nodes that come and go."""

from __future__ import annotations

import asyncio

import pytest

from ottla.base.errors import ErrorCode
from ottla.client.cluster import Cluster
from ottla.client.connections import Purpose
from ottla.client.coordinators import CoordinatorKind, Coordinators
from ottla.client.errors import (
    ClusterClosedError,
    DeadlineError,
    NodeUnreachableError,
    RefusedError,
)
from ottla.wire.messages.find_coordinator import FindCoordinatorRequest
from ottla.wire.messages.metadata import MetadataRequest, MetadataRequestTopic, MetadataResponse
from ottla.wire.versions import VersionRange
from tests.support.scripted_cluster import FIRST, KAFKA_2_1, ScriptedCluster, address_of
from tests.unit.client.conftest import MakeNodes

GROUP = CoordinatorKind.GROUP


def names_asked(nodes: ScriptedCluster) -> list[set[str] | None]:
    """The topics of each Metadata request."""
    return [
        None if request.topics is None else {topic.name for topic in request.topics}
        for request in nodes.asked(MetadataRequest)
    ]


def epoch_of(cluster: Cluster) -> int:
    """The epoch that is known of the first partition of `orders`."""
    known = cluster.metadata.leader("orders", 0)
    assert known is not None
    return known.epoch


# -- leaders -------------------------------------------------------------------------------------


def test_a_leader_is_looked_up_once_and_then_known(nodes: ScriptedCluster) -> None:
    nodes.create("orders", (2, 5), (3, 6))
    cluster = nodes.client()
    leader = nodes.run(cluster.leader_of("orders", 1))
    assert (leader.node.node_id, leader.node.address, leader.epoch) == (3, address_of(3), 6)
    assert nodes.run(cluster.leader_of("orders", 0)).node.node_id == 2
    assert names_asked(nodes) == [{"orders"}]


def test_a_leader_that_is_being_elected_is_waited_for(nodes: ScriptedCluster) -> None:
    nodes.create("orders", (-1, 5))
    cluster = nodes.client()
    waiting = nodes.loop.create_task(cluster.leader_of("orders", 0))
    nodes.loop.advance(50)
    assert not waiting.done()
    nodes.create("orders", (2, 6))
    nodes.finish(waiting, ms_max=1000)
    assert (waiting.result().node.node_id, waiting.result().epoch) == (2, 6)


@pytest.mark.parametrize(
    ("partition", "says"),
    [(0, "LEADER_NOT_AVAILABLE"), (1, "UNKNOWN_TOPIC_OR_PARTITION")],
)
def test_a_leader_that_never_comes_is_given_up_at_the_deadline_with_the_reason(
    nodes: ScriptedCluster, partition: int, says: str
) -> None:
    nodes.create("orders", (-1, 5))
    with pytest.raises(DeadlineError, match=rf"orders-{partition} was found within 2 s: {says}"):
        nodes.run(nodes.client().leader_of("orders", partition, timeout_s=2))
    assert nodes.loop.clock.elapsed_ms == 2000
    # 100, 200, 400, 800 ms with their jitter, and the first.
    assert len(names_asked(nodes)) == 5


@pytest.mark.parametrize(
    "error", [ErrorCode.TOPIC_AUTHORIZATION_FAILED, ErrorCode.INVALID_TOPIC_EXCEPTION]
)
def test_what_will_never_succeed_is_refused_at_once(
    nodes: ScriptedCluster, error: ErrorCode
) -> None:
    nodes.view.errors["secret"] = error
    with pytest.raises(RefusedError, match="secret") as refused:
        nodes.run(nodes.client().leader_of("secret", 0), ms_max=1)
    assert refused.value.code is error


def test_a_node_that_is_behind_does_not_undo_a_leader_that_is_known(
    nodes: ScriptedCluster,
) -> None:
    nodes.create("orders", (1, 5))
    behind = nodes.view.copy()
    nodes.create("orders", (2, 6), topic_id=nodes.view.topics["orders"][0])
    cluster = nodes.client()
    nodes.run(cluster.leader_of("orders", 0))
    for node_id in nodes.brokers:
        nodes.views[node_id] = behind
    nodes.run(cluster.refresh())
    assert nodes.run(cluster.leader_of("orders", 0)).epoch == 6
    nodes.views.clear()
    nodes.create("orders", (3, 7), topic_id=nodes.view.topics["orders"][0])
    nodes.run(cluster.refresh())
    assert nodes.run(cluster.leader_of("orders", 0)).node.node_id == 3


# -- topics --------------------------------------------------------------------------------------


def test_topics_are_created_only_for_those_who_say_so(nodes: ScriptedCluster) -> None:
    cluster = nodes.client()
    waiting = nodes.loop.create_task(cluster.topic("plain", timeout_s=1))
    made = nodes.loop.create_task(cluster.topic("wanted", creates=True))
    nodes.finish(waiting, made)
    assert made.result().partitions.keys() == {0}
    assert isinstance(waiting.exception(), DeadlineError)
    for request in nodes.asked(MetadataRequest):
        names = {topic.name for topic in request.topics}
        assert request.allow_auto_topic_creation == (names == {"wanted"})
    nodes.run(cluster.refresh())
    assert not nodes.asked(MetadataRequest)[-1].allow_auto_topic_creation


def test_a_topic_is_found_by_its_id_beside_others_by_name(nodes: ScriptedCluster) -> None:
    wanted = nodes.create("orders", (1, 0))
    nodes.create("other", (1, 0))
    cluster = nodes.client()
    tasks = [
        nodes.loop.create_task(cluster.topic_by_id(wanted)),
        nodes.loop.create_task(cluster.topic("other")),
    ]
    nodes.finish(*tasks)
    assert [task.result().name for task in tasks] == ["orders", "other"]
    # A broker that is given an id looks at no names.
    assert sorted(map(str, names_asked(nodes))) == ["{'other'}", "{None}"]
    with pytest.raises(DeadlineError, match="UNKNOWN_TOPIC_ID"):
        nodes.run(cluster.topic_by_id(bytes(15) + b"x", timeout_s=1))


def test_a_topic_is_found_by_its_id_where_nodes_only_tell_ids(make_nodes: MakeNodes) -> None:
    nodes = make_nodes(versions={MetadataRequest: VersionRange(0, 11)})
    wanted = nodes.create("orders", (1, 0))
    assert nodes.run(nodes.client().topic_by_id(wanted)).name == "orders"
    assert names_asked(nodes) == [None]


def test_all_topics_are_learned_and_those_that_are_gone_forgotten(nodes: ScriptedCluster) -> None:
    nodes.create("a", (1, 0))
    nodes.create("b", (1, 0))
    cluster = nodes.client()
    nodes.run(cluster.refresh_all())
    assert cluster.metadata.topics.keys() == {"a", "b"}
    del nodes.view.topics["a"]
    nodes.run(cluster.refresh_all())
    assert cluster.metadata.topics.keys() == {"b"}


# -- refreshing ----------------------------------------------------------------------------------


def test_all_who_ask_at_the_same_time_are_answered_by_one_request(nodes: ScriptedCluster) -> None:
    names = [f"topic-{number}" for number in range(20)]
    for name in names:
        nodes.create(name, (1, 0))
    cluster = nodes.client()
    tasks = [nodes.loop.create_task(cluster.leader_of(name, 0)) for name in names]
    nodes.finish(*tasks)
    assert names_asked(nodes) == [set(names)]


def test_who_asks_while_a_request_is_on_its_way_gets_the_answer_of_the_next(
    nodes: ScriptedCluster,
) -> None:
    nodes.create("orders", (1, 5))
    cluster = nodes.client()
    nodes.network.delay_ms = lambda: 10
    first = nodes.loop.create_task(cluster.refresh(["orders"]))
    while not nodes.asked(MetadataRequest):
        nodes.step()
    nodes.create("orders", (2, 6), topic_id=nodes.view.topics["orders"][0])
    later = [nodes.loop.create_task(cluster.refresh(["orders"])) for _ in range(5)]
    nodes.finish(first)
    assert epoch_of(cluster) == 5
    nodes.finish(*later)
    assert epoch_of(cluster) == 6
    assert len(names_asked(nodes)) == 2


def test_metadata_is_refreshed_by_age_as_long_as_somebody_reads_it(nodes: ScriptedCluster) -> None:
    nodes.create("read", (1, 0))
    nodes.create("left", (1, 0))
    cluster = nodes.client(metadata_max_age_ms=1000, metadata_max_idle_ms=2500)
    nodes.run(cluster.refresh(["read", "left"]))
    cluster.metadata.leader("left", 0)
    for _ in range(5):
        cluster.metadata.leader("read", 0)
        nodes.loop.advance(1000)
    assert names_asked(nodes)[1:] == [
        {"read", "left"},
        {"read", "left"},
        {"read", "left"},
        {"read"},
        {"read"},
    ]
    assert cluster.metadata.topics.keys() == {"read"}


def test_topics_that_were_only_learned_are_forgotten_too(nodes: ScriptedCluster) -> None:
    nodes.create("learned", (1, 0))
    cluster = nodes.client(metadata_max_age_ms=1000, metadata_max_idle_ms=2500)
    nodes.run(cluster.refresh_all())
    for _ in range(5):
        nodes.loop.advance(1000)
    assert names_asked(nodes) == [None, {"learned"}, {"learned"}, {"learned"}, set(), set()]
    assert not cluster.metadata.topics


def test_a_refresh_by_age_that_fails_is_made_again_soon(nodes: ScriptedCluster) -> None:
    nodes.create("orders", (1, 5))
    cluster = nodes.client()
    nodes.run(cluster.leader_of("orders", 0))
    for address in (FIRST, *nodes.view.nodes.values()):
        nodes.network.stop(address)
    nodes.loop.advance(300_000)
    nodes.create("orders", (2, 6), topic_id=nodes.view.topics["orders"][0])
    nodes.listen()
    for _ in range(50):
        nodes.loop.advance(100)
    assert epoch_of(cluster) == 6


def test_refreshing_over_and_over_keeps_a_distance(nodes: ScriptedCluster) -> None:
    cluster = nodes.client()

    async def hammer() -> None:
        for _ in range(10):
            await cluster.refresh()

    nodes.run(hammer())
    assert nodes.loop.clock.elapsed_ms == 900


# -- nodes that come and go ----------------------------------------------------------------------


def test_another_known_node_is_asked_when_one_is_gone(nodes: ScriptedCluster) -> None:
    nodes.create("orders", (3, 0))
    cluster = nodes.client()
    nodes.run(cluster.refresh())
    nodes.network.stop(FIRST)
    nodes.network.stop(address_of(1))
    nodes.network.stop(address_of(2))
    assert nodes.run(cluster.leader_of("orders", 0)).node.node_id == 3


def test_when_no_known_node_answers_the_first_addresses_are_tried_again(
    nodes: ScriptedCluster,
) -> None:
    nodes.create("orders", (1, 0))
    cluster = nodes.client()
    nodes.run(cluster.leader_of("orders", 0))
    for node_id in list(nodes.view.nodes):
        nodes.network.stop(address_of(node_id))
    nodes.view.nodes = {9: FIRST}
    nodes.create("orders", (9, 1), topic_id=nodes.view.topics["orders"][0])
    nodes.run(cluster.refresh())
    assert nodes.run(cluster.leader_of("orders", 0)).node.address == FIRST


def test_without_rebootstrap_the_known_nodes_are_all_there_is(nodes: ScriptedCluster) -> None:
    cluster = nodes.client(metadata_recovery_strategy="none")
    nodes.run(cluster.refresh())
    for node_id in list(nodes.view.nodes):
        nodes.network.stop(address_of(node_id))
    with pytest.raises(NodeUnreachableError, match=r"node-1.*node-2|node-2.*node-1"):
        nodes.run(cluster.refresh())


def test_a_node_that_demands_it_leads_to_the_first_addresses(nodes: ScriptedCluster) -> None:
    cluster = nodes.client()
    nodes.run(cluster.refresh())
    moved = nodes.view.copy()
    moved.error = ErrorCode.REBOOTSTRAP_REQUIRED
    nodes.views = {2: moved, 3: moved}
    nodes.network.stop(address_of(1))
    nodes.view.nodes = {1: FIRST}
    nodes.network.connects.clear()
    nodes.run(cluster.refresh())
    assert cluster.metadata.nodes.keys() == {1}
    # The second of the two was not even asked.
    assert len([asked for asked in nodes.network.connects if asked != address_of(1)]) <= 1


def test_known_nodes_that_are_silent_for_long_come_after_the_first_addresses(
    nodes: ScriptedCluster,
) -> None:
    cluster = nodes.client(
        metadata_max_age_ms=1000, metadata_recovery_rebootstrap_trigger_ms=60_000
    )
    nodes.run(cluster.refresh())
    for address in (FIRST, *nodes.view.nodes.values()):
        nodes.network.cut(address)
        nodes.network.silent.add(address)
    nodes.loop.advance(1000)
    for _ in range(300):
        nodes.loop.advance(1000)
    nodes.network.silent.discard(FIRST)
    nodes.network.connects.clear()
    nodes.run(cluster.refresh())
    last_round = nodes.network.connects[nodes.network.connects.index(FIRST) :]
    assert last_round == [FIRST]


def test_nobody_there_is_an_error_that_names_all(nodes: ScriptedCluster) -> None:
    with pytest.raises(NodeUnreachableError, match=r"gone:1.*gone:2"):
        nodes.run(nodes.client("gone:1,gone:2").any_node())


def test_the_controller_is_asked_for_anew(nodes: ScriptedCluster) -> None:
    cluster = nodes.client()
    assert nodes.run(cluster.controller()).address == address_of(1)
    nodes.view.controller_id = 3
    assert nodes.run(cluster.controller()).address == address_of(3)


def test_each_purpose_has_a_connection_of_its_own(nodes: ScriptedCluster) -> None:
    cluster = nodes.client()
    nodes.run(cluster.refresh())
    made = [nodes.run(cluster.connection(2, purpose)) for purpose in Purpose]
    assert len(set(map(id, made))) == len(Purpose)
    assert (
        nodes.run(cluster.connection(2, Purpose.FETCH)) is made[list(Purpose).index(Purpose.FETCH)]
    )
    with pytest.raises(NodeUnreachableError, match="no node 77"):
        nodes.run(cluster.connection(77))


# -- coordinators --------------------------------------------------------------------------------


def test_coordinators_are_looked_up_together_and_remembered(nodes: ScriptedCluster) -> None:
    nodes.view.coordinators = {f"group-{number}": number % 3 + 1 for number in range(10)}
    cluster = nodes.client()
    tasks = [
        nodes.loop.create_task(cluster.coordinator_of(GROUP, name))
        for name in nodes.view.coordinators
    ]
    nodes.finish(*tasks)
    assert [task.result().node_id for task in tasks] == list(nodes.view.coordinators.values())
    nodes.run(cluster.coordinator_of(GROUP, "group-0"))
    (request,) = nodes.asked(FindCoordinatorRequest)
    assert set(request.coordinator_keys) == set(nodes.view.coordinators)


def test_a_group_and_a_transactional_id_of_one_name_are_two(nodes: ScriptedCluster) -> None:
    nodes.view.coordinators = {"same": 2}
    cluster = nodes.client()
    nodes.run(cluster.coordinator_of(GROUP, "same"))
    nodes.run(cluster.coordinator_of(CoordinatorKind.TRANSACTION, "same"))
    assert [request.key_type for request in nodes.asked(FindCoordinatorRequest)] == [0, 1]


def test_a_coordinator_that_is_not_there_yet_is_waited_for(nodes: ScriptedCluster) -> None:
    cluster = nodes.client()
    waiting = nodes.loop.create_task(cluster.coordinator_of(GROUP, "g"))
    nodes.loop.advance(250)
    nodes.view.coordinators["g"] = 2
    nodes.finish(waiting, ms_max=2000)
    assert waiting.result().node_id == 2
    with pytest.raises(DeadlineError, match="COORDINATOR_NOT_AVAILABLE"):
        nodes.run(cluster.coordinator_of(GROUP, "other", timeout_s=1))


def test_a_coordinator_that_may_not_be_known_is_refused_and_the_others_are_found(
    nodes: ScriptedCluster,
) -> None:
    nodes.view.coordinators = {"mine": 1, "theirs": ErrorCode.GROUP_AUTHORIZATION_FAILED}
    cluster = nodes.client()
    mine = nodes.loop.create_task(cluster.coordinator_of(GROUP, "mine"))
    theirs = nodes.loop.create_task(cluster.coordinator_of(GROUP, "theirs"))
    nodes.finish(mine, theirs, ms_max=1)
    assert mine.result().node_id == 1
    refused = theirs.exception()
    assert isinstance(refused, RefusedError)
    assert refused.code is ErrorCode.GROUP_AUTHORIZATION_FAILED


def test_a_coordinator_is_forgotten_only_while_it_is_the_one_that_refused(
    nodes: ScriptedCluster,
) -> None:
    nodes.view.coordinators = {"g": 1}
    cluster = nodes.client()
    old = nodes.run(cluster.coordinator_of(GROUP, "g"))
    nodes.view.coordinators = {"g": 2}
    cluster.forget_coordinator(GROUP, "g", old)
    assert nodes.run(cluster.coordinator_of(GROUP, "g")).node_id == 2
    cluster.forget_coordinator(GROUP, "g", old)
    assert nodes.run(cluster.coordinator_of(GROUP, "g")).node_id == 2
    assert len(nodes.asked(FindCoordinatorRequest)) == 2


def test_the_coordinator_asked_for_longest_ago_is_forgotten_first(nodes: ScriptedCluster) -> None:
    nodes.view.coordinators = {"a": 1, "b": 2, "c": 3}
    coordinators = Coordinators(nodes.client()._any_node, kept_max=2)
    for name in "ab":
        nodes.run(coordinators.find(GROUP, name))
    assert coordinators.known(GROUP, "a") is not None
    nodes.run(coordinators.find(GROUP, "c"))
    known = [coordinators.known(GROUP, name) for name in "abc"]
    assert [node and node.node_id for node in known] == [1, None, 3]
    nodes.loop.finish(coordinators.close())


# -- brokers of old versions ---------------------------------------------------------------------


def test_a_cluster_of_kafka_2_1_is_understood(make_nodes: MakeNodes) -> None:
    nodes = make_nodes(versions=KAFKA_2_1)
    nodes.create("orders", (2, 5))
    nodes.view.coordinators = {"g": 3, "h": 1}
    cluster = nodes.client()
    leader = nodes.run(cluster.leader_of("orders", 0))
    assert (leader.node.node_id, leader.epoch) == (2, 5)
    tasks = [nodes.loop.create_task(cluster.coordinator_of(GROUP, name)) for name in ("g", "h")]
    nodes.finish(*tasks)
    assert [task.result().node_id for task in tasks] == [3, 1]
    assert sorted(request.key for request in nodes.asked(FindCoordinatorRequest)) == ["g", "h"]
    assert {version for broker in nodes.brokers.values() for _, version in broker.asked} == {7, 2}


def test_a_caller_may_ask_for_a_lower_version(nodes: ScriptedCluster) -> None:
    connection = nodes.run(nodes.client().any_node())
    request = MetadataRequest(topics=[MetadataRequestTopic(name="a")])
    assert connection.version_of(MetadataRequest, at_most=4) == 4
    nodes.run(connection.call(request, MetadataResponse, at_most=4))
    assert nodes.brokers[1].asked[-1][1] == 4


# -- the end -------------------------------------------------------------------------------------


def test_closing_ends_all_who_wait_and_refuses_all_who_come(nodes: ScriptedCluster) -> None:
    cluster = nodes.client()
    nodes.network.silent.add(FIRST)
    waiting = [
        nodes.loop.create_task(cluster.any_node()),
        nodes.loop.create_task(cluster.refresh()),
        nodes.loop.create_task(cluster.leader_of("a", 0)),
        nodes.loop.create_task(cluster.coordinator_of(GROUP, "a")),
    ]
    nodes.loop.settle()
    nodes.loop.finish(cluster.close())
    assert [type(task.exception()) for task in waiting] == [ClusterClosedError] * 4
    for late in (cluster.any_node(), cluster.refresh(), cluster.coordinator_of(GROUP, "a")):
        with pytest.raises(ClusterClosedError):
            nodes.run(late)
    nodes.loop.finish(cluster.close())
    assert not asyncio.all_tasks(nodes.loop)
