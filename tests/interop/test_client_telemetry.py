"""Real clients push their metrics, and whoever reads the broker's reads them, too (KIP-714)."""

from __future__ import annotations

import subprocess
import time
import urllib.request

import pytest
from confluent_kafka import Producer

from tests.clients.admin import PATIENCE_SECONDS, Admin
from tests.conftest import BrokerFactory
from tests.interop.config_cases import Asked
from tests.support.config_requests import CLIENT_METRICS, SET, Change
from tests.support.free_ports import free_port
from tests.support.java import CLASS_PATH, needs_java
from tests.support.scraping import Scraped

pytestmark = pytest.mark.interop

PUSHED_SECONDS_MAX = 30.0


def scrape(port: int) -> Scraped:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        return Scraped(answer.read().decode())


def series_of(client_id: str, port: int) -> dict[str, float]:
    """What a client has pushed, by the metrics' names; as soon as there is something."""
    deadline = time.monotonic() + PUSHED_SECONDS_MAX
    while time.monotonic() < deadline:
        found = scrape(port)
        names = [name for name in found.kinds if name.startswith("client_")]
        mine = {
            name: value
            for name in names
            for labels, value in found.all(name).items()
            if client_id in labels
        }
        if mine:
            return mine
        time.sleep(0.1)
    raise AssertionError(f"{client_id} has pushed nothing")


def subscribe(bootstrap: str, name: str, metrics: str, client_id: str) -> None:
    changes: list[Change] = [
        ("metrics", SET, metrics),
        ("interval.ms", SET, "300"),
        ("match", SET, f"client_id={client_id}"),
    ]
    assert Asked(bootstrap).alter((CLIENT_METRICS, name, changes)) == [0]


def test_librdkafka_pushes_what_a_subscription_wants(start_broker: BrokerFactory) -> None:
    port = free_port()
    broker = start_broker("--http", f"127.0.0.1:{port}")
    Admin(broker.bootstrap).create("orders")
    subscribe(broker.bootstrap, "all", "*", "app")
    producer = Producer({"bootstrap.servers": broker.bootstrap, "client.id": "app"})
    silent = Producer({"bootstrap.servers": broker.bootstrap, "client.id": "other"})
    for each in (producer, silent):
        each.produce("orders", b"x")
        assert each.flush(PATIENCE_SECONDS) == 0
    found = series_of("app", port)
    assert any("connection_creation" in name for name in found), found
    assert all("other" not in labels for name in found for labels in scrape(port).all(name))


@needs_java
def test_the_java_client_pushes_what_a_subscription_wants(start_broker: BrokerFactory) -> None:
    port = free_port()
    broker = start_broker("--http", f"127.0.0.1:{port}")
    Admin(broker.bootstrap).create("orders")
    wanted = "org.apache.kafka.producer.record"
    subscribe(broker.bootstrap, "records", wanted, "perf-producer-client")
    command = ["java", "-cp", CLASS_PATH, "org.apache.kafka.tools.ProducerPerformance"]
    options = ["--topic", "orders", "--num-records", "150", "--record-size", "10"]
    speed = ["--throughput", "50", "--bootstrap-server", broker.bootstrap]
    ran = subprocess.run(
        [*command, *options, *speed], capture_output=True, text=True, timeout=60, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    found = series_of("perf-producer-client", port)
    sent = found["client_org_apache_kafka_producer_record_send_total"]
    # Deltas of all pushes; Java's producer may end before it has pushed its last words.
    assert 0 < sent <= 150
    prefix = "client_org_apache_kafka_producer_record"
    assert all(name.startswith(prefix) for name in found), found
