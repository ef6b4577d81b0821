"""Groups of our consumers against a whole broker, in each protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from ottla.base.errors import ErrorCode, UserError
from ottla.base.ids import TopicPartition
from ottla.client.consumer import Consumer
from ottla.client.consumer.group.errors import CommitFailedError, FencedMemberError
from ottla.client.consumer.group.listener import RebalanceListener
from ottla.client.coordinators import CoordinatorKind
from ottla.client.offset_and_metadata import OffsetAndMetadata
from ottla.wire.messages.leave_group import LeaveGroupRequest, LeaveGroupResponse, MemberIdentity
from tests.support.group_cluster import GroupCluster, values_of

T0 = TopicPartition("t", 0)
T1 = TopicPartition("t", 1)
QUICK = {"session_timeout_ms": 2000, "heartbeat_interval_ms": 500}
EAGER: dict[str, Any] = {"partition_assignment_strategy": ["range"], **QUICK}
COOPERATIVE: dict[str, Any] = {"partition_assignment_strategy": ["cooperative-sticky"], **QUICK}
MODERN: dict[str, Any] = {"group_protocol": "consumer"}
KINDS: dict[str, dict[str, Any]] = {"eager": EAGER, "cooperative": COOPERATIVE, "consumer": MODERN}

Settings = dict[str, Any]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Settings:
    return {**KINDS[str(request.param)]}


class Notes(RebalanceListener):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[TopicPartition]]] = []

    def on_assigned(self, partitions: Sequence[TopicPartition]) -> None:
        if partitions:
            self.calls.append(("assigned", list(partitions)))

    def on_revoked(self, partitions: Sequence[TopicPartition]) -> None:
        self.calls.append(("revoked", list(partitions)))

    def on_lost(self, partitions: Sequence[TopicPartition]) -> None:
        self.calls.append(("lost", list(partitions)))


async def poll_until(
    wanted: list[int], *consumers: Consumer, seconds: int = 60
) -> list[list[bytes]]:
    """Let all of them read until they have so many partitions each; the values they read."""
    read: list[list[bytes]] = [[] for _ in consumers]
    for _ in range(seconds * 5):
        if [len(consumer.assignment) for consumer in consumers] == wanted:
            break
        polls = [consumer.poll(timeout_s=0.2) for consumer in consumers]
        for values, records in zip(read, await asyncio.gather(*polls), strict=True):
            values += [record.value or b"" for record in records]
    assert [len(consumer.assignment) for consumer in consumers] == wanted
    return read


def position(
    cluster: GroupCluster, consumer: Consumer, partition: TopicPartition = T0
) -> int | None:
    found = cluster.run(consumer.committed(partition))[partition]
    return None if found is None else found.offset


def numbers(first: int, end: int) -> list[bytes]:
    return [b"%d" % number for number in range(first, end)]


def send_away(cluster: GroupCluster, member_id: str) -> None:
    """As an administrator may."""
    client = cluster.client()

    async def send() -> None:
        node = await client.coordinator_of(CoordinatorKind.GROUP, "g")
        connection = await client.connection(node)
        request = LeaveGroupRequest(group_id="g", members=[MemberIdentity(member_id=member_id)])
        answer = await connection.call(request, LeaveGroupResponse)
        assert not answer.error_code

    cluster.run(send())


# -- sharing -------------------------------------------------------------------------------------


def test_members_share_and_take_over_what_one_leaves(cluster: GroupCluster, kind: Settings) -> None:
    cluster.broker.create_topic("t", 2)
    first, second = cluster.consumer(**kind), cluster.consumer(**kind)
    first.subscribe(["t"])
    cluster.run(poll_until([2], first))
    second.subscribe(["t"])
    cluster.run(poll_until([1, 1], first, second))
    assert sorted(first.assignment + second.assignment) == [T0, T1]
    cluster.run(second.close())
    cluster.run(poll_until([2], first))


def test_who_is_killed_is_replaced_and_its_uncommitted_records_are_read_again(
    cluster: GroupCluster, kind: Settings
) -> None:
    cluster.broker.create_topic("t", 1)
    cluster.write("t", numbers(0, 10))
    first = cluster.consumer(**kind, enable_auto_commit=False)
    first.subscribe(["t"])
    assert cluster.run(values_of(first, 4)) == numbers(0, 4)
    cluster.run(first.commit())
    assert cluster.run(values_of(first, 3)) == numbers(4, 7)
    cluster.kill(first)
    second = cluster.consumer(**kind)
    second.subscribe(["t"])
    assert cluster.run(values_of(second, 6)) == numbers(4, 10)


def test_the_listener_is_told_in_the_order_of_things(cluster: GroupCluster, kind: Settings) -> None:
    cluster.broker.create_topic("t", 2)
    notes, others = Notes(), Notes()
    first, second = cluster.consumer(**kind), cluster.consumer(**kind)
    first.subscribe(["t"], listener=notes)
    cluster.run(poll_until([2], first))
    second.subscribe(["t"], listener=others)
    cluster.run(poll_until([1, 1], first, second))
    (moved,) = second.assignment
    kept = T1 if moved == T0 else T0
    assert notes.calls[0] == ("assigned", [T0, T1])
    if kind.get("partition_assignment_strategy") == ["range"]:
        assert notes.calls[1:] == [("revoked", [T0, T1]), ("assigned", [kept])]
    else:
        assert notes.calls[1:] == [("revoked", [moved])]
    assert others.calls == [("assigned", [moved])]
    cluster.run(first.close())
    assert notes.calls[-1] == ("revoked", [kept])


def test_what_a_listener_raises_is_told_when_all_is_in_order(
    cluster: GroupCluster, kind: Settings
) -> None:
    class Failing(RebalanceListener):
        def on_assigned(self, partitions: Sequence[TopicPartition]) -> None:
            raise RuntimeError("mine")

    cluster.broker.create_topic("t", 1)
    cluster.write("t", numbers(0, 2))
    consumer = cluster.consumer(**kind)
    consumer.subscribe(["t"], listener=Failing())
    with pytest.raises(RuntimeError, match="mine"):
        cluster.run(values_of(consumer, 2))
    assert consumer.assignment == [T0]
    assert cluster.run(values_of(consumer, 2)) == numbers(0, 2)


def test_a_read_that_is_cancelled_inside_the_listener_calls_it_again(
    cluster: GroupCluster, kind: Settings
) -> None:
    calls: list[str] = []

    class Slow(RebalanceListener):
        async def on_assigned(self, partitions: Sequence[TopicPartition]) -> None:
            calls.append("began")
            await asyncio.sleep(1)
            calls.append("ended")

    cluster.broker.create_topic("t", 1)
    consumer = cluster.consumer(**kind)
    consumer.subscribe(["t"], listener=Slow())

    async def read() -> None:
        while "began" not in calls:
            reading = asyncio.ensure_future(consumer.poll(timeout_s=1))
            await asyncio.wait([reading], timeout=0.5)
            reading.cancel()
            await asyncio.wait([reading])
        await consumer.poll(timeout_s=2)

    cluster.run(read())
    assert calls[-2:] == ["began", "ended"]
    assert calls.count("ended") == 1


def test_a_listener_may_seek_and_commit(cluster: GroupCluster, kind: Settings) -> None:
    cluster.broker.create_topic("t", 1)
    cluster.write("t", numbers(0, 10))
    consumer = cluster.consumer(**kind, enable_auto_commit=False)

    class Mine(RebalanceListener):
        def on_assigned(self, partitions: Sequence[TopicPartition]) -> None:
            for partition in partitions:
                consumer.seek(partition, 5)

        async def on_revoked(self, partitions: Sequence[TopicPartition]) -> None:
            await consumer.commit(dict.fromkeys(partitions, 7))
            assert await consumer.position(T0) == 8

    consumer.subscribe(["t"], listener=Mine())
    assert cluster.run(values_of(consumer, 3)) == numbers(5, 8)
    cluster.run(consumer.close())
    other = cluster.consumer(**kind)
    other.subscribe(["t"])
    assert cluster.run(values_of(other, 1)) == [b"7"]


# -- committing ----------------------------------------------------------------------------------


def test_auto_commit_leaves_out_what_the_program_has_in_its_hands(
    cluster: GroupCluster, kind: Settings
) -> None:
    cluster.broker.create_topic("t", 1)
    cluster.write("t", numbers(0, 10))
    consumer = cluster.consumer(**kind, auto_commit_interval_ms=1000)
    consumer.subscribe(["t"])
    assert cluster.run(values_of(consumer, 3)) == numbers(0, 3)

    async def work_long() -> None:
        await asyncio.sleep(3)

    cluster.run(work_long())
    assert position(cluster, consumer) is None
    assert cluster.run(values_of(consumer, 2)) == numbers(3, 5)
    cluster.run(work_long())
    assert position(cluster, consumer) == 3
    assert cluster.run(consumer.poll(5, timeout_s=0)) != []


def test_one_by_one_only_records_before_the_last_are_committed(
    cluster: GroupCluster, kind: Settings
) -> None:
    cluster.broker.create_topic("t", 1)
    cluster.write("t", numbers(0, 10))
    consumer = cluster.consumer(**kind, auto_commit_interval_ms=1000)
    consumer.subscribe(["t"])

    async def read() -> None:
        count = 0
        async for _ in consumer:
            count += 1
            if count == 6:
                return
            await asyncio.sleep(0.5)

    cluster.run(read())

    async def wait() -> None:
        await asyncio.sleep(5)

    cluster.run(wait())
    committed = position(cluster, consumer)
    assert committed is not None
    assert 2 <= committed <= 5


def test_closing_commits_what_was_handed_out(cluster: GroupCluster, kind: Settings) -> None:
    cluster.broker.create_topic("t", 1)
    cluster.write("t", numbers(0, 10))
    consumer = cluster.consumer(**kind)
    consumer.subscribe(["t"])
    assert cluster.run(values_of(consumer, 3)) == numbers(0, 3)
    cluster.run(consumer.close())
    assert position(cluster, cluster.consumer()) == 3


@pytest.mark.parametrize("way", ["poll", "one by one", "poll_batch"])
def test_a_program_that_fails_has_not_dealt_with_what_it_had_in_its_hands(
    cluster: GroupCluster, kind: Settings, way: str
) -> None:
    cluster.broker.create_topic("t", 1)
    cluster.write("t", numbers(0, 10))
    consumer = cluster.consumer(**kind)
    consumer.subscribe(["t"])
    assert cluster.run(values_of(consumer, 3)) == numbers(0, 3)

    async def fail() -> None:
        if way == "poll":
            await consumer.poll(2)
        elif way == "poll_batch":
            await consumer.poll_batch()
        else:
            await anext(consumer)
            await anext(consumer)
        await consumer.__aexit__(RuntimeError, RuntimeError(), None)

    cluster.run(fail())
    assert position(cluster, cluster.consumer()) == (4 if way == "one by one" else 3)


def test_an_auto_commit_interval_reaches_who_waits_in_a_read(
    cluster: GroupCluster, kind: Settings
) -> None:
    cluster.broker.create_topic("t", 1)
    cluster.write("t", numbers(0, 3))
    consumer = cluster.consumer(**kind, auto_commit_interval_ms=1000)
    consumer.subscribe(["t"])
    assert cluster.run(values_of(consumer, 3)) == numbers(0, 3)
    assert cluster.run(consumer.poll(timeout_s=3)) == []
    assert position(cluster, consumer) == 3


def test_positions_are_committed_with_epoch_and_metadata_without_membership(
    cluster: GroupCluster, kind: Settings
) -> None:
    cluster.broker.create_topic("t", 1)
    cluster.write("t", numbers(0, 10))
    consumer = cluster.consumer(**kind)
    consumer.assign([T0])
    assert cluster.run(values_of(consumer, 4)) == numbers(0, 4)
    cluster.run(consumer.commit())
    mine = OffsetAndMetadata(6, 0, "mine")
    assert cluster.run(consumer.committed(T0)) == {T0: OffsetAndMetadata(4, 0)}
    cluster.run(consumer.commit({T0: mine}))
    assert cluster.run(consumer.committed(T0, T1)) == {T0: mine, T1: None}
    other = cluster.consumer(**kind)
    other.assign([T0])
    assert cluster.run(values_of(other, 1)) == [b"6"]


def test_a_member_that_was_put_out_cannot_commit_and_is_told_what_to_do(
    cluster: GroupCluster, kind: Settings
) -> None:
    cluster.broker.create_topic("t", 1)
    cluster.write("t", numbers(0, 10))
    notes = Notes()
    consumer = cluster.consumer(**kind, enable_auto_commit=False)
    consumer.subscribe(["t"], listener=notes)
    assert cluster.run(values_of(consumer, 2)) == numbers(0, 2)
    send_away(cluster, consumer.group_metadata().member_id)
    with pytest.raises(CommitFailedError, match="max_poll_interval_ms") as caught:
        cluster.run(consumer.commit())
    assert caught.value.code is ErrorCode.UNKNOWN_MEMBER_ID
    assert cluster.run(values_of(consumer, 2)) == numbers(0, 2)
    assert notes.calls == [("assigned", [T0]), ("lost", [T0]), ("assigned", [T0])]


# -- time ----------------------------------------------------------------------------------------


def test_who_does_not_read_for_too_long_leaves_and_comes_back(
    cluster: GroupCluster, kind: Settings
) -> None:
    cluster.broker.create_topic("t", 1)
    notes = Notes()
    consumer = cluster.consumer(**kind, max_poll_interval_ms=5000)
    consumer.subscribe(["t"], listener=notes)
    cluster.run(poll_until([1], consumer))
    other = cluster.consumer(**kind)
    other.subscribe(["t"])
    cluster.run(poll_until([1], other, seconds=30))
    assert notes.calls == [("assigned", [T0])]
    cluster.run(consumer.poll(timeout_s=0.1))
    assert notes.calls == [("assigned", [T0]), ("lost", [T0])]
    cluster.run(other.close())
    cluster.run(poll_until([1], consumer))


def test_a_long_read_and_records_one_by_one_are_reading(
    cluster: GroupCluster, kind: Settings
) -> None:
    cluster.broker.create_topic("t", 1)
    cluster.write("t", numbers(0, 20))
    notes = Notes()
    consumer = cluster.consumer(**kind, max_poll_interval_ms=5000)
    consumer.subscribe(["t"], listener=notes)

    async def read() -> None:
        count = 0
        async for _ in consumer:
            count += 1
            await asyncio.sleep(1)
            if count == 20:
                break
        await consumer.poll(timeout_s=20)

    cluster.run(read())
    assert notes.calls == [("assigned", [T0])]


def test_a_static_member_comes_back_without_a_rebalance(
    cluster: GroupCluster, kind: Settings
) -> None:
    cluster.broker.create_topic("t", 2)
    other = cluster.consumer(**kind, group_instance_id="b")
    notes = Notes()
    other.subscribe(["t"], listener=notes)
    cluster.run(poll_until([2], other))
    first = cluster.consumer(**kind, group_instance_id="a")
    first.subscribe(["t"])
    cluster.run(poll_until([1, 1], first, other))
    had, calls = first.assignment, len(notes.calls)
    cluster.run(first.close())
    again = cluster.consumer(**kind, group_instance_id="a")
    again.subscribe(["t"])
    cluster.run(poll_until([1, 1], again, other))
    assert again.assignment == had
    assert len(notes.calls) == calls


def test_another_of_the_same_instance_ends_the_first(cluster: GroupCluster) -> None:
    cluster.broker.create_topic("t", 1)
    notes = Notes()
    first = cluster.consumer(**EAGER, group_instance_id="a")
    first.subscribe(["t"], listener=notes)
    cluster.run(poll_until([1], first))
    second = cluster.consumer(**EAGER, group_instance_id="a")
    second.subscribe(["t"])
    cluster.run(poll_until([1], second))
    for _ in range(2):
        with pytest.raises(FencedMemberError):
            cluster.run(first.poll(timeout_s=2))
    assert notes.calls == [("assigned", [T0]), ("lost", [T0])]


def test_under_the_consumer_protocol_the_second_of_an_instance_is_refused(
    cluster: GroupCluster,
) -> None:
    cluster.broker.create_topic("t", 1)
    first = cluster.consumer(**MODERN, group_instance_id="a")
    first.subscribe(["t"])
    cluster.run(poll_until([1], first))
    second = cluster.consumer(**MODERN, group_instance_id="a")
    second.subscribe(["t"])
    with pytest.raises(FencedMemberError) as caught:
        cluster.run(second.poll(timeout_s=2))
    assert caught.value.code is ErrorCode.UNRELEASED_INSTANCE_ID
    assert first.assignment == [T0]


# -- what is subscribed to -----------------------------------------------------------------------


def test_new_partitions_and_topics_are_shared_when_the_metadata_tells_of_them(
    cluster: GroupCluster, kind: Settings
) -> None:
    cluster.broker.create_topic("orders-a", 1)
    cluster.broker.create_topic("other", 1)
    consumer = cluster.consumer(**kind, metadata_max_age_ms=1000)
    consumer.subscribe(pattern="orders-.*")
    cluster.run(poll_until([1], consumer))
    cluster.broker.create_topic("orders-b", 2)
    cluster.run(poll_until([3], consumer))
    assert {topic for topic, _ in consumer.assignment} == {"orders-a", "orders-b"}


def test_another_subscription_replaces_the_first(cluster: GroupCluster, kind: Settings) -> None:
    cluster.broker.create_topic("t", 1)
    cluster.broker.create_topic("u", 2)
    notes = Notes()
    consumer = cluster.consumer(**kind)
    consumer.subscribe(["t"], listener=notes)
    cluster.run(poll_until([1], consumer))
    consumer.subscribe(["u"], listener=notes)
    cluster.run(poll_until([2], consumer))
    assert notes.calls[1] == ("revoked", [T0])
    cluster.run(consumer.unsubscribe())
    assert consumer.assignment == []
    assert notes.calls[-1][0] == "revoked"
    consumer.subscribe(["t"])
    cluster.run(poll_until([1], consumer))


def test_assigning_and_subscribing_exclude_each_other(cluster: GroupCluster) -> None:
    cluster.broker.create_topic("t", 1)
    consumer = cluster.consumer()
    consumer.assign([T0])
    with pytest.raises(UserError):
        consumer.subscribe(["t"])
    consumer.assign([])
    consumer.subscribe(["t"])
    with pytest.raises(UserError):
        consumer.assign([T0])
    cluster.run(consumer.unsubscribe())
    consumer.assign([T0])


@pytest.mark.parametrize(
    "wanted",
    [{}, {"topics": []}, {"topics": "t"}, {"topics": ["t"], "pattern": "t"}, {"pattern": "("}],
)
def test_impossible_subscriptions_are_refused(
    cluster: GroupCluster, wanted: dict[str, Any]
) -> None:
    consumer = cluster.consumer()
    with pytest.raises(UserError):
        consumer.subscribe(**wanted)


def test_without_a_group_there_is_nothing_to_subscribe_or_commit(cluster: GroupCluster) -> None:
    consumer = cluster.consumer(group_id=None)
    with pytest.raises(UserError):
        consumer.subscribe(["t"])
    with pytest.raises(UserError):
        cluster.run(consumer.commit())


# -- being cancelled, and other trouble ----------------------------------------------------------


def test_a_close_that_is_cancelled_leaves_nothing_behind(
    cluster: GroupCluster, kind: Settings
) -> None:
    cluster.broker.create_topic("t", 1)
    consumer = cluster.consumer(**kind)
    consumer.subscribe(["t"])
    cluster.run(poll_until([1], consumer))

    async def close() -> None:
        closing = asyncio.ensure_future(consumer.close())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        closing.cancel()
        await asyncio.wait([closing])

    cluster.run(close())
    group = consumer._group
    assert group is not None
    assert group.membership._task is None
    assert group.topics._task is None
    cluster.run(consumer.close())


def test_a_read_may_be_cancelled_at_whatever_step_of_a_rebalance(
    cluster: GroupCluster, kind: Settings
) -> None:
    cluster.broker.create_topic("t", 2)
    cluster.write("t", numbers(0, 5))
    other = cluster.consumer(**kind)
    other.subscribe(["t"])
    for steps in range(0, 60, 3):
        consumer = cluster.consumer(**kind)
        notes = Notes()
        consumer.subscribe(["t"], listener=notes)

        async def read_a_little(consumer: Consumer = consumer, steps: int = steps) -> None:
            reading = asyncio.ensure_future(consumer.poll(timeout_s=5))
            for _ in range(steps):
                await asyncio.sleep(0.001 if steps % 2 else 0)
            reading.cancel()
            await asyncio.wait([reading])

        cluster.run(read_a_little())
        cluster.run(poll_until([1, 1], consumer, other))
        cluster.run(consumer.close())
        told = [partition for _, partitions in notes.calls for partition in partitions]
        assert [name for name, _ in notes.calls] == ["assigned", "revoked"]
        assert len(told) == 2
        cluster.run(poll_until([2], other))


def test_a_commit_waits_for_a_coordinator_that_is_away(
    cluster: GroupCluster, kind: Settings
) -> None:
    cluster.broker.create_topic("t", 1)
    consumer = cluster.consumer(**kind)
    consumer.assign([T0])
    cluster.kill_broker()
    for stream in list(cluster.network.streams):
        stream.end()
    cluster.run(consumer.commit({T0: 3}))
    assert position(cluster, consumer) == 3


def test_what_is_known_to_be_committed_is_not_committed_again(
    cluster: GroupCluster, kind: Settings
) -> None:
    cluster.broker.create_topic("t", 1)
    cluster.write("t", numbers(0, 3))
    consumer = cluster.consumer(**kind, auto_commit_interval_ms=500)
    consumer.subscribe(["t"])
    assert cluster.run(values_of(consumer, 3)) == numbers(0, 3)
    group = consumer._group
    assert group is not None
    sent: list[dict[TopicPartition, OffsetAndMetadata]] = []
    send = group.commits._commit

    async def noted(offsets: Any) -> None:
        sent.append(dict(offsets))
        await send(offsets)

    group.commits._commit = noted  # type: ignore[method-assign]  # to see what is sent
    cluster.run(consumer.poll(timeout_s=5))
    assert sent == [{T0: OffsetAndMetadata(3, 0)}]
