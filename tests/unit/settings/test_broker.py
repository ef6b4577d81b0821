"""The broker's settings."""

import pytest

from ottla.settings import broker, topic
from ottla.settings.addresses import parse_connections
from ottla.settings.broker import BrokerSettings
from ottla.settings.endpoints import Endpoint, parse_endpoint
from ottla.settings.engine import Change, SettingError, UnknownSettingError

# Defaults as in the reference list of Apache Kafka's broker configs.
KAFKA_DEFAULTS = {
    "num.partitions": 1,
    "default.replication.factor": 1,
    "auto.create.topics.enable": True,
    "delete.topic.enable": True,
    "message.max.bytes": 1048588,
    "socket.request.max.bytes": 104857600,
    "max.connections": 2147483647,
    "max.connections.per.ip": 2147483647,
    "max.connections.per.ip.overrides": "",
    "num.io.threads": 8,
    "num.network.threads": 3,
    "num.replica.fetchers": 1,
    "num.recovery.threads.per.data.dir": 2,
    "background.threads": 10,
    "group.consumer.min.session.timeout.ms": 45000,
    "group.consumer.max.session.timeout.ms": 60000,
    "group.consumer.min.heartbeat.interval.ms": 5000,
    "group.consumer.max.heartbeat.interval.ms": 15000,
    "connections.max.idle.ms": 600000,
    "queued.max.request.bytes": -1,
    "fetch.max.bytes": 57671680,
    "max.incremental.fetch.session.cache.slots": 1000,
    "max.request.partition.size.limit": 2000,
    "request.timeout.ms": 30000,
    "min.insync.replicas": 1,
    "replica.lag.time.max.ms": 30000,
    "producer.id.expiration.ms": 86400000,
    "log.segment.bytes": 1073741824,
    "log.roll.ms": None,
    "log.roll.hours": 168,
    "log.roll.jitter.ms": None,
    "log.roll.jitter.hours": 0,
    "log.retention.ms": None,
    "log.retention.minutes": None,
    "log.retention.hours": 168,
    "log.retention.bytes": -1,
    "log.retention.check.interval.ms": 300000,
    "log.flush.interval.messages": 9223372036854775807,
    "log.flush.interval.ms": None,
    "log.flush.scheduler.interval.ms": 9223372036854775807,
    "log.flush.offset.checkpoint.interval.ms": 60000,
    "log.flush.start.offset.checkpoint.interval.ms": 60000,
    "log.cleanup.policy": ("delete",),
    "log.cleaner.enable": True,
    "log.cleaner.threads": 1,
    "log.cleaner.dedupe.buffer.size": 134217728,
    "log.cleaner.io.buffer.size": 524288,
    "log.cleaner.io.buffer.load.factor": 0.9,
    "log.cleaner.io.max.bytes.per.second": 1.7976931348623157e308,
    "log.cleaner.backoff.ms": 15000,
    "log.cleaner.delete.retention.ms": 86400000,
    "log.cleaner.min.cleanable.ratio": 0.5,
    "log.message.timestamp.type": "CreateTime",
    "metadata.log.max.record.bytes.between.snapshots": 20971520,
    "compression.type": "producer",
    "broker.rack": None,
    "listeners": ("PLAINTEXT://:9092",),
}

# Kafka's 100 KiB keep the system from adapting its buffers, and its 50 waiting connections are few.
OWN_DEFAULTS = {
    "socket.send.buffer.bytes": -1,
    "socket.receive.buffer.bytes": -1,
    "socket.listen.backlog.size": 1024,
}


@pytest.mark.parametrize("name", KAFKA_DEFAULTS)
def test_defaults_are_kafkas(name: str) -> None:
    assert broker.SETTINGS[name].default == KAFKA_DEFAULTS[name]


@pytest.mark.parametrize("name", OWN_DEFAULTS)
def test_where_kafkas_default_is_poor_it_is_our_own(name: str) -> None:
    assert broker.SETTINGS[name].default == OWN_DEFAULTS[name]


def test_every_synonym_of_a_topic_setting_is_a_broker_setting_with_documentation() -> None:
    for setting in topic.SETTINGS:
        for synonym in setting.synonyms:
            assert setting.name in broker.SETTINGS[synonym.name].doc
    assert all(setting.doc.endswith(".") for setting in broker.SETTINGS)


def test_a_topic_without_settings_gets_kafkas_defaults_through_the_broker() -> None:
    values = topic.TopicSettings(BrokerSettings({})).values({})
    assert values == {setting.name: setting.default for setting in topic.SETTINGS}


def test_only_the_first_synonym_is_dynamic() -> None:
    assert broker.SETTINGS["log.retention.ms"].change is Change.CLUSTER_WIDE
    assert broker.SETTINGS["log.retention.hours"].change is Change.AT_START
    assert broker.SETTINGS["log.flush.scheduler.interval.ms"].change is Change.AT_START
    assert broker.SETTINGS["num.partitions"].change is Change.AT_START


def test_addresses_stay_as_they_were_at_the_start() -> None:
    assert broker.SETTINGS["advertised.listeners"].change is Change.AT_START
    assert broker.SETTINGS["listeners"].change is Change.AT_START


def test_dynamic_texts_change_values_under_those_who_hold_the_settings() -> None:
    settings = BrokerSettings({"log.retention.ms": "1", "producer.id.expiration.ms": "7"})
    retention = broker.SETTINGS["log.retention.ms"]
    assert settings.set_dynamic({}, {"log.retention.ms": "3"})
    assert settings[retention] == 3
    assert settings.set_dynamic({"log.retention.ms": "2"}, {"log.retention.ms": "3"})
    assert settings[retention] == 2
    assert not settings.set_dynamic({"log.retention.ms": " 2"}, {})
    assert settings.set_dynamic({}, {})
    assert settings[retention] == 1
    assert settings[broker.PRODUCER_ID_EXPIRATION_MS] == 7


def test_usable_texts_are_those_that_may_be_set_and_have_a_value() -> None:
    texts = {
        "log.retention.ms": "5",
        "log.retention.bytes": "many",
        "num.partitions": "5",
        "of.a.newer.version": "1",
    }
    usable = broker.SETTINGS.usable(texts, changes=(Change.CLUSTER_WIDE,))
    assert usable == {"log.retention.ms": "5"}


@pytest.mark.parametrize(
    ("text", "connections"),
    [
        ("", {}),
        ("10.0.0.7:100", {"10.0.0.7": 100}),
        (" 10.0.0.7:100 , [0::1]:0", {"10.0.0.7": 100, "::1": 0}),
    ],
)
def test_connections_of_addresses_are_read(text: str, connections: dict[str, int]) -> None:
    assert parse_connections(text) == connections


@pytest.mark.parametrize("text", ["10.0.0.7", "10.0.0.7:-1", "10.0.0.7:x", "example.org:1"])
def test_bad_connections_of_addresses_are_refused(text: str) -> None:
    with pytest.raises(SettingError, match=r"max\.connections\.per\.ip\.overrides cannot be"):
        BrokerSettings({"max.connections.per.ip.overrides": text})


def test_an_unknown_setting_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UnknownSettingError, match=r"did you mean .*num\.partitions"):
        BrokerSettings({"num.partition": "3"})


def test_values_are_typed() -> None:
    settings = BrokerSettings({"num.partitions": "3", "log.dirs": "a, b"})
    assert settings[broker.NUM_PARTITIONS] == 3
    assert settings.data_directories == ("a", "b")
    assert BrokerSettings({"log.dir": "c"}).data_directories == ("c",)


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("PLAINTEXT://:9092", Endpoint("PLAINTEXT", "", 9092)),
        ("plaintext://localhost:0", Endpoint("PLAINTEXT", "localhost", 0)),
        ("OUT://[::1]:65535", Endpoint("OUT", "::1", 65535)),
    ],
)
def test_endpoints_are_read(text: str, endpoint: Endpoint) -> None:
    assert parse_endpoint(text) == endpoint
    assert parse_endpoint(str(endpoint)) == endpoint


@pytest.mark.parametrize("text", ["localhost:9092", "PLAINTEXT://::1:9092", "A://b", "A://b:65536"])
def test_broken_endpoints_are_refused_with_an_example(text: str) -> None:
    with pytest.raises(SettingError, match="PLAINTEXT://host:9092"):
        BrokerSettings({"listeners": text})


def test_two_listeners_of_one_name_are_refused() -> None:
    with pytest.raises(SettingError, match="share a listener name"):
        BrokerSettings({"listeners": "A://:1,a://:2"})


@pytest.mark.parametrize(
    "name",
    [
        "log.flush.start.offset.checkpoint.interval.ms",
        "replica.lag.time.max.ms",
        "request.timeout.ms",
    ],
)
def test_what_nothing_follows_says_so(name: str) -> None:
    assert "without effect" in broker.SETTINGS[name].doc
