"""A broker that is set to offer less: what it names, what it refuses, what it does not take."""

from __future__ import annotations

import pytest

from ottla.base.errors import UserError
from ottla.base.registry import Registry
from ottla.broker.discovery import load_handlers
from ottla.broker.handlers import Handler, handlers
from ottla.broker.served_apis import served_apis
from ottla.settings.broker import BrokerSettings
from ottla.wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from ottla.wire.messages.fetch import FetchRequest, FetchResponse
from ottla.wire.messages.list_groups import ListGroupsRequest
from ottla.wire.messages.metadata import MetadataRequest
from tests.unit.broker.conftest import Connect, StartBroker

load_handlers()

READ = {"ottla.http.listeners": "localhost:0"}
"""Somebody reads what clients push."""


def settings(text: str) -> BrokerSettings:
    return BrokerSettings({"ottla.api.versions": text, **READ})


def keys_of(served: Registry[int, Handler]) -> set[int]:
    return {handler.api_key for handler in served.values()}


def test_without_the_setting_everything_is_served() -> None:
    assert served_apis(BrokerSettings(READ)) is handlers


def test_clients_are_asked_for_metrics_only_where_somebody_can_read_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without = keys_of(handlers) - {71, 72}
    assert keys_of(served_apis(BrokerSettings({}))) == without
    monkeypatch.setattr("ottla.broker.served_apis.can_open", lambda: False)
    assert keys_of(served_apis(BrokerSettings(READ))) == without


def test_versions_are_those_of_both() -> None:
    served = served_apis(settings("Fetch:2-10, Metadata:7+, ListGroups:none"))
    assert str(served[FetchRequest.API_KEY].versions) == "4-10"
    assert str(served[MetadataRequest.API_KEY].versions) == "7-13"
    assert ListGroupsRequest.API_KEY not in served
    assert len(served) == len(handlers) - 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Fetsch:4-10", "names Fetsch; there are AddOffsetsToTxn"),
        ("Fetch", "takes items like Fetch:4-10 or Fetch:none, not 'Fetch'"),
        ("Fetch:10-4", "not 'Fetch:10-4'"),
    ],
)
def test_what_cannot_be_read_is_told(text: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        served_apis(settings(text))


def test_a_limited_broker_names_and_serves_only_that(
    start_broker: StartBroker, connect: Connect
) -> None:
    broker = start_broker(ottla_api_versions="Fetch:4-10,EndTxn:0-1,ApiVersions:0-2")
    client = connect(broker)
    response = client.ask(ApiVersionsRequest(), ApiVersionsResponse, version=2)
    named = {api.api_key: (api.min_version, api.max_version) for api in response.api_keys}
    assert named[FetchRequest.API_KEY] == (4, 10)
    fetch = FetchRequest(max_wait_ms=0, min_bytes=0, topics=[])
    client.ask(fetch, FetchResponse, version=10)
    client.send(fetch, version=11)
    assert client.is_closed
    newer = connect(broker)
    newer.send(ApiVersionsRequest(), version=3)
    assert newer.raw_answer()[4:6] == b"\0\x23", "UNSUPPORTED_VERSION, in version 0"


@pytest.mark.parametrize(("end", "is_told"), [("0-5", True), ("0-4", False), ("none", False)])
def test_a_feature_is_not_told_without_the_versions_that_show_it(
    end: str, is_told: bool, start_broker: StartBroker, connect: Connect
) -> None:
    client = connect(start_broker(ottla_api_versions=f"EndTxn:{end}"))
    request = ApiVersionsRequest(client_software_name="a", client_software_version="1")
    response = client.ask(request, ApiVersionsResponse, version=3)
    told = {feature.name for feature in response.finalized_features}
    assert ("transaction.version" in told) == is_told
    assert "metadata.version" in told
