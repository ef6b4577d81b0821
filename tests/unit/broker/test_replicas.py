"""Partitions hosted here follow the metadata: settings, leaders, and replicas that move away."""

from __future__ import annotations

import errno

import pytest

from ottla.base.errors import ErrorCode
from ottla.metadata.image import ResourceType
from ottla.metadata.replay import replayed
from ottla.wire.messages.produce import PartitionProduceResponse, ProduceResponse
from ottla.wire.payloads.metadata import ConfigRecord, PartitionChangeRecord
from ottla.wire.schema import Payload
from tests.support.data_requests import BY_ID, BY_NAME, Topic, produce, produced
from tests.support.memory_broker import MemoryBroker
from tests.support.memory_client import Client
from tests.support.records import batch_of
from tests.unit.broker.conftest import Connect, StartBroker


def happened(broker: MemoryBroker, *records: Payload) -> None:
    """These records came from the metadata log."""
    image = broker.broker.metadata.image
    after, delta = replayed(image, records, next_offset=image.next_offset + len(records), epoch=1)
    broker.in_loop(broker.housekeeping.follow, after, delta)


def setting(topic: str, name: str, value: str | None) -> ConfigRecord:
    return ConfigRecord(
        resource_type=ResourceType.TOPIC, resource_name=topic, name=name, value=value
    )


def answer(client: Client, topic: Topic, *, acks: int = 1) -> PartitionProduceResponse:
    version = BY_NAME if isinstance(topic, str) else BY_ID
    request = produce((topic, 0, batch_of(b"a")), acks=acks)
    return produced(client.ask(request, ProduceResponse, version=version))[0]


def test_a_changed_setting_counts_from_the_next_write_on(
    broker: MemoryBroker, client: Client
) -> None:
    broker.create_topic("orders")
    assert answer(client, "orders").error_code == ErrorCode.NONE
    happened(broker, setting("orders", "max.message.bytes", "10"))
    assert answer(client, "orders").error_code == ErrorCode.MESSAGE_TOO_LARGE
    happened(broker, setting("orders", "max.message.bytes", None))
    assert answer(client, "orders").error_code == ErrorCode.NONE


def test_a_setting_of_one_topic_is_of_that_topic_alone(
    broker: MemoryBroker, client: Client
) -> None:
    broker.create_topic("orders")
    broker.create_topic("bills")
    happened(broker, setting("orders", "max.message.bytes", "10"))
    assert answer(client, "bills").error_code == ErrorCode.NONE


def test_more_replicas_may_be_wanted_from_now_on(broker: MemoryBroker, client: Client) -> None:
    broker.create_topic("orders")
    happened(broker, setting("orders", "min.insync.replicas", "2"))
    assert answer(client, "orders", acks=-1).error_code == ErrorCode.NOT_ENOUGH_REPLICAS
    assert answer(client, "orders", acks=1).error_code == ErrorCode.NONE


def test_a_partition_is_refused_while_another_node_leads_it(
    broker: MemoryBroker, client: Client
) -> None:
    topic_id = broker.create_topic("orders")
    away = PartitionChangeRecord(partition_id=0, topic_id=topic_id, replicas=[1, 2], leader=2)
    happened(broker, away)
    assert answer(client, "orders").error_code == ErrorCode.NOT_LEADER_OR_FOLLOWER
    assert broker.folders() == ["orders-0"]


def test_a_partition_that_moves_away_leaves_the_disk(broker: MemoryBroker, client: Client) -> None:
    topic_id = broker.create_topic("orders")
    assert answer(client, "orders").error_code == ErrorCode.NONE
    away = PartitionChangeRecord(partition_id=0, topic_id=topic_id, replicas=[2], isr=[2], leader=2)
    happened(broker, away)
    for topic in ("orders", topic_id):
        assert answer(client, topic).error_code == ErrorCode.NOT_LEADER_OR_FOLLOWER
    for _ in range(2):
        broker.loop.advance(1000)
    assert broker.folders() == []


def test_a_partition_can_be_used_before_its_turn_to_be_opened(
    broker: MemoryBroker, client: Client
) -> None:
    by_name = broker.create_topic("by-name", 500)
    assert answer(client, by_name).error_code == ErrorCode.NONE
    assert len(broker.broker.replicas) == 500


@pytest.mark.parametrize("operation", ["make_dir", "open"])
def test_a_log_that_cannot_be_made_is_not_tried_at_every_request(
    broker: MemoryBroker, client: Client, operation: str
) -> None:
    broker.disk.fail(operation, "orders-0", errno.EMFILE)
    broker.create_topic("orders")
    broker.disk.forget()
    assert answer(client, "orders").error_code == ErrorCode.KAFKA_STORAGE_ERROR
    assert broker.disk.count(operation, "orders-0") == 0


def test_a_topic_whose_log_could_not_be_made_can_be_deleted_and_made_anew(
    broker: MemoryBroker, client: Client
) -> None:
    broker.disk.fail("open", "orders-0", errno.EIO)
    broker.create_topic("orders")
    broker.disk.heal()
    broker.delete_topic("orders")
    broker.create_topic("orders")
    assert answer(client, "orders").error_code == ErrorCode.NONE


def test_after_a_restart_a_partition_led_elsewhere_is_still_not_served(
    make_broker: StartBroker, connect: Connect
) -> None:
    broker = make_broker()
    broker.add_broker(2)
    broker.start()
    broker.create_topic("orders", replicas=[[2, 1]])
    broker.stop()
    client = connect(broker.start())
    assert answer(client, "orders").error_code == ErrorCode.NOT_LEADER_OR_FOLLOWER


def test_a_folder_that_does_not_say_whose_it_is_is_its_old_topics(broker: MemoryBroker) -> None:
    topic_id = broker.create_topic("orders")
    broker.partition("orders").log.append(batch_of(b"kept"), leader_epoch=0, now_ms=0)
    broker.stop_uncleanly()
    broker.disk.unlink(f"{broker.folder('orders')}/partition.metadata")
    broker.start()
    log = broker.partition("orders").log
    assert (log.log_end_offset, log.topic_id) == (1, topic_id)


def test_a_setting_that_is_refused_here_is_not_set_and_told_once(
    broker: MemoryBroker, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    broker.create_topic("orders", 2)
    for _ in range(2):
        happened(broker, setting("orders", "segment.bytes", "65536"))
    assert broker.partition("orders").log.config.segment_bytes == 1024**3
    assert answer(client, "orders").error_code == ErrorCode.NONE
    assert [record.getMessage() for record in caplog.records].count(
        "a setting of a topic has no effect here"
    ) == 1
