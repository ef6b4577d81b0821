"""What a cluster tells of itself and lets be changed, and that Apache Kafka answers the same."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from confluent_kafka import Consumer

from ottla.base.ids import TopicPartition
from ottla.client.admin import Admin, FeatureUpdate, FeatureUpgrade, OffsetSpec
from ottla.client.producer import Producer
from tests.clients.admin import Admin as Topics
from tests.interop.cluster_cases import QUESTIONS, Asked, Features, Question
from tests.support.broker_process import BrokerProcess
from tests.support.java import needs_java
from tests.support.kafka_process import KafkaProcess

pytestmark = pytest.mark.interop

FOLLOW_SECONDS_MAX = 30.0


@needs_java
def test_every_question_is_answered_as_apache_kafka_answers_it(
    broker: BrokerProcess, tmp_path: Path
) -> None:
    folder = tmp_path / "kafka"
    folder.mkdir()
    with KafkaProcess(folder, folder / "data") as kafka:
        theirs, ours = Asked(kafka.bootstrap), Asked(broker.bootstrap)
        differing = []
        for question in QUESTIONS:
            both = answers(theirs, ours, question)
            if both[0] != both[1]:
                differing.append((question, *both))
        assert differing == []


def answers(theirs: Asked, ours: Asked, question: Question) -> tuple[object, object]:
    """Kafka's brokers learn of levels a moment after its controller has changed them."""
    deadline = time.monotonic() + FOLLOW_SECONDS_MAX
    while True:
        both = theirs.answer(question), ours.answer(question)
        settled = both[0] == both[1] or not isinstance(question, Features)
        if settled or time.monotonic() > deadline:
            return both
        time.sleep(0.05)


# -- levels of features, under clients that run ----------------------------------------------------


@pytest.mark.parametrize("level", [0, 1])
def test_transactions_go_on_at_another_level(broker: BrokerProcess, level: int) -> None:
    """A producer that began at level 2, and one that knows no other than the new one."""

    async def send(producer: Producer, value: bytes) -> None:
        await producer.begin_transaction()
        await producer.put("orders", value, partition=0)
        await producer.commit_transaction()

    async def work() -> None:
        async with Admin(broker.bootstrap) as admin:
            (await admin.topics.create("orders")).all()
            async with Producer(broker.bootstrap, transactional_id="old") as old:
                await send(old, b"1")
                down = FeatureUpdate(level, FeatureUpgrade.SAFE_DOWNGRADE)
                (await admin.cluster.update_features({"transaction.version": down})).all()
                await send(old, b"2")
                async with Producer(broker.bootstrap, transactional_id="new") as new:
                    await send(new, b"3")
                    (await admin.cluster.update_features({"transaction.version": 2})).all()
                    await send(new, b"4")
                await send(old, b"5")
            end = {TopicPartition("orders", 0): OffsetSpec.LATEST}
            stable = await admin.offsets.list(end, isolation_level="read_committed")
            (told,) = stable.done.values()
            assert told is not None
            assert told.offset == 10  # five records and five markers

    asyncio.run(work())


def test_members_of_the_consumer_protocol_are_refused_while_their_feature_is_off(
    broker: BrokerProcess,
) -> None:
    settings = {
        "bootstrap.servers": broker.bootstrap,
        "group.id": "readers",
        "group.protocol": "consumer",
        "auto.offset.reset": "earliest",
    }

    async def level(wanted: FeatureUpdate | int) -> None:
        async with Admin(broker.bootstrap) as admin:
            (await admin.cluster.update_features({"group.version": wanted})).all()

    Topics(broker.bootstrap).create("orders")
    asyncio.run(level(FeatureUpdate(0, FeatureUpgrade.SAFE_DOWNGRADE)))
    refused = Consumer(settings)
    refused.subscribe(["orders"])
    deadline = time.monotonic() + FOLLOW_SECONDS_MAX
    message = None
    while message is None and time.monotonic() < deadline:
        message = refused.poll(0.2)
    assert message is not None
    error = message.error()
    assert error is not None
    assert "API version not supported" in error.str()
    refused.close()

    asyncio.run(level(1))
    member = Consumer(settings)
    member.subscribe(["orders"])
    deadline = time.monotonic() + FOLLOW_SECONDS_MAX
    while not member.assignment() and time.monotonic() < deadline:
        member.poll(0.1)
    assert member.assignment()
    member.close()
