"""Settings: at which broker, one by one, and where only all can be set at once."""

from __future__ import annotations

from typing import Any

import pytest

from ottla.client.admin import (
    Append,
    ConfigEntry,
    ConfigResource,
    ConfigSource,
    ResourceType,
    Subtract,
    UnsupportedByBrokerError,
)
from ottla.client.admin.config_changes import changed_whole
from ottla.wire.messages.alter_configs import (
    AlterConfigsRequest,
    AlterConfigsResourceResponse,
    AlterConfigsResponse,
)
from ottla.wire.messages.describe_configs import (
    DescribeConfigsRequest,
    DescribeConfigsResourceResult,
    DescribeConfigsResponse,
    DescribeConfigsResult,
)
from ottla.wire.messages.list_config_resources import (
    ListConfigResourcesRequest,
    ListConfigResourcesResponse,
)
from ottla.wire.versions import VersionRange
from tests.support.scripted_cluster import KAFKA_2_1
from tests.unit.client.admin.conftest import MakeCluster

ORDERS = ConfigResource.topic("orders")
PRICES = ConfigResource.topic("prices")


def described(node: int, request: DescribeConfigsRequest) -> DescribeConfigsResponse:
    configs = [
        DescribeConfigsResourceResult(name="z", value="1", config_source=5),
        DescribeConfigsResourceResult(name="a", value=str(node), config_source=1),
    ]
    return DescribeConfigsResponse(
        results=[
            DescribeConfigsResult(
                resource_type=resource.resource_type,
                resource_name=resource.resource_name,
                configs=configs,
                error_code=3 if resource.resource_name == "prices" else 0,
            )
            for resource in request.resources
        ]
    )


def altered(node: int, request: AlterConfigsRequest) -> AlterConfigsResponse:
    return AlterConfigsResponse(
        responses=[
            AlterConfigsResourceResponse(
                resource_type=resource.resource_type, resource_name=resource.resource_name
            )
            for resource in request.resources
        ]
    )


def test_settings_of_a_broker_are_asked_of_it_and_others_of_any(make_cluster: MakeCluster) -> None:
    cluster = make_cluster({DescribeConfigsRequest: described})
    wanted = [ConfigResource.broker(2), ConfigResource.broker_logger(3), ORDERS, PRICES]
    told = cluster.run(cluster.admin().configs.describe(*wanted))
    assert [told[resource]["a"].value for resource in wanted[:2]] == ["2", "3"]
    assert list(told[ORDERS]) == ["a", "z"]
    assert list(told.errors) == [PRICES]
    assert len(cluster.asked(DescribeConfigsRequest)) == 3


def test_an_old_broker_is_given_all_settings_that_are_set(make_cluster: MakeCluster) -> None:
    cluster = make_cluster({DescribeConfigsRequest: described, AlterConfigsRequest: altered})
    changed = cluster.run(
        cluster.admin().configs.alter({ORDERS: {"b": "2"}, PRICES: {"b": "2"}}, validate_only=True)
    )
    assert list(changed.done) == [ORDERS]
    assert list(changed.errors) == [PRICES]
    (request,) = cluster.asked(AlterConfigsRequest)
    assert request.validate_only
    (resource,) = request.resources
    assert {config.name: config.value for config in resource.configs} == {"a": "1", "b": "2"}


def test_a_resource_that_an_old_broker_leaves_out_fails_alone(make_cluster: MakeCluster) -> None:
    def leaving_out(node: int, request: DescribeConfigsRequest) -> DescribeConfigsResponse:
        whole = described(node, request)
        whole.results = [each for each in whole.results if each.resource_name != "lost"]
        return whole

    lost = ConfigResource.topic("lost")
    cluster = make_cluster({DescribeConfigsRequest: leaving_out, AlterConfigsRequest: altered})
    changed = cluster.run(cluster.admin().configs.alter({lost: {"b": "2"}, ORDERS: {"b": "2"}}))
    assert list(changed.done) == [ORDERS]
    assert "leaves out" in str(changed.errors[lost])


def test_a_secret_of_one_resource_does_not_keep_others_from_changing(
    make_cluster: MakeCluster,
) -> None:
    def with_secret(node: int, request: DescribeConfigsRequest) -> DescribeConfigsResponse:
        whole = described(node, request)
        for result in whole.results:
            if result.resource_name == "prices":
                secret = DescribeConfigsResourceResult(
                    name="key", value=None, config_source=1, is_sensitive=True
                )
                result.error_code, result.configs = 0, [secret]
        return whole

    cluster = make_cluster({DescribeConfigsRequest: with_secret, AlterConfigsRequest: altered})
    changed = cluster.run(cluster.admin().configs.alter({ORDERS: {"b": "2"}, PRICES: {"b": "2"}}))
    assert list(changed.done) == [ORDERS]
    assert isinstance(changed.errors[PRICES], UnsupportedByBrokerError)


def entry(name: str, value: str | None, source: ConfigSource, **more: Any) -> ConfigEntry:
    return ConfigEntry(name=name, value=value, source=source, **more)


SETTINGS = {
    "kept": entry("kept", "1", ConfigSource.TOPIC),
    "list": entry("list", "x,y", ConfigSource.DEFAULT),
    "inherited": entry("inherited", "1", ConfigSource.ALL_BROKERS),
}


@pytest.mark.parametrize(
    ("changes", "whole"),
    [
        ({}, {"kept": "1"}),
        ({"kept": "2"}, {"kept": "2"}),
        ({"kept": None}, {}),
        ({"list": Append("z,x")}, {"kept": "1", "list": "x,y,z"}),
        ({"list": Subtract("x")}, {"kept": "1", "list": "y"}),
        ({"new": Append("z")}, {"kept": "1", "new": "z"}),
    ],
)
def test_what_is_set_is_kept_and_what_is_inherited_is_not_set(
    changes: dict[str, Any], whole: dict[str, str]
) -> None:
    assert changed_whole(ORDERS, SETTINGS, changes) == whole


def test_a_secret_that_would_be_lost_is_not(make_cluster: MakeCluster) -> None:
    broker = ConfigResource.broker(1)
    settings = {"password": entry("password", None, ConfigSource.BROKER, is_sensitive=True)}
    with pytest.raises(UnsupportedByBrokerError, match="password is secret"):
        changed_whole(broker, settings, {"other": "1"})
    assert changed_whole(broker, settings, {"password": "new"}) == {"password": "new"}


def test_an_old_broker_lists_client_metrics_alone(make_cluster: MakeCluster) -> None:
    versions = {**KAFKA_2_1, ListConfigResourcesRequest: VersionRange(0, 0)}
    cluster = make_cluster(
        {ListConfigResourcesRequest: lambda node, request: ListConfigResourcesResponse()},
        versions=versions,
    )
    admin = cluster.admin()
    assert cluster.run(admin.configs.list_resources(ResourceType.CLIENT_METRICS)) == ()
    with pytest.raises(UnsupportedByBrokerError, match="CLIENT_METRICS alone"):
        cluster.run(admin.configs.list_resources())


def test_numbers_of_later_protocols_are_unknown() -> None:
    assert ResourceType(99) is ResourceType.UNKNOWN
    assert ConfigSource(99) is ConfigSource.UNKNOWN
