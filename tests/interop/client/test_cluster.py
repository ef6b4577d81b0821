"""Our client's line to a real broker, in order, restarted and killed."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import pytest

from ottla.client.address import parse_addresses
from ottla.client.admin import Admin
from ottla.client.admin.topics import CreatedTopic, NewTopic
from ottla.client.cluster import Cluster
from ottla.client.connections import Purpose
from ottla.client.coordinators import CoordinatorKind
from ottla.client.errors import NodeError
from ottla.client.options import ClusterOptions
from ottla.wire.messages.metadata import MetadataRequest, MetadataRequestTopic, MetadataResponse
from tests.support.broker_process import BrokerProcess
from tests.support.java import needs_java
from tests.support.kafka_process import KafkaProcess

pytestmark = pytest.mark.interop

QUICK = ClusterOptions(reconnect_backoff_max_ms=200, retry_backoff_max_ms=200)


async def create(cluster: Cluster, *topics: NewTopic | str) -> CreatedTopic:
    """Make them; what was made of the first."""
    admin = Admin("unused:1")
    await admin.start_on(cluster)
    made = (await admin.topics.create(*topics)).all()
    return next(iter(made.values()))


async def ask(cluster: Cluster, topic: str) -> None:
    """One request to the topic's leader, whose answer must be about it."""
    leader = await cluster.leader_of(topic, 0)
    connection = await cluster.connection(leader.node, Purpose.FETCH)
    request = MetadataRequest(topics=[MetadataRequestTopic(name=topic)])
    response = await connection.call(request, MetadataResponse)
    assert [told.name for told in response.topics] == [topic]


async def ask_until_told(cluster: Cluster, stop: asyncio.Event) -> int:
    """Ask over and over, whatever happens to the broker; how often it answered."""
    answered = 0
    while not stop.is_set():
        topic = f"topic-{answered % 3}"
        await cluster.retry(partial(ask, cluster, topic), failed="it never came back")
        answered += 1
    return answered


async def trouble(broker: BrokerProcess, *, killed: bool) -> None:
    """Let it work, end it, leave it down for a moment, start it again; three times."""
    for _ in range(3):
        await asyncio.sleep(0.3)
        await asyncio.to_thread(broker.kill if killed else broker.stop)
        await asyncio.sleep(0.2)
        await asyncio.to_thread(broker.start)
    await asyncio.sleep(0.3)


@pytest.mark.parametrize("killed", [False, True], ids=["restarted", "killed"])
def test_a_client_outlives_its_broker(broker: BrokerProcess, killed: bool) -> None:
    async def main() -> None:
        async with Cluster(broker.bootstrap, QUICK) as cluster:
            await create(cluster, *(f"topic-{number}" for number in range(3)))
            stop = asyncio.Event()
            asking = [asyncio.ensure_future(ask_until_told(cluster, stop)) for _ in range(5)]
            await trouble(broker, killed=killed)
            stop.set()
            assert min(await asyncio.gather(*asking)) > 50

    asyncio.run(main())


def test_metadata_and_coordinators_of_a_real_broker(shared_broker: BrokerProcess) -> None:
    async def main() -> None:
        async with Cluster(shared_broker.bootstrap, QUICK) as cluster:
            made = await create(cluster, NewTopic(name="line", partitions=5))
            topic = await cluster.topic_by_id(made.topic_id)
            assert (topic.name, list(topic.partitions)) == ("line", list(range(5)))
            assert topic.partitions[4].leader_epoch == 0
            names = [f"group-{number}" for number in range(20)]
            found = await asyncio.gather(
                *(cluster.coordinator_of(CoordinatorKind.GROUP, name) for name in names)
            )
            transaction = await cluster.coordinator_of(CoordinatorKind.TRANSACTION, "t")
            assert {node.address for node in [*found, transaction]} == {
                cluster.metadata.nodes[1].address
            }
            created = await cluster.topic("made-by-asking", creates=True)
            assert len(created.partitions) == 1
            connection = await cluster.any_node()
            assert connection.feature_level("transaction.version") == 2

    asyncio.run(main())


@needs_java
def test_apache_kafka_is_asked_as_our_own_broker_is(tmp_path: Path) -> None:
    async def main(bootstrap: str) -> None:
        async with Cluster(bootstrap, QUICK) as cluster:
            made = await create(cluster, NewTopic(name="line", partitions=2))
            await ask(cluster, "line")
            assert (await cluster.topic_by_id(made.topic_id)).name == "line"
            node = await cluster.coordinator_of(CoordinatorKind.GROUP, "group")
            assert node.address == parse_addresses(bootstrap)[0]

    with KafkaProcess(tmp_path, tmp_path / "data") as kafka:
        asyncio.run(main(kafka.bootstrap))


def test_a_hundred_calls_cancelled_at_random_leave_the_connection_matched(
    shared_broker: BrokerProcess,
) -> None:
    async def main() -> None:
        async with Cluster(shared_broker.bootstrap, QUICK) as cluster:
            await create(cluster, *(f"asked-{number}" for number in range(3)))
            await cluster.refresh()
            connection = await cluster.connection(1, Purpose.FETCH)
            for turn in range(100):
                tasks = [
                    asyncio.ensure_future(ask(cluster, f"asked-{number % 3}"))
                    for number in range(9)
                ]
                for _ in range(turn % 5):
                    await asyncio.sleep(0)
                for task in tasks[turn % 3 :: 3]:
                    task.cancel()
                outcomes = await asyncio.gather(*tasks, return_exceptions=True)
                assert sum(outcome is None for outcome in outcomes) >= 6
            assert await cluster.connection(1, Purpose.FETCH) is connection

    asyncio.run(main())


def test_nobody_there_is_told_with_the_address(broker: BrokerProcess) -> None:
    broker.stop()

    async def main() -> None:
        async with Cluster(broker.bootstrap, QUICK) as cluster:
            with pytest.raises(NodeError, match=f"cannot connect to {broker.bootstrap}"):
                await cluster.refresh()

    asyncio.run(main())
