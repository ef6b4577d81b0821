"""Who was refused what stands in the log; what is only left out does not."""

from __future__ import annotations

import logging

import pytest

from ottla.base.limits import DENIALS_LOGGED_PER_SECOND_MAX, DENIED_NAME_LENGTH_SHOWN
from ottla.broker import log_rate
from ottla.broker.denial_log import DenialLog
from ottla.security.acl import AclResourceType, Operation
from ottla.settings.security import STANDARD_AUTHORIZER
from ottla.wire.messages.metadata import MetadataRequest, MetadataRequestTopic, MetadataResponse
from ottla.wire.messages.produce import ProduceResponse
from tests.support.data_requests import BY_NAME, produce
from tests.support.memory_client import Client
from tests.support.records import batch_of
from tests.unit.broker.conftest import Connect, StartBroker

SECOND_NS = 1_000_000_000


class Ticks:
    """`perf_counter_ns` for a test: it says what it is told to."""

    now_ns = 0

    def __call__(self) -> int:
        return self.now_ns


@pytest.fixture
def ticks(monkeypatch: pytest.MonkeyPatch) -> Ticks:
    ticks = Ticks()
    monkeypatch.setattr(log_rate, "perf_counter_ns", ticks)
    return ticks


@pytest.fixture(autouse=True)
def _at_info(caplog: pytest.LogCaptureFixture, ticks: Ticks) -> None:
    caplog.set_level(logging.INFO, "ottla.broker.denial_log")


@pytest.fixture
def client(start_broker: StartBroker, connect: Connect) -> Client:
    """Of a broker that has a topic and allows nothing."""
    broker = start_broker(authorizer_class_name=STANDARD_AUTHORIZER)
    broker.create_topic("orders")
    return connect(broker)


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    return [vars(record) for record in caplog.records if record.message == "denied"]


def test_a_refusal_is_logged_each_time_with_who_and_what(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        client.ask(produce(("orders", 0, batch_of(b"a"))), ProduceResponse, version=BY_NAME)
    first, again = lines(caplog)
    for told in (first, again):
        assert (told["principal"], told["host"]) == ("User:ANONYMOUS", "192.0.2.7")
        assert (told["operation"], told["resource_type"], told["resource"]) == (
            "WRITE",
            "TOPIC",
            "orders",
        )
        assert "unlogged_before" not in told


def test_a_topic_that_is_left_out_refuses_nobody_and_one_that_is_named_does(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    everything = client.ask(MetadataRequest(topics=None), MetadataResponse, version=8)
    assert everything.topics == []
    assert lines(caplog) == []
    named = MetadataRequest(topics=[MetadataRequestTopic(name="orders")])
    client.ask(named, MetadataResponse, version=8)
    (told,) = lines(caplog)
    assert (told["operation"], told["resource"]) == ("DESCRIBE", "orders")


def test_a_flood_is_counted_and_not_written(ticks: Ticks, caplog: pytest.LogCaptureFixture) -> None:
    denials = DenialLog()
    for _ in range(DENIALS_LOGGED_PER_SECOND_MAX + 7):
        deny(denials, "orders")
    assert len(lines(caplog)) == DENIALS_LOGGED_PER_SECOND_MAX
    ticks.now_ns = SECOND_NS
    deny(denials, "orders")
    deny(denials, "orders")
    after, later = lines(caplog)[DENIALS_LOGGED_PER_SECOND_MAX:]
    assert after["unlogged_before"] == 7
    assert "unlogged_before" not in later


def test_a_long_name_is_cut(caplog: pytest.LogCaptureFixture) -> None:
    deny(DenialLog(), "x" * 30_000)
    (told,) = lines(caplog)
    assert told["resource"] == "x" * DENIED_NAME_LENGTH_SHOWN


def deny(denials: DenialLog, name: str) -> None:
    denials.denied("User:a", "::1", Operation.READ, AclResourceType.GROUP, name)
