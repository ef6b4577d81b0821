"""Topics come and go: created on demand or not, deleted with their files, made again empty."""

from __future__ import annotations

from pathlib import Path

import pytest
from confluent_kafka import KafkaError

from tests.clients.admin import Admin
from tests.clients.catalogue import NAMES
from tests.clients.confluent import ConfluentClient
from tests.clients.contract import END, Client, Record
from tests.conftest import BrokerFactory
from tests.interop.conftest import ClientFinder
from tests.support.broker_process import BrokerProcess
from tests.support.waiting import wait_until

MEGABYTE = 1_000_000
each_client = pytest.mark.parametrize("name", NAMES)


def bytes_on_disk(broker: BrokerProcess, topic: str) -> int:
    """What the topic's folders take, under any name that they still have."""
    return sum(
        file.stat().st_size
        for folder in broker.data.glob(f"{topic}-*")
        for file in present(folder)
        if file.exists()
    )


def present(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except FileNotFoundError:  # removed while we look
        return []


def fill(client: Client, broker: BrokerProcess, topic: str, *, megabytes: int) -> None:
    records = [Record(b"x" * 100_000) for _ in range(megabytes * 10)]
    client.produce(broker.bootstrap, topic, records)


def test_a_deleted_topic_frees_its_disk_and_comes_back_empty(
    broker: BrokerProcess, client_named: ClientFinder
) -> None:
    client, admin = client_named("confluent-kafka"), Admin(broker.bootstrap)
    admin.create("short", partitions=2, file_delete_delay_ms=10)
    first_id = admin.describe("short").topic_id
    fill(client, broker, "short", megabytes=5)
    assert bytes_on_disk(broker, "short") > 5 * MEGABYTE

    admin.delete("short")
    assert "short" not in admin.topics()
    wait_until(lambda: not list(broker.data.glob("short-*")), "the folders are removed")

    admin.create("short", partitions=1)
    assert admin.describe("short").topic_id != first_id
    client.produce(broker.bootstrap, "short", [Record(b"new")])
    (record,) = client.consume(broker.bootstrap, "short", 1)
    assert (record.offset, record.value) == (0, b"new")


def test_a_topic_made_again_at_once_is_empty_although_the_old_files_are_still_there(
    broker: BrokerProcess, client_named: ClientFinder
) -> None:
    client, admin = client_named("confluent-kafka"), Admin(broker.bootstrap)
    admin.create("again")
    fill(client, broker, "again", megabytes=1)
    for turn in range(3):
        admin.delete("again")
        admin.create("again")
        client.produce(broker.bootstrap, "again", [Record(b"%d" % turn)])
        (record,) = client.consume(broker.bootstrap, "again", 1)
        assert (record.offset, record.value) == (0, b"%d" % turn)


def test_a_deletion_survives_a_kill(broker: BrokerProcess, client_named: ClientFinder) -> None:
    client, admin = client_named("confluent-kafka"), Admin(broker.bootstrap)
    admin.create("gone", file_delete_delay_ms=60_000)
    admin.create("kept")
    fill(client, broker, "gone", megabytes=2)
    client.produce(broker.bootstrap, "kept", [Record(b"here")])
    admin.delete("gone")
    broker.kill()
    broker.start()
    assert Admin(broker.bootstrap).topics() == {"kept"}
    # After a restart nobody can have the old files open: they need not wait for their delay.
    wait_until(lambda: bytes_on_disk(broker, "gone") == 0, "the old files are removed")
    assert client.consume(broker.bootstrap, "kept", 1)[0].value == b"here"


@each_client
def test_a_producer_makes_the_topics_that_are_missing(
    name: str, client_named: ClientFinder, start_broker: BrokerFactory
) -> None:
    client = client_named(name)
    broker = start_broker("--set", "num.partitions=3")
    client.produce(broker.bootstrap, "new", [Record(b"v", key=b"k")])
    client.complaints.clear()  # some say that the topic was not there yet
    assert Admin(broker.bootstrap).describe("new").partitions == 3
    assert client.consume(broker.bootstrap, "new", 1, partitions=3)[0].value == b"v"


def test_where_topics_are_not_made_on_demand_a_producer_is_told(
    start_broker: BrokerFactory,
) -> None:
    broker = start_broker("--set", "auto.create.topics.enable=false")
    errors: list[KafkaError | None] = []
    patience = {"topic.metadata.propagation.max.ms": 200}
    producer = ConfluentClient().producer(broker.bootstrap, patience)
    producer.produce("missing", b"v", on_delivery=lambda error, _: errors.append(error))
    assert producer.flush(20) == 0
    assert [error and error.name() for error in errors] == ["UNKNOWN_TOPIC_OR_PART"]
    assert Admin(broker.bootstrap).topics() == set()
    assert not list(broker.data.glob("missing-*"))


def test_asking_for_all_topics_makes_none(broker: BrokerProcess) -> None:
    admin = Admin(broker.bootstrap)
    assert admin.topics() == set()
    admin.create("one")
    assert admin.topics() == {"one"}


def test_a_reader_of_a_topic_that_is_deleted_and_made_again_hears_of_it(
    broker: BrokerProcess, client_named: ClientFinder
) -> None:
    """Its topic id is unknown now. Java's client says so in its log, and goes on with the new one.

    Only Java's, because it asks when it is polled and not before: by then the new topic is there.
    """
    reader_client, producer = client_named("java"), client_named("confluent-kafka")
    admin = Admin(broker.bootstrap)
    admin.create("replaced")
    producer.produce(broker.bootstrap, "replaced", [Record(b"old")] * 3)
    with reader_client.reader(broker.bootstrap, "replaced", start=END) as reader:
        admin.delete("replaced")
        admin.create("replaced")
        producer.produce(broker.bootstrap, "replaced", [Record(b"%d" % n) for n in range(5)])
        stored = reader.take(2)
    assert [(record.offset, record.value) for record in stored] == [(3, b"3"), (4, b"4")]
    assert any("unknown topic ID" in complaint for complaint in reader_client.complaints)
    reader_client.complaints.clear()
