"""Altering configurations: the codes are those that Apache Kafka 4.3.1 gave."""

from __future__ import annotations

import pytest

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.limits import CONFIGS_CHANGED_PER_REQUEST_MAX, REFUSAL_LENGTH_MAX
from ottla.metadata.configs import (
    ConfigChange,
    ConfigOperation,
    ResourceChange,
    decide_alter_configs,
)
from ottla.metadata.decision import Decision
from ottla.metadata.image import ALL_BROKERS, ConfigResource, ResourceType
from ottla.wire.payloads.metadata import ConfigRecord
from tests.support.cluster import Cluster, tells, wanted

SET, DELETE, APPEND, SUBTRACT = ConfigOperation
TOPIC = ConfigResource(ResourceType.TOPIC, "orders")
BROKER = ConfigResource(ResourceType.BROKER, "1")
GROUP = ConfigResource(ResourceType.GROUP, "g")
METRICS = ConfigResource(ResourceType.CLIENT_METRICS, "slow")
SESSION, HEARTBEAT = "consumer.session.timeout.ms", "consumer.heartbeat.interval.ms"
Change = tuple[str, int, str | None]


@pytest.fixture
def cluster() -> Cluster:
    cluster = Cluster()
    cluster.create(wanted("orders", 1, 1))
    return cluster


def alter(
    cluster: Cluster,
    resource: ConfigResource,
    *changes: Change,
    validate_only: bool = False,
    replace_all: bool = False,
) -> tuple[int, str | None]:
    change = ResourceChange(resource, [ConfigChange(*part) for part in changes])
    (result,) = cluster.do(
        decide_alter_configs(
            cluster.image,
            [change],
            settings=cluster.settings,
            validate_only=validate_only,
            replace_all=replace_all,
        )
    )
    assert result.resource == resource
    return result.error_code, result.error_message


def test_values_are_set_and_deleted(cluster: Cluster) -> None:
    assert alter(cluster, TOPIC, ("retention.ms", SET, "5"), ("flush.ms", SET, "6")) == (0, None)
    assert cluster.image.topic_configs("orders") == {"retention.ms": "5", "flush.ms": "6"}
    assert cluster.delta.configs_changed == {TOPIC}
    assert alter(cluster, TOPIC, ("retention.ms", DELETE, "7")) == (0, None)
    assert cluster.image.topic_configs("orders") == {"flush.ms": "6"}


def test_deleting_what_is_not_set_is_fine_and_writes_nothing(cluster: Cluster) -> None:
    assert alter(cluster, TOPIC, ("bogus", DELETE, None)) == (0, None)
    assert cluster.delta.is_empty


def test_lists_grow_from_their_default_and_shrink(cluster: Cluster) -> None:
    alter(cluster, TOPIC, ("cleanup.policy", APPEND, "compact,delete"))
    assert cluster.image.topic_configs("orders") == {"cleanup.policy": "delete,compact"}
    alter(cluster, TOPIC, ("cleanup.policy", SUBTRACT, "nosuch,delete"))
    assert cluster.image.topic_configs("orders") == {"cleanup.policy": "compact"}
    alter(cluster, TOPIC, ("cleanup.policy", SUBTRACT, "compact"))
    assert cluster.image.topic_configs("orders") == {"cleanup.policy": ""}


def test_validate_only_writes_nothing(cluster: Cluster) -> None:
    assert alter(cluster, TOPIC, ("retention.ms", SET, "5"), validate_only=True) == (0, None)
    assert cluster.image.topic_configs("orders") == {}


@pytest.mark.parametrize(
    ("resource", "changes", "code", "facts"),
    [
        (TOPIC, [("retention.ms", SET, "x")], 40, ["retention.ms", "'x'", "whole number"]),
        (TOPIC, [("retention.m", SET, "x")], 40, ["'retention.m'", "mean retention.ms"]),
        (TOPIC, [("retention.ms", SET, None)], 42, ["no value", "retention.ms"]),
        (TOPIC, [("retention.ms", APPEND, "5")], 40, ["retention.ms", "not a list", "APPEND"]),
        (TOPIC, [("cleanup.policy", APPEND, "a,,b")], 40, ["cleanup.policy", "'a,,b'", "empty"]),
        (TOPIC, [("retention.ms", SET, "7"), ("retention.ms", SET, "8")], 42, ["twice"]),
        (TOPIC, [("retention.ms", 9, "7")], 42, ["operation 9"]),
        (
            TOPIC,
            [("min.compaction.lag.ms", SET, "7"), ("max.compaction.lag.ms", SET, "5")],
            40,
            ["min.compaction.lag.ms=7", "max.compaction.lag.ms=5"],
        ),
        (ConfigResource(2, "nosuch"), [("retention.ms", SET, "5")], 3, ["'nosuch'"]),
        (ConfigResource(2, ""), [], 42, ["name the topic"]),
        (ConfigResource(77, "x"), [("a", SET, "b")], 42, ["resource type 77"]),
        (BROKER, [("num.partitions", SET, "5")], 42, ["num.partitions", "start it again"]),
        (BROKER, [("log.retention.ms", SET, "x")], 42, ["log.retention.ms", "'x'"]),
        (ConfigResource(4, "x"), [("log.retention.ms", SET, "5")], 42, ["node id", "'x'"]),
        (ConfigResource(4, "9"), [("log.retention.ms", SET, "5")], 42, ["no broker 9"]),
        (
            BROKER,
            [("min.insync.replicas", SET, "2")],
            40,
            ["min.insync.replicas", "whole cluster"],
        ),
        (
            ALL_BROKERS,
            [("min.insync.replicas", DELETE, None)],
            40,
            ["needs a min.insync.replicas"],
        ),
        (BROKER, [("log.retention.m", SET, "5")], 42, ["'log.retention.m'", "mean log.retention"]),
        (BROKER, [("log.retention.ms", APPEND, "5")], 40, ["log.retention.ms", "APPEND"]),
        (ConfigResource(4, "01"), [("log.retention.ms", SET, "5")], 42, ["node id", "'01'"]),
        (ALL_BROKERS, [("listeners", SET, "A://:1")], 42, ["listeners", "start it again"]),
        (ALL_BROKERS, [("num.io.threads", SET, "17")], 42, ["num.io.threads", "8 to 17"]),
        (ALL_BROKERS, [("num.io.threads", SET, "3")], 42, ["num.io.threads", "8 to 3"]),
        (BROKER, [("log.cleaner.threads", SET, "3")], 42, ["log.cleaner.threads", "1 to 3"]),
        (
            BROKER,
            [
                ("log.cleaner.dedupe.buffer.size", SET, "1048576"),
                ("log.cleaner.threads", SET, "2"),
            ],
            42,
            ["buffer.size=1048576", "threads=2"],
        ),
        (
            BROKER,
            [("max.connections.per.ip.overrides", SET, "localhost:5")],
            42,
            ["'localhost'", "no IP address"],
        ),
        (ALL_BROKERS, [("max.connections", SET, "0")], 42, ["max.connections above 0"]),
        (BROKER, [("max.connections.per.ip", SET, "0")], 42, ["overrides names an address"]),
        (ConfigResource(8, "1"), [("root", SET, "INFO")], 42, ["resource type 8"]),
        (METRICS, [("bogus", SET, "5")], 42, ["client metrics setting", "'bogus'"]),
        (METRICS, [("interval.ms", SET, "99")], 42, ["interval.ms", "100", "3600000"]),
        (METRICS, [("interval.ms", SET, "x")], 40, ["interval.ms", "whole number"]),
        (METRICS, [("match", SET, "nosuch=a")], 40, ["'nosuch=a'", "client_id"]),
        (METRICS, [("match", SET, "client_id=a,client_id")], 40, ["'client_id'"]),
        (METRICS, [("match", SET, "client_id=[")], 40, ["'client_id=['", "regular expression"]),
        (METRICS, [("metrics", APPEND, "a")], 40, ["metrics", "APPEND"]),
        (ConfigResource(16, ""), [("metrics", SET, "a")], 42, ["name the subscription"]),
        (GROUP, [("consumer.session", SET, "5")], 40, ["group setting", "'consumer.session'"]),
        (GROUP, [(SESSION, SET, "1")], 40, [SESSION, "min.session.timeout.ms is 45000"]),
        (GROUP, [(SESSION, SET, "60001")], 40, [SESSION, "max.session.timeout.ms is 60000"]),
        (GROUP, [(HEARTBEAT, SET, "1")], 40, [HEARTBEAT, "min.heartbeat.interval.ms is 5000"]),
        (GROUP, [(HEARTBEAT, SET, "15001")], 40, ["max.heartbeat.interval.ms is 15000"]),
        (GROUP, [(SESSION, APPEND, "50000")], 40, [SESSION, "APPEND"]),
        (ConfigResource(32, ""), [(SESSION, SET, "50000")], 42, ["name the group"]),
    ],
)
def test_refusals(
    cluster: Cluster, resource: ConfigResource, changes: list[Change], code: int, facts: list[str]
) -> None:
    assert tells(alter(cluster, resource, *changes), code, facts)
    assert cluster.delta.is_empty


def test_brokers_have_dynamic_settings_for_one_and_for_all(cluster: Cluster) -> None:
    assert alter(cluster, BROKER, ("log.retention.ms", SET, "5")) == (0, None)
    assert alter(cluster, ALL_BROKERS, ("log.retention.ms", SET, "7")) == (0, None)
    assert cluster.image.broker_configs(1) == {"log.retention.ms": "5"}
    assert cluster.image.broker_configs(None)["log.retention.ms"] == "7"


def test_a_resource_that_is_named_twice_is_refused_both_times(cluster: Cluster) -> None:
    change = ResourceChange(TOPIC, [ConfigChange("retention.ms", SET, "7")])
    results = cluster.do(
        decide_alter_configs(cluster.image, [change, change], settings=cluster.settings)
    )
    assert len(results) == 2
    for result in results:
        assert tells((result.error_code, result.error_message), 42, ["more than once"])


def test_a_request_changes_only_so_many(cluster: Cluster) -> None:
    change = ConfigChange(SESSION, DELETE, None)
    changes = [
        ResourceChange(ConfigResource(ResourceType.GROUP, f"g{n}"), [change])
        for n in range(CONFIGS_CHANGED_PER_REQUEST_MAX)
    ]
    decided = decide_alter_configs(cluster.image, changes, settings=cluster.settings)
    assert len(cluster.do(decided)) == len(changes)
    changes.append(ResourceChange(TOPIC, []))
    with pytest.raises(ProtocolError) as refused:
        decide_alter_configs(cluster.image, changes, settings=cluster.settings)
    assert refused.value.code is ErrorCode.POLICY_VIOLATION


def test_groups_and_subscriptions_keep_what_is_set(cluster: Cluster) -> None:
    assert alter(cluster, GROUP, (SESSION, SET, "60000"), (HEARTBEAT, SET, "15000")) == (0, None)
    assert cluster.image.configs[GROUP] == {SESSION: "60000", HEARTBEAT: "15000"}
    wanted_clients = ("match", SET, "client_id=app-.*,client_software_name=java")
    assert alter(cluster, METRICS, wanted_clients, ("metrics", SET, "*")) == (0, None)
    assert alter(cluster, METRICS, ("match", DELETE, None)) == (0, None)
    assert cluster.image.configs[METRICS] == {"metrics": "*"}


def test_a_heartbeat_that_comes_too_late_for_the_session_is_refused() -> None:
    cluster = Cluster(group_consumer_max_heartbeat_interval_ms="50000")
    assert tells(alter(cluster, GROUP, (HEARTBEAT, SET, "45000")), 40, [HEARTBEAT, SESSION])
    assert alter(cluster, GROUP, (HEARTBEAT, SET, "44999")) == (0, None)


def test_what_no_broker_follows_may_be_any_number_of_threads(cluster: Cluster) -> None:
    """As in Kafka: a broker compares what it does with what it would do."""
    assert alter(cluster, BROKER, ("log.cleaner.threads", SET, "2")) == (0, None)
    assert alter(cluster, ALL_BROKERS, ("log.cleaner.threads", SET, "3")) == (0, None)
    far = ("num.io.threads", SET, "17")
    assert tells(alter(cluster, ALL_BROKERS, far), 42, ["num.io.threads", "8 to 17"])


def test_threads_double_step_by_step(cluster: Cluster) -> None:
    for count in ("2", "4", "8", "4"):
        assert alter(cluster, ALL_BROKERS, ("log.cleaner.threads", SET, count)) == (0, None)


def test_replacing_deletes_what_is_not_named(cluster: Cluster) -> None:
    alter(cluster, TOPIC, ("retention.ms", SET, "5"), ("flush.ms", SET, "6"))
    assert alter(cluster, TOPIC, ("flush.ms", SET, "7"), replace_all=True) == (0, None)
    assert cluster.image.topic_configs("orders") == {"flush.ms": "7"}
    assert alter(cluster, TOPIC, replace_all=True) == (0, None)
    assert cluster.image.topic_configs("orders") == {}


def test_replacing_keeps_what_was_set_where_a_value_is_refused(cluster: Cluster) -> None:
    alter(cluster, TOPIC, ("retention.ms", SET, "5"))
    assert tells(alter(cluster, TOPIC, ("flush.ms", SET, "x"), replace_all=True), 40, ["flush.ms"])
    assert cluster.image.topic_configs("orders") == {"retention.ms": "5"}


def test_replacing_cannot_take_away_the_clusters_min_insync_replicas(cluster: Cluster) -> None:
    assert tells(alter(cluster, ALL_BROKERS, replace_all=True), 40, ["min.insync.replicas"])
    assert alter(cluster, ALL_BROKERS, ("min.insync.replicas", SET, "1"), replace_all=True) == (
        0,
        None,
    )


def test_a_list_of_a_broker_grows_from_what_holds_for_all(cluster: Cluster) -> None:
    alter(cluster, ALL_BROKERS, ("log.cleanup.policy", SET, "compact"))
    alter(cluster, BROKER, ("log.cleanup.policy", APPEND, "delete"))
    assert cluster.image.broker_configs(1) == {"log.cleanup.policy": "compact,delete"}


def test_addresses_may_be_let_in_by_name_alone(cluster: Cluster) -> None:
    overrides = ("max.connections.per.ip.overrides", SET, "10.0.0.7:5")
    assert alter(cluster, BROKER, ("max.connections.per.ip", SET, "0"), overrides) == (0, None)


@pytest.mark.parametrize(
    "pattern", ["a{99999999999999999999}", "(" * 9000 + ")" * 9000, "a" * 600, "[", "a{2,1}"]
)
def test_a_pattern_that_cannot_be_read_is_refused(cluster: Cluster, pattern: str) -> None:
    answer = alter(cluster, METRICS, ("match", SET, f"client_id={pattern}"))
    assert tells(answer, 40, ["match", "pattern"])


def test_a_list_that_another_version_wrote_wrongly_is_refused_to_grow(cluster: Cluster) -> None:
    record = ConfigRecord(
        resource_type=ResourceType.TOPIC, resource_name="orders", name="cleanup.policy", value="x"
    )
    cluster.do(Decision((record,), None))
    answer = alter(cluster, TOPIC, ("cleanup.policy", APPEND, "compact"))
    assert tells(answer, 40, ["cleanup.policy", "'x'"])


@pytest.mark.parametrize("name", ["retention.ms", "cleanup.policy", "x" * 32767])
@pytest.mark.parametrize("operation", [SET, APPEND])
def test_what_is_refused_is_repeated_only_in_part(
    cluster: Cluster, name: str, operation: int
) -> None:
    code, message = alter(cluster, TOPIC, (name, operation, "é," * 16000))
    assert code != 0
    assert message is not None
    assert len(message) <= REFUSAL_LENGTH_MAX


PER_IP, OVERRIDES = "max.connections.per.ip", "max.connections.per.ip.overrides"


@pytest.mark.parametrize("overrides", ["10.0.0.7:0", ",", "10.0.0.7:0,10.0.0.8:0"])
def test_addresses_that_may_have_no_connection_let_nobody_in(
    cluster: Cluster, overrides: str
) -> None:
    answer = alter(cluster, BROKER, (PER_IP, SET, "0"), (OVERRIDES, SET, overrides))
    assert tells(answer, 42, ["no connection"])


def test_what_is_set_for_all_may_not_lock_one_broker_out(cluster: Cluster) -> None:
    assert alter(cluster, ALL_BROKERS, (OVERRIDES, SET, "10.0.0.7:5"))[0] == 0
    assert alter(cluster, BROKER, (PER_IP, SET, "0"))[0] == 0
    answer = alter(cluster, ALL_BROKERS, (OVERRIDES, DELETE, None))
    assert tells(answer, 42, ["no connection", "broker 1"])


@pytest.mark.parametrize("resource", [BROKER, ALL_BROKERS])
def test_defaults_that_no_topic_could_have_are_refused(
    cluster: Cluster, resource: ConfigResource
) -> None:
    answer = alter(
        cluster,
        resource,
        ("log.cleaner.min.compaction.lag.ms", SET, "1000"),
        ("log.cleaner.max.compaction.lag.ms", SET, "10"),
    )
    assert tells(answer, 42, ["min.compaction.lag.ms=1000", "max.compaction.lag.ms=10"])
