"""Waits of clients, and what they have pushed, as metrics."""

from __future__ import annotations

from ottla.broker.client_telemetry import ClientTelemetry
from ottla.broker.metrics.pushed import PushedMetrics
from ottla.broker.metrics.quotas import QuotaMetrics
from ottla.broker.telemetry_metrics import Change, ClientSeries, Sample, SampleKind
from ottla.wire.messages.produce import ProduceResponse
from tests.support.data_requests import BY_NAME, produce
from tests.support.memory_broker import MemoryBroker
from tests.support.memory_client import Client
from tests.support.records import batch_of
from tests.support.scraping import scraped
from tests.unit.broker.test_quotas import set_quota

GAUGE, COUNTER = SampleKind.GAUGE, SampleKind.COUNTER


class Told(ClientTelemetry):
    """Telemetry with these samples."""

    def __init__(self, *samples: Sample) -> None:
        self._samples = samples
        self._clients = {}

    def samples(self) -> tuple[Sample, ...]:
        return self._samples


def test_waits_are_counted_by_the_kind_of_quota(broker: MemoryBroker, client: Client) -> None:
    broker.create_topic("orders")
    set_quota(broker, "producer_byte_rate", 1)
    request = produce(("orders", 0, batch_of(b"x" * 1000)))
    answer = client.ask(request, ProduceResponse, version=BY_NAME)
    found = scraped(QuotaMetrics(broker.broker.quotas)())
    of_produce, of_fetch = {"quota": "produce"}, {"quota": "fetch"}
    assert found["ottla_quota_throttles_total", of_produce] == 1
    seconds = found["ottla_quota_throttle_seconds_total", of_produce]
    assert seconds == answer.throttle_time_ms / 1000
    assert found["ottla_quota_followed", of_produce] == 1
    assert found["ottla_quota_throttles_total", of_fetch] == 0


def test_what_clients_push_has_names_and_labels_that_prometheus_reads() -> None:
    one = Sample("org.apache.kafka.records.lag", GAUGE, (("client.id", "a"), ("topic", "t")), 7)
    two = Sample("org.apache.kafka.records.lag", GAUGE, (("client.id", "b"),), 8)
    sent = Sample("org.apache.kafka.sent.total", COUNTER, (), 9)
    found = scraped(PushedMetrics(Told(one, two, sent), {})())
    name = "client_org_apache_kafka_records_lag"
    assert found[name, {"client_id": "a", "topic": "t"}] == 7
    assert found[name, {"client_id": "b"}] == 8
    assert found["client_org_apache_kafka_sent_total", {}] == 9


def test_a_client_cannot_make_a_series_of_ours_or_two_families_of_one_name() -> None:
    ours = Sample("ottla_topics", GAUGE, (), 1)
    other = Sample("ottla.topics", COUNTER, (), 2)
    found = scraped(PushedMetrics(Told(ours, other), {})())
    assert len(found.all("client_ottla_topics")) + len(found.all("client_ottla_topics_total")) == 1


def test_no_label_from_outside_is_one_that_prometheus_refuses_or_keeps_for_itself() -> None:
    odd = Sample("a", GAUGE, (("1st", "x"), ("", "y"), ("__name__", "z"), ("über", "u")), 1)
    found = scraped(PushedMetrics(Told(odd), {})())
    labels = {"label_1st": "x", "label_": "y", "label___name__": "z", "label__ber": "u"}
    assert found["client_a", labels] == 1


def test_what_is_one_under_a_plain_name_stands_there_once() -> None:
    one, two = (Sample("a", GAUGE, ((key, "x"),), n) for n, key in enumerate(("b.c", "b_c")))
    sent, other = Sample("sent", COUNTER, (), 3), Sample("sent_total", GAUGE, (), 4)
    found = scraped(PushedMetrics(Told(one, two, sent, other), {})())
    assert found["client_a", {"b_c": "x"}] == 1
    assert found["client_sent_total"] == 3


def test_a_push_between_two_turns_spoils_nothing() -> None:
    series = ClientSeries()
    series.apply([Change("a", GAUGE, (), 1, adds=False)], room=9)
    told = series.samples()
    first = next(told)
    series.apply([Change("b", GAUGE, (), 2, adds=False)], room=9)
    assert [first.name, *(sample.name for sample in told)] == ["a"]


def test_what_is_left_out_is_told(broker: MemoryBroker) -> None:
    left_out: dict[str, int] = {}
    telemetry = broker.broker.telemetry
    series = ClientSeries()
    series.apply([Change("a", GAUGE, (), 1, adds=False)], room=0)
    telemetry._client(b"i" * 16, {}, 0).series = series
    assert list(PushedMetrics(telemetry, left_out)()) == []
    assert left_out == {"client series": 1}
