"""Clients ask which metrics they shall push, and push them."""

from __future__ import annotations

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AGGREGATION_TEMPORALITY_CUMULATIVE,
    AGGREGATION_TEMPORALITY_DELTA,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from ottla.base.errors import ErrorCode
from ottla.base.limits import (
    TELEMETRY_LABELS_MAX,
    TELEMETRY_PARTS_MAX,
    TELEMETRY_TEXT_LENGTH_MAX,
)
from ottla.broker import telemetry_metrics
from ottla.broker.client_telemetry import ClientSoftware, selectors_of
from ottla.broker.telemetry_metrics import ClientSeries, Sample, SampleKind, opened
from ottla.metadata.config_change import ConfigChange, ConfigOperation, ResourceChange
from ottla.metadata.image import ConfigResource, ResourceType
from ottla.wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from ottla.wire.messages.get_telemetry_subscriptions import (
    GetTelemetrySubscriptionsRequest,
    GetTelemetrySubscriptionsResponse,
)
from ottla.wire.messages.push_telemetry import PushTelemetryRequest, PushTelemetryResponse
from ottla.wire.records.compression import Codec, compress
from tests.support.memory_broker import MemoryBroker
from tests.support.memory_client import Client
from tests.unit.broker.conftest import StartBroker

E = ErrorCode
GAUGE, COUNTER = SampleKind.GAUGE, SampleKind.COUNTER


def subscribe(broker: MemoryBroker, name: str = "s", **texts: str) -> None:
    changes = [
        ConfigChange(key.replace("_", "."), ConfigOperation.SET, text)
        for key, text in texts.items()
    ]
    change = ResourceChange(ConfigResource(ResourceType.CLIENT_METRICS, name), changes)
    (result,) = broker.loop.finish(broker.broker.metadata.alter_configs([change]))
    assert result.error_code == E.NONE, result


def ask(client: Client, instance_id: bytes = bytes(16)) -> GetTelemetrySubscriptionsResponse:
    request = GetTelemetrySubscriptionsRequest(client_instance_id=instance_id)
    return client.ask(request, GetTelemetrySubscriptionsResponse)


def push(
    client: Client,
    told: GetTelemetrySubscriptionsResponse,
    metrics: bytes = b"",
    *,
    codec: int = Codec.NONE,
    terminating: bool = False,
) -> ErrorCode:
    request = PushTelemetryRequest(
        client_instance_id=told.client_instance_id,
        subscription_id=told.subscription_id,
        terminating=terminating,
        compression_type=codec,
        metrics=metrics,
    )
    return ErrorCode(client.ask(request, PushTelemetryResponse).error_code)


def attributes(**labels: str) -> list[KeyValue]:
    return [
        KeyValue(key=name, value=AnyValue(string_value=value)) for name, value in labels.items()
    ]


def payload(*metrics: Metric, **labels: str) -> bytes:
    data = MetricsData(
        resource_metrics=[
            ResourceMetrics(
                resource=Resource(attributes=attributes(**labels)),
                scope_metrics=[ScopeMetrics(metrics=metrics)],
            )
        ]
    )
    serialized: bytes = data.SerializeToString()
    return serialized


def gauge(name: str, value: float, **labels: str) -> Metric:
    point = NumberDataPoint(as_double=value, attributes=attributes(**labels))
    return Metric(name=name, gauge=Gauge(data_points=[point]))


def counter(name: str, value: int, *, delta: bool = True) -> Metric:
    temporality = AGGREGATION_TEMPORALITY_DELTA if delta else AGGREGATION_TEMPORALITY_CUMULATIVE
    points = [NumberDataPoint(as_int=value)]
    return Metric(
        name=name,
        sum=Sum(data_points=points, is_monotonic=True, aggregation_temporality=temporality),
    )


def numbers(broker: MemoryBroker) -> dict[str, float]:
    return {sample.name: sample.value for sample in broker.broker.telemetry.samples()}


@pytest.fixture
def broker(start_broker: StartBroker) -> MemoryBroker:
    return start_broker(ottla_http_listeners="localhost:0")


@pytest.fixture
def told(broker: MemoryBroker, client: Client) -> GetTelemetrySubscriptionsResponse:
    """A client that knows what is wanted of it: everything, each second."""
    subscribe(broker, metrics="*", interval_ms="1000")
    return ask(client)


# -- asking ------------------------------------------------------------------------------------


def test_a_client_is_given_an_id_and_told_what_is_wanted(
    broker: MemoryBroker, client: Client
) -> None:
    told = ask(client)
    assert told.client_instance_id != bytes(16)
    assert (told.requested_metrics, told.push_interval_ms) == ([], 300_000)
    assert told.accepted_compression_types == [4, 3, 1, 2]
    assert told.telemetry_max_bytes == 1024 * 1024
    assert told.delta_temporality
    subscribe(broker, metrics="org.apache.kafka.consumer", interval_ms="1000")
    again = ask(client, told.client_instance_id)
    assert again.client_instance_id == told.client_instance_id
    assert again.requested_metrics == ["org.apache.kafka.consumer"]
    assert again.push_interval_ms == 1000
    assert again.subscription_id != told.subscription_id


def test_subscriptions_look_at_what_a_client_says_it_is(
    broker: MemoryBroker, client: Client
) -> None:
    subscribe(broker, metrics="a.", match="client_software_name=mine,client_software_version=2.*")
    assert ask(client).requested_metrics == []
    software = ApiVersionsRequest(client_software_name="mine", client_software_version="2.1")
    client.ask(software, ApiVersionsResponse)
    assert ask(client).requested_metrics == ["a."]
    for match in ("client_source_address=192.0.2.7", "client_source_port=50000"):
        subscribe(broker, metrics="b.", match=match)
        assert ask(client).requested_metrics == ["b."]


def test_who_asks_again_before_its_interval_is_refused(
    broker: MemoryBroker, client: Client, told: GetTelemetrySubscriptionsResponse
) -> None:
    assert ask(client, told.client_instance_id).error_code == E.THROTTLING_QUOTA_EXCEEDED
    broker.loop.advance(1000)
    assert ask(client, told.client_instance_id).error_code == E.NONE


# -- pushing -----------------------------------------------------------------------------------


def test_the_last_value_of_each_series_is_kept(
    broker: MemoryBroker, client: Client, told: GetTelemetrySubscriptionsResponse
) -> None:
    assert push(client, told, payload(gauge("lag", 7.5, topic="orders"), rack="a")) == E.NONE
    (sample,) = broker.broker.telemetry.samples()
    assert (sample.name, sample.kind, sample.value) == ("lag", GAUGE, 7.5)
    labels = dict(sample.labels)
    assert len(labels.pop("client_instance_id")) == 22
    assert labels == {"topic": "orders", "rack": "a", "client_id": "memory-client"}
    broker.loop.advance(1000)
    push(client, told, payload(gauge("lag", 3, topic="orders"), rack="a"))
    assert numbers(broker) == {"lag": 3}


def test_what_came_since_the_last_push_is_added_up(
    broker: MemoryBroker, client: Client, told: GetTelemetrySubscriptionsResponse
) -> None:
    for _ in range(3):
        push(client, told, payload(counter("sent", 5), counter("all", 9, delta=False)))
        broker.loop.advance(1000)
    assert numbers(broker) == {"sent": 15, "all": 9}


@pytest.mark.parametrize("codec", Codec)
def test_a_push_may_be_compressed(
    broker: MemoryBroker, client: Client, told: GetTelemetrySubscriptionsResponse, codec: Codec
) -> None:
    metrics = compress(payload(gauge("lag", 1)), codec)
    assert push(client, told, metrics, codec=codec) == E.NONE
    assert numbers(broker) == {"lag": 1}


def test_who_pushes_before_its_interval_is_refused_but_with_its_last_words(
    broker: MemoryBroker, client: Client, told: GetTelemetrySubscriptionsResponse
) -> None:
    assert push(client, told) == E.NONE
    assert push(client, told) == E.THROTTLING_QUOTA_EXCEEDED
    assert push(client, told, payload(gauge("lag", 1)), terminating=True) == E.NONE
    broker.loop.advance(1000)
    assert push(client, told) == E.INVALID_REQUEST
    assert numbers(broker) == {"lag": 1}


def test_who_was_told_something_else_asks_again_and_may_at_once(
    broker: MemoryBroker, client: Client, told: GetTelemetrySubscriptionsResponse
) -> None:
    assert push(client, told) == E.NONE
    subscribe(broker, metrics="a.", interval_ms="1000")
    assert push(client, told) == E.UNKNOWN_SUBSCRIPTION_ID
    again = ask(client, told.client_instance_id)
    assert (again.error_code, again.requested_metrics) == (E.NONE, ["a."])
    assert push(client, again) == E.NONE


@pytest.mark.parametrize(
    ("metrics", "codec", "code"),
    [
        (b"", 9, E.UNSUPPORTED_COMPRESSION_TYPE),
        (b"\xff" * 10, Codec.NONE, E.INVALID_RECORD),
        (b"\xff" * 10, Codec.ZSTD, E.INVALID_RECORD),
        (compress(bytes(20_000_000), Codec.ZSTD), Codec.ZSTD, E.INVALID_RECORD),
        (bytes(1024 * 1024 + 1), Codec.NONE, E.TELEMETRY_TOO_LARGE),
    ],
    ids=["codec", "garbage", "broken", "bomb", "large"],
)
def test_what_cannot_be_opened_is_refused(
    broker: MemoryBroker,
    client: Client,
    told: GetTelemetrySubscriptionsResponse,
    metrics: bytes,
    codec: int,
    code: ErrorCode,
) -> None:
    assert push(client, told, metrics, codec=codec) == code
    assert numbers(broker) == {}


def test_who_never_asked_has_no_id(client: Client) -> None:
    nobody = GetTelemetrySubscriptionsResponse()
    assert push(client, nobody) == E.INVALID_REQUEST


def test_a_client_that_is_silent_for_long_is_forgotten(
    broker: MemoryBroker, client: Client, told: GetTelemetrySubscriptionsResponse
) -> None:
    push(client, told, payload(gauge("lag", 1)))
    broker.loop.advance(59_999)
    assert numbers(broker)
    broker.loop.advance(1)
    assert numbers(broker) == {}


def test_a_client_that_has_a_long_id_does_not_repeat_it_in_every_series(
    broker: MemoryBroker,
) -> None:
    telemetry = broker.broker.telemetry
    telemetry.subscribe(bytes(16), {"client_id": "c" * 1000})
    (client,) = telemetry._clients.values()
    client.series.apply(opened(payload(gauge("lag", 1))), room=10)
    (sample,) = telemetry.samples()
    assert len(dict(sample.labels)["client_id"]) == 255


# -- opening -----------------------------------------------------------------------------------


def test_histograms_are_told_by_count_and_sum() -> None:
    measured = HistogramDataPoint(count=4, sum=2.5)
    temporality = AGGREGATION_TEMPORALITY_DELTA
    histogram = Histogram(data_points=[measured], aggregation_temporality=temporality)
    series = ClientSeries()
    for _ in range(2):
        series.apply(opened(payload(Metric(name="took", histogram=histogram))), room=10)
    assert list(series.samples()) == [
        Sample("took.count", COUNTER, (), 8),
        Sample("took.sum", COUNTER, (), 5),
    ]


def test_series_and_texts_have_bounds() -> None:
    series = ClientSeries()
    many = [gauge(f"g{n}", n) for n in range(1005)]
    series.apply(opened(payload(*many)), room=10_000)
    assert (len(series), series.left_out) == (1000, 5)
    tight = ClientSeries()
    tight.apply(opened(payload(gauge("n" * 1000, 1, **{"l" * 1000: "v" * 1000}))), room=1)
    tight.apply(opened(payload(gauge("other", 1))), room=0)
    (sample,) = tight.samples()
    assert (len(sample.name), tight.left_out) == (255, 1)
    assert [(len(name), len(value)) for name, value in sample.labels] == [(255, 255)]


def gauge_with(labels: list[KeyValue]) -> Metric:
    return Metric(gauge=Gauge(data_points=[NumberDataPoint(attributes=labels)]))


def test_a_series_of_too_many_words_is_left_out() -> None:
    series = ClientSeries()
    short = {f"label-{n}": "v" * 240 for n in range(8)}
    long = {**short, "label-8": "v" * 240}
    series.apply(opened(payload(gauge("g", 1, **long), gauge("g", 2, **short))), room=10)
    assert [sample.value for sample in series.samples()] == [2]
    assert series.left_out == 1


POINT, METRIC, SCOPE = NumberDataPoint(), Metric(), ScopeMetrics()
LABELS = attributes(**{f"label-{n}": "" for n in range(TELEMETRY_LABELS_MAX)})
MORE = range(TELEMETRY_PARTS_MAX)
FEWER = range(TELEMETRY_PARTS_MAX // TELEMETRY_LABELS_MAX)


@pytest.mark.parametrize(
    "crowd",
    [
        MetricsData(resource_metrics=[ResourceMetrics() for _ in MORE]),
        MetricsData(resource_metrics=[ResourceMetrics(scope_metrics=[SCOPE for _ in MORE])]),
        MetricsData.FromString(payload(*[METRIC for _ in MORE])),
        MetricsData.FromString(payload(Metric(gauge=Gauge(data_points=[POINT for _ in MORE])))),
        MetricsData.FromString(payload(Metric(sum=Sum(data_points=[POINT for _ in MORE])))),
        MetricsData.FromString(
            payload(Metric(histogram=Histogram(data_points=[HistogramDataPoint() for _ in MORE])))
        ),
        MetricsData.FromString(payload(*[gauge_with(LABELS) for _ in FEWER])),
    ],
    ids=["resources", "scopes", "metrics", "points", "of sums", "of histograms", "labels"],
)
def test_what_comes_after_a_crowd_of_parts_is_not_looked_at(crowd: MetricsData) -> None:
    crowd.resource_metrics.extend(
        MetricsData.FromString(payload(gauge("last", 1))).resource_metrics
    )
    changes = list(opened(crowd.SerializeToString()))
    assert len(changes) < 2 * TELEMETRY_PARTS_MAX
    assert "last" not in {change.name for change in changes}


def test_labels_of_a_resource_are_read_once_and_only_so_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[object] = []
    monkeypatch.setattr(telemetry_metrics, "_text", read.append)
    labels = {f"label-{n}": "" for n in range(1000)}
    changes = list(opened(payload(*[gauge("g", n) for n in range(100)], **labels)))
    assert [len(change.labels) for change in changes] == [TELEMETRY_LABELS_MAX] * 100
    assert len(read) == TELEMETRY_LABELS_MAX


def test_no_more_of_a_client_is_kept_than_subscriptions_look_at(client: Client) -> None:
    client.connection.session = ClientSoftware("s" * 30_000, "v" * 30_000)
    selectors = selectors_of("c" * 30_000, client.connection)
    assert max(map(len, selectors.values())) == TELEMETRY_TEXT_LENGTH_MAX


def test_without_the_package_nothing_can_be_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    assert telemetry_metrics.can_open()
    monkeypatch.setattr(telemetry_metrics, "find_spec", missing)
    assert not telemetry_metrics.can_open()
