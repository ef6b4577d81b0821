"""From a frame to its answer or its refusal: versions, order, broken frames."""

from __future__ import annotations

import pytest

from ottla.base.errors import ErrorCode
from ottla.broker.handlers import handlers
from ottla.broker.served_apis import TELEMETRY
from ottla.wire.headers import decode_response_header
from ottla.wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from ottla.wire.messages.describe_cluster import DescribeClusterRequest, DescribeClusterResponse
from ottla.wire.messages.fetch import FetchRequest
from ottla.wire.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from ottla.wire.messages.metadata import MetadataRequest, MetadataResponse
from ottla.wire.messages.produce import ProduceRequest, ProduceResponse
from tests.support.data_requests import BY_NAME, produce
from tests.support.memory_broker import MemoryBroker
from tests.support.memory_client import Client, decode_answer
from tests.support.records import batch_of
from tests.unit.broker.conftest import Connect

NAMED = ApiVersionsRequest(client_software_name="test", client_software_version="1.0")


def frame(key: int, version: int, body: bytes = b"", *, correlation_id: int = 7) -> bytes:
    """A request with the header of versions that are not flexible and no client id."""
    header = key.to_bytes(2, "big", signed=True) + version.to_bytes(2, "big", signed=True)
    content = header + correlation_id.to_bytes(4, "big") + b"\xff\xff" + body
    return len(content).to_bytes(4, "big") + content


# -- ApiVersions -----------------------------------------------------------------------------------


@pytest.mark.parametrize("version", range(6))
def test_every_version_tells_all_that_is_served(client: Client, version: int) -> None:
    response = client.ask(NAMED, ApiVersionsResponse, version=version)
    assert response.error_code == ErrorCode.NONE
    told = {api.api_key: (api.min_version, api.max_version) for api in response.api_keys}
    assert told == {
        handler.api_key: (handler.advertised_min, handler.versions.max)
        for handler in handlers.values()
        if handler.api_key not in TELEMETRY
    }
    assert list(told) == sorted(told)
    features = {feature.name: feature.max_version for feature in response.supported_features}
    assert ("metadata.version" in features) == (version >= 3)
    assert ("kraft.version" in features) == (version >= 4), "its lowest level is 0"


def test_produce_is_advertised_from_0_and_fetch_from_what_is_served(client: Client) -> None:
    response = client.ask(NAMED, ApiVersionsResponse)
    told = {api.api_key: api.min_version for api in response.api_keys}
    assert told[ProduceRequest.API_KEY] == 0
    assert told[FetchRequest.API_KEY] == 4


@pytest.mark.parametrize("version", [6, 99, 32767])
def test_an_unknown_version_is_answered_in_version_0_with_the_served_range(
    client: Client, version: int
) -> None:
    client.send_bytes(frame(18, version, b"\x01\x02whatever"))
    raw = client.raw_answer()
    view = memoryview(raw)
    assert decode_response_header(view, 0, len(view), api_key=18, version=0)[0] == 7
    response = decode_answer(raw, 18, 0)
    assert isinstance(response, ApiVersionsResponse)
    assert response.error_code == ErrorCode.UNSUPPORTED_VERSION
    (range_,) = response.api_keys
    assert (range_.api_key, range_.min_version, range_.max_version) == (18, 0, 5)
    assert not client.is_closed


def test_after_an_unknown_version_the_client_may_try_a_lower_one(client: Client) -> None:
    client.send_bytes(frame(18, 99))
    client.raw_answer()
    assert client.ask(NAMED, ApiVersionsResponse, version=3).error_code == ErrorCode.NONE


@pytest.mark.parametrize(("name", "version"), [("", "1"), ("a b", "1"), ("a", ""), ("-a", "1")])
def test_a_client_that_does_not_name_itself_is_refused(
    client: Client, name: str, version: str
) -> None:
    request = ApiVersionsRequest(client_software_name=name, client_software_version=version)
    response = client.ask(request, ApiVersionsResponse, version=3)
    assert (response.error_code, response.api_keys) == (ErrorCode.INVALID_REQUEST, [])


@pytest.mark.parametrize(("cluster_id", "node_id"), [("another", 1), (None, 9)])
def test_a_client_that_means_another_node_is_sent_to_start_anew(
    client: Client, cluster_id: str | None, node_id: int
) -> None:
    request = ApiVersionsRequest(
        client_software_name="a",
        client_software_version="1",
        cluster_id=cluster_id,
        node_id=node_id,
    )
    response = client.ask(request, ApiVersionsResponse, version=5)
    assert response.error_code == ErrorCode.REBOOTSTRAP_REQUIRED


# -- order -----------------------------------------------------------------------------------------


def test_answers_come_in_the_order_of_requests_also_behind_one_that_waits(
    broker: MemoryBroker, client: Client
) -> None:
    broker.create_topic("orders")
    client.send_each(
        (NAMED, 3),
        (InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=0), 4),
        (produce(("orders", 0, batch_of(b"a"))), BY_NAME),
        (MetadataRequest(topics=None), 12),
        (DescribeClusterRequest(include_cluster_authorized_operations=False), 1),
    )
    assert [type(answer) for answer in client.answers()] == [
        ApiVersionsResponse,
        InitProducerIdResponse,
        ProduceResponse,
        MetadataResponse,
        DescribeClusterResponse,
    ]


def test_a_long_pipeline_is_answered_whole(client: Client) -> None:
    client.send(*[NAMED] * 1500, version=3)
    assert len(client.answers()) == 1500


# -- what closes a connection ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "version"),
    [(999, 0), (-1, 0), (32767, 3), (3, 14), (3, -1), (1, 3), (0, 2), (19, 1), (75, 1)],
)
def test_what_is_not_served_closes_the_connection(client: Client, key: int, version: int) -> None:
    client.send_bytes(frame(key, version))
    assert client.is_closed
    assert client.answers() == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x00\x00",
        b"\xff\xff\xff\xfe",
        b"\x7f\xff\xff\xff",
        b"\x00\x00\x00\x01\x00\x05abc",
        b"\x00\x00\x00\x01\x00\x02\xff\xfe",
    ],
)
def test_a_broken_body_closes_the_connection(client: Client, body: bytes) -> None:
    client.send_bytes(frame(3, 1, body))
    assert client.is_closed


@pytest.mark.parametrize("size", [1, 2, 7, 9])
def test_a_frame_too_short_for_a_header_closes_the_connection(client: Client, size: int) -> None:
    client.send_bytes(size.to_bytes(4, "big") + bytes(size))
    assert client.is_closed


def test_bytes_after_a_request_are_ignored_as_apache_kafka_ignores_them(client: Client) -> None:
    client.send_bytes(frame(3, 1, b"\xff\xff\xff\xff" + b"abc"))
    answer = decode_answer(client.raw_answer(), 3, 1)
    assert isinstance(answer, MetadataResponse)


def test_what_was_produced_before_a_broken_frame_is_written(
    broker: MemoryBroker, client: Client
) -> None:
    broker.create_topic("orders")
    good = client.frame_of(produce(("orders", 0, batch_of(b"a"))), BY_NAME)
    client.send_bytes(good + frame(999, 0))
    assert client.is_closed
    assert broker.partition("orders").log.log_end_offset == 1


def test_a_broken_frame_of_one_client_does_not_concern_another(
    broker: MemoryBroker, client: Client, connect: Connect
) -> None:
    other = connect(broker)
    client.send_bytes(frame(999, 0))
    assert client.is_closed
    assert other.ask(NAMED, ApiVersionsResponse).error_code == ErrorCode.NONE
