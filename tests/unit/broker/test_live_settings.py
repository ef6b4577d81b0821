"""Settings that change under a running broker, and what changes with them."""

from __future__ import annotations

import pytest

from ottla.base.errors import ErrorCode
from ottla.groups.consumer_group import ConsumerGroup
from ottla.metadata.decision import Decision
from ottla.metadata.image import MetadataImage
from ottla.settings import broker as keys
from ottla.wire.messages.consumer_group_heartbeat import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
)
from ottla.wire.messages.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from ottla.wire.messages.incremental_alter_configs import IncrementalAlterConfigsResponse
from ottla.wire.messages.produce import ProduceResponse
from ottla.wire.payloads.metadata import ConfigRecord
from ottla.wire.records.compression import Codec
from tests.support.config_requests import BROKER, DELETE, GROUP, SET, TOPIC, altered, codes
from tests.support.data_requests import BY_NAME, produce
from tests.support.memory_broker import MemoryBroker
from tests.support.memory_client import Client
from tests.support.records import batch_of
from tests.unit.broker.conftest import Connect, StartBroker

ALL = ""
THIS = "1"


def configure(client: Client, kind: int, name: str, **texts: str | None) -> None:
    """Set what has a text, delete what has none; `_` stands for the dots."""
    changes = [
        (key.replace("_", "."), DELETE if text is None else SET, text)
        for key, text in texts.items()
    ]
    response = client.ask(
        altered((kind, name, changes)), IncrementalAlterConfigsResponse, version=1
    )
    assert codes(response.responses) == [0], response


# -- topics without settings of their own ----------------------------------------------------------


def test_defaults_of_topics_change_under_those_that_exist(
    broker: MemoryBroker, client: Client
) -> None:
    broker.create_topic("orders")
    broker.create_topic("own", retention_ms="1000", compression_type="zstd")
    configure(client, BROKER, ALL, log_retention_ms="5000", compression_type="gzip")
    config, own = broker.partition("orders").log.config, broker.partition("own").log.config
    assert (config.retention_ms, config.codec) == (5000, Codec.GZIP)
    assert (own.retention_ms, own.codec) == (1000, Codec.ZSTD)
    broker.create_topic("later")
    assert broker.partition("later").log.config.retention_ms == 5000
    configure(client, BROKER, ALL, log_retention_ms=None)
    assert broker.partition("orders").log.config.retention_ms == 604_800_000


def test_a_brokers_own_settings_lie_over_those_of_all(broker: MemoryBroker, client: Client) -> None:
    broker.create_topic("orders")
    configure(client, BROKER, THIS, log_retention_ms="7")
    configure(client, BROKER, ALL, log_retention_ms="5")
    assert broker.partition("orders").log.config.retention_ms == 7
    configure(client, BROKER, THIS, log_retention_ms=None)
    assert broker.partition("orders").log.config.retention_ms == 5


def test_larger_batches_are_refused_from_the_change_on(
    broker: MemoryBroker, client: Client
) -> None:
    broker.create_topic("orders")
    batch = batch_of(b"v" * 500)

    def sent() -> int:
        request = produce(("orders", 0, batch))
        response = client.ask(request, ProduceResponse, version=BY_NAME)
        return response.responses[0].partition_responses[0].error_code

    assert sent() == ErrorCode.NONE
    configure(client, BROKER, ALL, message_max_bytes="100")
    assert sent() == ErrorCode.MESSAGE_TOO_LARGE
    configure(client, TOPIC, "orders", max_message_bytes="1000")
    assert sent() == ErrorCode.NONE


def test_enough_replicas_in_sync_are_as_many_as_the_cluster_says_now(
    broker: MemoryBroker, client: Client
) -> None:
    broker.create_topic("orders")
    configure(client, BROKER, ALL, min_insync_replicas="2")
    assert broker.partition("orders").min_insync_replicas == 2


def test_nothing_is_configured_anew_where_no_default_changed(
    broker: MemoryBroker, client: Client
) -> None:
    broker.create_topic("orders")
    before = broker.partition("orders").log.config
    configure(client, BROKER, ALL, num_io_threads="9", log_retention_ms="604800000")
    assert broker.partition("orders").log.config is before


# -- the broker itself -----------------------------------------------------------------------------


def test_rates_and_expirations_follow(broker: MemoryBroker, client: Client) -> None:
    configure(
        client,
        BROKER,
        ALL,
        producer_id_expiration_ms="60000",
        replica_alter_log_dirs_io_max_bytes_per_second="5000",
        transaction_partition_verification_enable="false",
    )
    assert broker.housekeeping._producer_expiration_ms == 60_000
    assert broker.broker.moves._bytes_per_second_max == 5000
    assert not broker.broker.settings[keys.coordinators.TRANSACTION_PARTITION_VERIFICATION_ENABLE]


def test_what_was_set_is_in_force_after_a_restart(broker: MemoryBroker, client: Client) -> None:
    broker.create_topic("orders")
    configure(client, BROKER, THIS, log_retention_ms="7", producer_id_expiration_ms="60000")
    broker.stop()
    broker.settings.set_dynamic({}, {})  # another process begins with its files alone
    broker.start()
    assert broker.partition("orders").log.config.retention_ms == 7
    assert broker.housekeeping._producer_expiration_ms == 60_000


def test_settings_of_other_brokers_are_theirs(make_broker: StartBroker, connect: Connect) -> None:
    broker = make_broker()
    broker.add_broker(2)
    broker.start()
    broker.create_topic("orders", replicas=[[1]])
    write(broker, "2", "log.retention.ms", "5")
    assert broker.partition("orders").log.config.retention_ms == 604_800_000


@pytest.mark.parametrize(
    ("name", "text"),
    [("num.partitions", "9"), ("log.retention.ms", "soon"), ("listeners", "A://:1")],
)
def test_what_no_running_broker_takes_is_passed_over_with_a_word(
    broker: MemoryBroker, name: str, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = broker.settings.values()
    write(broker, THIS, name, text)
    assert broker.settings.values() == before
    assert "have no effect here" in caplog.text


def write(broker: MemoryBroker, node: str, name: str, text: str) -> None:
    """A setting as a log has it that another version, or Kafka, wrote."""
    record = ConfigRecord(resource_type=BROKER, resource_name=node, name=name, value=text)

    def decide(image: MetadataImage) -> Decision[None]:
        return Decision((record,), None)

    broker.loop.finish(broker.broker.metadata._submit(decide))


# -- groups ----------------------------------------------------------------------------------------


class Member:
    """One of group `g`, by the consumer protocol."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._client.ask(FindCoordinatorRequest(key="g"), FindCoordinatorResponse, version=3)
        self.epoch = 0

    def beat(self) -> ConsumerGroupHeartbeatResponse:
        joins = self.epoch == 0
        request = ConsumerGroupHeartbeatRequest(
            group_id="g",
            member_id="m",
            member_epoch=self.epoch,
            rebalance_timeout_ms=60_000 if joins else -1,
            subscribed_topic_names=["orders"] if joins else None,
            topic_partitions=[] if joins else None,
        )
        response = self._client.ask(request, ConsumerGroupHeartbeatResponse, version=1)
        self.epoch = response.member_epoch
        return response


def group_of(broker: MemoryBroker) -> ConsumerGroup:
    group = broker.broker.groups.shard_of("g").groups["g"]
    assert isinstance(group, ConsumerGroup)
    return group


def test_a_groups_own_intervals_reach_its_members_with_their_next_heartbeat(
    broker: MemoryBroker, client: Client
) -> None:
    broker.create_topic("orders")
    member = Member(client)
    assert member.beat().heartbeat_interval_ms == 5000
    configure(client, GROUP, "g", consumer_heartbeat_interval_ms="6000")
    configure(client, GROUP, "other", consumer_heartbeat_interval_ms="7000")
    assert member.beat().heartbeat_interval_ms == 6000
    configure(client, GROUP, "g", consumer_heartbeat_interval_ms=None)
    assert member.beat().heartbeat_interval_ms == 5000


def test_a_groups_own_session_timeout_ends_its_sessions(
    broker: MemoryBroker, client: Client
) -> None:
    broker.create_topic("orders")
    configure(client, GROUP, "g", consumer_session_timeout_ms="60000")
    member = Member(client)
    member.beat()
    broker.loop.advance(50_000)
    assert "m" in group_of(broker).members
    assert member.beat().error_code == 0
    configure(client, GROUP, "g", consumer_session_timeout_ms="45000")
    assert member.beat().error_code == 0  # its session ends before the one it had
    broker.loop.advance(46_000)
    assert "m" not in group_of(broker).members


def test_a_groups_settings_are_in_force_after_a_restart(
    broker: MemoryBroker, client: Client, connect: Connect
) -> None:
    configure(client, GROUP, "g", consumer_heartbeat_interval_ms="6000")
    broker.stop()
    broker.start()
    broker.create_topic("orders")
    assert Member(connect(broker)).beat().heartbeat_interval_ms == 6000
