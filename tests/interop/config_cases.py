"""Requests that change or describe configurations, to compare two brokers by.

`WE_REFUSE` marks what Apache Kafka takes and this broker refuses, each with its reason.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from ottla.testing.direct_call import ask
from ottla.wire.messages.alter_configs import AlterConfigsResponse
from ottla.wire.messages.create_topics import (
    CreatableTopic,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from ottla.wire.messages.describe_configs import (
    DescribeConfigsResourceResult,
    DescribeConfigsResponse,
)
from ottla.wire.messages.incremental_alter_configs import IncrementalAlterConfigsResponse
from ottla.wire.messages.list_config_resources import (
    ListConfigResourcesRequest,
    ListConfigResourcesResponse,
)
from tests.support.config_requests import (
    APPEND,
    BROKER,
    BROKER_LOGGER,
    CLIENT_METRICS,
    DELETE,
    GROUP,
    SET,
    SUBTRACT,
    TOPIC,
    Resource,
    Texts,
    altered,
    codes,
    described,
    replaced,
)

RETENTION: Final = "log.retention.ms"
SESSION: Final = "consumer.session.timeout.ms"
HEARTBEAT: Final = "consumer.heartbeat.interval.ms"
PER_IP: Final = "max.connections.per.ip"

NO_SUCH_SETTING: Final = "refused because nothing here would follow it"
A_TYPO: Final = "refused as a typing error: nothing here reads settings that have no declaration"
NO_BUG: Final = "Kafka answers UNKNOWN_SERVER_ERROR for an operation that does not exist"

ALTERED: Final[tuple[Resource, ...]] = (
    # topics
    (TOPIC, "orders", [("retention.ms", SET, "5000")]),
    (TOPIC, "orders", [("retention.ms", SET, "x")]),
    (TOPIC, "orders", [("retention.ms", SET, "")]),
    (TOPIC, "orders", [("retention.ms", SET, None)]),
    (TOPIC, "orders", [("retention.ms", APPEND, "5")]),
    (TOPIC, "orders", [("retention.ms", SET, "1"), ("retention.ms", SET, "2")]),
    (TOPIC, "orders", [("retention.ms", SET, "1"), ("retention.ms", DELETE, None)]),
    (TOPIC, "orders", [("bogus", SET, "x")]),
    (TOPIC, "orders", [("bogus", DELETE, None)]),
    (TOPIC, "orders", [("cleanup.policy", APPEND, "compact")]),
    (TOPIC, "orders", [("cleanup.policy", APPEND, "bad")]),
    (TOPIC, "orders", [("cleanup.policy", SUBTRACT, "compact")]),
    (TOPIC, "orders", [("cleanup.policy", SUBTRACT, "nosuch")]),
    (TOPIC, "orders", [("cleanup.policy", SET, "")]),
    (TOPIC, "orders", [("min.compaction.lag.ms", SET, "7"), ("max.compaction.lag.ms", SET, "5")]),
    (TOPIC, "orders", [("min.insync.replicas", SET, "0")]),
    (TOPIC, "orders", [("min.insync.replicas", SET, "2")]),
    (TOPIC, "orders", [("min.insync.replicas", DELETE, None)]),
    (TOPIC, "orders", [("compression.type", SET, "zstd"), ("segment.bytes", SET, "1")]),
    (TOPIC, "orders", [("remote.storage.enable", SET, "true")]),
    (TOPIC, "orders", []),
    (TOPIC, "nosuch", [("retention.ms", SET, "1")]),
    (TOPIC, "a/b", [("retention.ms", SET, "1")]),
    (TOPIC, "", [("retention.ms", SET, "1")]),
    # brokers
    (BROKER, "1", [(RETENTION, SET, "7000")]),
    (BROKER, "", [(RETENTION, SET, "8000")]),
    (BROKER, "1", [(RETENTION, SET, "x")]),
    (BROKER, "1", [(RETENTION, SET, None)]),
    (BROKER, "1", [(RETENTION, APPEND, "1")]),
    (BROKER, "1", [(RETENTION, SET, "1"), (RETENTION, SET, "1")]),
    (BROKER, "1", [("num.partitions", SET, "3")]),
    (BROKER, "1", [("num.partitions", DELETE, None)]),
    (BROKER, "", [("num.partitions", SET, "3")]),
    (BROKER, "1", [("bogus", DELETE, None)]),
    (BROKER, "1", [("node.id", SET, "4")]),
    (BROKER, "1", [("max.connections", SET, "100000")]),
    (BROKER, "", [("max.connections", SET, "100000")]),
    (BROKER, "1", [(PER_IP, SET, "100000")]),
    (BROKER, "", [(PER_IP, SET, "-1")]),
    (BROKER, "1", [(f"{PER_IP}.overrides", SET, "127.0.0.1:1000")]),
    (BROKER, "1", [(f"{PER_IP}.overrides", SET, "nonsense")]),
    (BROKER, "1", [(f"{PER_IP}.overrides", SET, "127.0.0.1:x")]),
    (BROKER, "", [("num.io.threads", SET, "9")]),
    (BROKER, "", [("num.io.threads", SET, "900")]),
    (BROKER, "", [("num.io.threads", SET, "1")]),
    (BROKER, "", [("num.io.threads", SET, "0")]),
    (BROKER, "1", [("num.network.threads", SET, "4")]),
    (BROKER, "", [("background.threads", SET, "11")]),
    (BROKER, "", [("num.replica.fetchers", SET, "2")]),
    (BROKER, "", [("num.recovery.threads.per.data.dir", SET, "3")]),
    (BROKER, "", [("log.cleaner.threads", SET, "2")]),
    (BROKER, "", [("log.cleaner.threads", SET, "9")]),
    (BROKER, "1", [("log.cleaner.backoff.ms", SET, "20000")]),
    (BROKER, "1", [("log.cleaner.backoff.ms", SET, "-1")]),
    (BROKER, "1", [("log.cleaner.io.max.bytes.per.second", SET, "1000000")]),
    (BROKER, "", [("log.cleaner.dedupe.buffer.size", SET, "10")]),
    (BROKER, "", [("log.cleaner.enable", SET, "false")]),
    (BROKER, "", [("message.max.bytes", SET, "2000000")]),
    (BROKER, "", [("compression.type", SET, "gzip")]),
    (BROKER, "", [("compression.type", SET, "nope")]),
    (BROKER, "", [("log.cleanup.policy", APPEND, "compact")]),
    (BROKER, "", [("log.cleanup.policy", SUBTRACT, "compact")]),
    (BROKER, "1", [("log.segment.bytes", SET, "100")]),
    (BROKER, "", [("listeners", SET, "PLAINTEXT://:1234")]),
    (BROKER, "1", [("advertised.listeners", SET, "PLAINTEXT://h:1234")]),
    (BROKER, "2", [(RETENTION, SET, "7000")]),
    (BROKER, "x", [(RETENTION, SET, "7000")]),
    (BROKER, "-1", [(RETENTION, SET, "7000")]),
    (BROKER, "1", [("min.insync.replicas", SET, "2")]),
    (BROKER, "", [("min.insync.replicas", SET, "1")]),
    (BROKER, "", [("min.insync.replicas", DELETE, None)]),
    (BROKER, "", [("producer.id.expiration.ms", SET, "86400001")]),
    (BROKER, "1", [("producer.id.expiration.ms", SET, "0")]),
    (BROKER, "", [("transaction.partition.verification.enable", SET, "true")]),
    (BROKER, "", [("group.consumer.session.timeout.ms", SET, "46000")]),
    (BROKER, "", [("unclean.leader.election.enable", SET, "true")]),
    (BROKER, "", [("log.roll.hours", SET, "100")]),
    (BROKER, "", [("log.retention.hours", SET, "100")]),
    (BROKER, "", [("log.flush.scheduler.interval.ms", SET, "1000")]),
    (BROKER, "", [("log.retention.check.interval.ms", SET, "1000")]),
    (BROKER, "", [("auto.create.topics.enable", SET, "true")]),
    (BROKER, "1", [("replica.alter.log.dirs.io.max.bytes.per.second", SET, "1000000")]),
    (BROKER, "1", [("replica.alter.log.dirs.io.max.bytes.per.second", SET, "x")]),
    (BROKER, "1", [("leader.replication.throttled.rate", SET, "1000000")]),
    (BROKER, "1", [("follower.replication.throttled.rate", SET, "-1")]),
    (BROKER, "", [("follower.replication.throttled.rate", DELETE, None)]),
    (BROKER, "1", []),
    # loggers
    (BROKER_LOGGER, "1", [("root", SET, "ERROR")]),
    (BROKER_LOGGER, "1", [("root", SET, "WARN")]),
    (BROKER_LOGGER, "1", [("root", DELETE, None)]),
    (BROKER_LOGGER, "1", [("root", SET, "NOISY")]),
    (BROKER_LOGGER, "1", [("root", SET, "warn")]),
    (BROKER_LOGGER, "1", [("root", SET, None)]),
    (BROKER_LOGGER, "1", [("root", APPEND, "INFO")]),
    (BROKER_LOGGER, "1", [("root", SET, "WARN"), ("root", SET, "WARN")]),
    (BROKER_LOGGER, "1", [("nosuch", SET, "INFO")]),
    (BROKER_LOGGER, "1", [("nosuch", DELETE, None)]),
    (BROKER_LOGGER, "2", [("root", SET, "WARN")]),
    (BROKER_LOGGER, "", [("root", SET, "WARN")]),
    (BROKER_LOGGER, "1", []),
    # client metrics
    (CLIENT_METRICS, "slow", [("metrics", SET, "*"), ("interval.ms", SET, "1000")]),
    (CLIENT_METRICS, "slow", [("match", SET, "client_id=.*,client_software_name=a")]),
    (CLIENT_METRICS, "slow", [("match", APPEND, "client_software_version=1")]),
    (CLIENT_METRICS, "slow", [("match", SET, "nosuch=.*")]),
    (CLIENT_METRICS, "slow", [("match", SET, "client_id")]),
    (CLIENT_METRICS, "slow", [("match", SET, "client_id=")]),
    (CLIENT_METRICS, "slow", [("match", SET, "client_id=a=b")]),
    (CLIENT_METRICS, "slow", [("match", SET, "client_id=[")]),
    (CLIENT_METRICS, "slow", [("match", SET, ",")]),
    (CLIENT_METRICS, "slow", [("match", SET, "")]),
    (CLIENT_METRICS, "slow", [("interval.ms", SET, "99")]),
    (CLIENT_METRICS, "slow", [("interval.ms", SET, "3600001")]),
    (CLIENT_METRICS, "slow", [("interval.ms", SET, "x")]),
    (CLIENT_METRICS, "slow", [("bogus", SET, "x")]),
    (CLIENT_METRICS, "slow", [("bogus", DELETE, None)]),
    (CLIENT_METRICS, "slow", [("metrics", SUBTRACT, "a")]),
    (CLIENT_METRICS, "slow", [("metrics", SET, "a,,b")]),
    (CLIENT_METRICS, "", [("interval.ms", SET, "1000")]),
    (CLIENT_METRICS, "a/b c", [("interval.ms", SET, "1000")]),
    # groups
    (GROUP, "g", [(SESSION, SET, "50000")]),
    (GROUP, "g", [(SESSION, SET, "50000"), (HEARTBEAT, SET, "6000")]),
    (GROUP, "g", [(SESSION, SET, "1")]),
    (GROUP, "g", [(SESSION, SET, "60001")]),
    (GROUP, "g", [(SESSION, SET, "x")]),
    (GROUP, "g", [(HEARTBEAT, SET, "1")]),
    (GROUP, "g", [(HEARTBEAT, SET, "15001")]),
    (GROUP, "g", [(SESSION, APPEND, "1")]),
    (GROUP, "g", [("bogus", SET, "1")]),
    (GROUP, "g", [("bogus", DELETE, None)]),
    (GROUP, "", [(SESSION, SET, "50000")]),
    (GROUP, "a b/c", [(SESSION, SET, "50000")]),
    # what is no resource
    (77, "x", [("a", SET, "b")]),
    (0, "x", [("a", SET, "b")]),
)

WE_REFUSE: Final[tuple[tuple[Resource, str], ...]] = (
    ((BROKER, "1", [("bogus", SET, "3")]), A_TYPO),
    ((BROKER, "1", [("listener.name.plaintext.max.connections", SET, "50")]), NO_SUCH_SETTING),
    ((BROKER, "1", [("cordoned.log.dirs", SET, "")]), NO_SUCH_SETTING),
    ((BROKER, "", [("group.consumer.assignment.interval.ms", SET, "1000")]), NO_SUCH_SETTING),
    ((GROUP, "g", [("share.auto.offset.reset", SET, "earliest")]), NO_SUCH_SETTING),
    ((GROUP, "g", [("streams.num.standby.replicas", SET, "1")]), NO_SUCH_SETTING),
    ((TOPIC, "orders", [("retention.ms", 9, "1")]), NO_BUG),
)

REPLACED: Final[tuple[Texts, ...]] = (
    (TOPIC, "orders", [("flush.ms", "6000")]),
    (TOPIC, "orders", [("flush.ms", "x")]),
    (TOPIC, "orders", [("flush.ms", None)]),
    (TOPIC, "orders", [("bogus", "x")]),
    (TOPIC, "orders", [("flush.ms", "1"), ("flush.ms", "2")]),
    (TOPIC, "orders", []),
    (TOPIC, "nosuch", [("flush.ms", "6000")]),
    (TOPIC, "a/b", [("flush.ms", "6000")]),
    (TOPIC, "", [("flush.ms", "6000")]),
    (BROKER, "1", [(RETENTION, "9000")]),
    (BROKER, "1", [("num.partitions", "9")]),
    (BROKER, "", [(RETENTION, "9000")]),
    (BROKER, "2", [(RETENTION, "9000")]),
    (BROKER, "1", [("min.insync.replicas", "9")]),
    (BROKER, "1", []),
    (BROKER, "", []),
    (BROKER_LOGGER, "1", [("root", "INFO")]),
    (CLIENT_METRICS, "slow", [("interval.ms", "500")]),
    (CLIENT_METRICS, "slow", [("interval.ms", "5")]),
    (CLIENT_METRICS, "slow", []),
    (GROUP, "g", [(SESSION, "50000")]),
    (GROUP, "g", [(SESSION, "5")]),
    (GROUP, "g", []),
    (GROUP, "", []),
    (77, "x", [("a", "b")]),
)

SET_BEFORE_DESCRIBING: Final[tuple[Resource, ...]] = (
    (TOPIC, "orders", [("retention.ms", SET, "5000")]),
    (BROKER, "1", [(RETENTION, SET, "7000")]),
    (BROKER, "", [(RETENTION, SET, "8000"), ("message.max.bytes", SET, "2000000")]),
    (BROKER_LOGGER, "1", [("root", SET, "WARN")]),
    (CLIENT_METRICS, "slow", [("interval.ms", SET, "1000")]),
    (GROUP, "g", [(SESSION, SET, "50000")]),
)

DESCRIBED: Final[tuple[tuple[int, str, list[str] | None], ...]] = (
    (TOPIC, "orders", ["retention.ms", "max.message.bytes", "segment.bytes", "bogus"]),
    (TOPIC, "nosuch", None),
    (TOPIC, "", None),
    (TOPIC, "a/b", None),
    (BROKER, "1", [RETENTION, "message.max.bytes", "num.io.threads", "max.connections"]),
    (BROKER, "1", ["log.retention.hours", "num.partitions", "log.cleaner.threads", PER_IP]),
    (BROKER, "", [RETENTION, "message.max.bytes", "num.partitions"]),
    (BROKER, "2", None),
    (BROKER, "x", None),
    (BROKER_LOGGER, "1", ["root"]),
    (BROKER_LOGGER, "2", None),
    (BROKER_LOGGER, "", None),
    (CLIENT_METRICS, "slow", None),
    (CLIENT_METRICS, "nosuch", []),
    (CLIENT_METRICS, "", None),
    (GROUP, "g", [SESSION, HEARTBEAT, "bogus"]),
    (GROUP, "nosuch", [SESSION]),
    (GROUP, "", None),
    (77, "x", None),
)

LISTED: Final[tuple[tuple[int, ...], ...]] = (
    (),
    *((kind,) for kind in (TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, 0, 1, 77)),
    (TOPIC, BROKER),
    (TOPIC, 77),
)


class Told(NamedTuple):
    """One setting as DescribeConfigs tells it, without its documentation."""

    value: str | None
    read_only: bool
    source: int
    sensitive: bool
    kind: int
    synonyms: tuple[tuple[str, str | None, int], ...]


class Asked:
    """One broker, and what it answers to all of the above."""

    def __init__(self, bootstrap: str) -> None:
        host, _, port = bootstrap.rpartition(":")
        self._address = host, int(port)
        topic = CreatableTopic(
            name="orders", num_partitions=1, replication_factor=1, assignments=[], configs=[]
        )
        ask(self._address, CreateTopicsRequest(topics=[topic]), CreateTopicsResponse)

    def alter(self, *resources: Resource, validate_only: bool = False) -> list[int]:
        request = altered(*resources, validate_only=validate_only)
        return codes(ask(self._address, request, IncrementalAlterConfigsResponse).responses)

    def replace(self, *resources: Texts) -> list[int]:
        return codes(ask(self._address, replaced(*resources), AlterConfigsResponse).responses)

    def describe(self, kind: int, name: str, keys: list[str] | None) -> tuple[int, dict[str, Told]]:
        request = described(kind, name, keys)
        (result,) = ask(self._address, request, DescribeConfigsResponse).results
        return result.error_code, {config.name: _told(config) for config in result.configs}

    def listed(self, *kinds: int, at_most: int = 1) -> tuple[int, set[tuple[int, str]]]:
        request = ListConfigResourcesRequest(resource_types=list(kinds))
        response = ask(self._address, request, ListConfigResourcesResponse, at_most=at_most)
        return response.error_code, {
            (found.resource_type, found.resource_name) for found in response.config_resources
        }


def _told(config: DescribeConfigsResourceResult) -> Told:
    synonyms = tuple((place.name, place.value, place.source) for place in config.synonyms)
    return Told(
        config.value,
        config.read_only,
        config.config_source,
        config.is_sensitive,
        config.config_type,
        synonyms,
    )
