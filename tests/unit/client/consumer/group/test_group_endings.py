"""How consumers leave their groups, and what happens when something is in the way of that."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from ottla.base.errors import ErrorCode
from ottla.base.ids import TopicPartition
from ottla.client.consumer import Consumer, ConsumerClosedError
from ottla.client.consumer.group.errors import CommitFailedError, GroupError
from ottla.client.consumer.group.group import Group
from ottla.client.consumer.group.listener import RebalanceListener
from ottla.client.errors import NodeError
from tests.support.group_cluster import GroupCluster, values_of
from tests.unit.client.consumer.group.test_group import (
    EAGER,
    MODERN,
    T0,
    T1,
    Notes,
    Settings,
    numbers,
    poll_until,
    position,
)


@pytest.fixture(params=["eager", "consumer"])
def kind(request: pytest.FixtureRequest) -> Settings:
    return {**(EAGER if request.param == "eager" else MODERN)}


class Slow(RebalanceListener):
    """Takes its time to give back; writes down when that begins and ends."""

    def __init__(self, seconds: float) -> None:
        self.calls: list[str] = []
        self._seconds = seconds

    async def on_revoked(self, partitions: Sequence[TopicPartition]) -> None:
        self.calls.append("began")
        await asyncio.sleep(self._seconds)
        self.calls.append("ended")


def group_of(consumer: Consumer) -> Group:
    assert consumer._group is not None
    return consumer._group


def reader(
    cluster: GroupCluster, listener: RebalanceListener | None = None, **settings: Any
) -> Consumer:
    """One that has read three of ten records of the only partition."""
    cluster.broker.create_topic("t", 1)
    cluster.write("t", numbers(0, 10))
    consumer = cluster.consumer(**settings)
    consumer.subscribe(["t"], listener=listener)
    assert cluster.run(values_of(consumer, 3)) == numbers(0, 3)
    return consumer


def test_who_was_put_out_moves_no_position_back(cluster: GroupCluster, kind: Settings) -> None:
    slow = reader(cluster, **kind, max_poll_interval_ms=5000)
    cluster.run(asyncio.sleep(20))
    other = cluster.consumer(**kind)
    other.subscribe(["t"])
    assert cluster.run(values_of(other, 10)) == numbers(0, 10)
    cluster.run(other.close())
    with pytest.raises(CommitFailedError) as caught:
        cluster.run(slow.commit())
    assert caught.value.code is ErrorCode.UNKNOWN_MEMBER_ID
    cluster.run(slow.close())
    assert position(cluster, cluster.consumer()) == 10


def test_a_commit_that_never_succeeds_leaves_time_to_leave(
    cluster: GroupCluster, kind: Settings
) -> None:
    notes = Notes()
    consumer = reader(cluster, notes, **kind)
    group = group_of(consumer)

    async def away(offsets: Any) -> None:
        raise NodeError("away")

    group.commits._commit = away  # type: ignore[method-assign]  # a coordinator in trouble
    cluster.run(consumer.close(timeout_s=10))
    assert notes.calls[-1] == ("revoked", [T0])
    assert not group.member.is_joined


def test_a_listener_that_never_ends_leaves_time_to_leave(
    cluster: GroupCluster, kind: Settings
) -> None:
    consumer = reader(cluster, Slow(1e6), **kind)
    group = group_of(consumer)
    cluster.run(consumer.close(timeout_s=10))
    assert not group.member.is_joined
    assert position(cluster, cluster.consumer()) == 3


def test_who_reads_on_after_a_cancelled_unsubscribe_is_a_member(
    cluster: GroupCluster, kind: Settings
) -> None:
    slow = Slow(5)
    consumer = reader(cluster, slow, **kind)

    async def cancelled() -> None:
        leaving = asyncio.ensure_future(consumer.unsubscribe())
        await asyncio.wait([leaving], timeout=1)
        leaving.cancel()
        await asyncio.wait([leaving])

    cluster.run(cancelled())
    assert slow.calls == ["began"]
    assert cluster.run(values_of(consumer, 3)) == numbers(3, 6)
    cluster.run(consumer.poll(1, timeout_s=0))
    cluster.run(asyncio.sleep(10))
    other = cluster.consumer(**kind)
    other.subscribe(["t"])
    assert cluster.run(other.poll(timeout_s=0.1)) == []
    assert group_of(consumer).member.is_joined
    assert consumer.assignment == [T0]
    cluster.run(other.close())
    cluster.run(consumer.unsubscribe())
    assert slow.calls[-2:] == ["began", "ended"]
    assert consumer.subscription is None


def test_a_close_waits_for_the_listener_that_a_read_has_called(
    cluster: GroupCluster, kind: Settings
) -> None:
    slow = Slow(1)
    consumer = reader(cluster, slow, **kind)
    group = group_of(consumer)
    leave = group.membership.leave
    before_leaving: list[str] = []

    async def noted(reason: str) -> None:
        before_leaving.extend(slow.calls)
        await leave(reason)

    group.membership.leave = noted  # type: ignore[method-assign]  # to see when

    async def close_meanwhile() -> None:
        group.member.ownership.give_back([T0])
        reading = asyncio.ensure_future(consumer.poll(timeout_s=5))
        await asyncio.wait([reading], timeout=0.5)
        assert slow.calls == ["began"]
        await consumer.close()
        with pytest.raises(ConsumerClosedError):
            await reading

    cluster.run(close_meanwhile())
    assert before_leaving == slow.calls == ["began", "ended"]
    assert not group.member.is_joined


def test_a_listener_that_waits_for_the_close_is_not_called_twice(cluster: GroupCluster) -> None:
    calls: list[str] = []

    class Closing(RebalanceListener):
        async def on_revoked(self, partitions: Sequence[TopicPartition]) -> None:
            calls.append("began")
            await asyncio.ensure_future(consumer.close())
            calls.append("ended")

    consumer = reader(cluster, Closing(), **MODERN)

    async def read() -> None:
        group_of(consumer).member.ownership.give_back([T0])
        with pytest.raises(ConsumerClosedError):
            await consumer.poll(timeout_s=5)

    cluster.run(read(), ms_max=20_000)
    assert calls == ["began", "ended"]


def test_who_reads_while_another_task_closes_is_told_so(cluster: GroupCluster) -> None:
    consumer = reader(cluster, Slow(1), **MODERN)

    async def read_meanwhile() -> None:
        closing = asyncio.ensure_future(consumer.close())
        await asyncio.wait([closing], timeout=0.5)
        with pytest.raises(ConsumerClosedError):
            await consumer.poll(timeout_s=5)
        with pytest.raises(StopAsyncIteration):
            await anext(consumer)
        await closing

    cluster.run(read_meanwhile())


def test_a_listener_does_not_read(cluster: GroupCluster) -> None:
    class Reading(RebalanceListener):
        async def on_revoked(self, partitions: Sequence[TopicPartition]) -> None:
            await consumer.poll(timeout_s=1)

    consumer = reader(cluster, Reading(), **MODERN)
    with pytest.raises(Exception, match="a rebalance listener does not read"):
        cluster.run(consumer.unsubscribe())


def test_one_timer_at_a_time_calls_for_a_commit(cluster: GroupCluster) -> None:
    cluster.broker.create_topic("t", 2)
    cluster.write("t", numbers(0, 10))
    consumer = cluster.consumer()
    group = group_of(consumer)
    consumer.assign([T0])
    for count in (2, 3, 4):
        cluster.run(values_of(consumer, count))
        consumer.assign([T0, T1])
        cluster.run(asyncio.sleep(0.5))
    timers = cluster.loop._scheduled  # type: ignore[attr-defined]  # no public way
    waiting = [timer for timer in timers if not timer.cancelled()]
    assert sum(timer._callback == group._commit_soon for timer in waiting) == 1


def test_what_is_refused_again_and_again_is_told_once_to_who_did_not_read(
    cluster: GroupCluster,
) -> None:
    cluster.broker.create_topic("t", 1)
    cluster.write("t", numbers(0, 3))
    consumer = cluster.consumer()
    commits = group_of(consumer).commits
    ask = commits.committed

    async def refused(*_: Any, **__: Any) -> Any:
        raise GroupError(ErrorCode.GROUP_AUTHORIZATION_FAILED, "not you")

    commits.committed = refused  # type: ignore[method-assign]  # as if rights were taken away
    consumer.assign([T0])
    cluster.run(asyncio.sleep(10))
    commits.committed = ask  # type: ignore[method-assign]  # and given again
    with pytest.raises(GroupError):
        cluster.run(consumer.poll(timeout_s=0))
    assert cluster.run(values_of(consumer, 3)) == numbers(0, 3)


def test_partitions_that_join_a_revocation_are_committed_as_far_as_they_were_read_since(
    cluster: GroupCluster,
) -> None:
    cluster.broker.create_topic("t", 2)
    cluster.write("t", numbers(0, 3))
    consumer = cluster.consumer(**MODERN)
    consumer.subscribe(["t"])
    assert cluster.run(values_of(consumer, 3)) == numbers(0, 3)
    cluster.run(poll_until([2], consumer))
    group = group_of(consumer)
    ownership, commit = group.member.ownership, group.commits.commit

    async def never(*_: Any, **__: Any) -> None:
        await asyncio.Event().wait()

    group.commits.commit = never  # type: ignore[method-assign]  # a coordinator in trouble
    ownership.give_back([T0])
    cluster.run(consumer.poll(timeout_s=0.1))
    cluster.write("t", numbers(0, 4), partition=1)
    assert cluster.run(values_of(consumer, 4)) == numbers(0, 4)
    group.commits.commit = commit  # type: ignore[method-assign]  # it has recovered
    ownership.give_back([T0, T1])
    cluster.run(consumer.poll(timeout_s=1))
    assert position(cluster, consumer, T1) == 4
