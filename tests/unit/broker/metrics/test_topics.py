"""Topics and partitions in numbers: what is written, read, stored; what is not well."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from ottla.broker.metrics import topics
from ottla.broker.metrics.topics import TopicMetrics
from ottla.broker.topic_reads import TopicReads
from ottla.wire.messages.fetch import FetchResponse
from ottla.wire.messages.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from ottla.wire.messages.produce import ProduceResponse
from ottla.wire.records.batch import build_batch
from ottla.wire.records.record import Record
from tests.support.data_requests import BY_ID, BY_NAME, fetch, partition_at, produce
from tests.support.memory_broker import MemoryBroker
from tests.support.memory_client import Client
from tests.support.records import batch_of
from tests.support.scraping import scraped
from tests.support.stepped_loop import START_MS
from tests.unit.broker.conftest import Connect, StartBroker

ONE = len(batch_of(b"a"))
ORDERS = {"topic": "orders"}
ORDERS_0 = {"topic": "orders", "partition": "0"}


@pytest.fixture
def broker(start_broker: StartBroker) -> MemoryBroker:
    broker = start_broker(offsets_topic_num_partitions="3")
    broker.create_topic("orders", 2)
    broker.broker.fetch.topic_reads = TopicReads()
    return broker


@pytest.fixture
def left_out() -> dict[str, int]:
    return {}


@pytest.fixture
def metrics(broker: MemoryBroker, left_out: dict[str, int]) -> TopicMetrics:
    reads = broker.broker.fetch.topic_reads
    assert reads is not None
    return TopicMetrics(
        broker.broker.replicas, broker.broker.metadata, reads, broker.clock, left_out
    )


def write(client: Client, *values: bytes, topic: str = "orders", index: int = 0) -> None:
    request = produce((topic, index, batch_of(*values)))
    client.ask(request, ProduceResponse, version=BY_NAME)


def read(client: Client, topic: str | bytes = "orders", offset: int = 0) -> None:
    version = BY_NAME if isinstance(topic, str) else BY_ID
    client.ask(fetch((topic, partition_at(0, offset))), FetchResponse, version=version)


def test_what_logs_take_is_summed_over_the_partitions_of_a_topic(
    client: Client, metrics: TopicMetrics
) -> None:
    write(client, b"a")
    write(client, b"a", b"b", index=1)
    found = scraped(metrics())
    size = ONE + len(batch_of(b"a", b"b"))
    assert found["ottla_topic_appended_bytes_total", ORDERS] == size
    assert found["ottla_topic_appended_batches_total", ORDERS] == 2
    assert found["ottla_topic_appended_records_total", ORDERS] == 3
    assert found["ottla_topic_partitions", ORDERS] == 2
    assert found["ottla_topic_size_bytes", ORDERS] == size


def test_the_counters_of_the_others_do_not_go_back_when_topics_go(
    broker: MemoryBroker,
    client: Client,
    metrics: TopicMetrics,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(topics, "METRICS_TOPICS_MAX", 1)
    for name in ("second", "third"):
        broker.create_topic(name)
        write(client, b"a", topic=name)
    write(client, b"a")
    counters = [f"ottla_topic_appended_{what}_total" for what in ("bytes", "batches", "records")]
    first = scraped(metrics())
    assert [first[name, {"topic": "(other)"}] for name in counters] == [2 * ONE, 2, 2]
    broker.delete_topic("orders")
    broker.delete_topic("third")
    broker.loop.settle()
    write(client, b"a", topic="second")
    found = scraped(metrics())
    assert [found[name, {"topic": "(other)"}] for name in counters] == [2 * ONE, 2, 2]
    # It has a series of its own now, which counts from its beginning.
    assert [found[name, {"topic": "second"}] for name in counters] == [ONE, 1, 1]
    assert ("orders",) not in found.all(counters[0])


def test_a_replica_that_goes_on_with_a_copy_takes_nothing_back(
    broker: MemoryBroker, client: Client, metrics: TopicMetrics
) -> None:
    write(client, b"a")
    scraped(metrics())
    partition = broker.partition("orders")
    partition.log.close()
    folders = broker.broker.replicas.folders
    copy = folders.open_moved(partition.key, partition.directory, partition.log)
    partition.adopt(copy, partition.directory)
    assert scraped(metrics())["ottla_topic_appended_bytes_total", ORDERS] == ONE
    write(client, b"a")
    found = scraped(metrics())
    assert found["ottla_topic_appended_bytes_total", ORDERS] == 2 * ONE
    assert found["ottla_topic_appended_records_total", ORDERS] == 2


def test_what_fetches_bring_is_counted_under_the_topics_name_however_they_name_it(
    broker: MemoryBroker, client: Client, metrics: TopicMetrics
) -> None:
    write(client, b"a")
    read(client)
    read(client, broker.partition("orders").topic_id)
    read(client, offset=1)  # nothing is there
    found = scraped(metrics())
    assert found["ottla_topic_fetches_total", ORDERS] == 2
    assert found["ottla_topic_fetched_bytes_total", ORDERS] == 2 * ONE


def test_a_deleted_topic_is_forgotten_with_what_was_read_of_it(
    broker: MemoryBroker, client: Client, metrics: TopicMetrics
) -> None:
    write(client, b"a")
    read(client)
    broker.delete_topic("orders")
    broker.loop.settle()
    found = scraped(metrics())
    assert found.all("ottla_topic_fetches_total") == {}
    assert found.all("ottla_topic_partitions") == {}
    reads = broker.broker.fetch.topic_reads
    assert reads is not None
    assert list(reads.totals()) == []


def test_partitions_tell_where_they_begin_and_end(
    broker: MemoryBroker, client: Client, metrics: TopicMetrics
) -> None:
    write(client, b"a", b"b")
    broker.partition("orders").log.advance_log_start(1)
    found = scraped(metrics())
    assert found["ottla_partition_start_offset", ORDERS_0] == 1
    assert found["ottla_partition_high_watermark", ORDERS_0] == 2
    assert found["ottla_partition_stable_offset", ORDERS_0] == 2
    assert found["ottla_partition_size_bytes", ORDERS_0] == len(batch_of(b"a", b"b"))
    assert found.all("ottla_partition_open_transaction_seconds") == {}


def test_an_open_transaction_has_an_age(broker: MemoryBroker, metrics: TopicMetrics) -> None:
    partition = broker.partition("orders")
    batch = build_batch(
        [Record(timestamp=START_MS, key=None, value=b"open")],
        producer_id=7,
        producer_epoch=0,
        base_sequence=0,
        transactional=True,
    )
    partition.log.append(batch, leader_epoch=partition.leader_epoch, now_ms=START_MS)
    partition.appended()
    broker.loop.advance(3000)
    found = scraped(metrics())
    assert found["ottla_partition_stable_offset", ORDERS_0] == 0
    assert found["ottla_partition_open_transaction_seconds", ORDERS_0] == 3.0
    assert found["ottla_producers"] == 1


def test_partitions_of_coordinators_have_no_series_of_their_own(
    broker: MemoryBroker, connect: Connect, metrics: TopicMetrics
) -> None:
    request = FindCoordinatorRequest(coordinator_keys=["g"], key_type=0)
    connect(broker).ask(request, FindCoordinatorResponse)
    found = scraped(metrics())
    assert found["ottla_topic_partitions", {"topic": "__consumer_offsets"}] == 3
    assert {topic for _, topic in found.all("ottla_partition_start_offset")} == {"orders"}


def test_replicas_are_counted_by_what_they_do(broker: MemoryBroker, metrics: TopicMetrics) -> None:
    found = scraped(metrics())
    assert found.all("ottla_partitions") == {
        ("led",): 2, ("followed",): 0, ("offline",): 0, ("unopened",): 0,
    }  # fmt: skip
    broker.partition("orders").take_offline("for the test")
    other = broker.partition("orders", 1)
    assert other.state is not None
    other.state = replace(other.state, replicas=(1, 2, 3), isr=(1,))
    other.min_insync_replicas = 2
    found = scraped(metrics())
    assert found["ottla_partitions", {"state": "offline"}] == 1
    assert (
        found["ottla_partitions_under_replicated"],
        found["ottla_partitions_under_min_isr"],
    ) == (
        1,
        1,
    )


def test_logs_are_summed_by_directory(
    broker: MemoryBroker, client: Client, metrics: TopicMetrics
) -> None:
    write(client, b"a")
    assert scraped(metrics())["ottla_directory_size_bytes", {"directory": broker.path}] == ONE


def test_beyond_the_bounds_topics_are_summed_and_partitions_left_out(
    broker: MemoryBroker,
    client: Client,
    metrics: TopicMetrics,
    left_out: dict[str, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(topics, "METRICS_TOPICS_MAX", 1)
    monkeypatch.setattr(topics, "METRICS_PARTITIONS_MAX", 3)
    for name in ("second", "third"):
        broker.create_topic(name)
        write(client, b"a", topic=name)
    found = scraped(metrics())
    assert found.all("ottla_topic_appended_batches_total") == {("orders",): 0, ("(other)",): 2}
    assert len(found.all("ottla_partition_size_bytes")) == 3
    assert left_out == {"topics": 2, "partitions": 1}


def test_reads_of_topics_beyond_the_bound_are_one(client: Client, broker: MemoryBroker) -> None:
    reads = broker.broker.fetch.topic_reads = TopicReads(topics_max=1)
    for name in ("second", "third"):
        broker.create_topic(name)
    for name in ("orders", "second", "third"):
        write(client, b"a", topic=name)
        read(client, name)
    assert [(each.topic, each.reads, each.bytes) for each in reads.totals()] == [
        ("", 2, 2 * ONE),
        ("orders", 1, ONE),
    ]


def test_a_large_broker_is_looked_at_in_pieces(
    broker: MemoryBroker, metrics: TopicMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker.create_topic("wide", 12)
    monkeypatch.setattr(topics, "METRICS_SAMPLES_PER_TURN", 5)
    assert list(metrics())[:2] == [None, None]
