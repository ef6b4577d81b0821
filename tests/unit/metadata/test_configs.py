"""Altering configurations: the codes are those that Apache Kafka 4.3.1 gave."""

from __future__ import annotations

import pytest

from ottla.metadata.configs import (
    ConfigChange,
    ConfigOperation,
    ResourceChange,
    decide_alter_configs,
)
from ottla.metadata.image import ALL_BROKERS, ConfigResource, ResourceType
from tests.support.cluster import Cluster, tells, wanted

SET, DELETE, APPEND, SUBTRACT = ConfigOperation
TOPIC = ConfigResource(ResourceType.TOPIC, "orders")
BROKER = ConfigResource(ResourceType.BROKER, "1")
Change = tuple[str, int, str | None]


@pytest.fixture
def cluster() -> Cluster:
    cluster = Cluster()
    cluster.create(wanted("orders", 1, 1))
    return cluster


def alter(
    cluster: Cluster, resource: ConfigResource, *changes: Change, validate_only: bool = False
) -> tuple[int, str | None]:
    change = ResourceChange(resource, [ConfigChange(*part) for part in changes])
    (result,) = cluster.do(
        decide_alter_configs(
            cluster.image, [change], settings=cluster.settings, validate_only=validate_only
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
