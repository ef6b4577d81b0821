"""Metrics of a broker that real clients keep busy, as a scraper reads them over HTTP."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from tests.support.broker_process import BrokerProcess
from tests.support.free_ports import free_port
from tests.support.scraping import Scraped
from tests.support.waiting import wait_until

pytestmark = pytest.mark.interop

RECORDS = 60_000
READ = 20_000
VALUE = b"v" * 200
SCRAPES = 12
COUNTERS = (
    "ottla_requests_total",
    "ottla_topic_appended_records_total",
    "ottla_topic_fetched_bytes_total",
    "ottla_request_bytes_total",
)


class ScrapedBroker(BrokerProcess):
    """A broker that serves its numbers."""

    def __init__(self, *options: str) -> None:
        self.http = f"127.0.0.1:{free_port()}"
        super().__init__("--http", self.http, *options)

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://{self.http}{path}", timeout=20) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()

    def scrape(self) -> Scraped:
        status, text = self.get("/metrics")
        assert status == 200
        found = Scraped(text)
        assert set(found.all("ottla_scrape_errors_total").values()) == {0}
        return found


@pytest.fixture
def broker() -> Iterator[ScrapedBroker]:
    with ScrapedBroker(
        "--set", "num.partitions=3", "--set", "ottla.slow.request.ms=0", "--log-format", "json"
    ) as broker:
        yield broker


def write(broker: BrokerProcess, topic: str, count: int = RECORDS) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap, "linger.ms": 5})
    for number in range(count):
        producer.produce(topic, VALUE, key=str(number))
        if not number % 1000:
            producer.poll(0)
    assert producer.flush(30) == 0


def read(broker: BrokerProcess, topic: str, group: str, count: int) -> None:
    """Read so many records and commit what was read; then leave."""
    consumer = Consumer(
        {
            "bootstrap.servers": broker.bootstrap,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([topic])
    left = count
    while left:
        left -= len(consumer.consume(min(left, 500), timeout=10))
    consumer.commit(asynchronous=False)
    consumer.close()


def summed(found: Scraped, name: str, *values: str) -> float:
    """Over all series that have these values among their labels."""
    return sum(n for labels, n in found.all(name).items() if set(values) <= set(labels))


def test_numbers_never_go_back_under_load_and_are_true_at_its_end(broker: ScrapedBroker) -> None:
    write(broker, "orders", 1)
    with ThreadPoolExecutor(3) as clients:
        busy = [clients.submit(write, broker, topic, RECORDS - 1) for topic in ("orders", "other")]
        busy.append(clients.submit(read, broker, "orders", "readers", READ))
        before: dict[str, float] = {}
        for _ in range(SCRAPES):
            found = broker.scrape()
            now = {name: summed(found, name) for name in COUNTERS}
            assert all(now[name] >= number for name, number in before.items())
            before = now
        for client in busy:
            client.result(60)
    found = broker.scrape()
    assert found["ottla_topic_appended_records_total", {"topic": "orders"}] == RECORDS
    assert found["ottla_topic_appended_records_total", {"topic": "other"}] == RECORDS - 1
    assert found["ottla_topic_size_bytes", {"topic": "orders"}] > RECORDS * len(VALUE)
    assert (
        found["ottla_topic_appended_bytes_total", {"topic": "orders"}]
        == (found["ottla_topic_size_bytes", {"topic": "orders"}])
    )
    assert found["ottla_topic_fetched_bytes_total", {"topic": "orders"}] > READ * len(VALUE)
    assert summed(found, "ottla_requests_total", "Produce") >= 2
    assert found["ottla_request_duration_seconds_count", {"api": "Produce"}] == summed(
        found, "ottla_requests_total", "Produce"
    )
    assert found["ottla_connections_accepted_total", {"listener": "PLAINTEXT"}] >= 3
    assert found["process_cpu_seconds_total"] > 0


def test_lag_is_what_is_left_to_read_while_members_read_and_when_they_are_gone(
    broker: ScrapedBroker,
) -> None:
    write(broker, "orders")
    read(broker, "orders", "readers", READ)
    found = broker.scrape()
    assert summed(found, "ottla_group_lag_records", "readers") == RECORDS - READ
    assert found["ottla_groups", {"type": "classic", "state": "Empty"}] == 1
    assert found["ottla_group_members", {"group": "readers"}] == 0
    oldest = max(found.all("ottla_group_lag_seconds").values())
    assert oldest > 0
    wait_until(
        lambda: max(broker.scrape().all("ottla_group_lag_seconds").values()) > oldest,
        "what is left to read grows older",
    )
    read(broker, "orders", "readers", RECORDS - READ)
    found = broker.scrape()
    assert summed(found, "ottla_group_lag_records", "readers") == 0
    assert set(found.all("ottla_group_lag_seconds").values()) == {0}


def test_a_transaction_that_is_left_open_shows_where_it_stands(broker: ScrapedBroker) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap, "transactional.id": "payments"})
    producer.init_transactions()
    producer.begin_transaction()
    producer.produce("orders", b"open", partition=0)
    assert producer.flush(10) == 0
    offsets = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "readers"})
    offsets.commit(offsets=[TopicPartition("orders", 0, 0)], asynchronous=False)
    found = broker.scrape()
    where = {"group": "readers", "topic": "orders", "partition": "0"}
    assert found["ottla_group_lag_records", where] == 1
    assert found["ottla_group_stable_lag_records", where] == 0
    assert found["ottla_partition_open_transaction_seconds", {"topic": "orders", "partition": "0"}]
    assert found["ottla_transactions", {"state": "Ongoing"}] == 1
    producer.abort_transaction()
    offsets.close()
    wait_until(
        lambda: broker.scrape()["ottla_transactions", {"state": "CompleteAbort"}] == 1,
        "the transaction is at its end",
    )
    found = broker.scrape()
    assert found.all("ottla_partition_open_transaction_seconds") == {}
    assert found["ottla_transaction_oldest_seconds"] == 0


def test_a_killed_broker_is_ready_again_and_says_that_it_recovered(broker: ScrapedBroker) -> None:
    write(broker, "orders", 1000)
    assert broker.scrape()["ottla_directory_recovered", {"directory": str(broker.data)}] == 0
    broker.kill()
    broker.start()
    assert broker.get("/health/ready") == (200, '{"ready": true}\n')
    found = broker.scrape()
    assert found["ottla_directory_recovered", {"directory": str(broker.data)}] == 1
    assert found["ottla_topic_appended_records_total", {"topic": "orders"}] == 1000
    assert found["ottla_topic_appended_bytes_total", {"topic": "orders"}] == 0


def test_slow_requests_are_lines_of_json_with_their_client(broker: ScrapedBroker) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap, "client.id": "shop"})
    producer.produce("orders", VALUE)
    assert producer.flush(10) == 0
    broker.stop()
    lines = [json.loads(line) for line in (broker.folder / "stderr").read_text().splitlines()]
    slow = [line for line in lines if line["event"] == "slow request"]
    assert {line["client_id"] for line in slow} == {"shop"}
    assert {"Metadata", "Produce"} <= {line["api"] for line in slow}
    assert all(line["duration_ms"] >= 0 and line["level"] == "warning" for line in slow)
    assert lines[-1]["event"] == "stopped cleanly"
