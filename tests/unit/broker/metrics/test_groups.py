"""How far groups are behind: in records, in records that are committed, in time."""

from __future__ import annotations

from itertools import pairwise

import pytest

from ottla.base.limits import METRICS_LOOKS_PER_TURN
from ottla.broker.metrics import groups
from ottla.broker.metrics.groups import GroupMetrics
from ottla.broker.transaction_markers import Marker
from ottla.log.errors import StorageError
from ottla.wire.messages.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from ottla.wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
)
from ottla.wire.records.batch import build_batch
from ottla.wire.records.record import Record
from tests.support.memory_broker import MemoryBroker
from tests.support.memory_client import Client
from tests.support.records import batch_of
from tests.support.scraping import Scraped, scraped
from tests.support.stepped_loop import START_MS
from tests.unit.broker.conftest import Connect, StartBroker

PRODUCER = 7


@pytest.fixture
def broker(start_broker: StartBroker) -> MemoryBroker:
    broker = start_broker(offsets_topic_num_partitions="3")
    broker.create_topic("orders", 2)
    return broker


@pytest.fixture
def client(broker: MemoryBroker, connect: Connect) -> Client:
    client = connect(broker)
    request = FindCoordinatorRequest(coordinator_keys=["g"], key_type=0)
    client.ask(request, FindCoordinatorResponse)
    return client


@pytest.fixture
def left_out() -> dict[str, int]:
    return {}


@pytest.fixture
def metrics(broker: MemoryBroker, left_out: dict[str, int]) -> GroupMetrics:
    return GroupMetrics(broker.broker.groups, broker.broker.replicas, broker.clock, left_out)


def commit(client: Client, offset: int, *, group: str = "g", index: int = 0) -> None:
    """Of a group that nobody is in."""
    at = OffsetCommitRequestPartition(partition_index=index, committed_offset=offset)
    topic = OffsetCommitRequestTopic(name="orders", partitions=[at])
    request = OffsetCommitRequest(group_id=group, topics=[topic])
    answer = client.ask(request, OffsetCommitResponse, version=9)
    assert answer.topics[0].partitions[0].error_code == 0


def write(broker: MemoryBroker, batch: bytearray, index: int = 0) -> None:
    partition = broker.partition("orders", index)
    partition.log.append(batch, leader_epoch=partition.leader_epoch, now_ms=broker.clock.now_ms())
    partition.appended()


def transactional(*values: bytes) -> bytearray:
    return build_batch(
        [Record(timestamp=START_MS, key=None, value=value) for value in values],
        producer_id=PRODUCER,
        producer_epoch=0,
        base_sequence=0,
        transactional=True,
    )


def where(name: str, found: Scraped, *, group: str = "g", index: int = 0) -> float:
    labels = {"group": group, "topic": "orders", "partition": str(index)}
    return found[f"ottla_group_{name}", labels]


def test_a_group_that_has_read_everything_has_no_lag(
    broker: MemoryBroker, client: Client, metrics: GroupMetrics
) -> None:
    write(broker, batch_of(b"a", b"b"))
    commit(client, 2)
    broker.loop.advance(5000)
    found = scraped(metrics())
    names = ("offset", "lag_records", "stable_lag_records", "lag_seconds")
    assert [where(name, found) for name in names] == [2, 0, 0, 0]


def test_lag_is_told_in_records_and_since_the_first_unread_record(
    broker: MemoryBroker, client: Client, metrics: GroupMetrics
) -> None:
    for index in range(3):
        write(broker, batch_of(b"a", timestamp=START_MS + index * 1000))
    commit(client, 1)
    broker.loop.advance(5000)
    found = scraped(metrics())
    assert where("lag_records", found) == 2
    assert where("lag_seconds", found) == 4.0
    broker.loop.advance(60_000)
    assert where("lag_seconds", scraped(metrics())) == 64.0


def test_what_is_deleted_under_a_group_does_not_count_for_its_age(
    broker: MemoryBroker, client: Client, metrics: GroupMetrics
) -> None:
    for index in range(2):
        write(broker, batch_of(b"a", timestamp=START_MS + index * 1000))
    commit(client, 0)
    broker.loop.advance(5000)
    assert where("lag_seconds", scraped(metrics())) == 5.0
    broker.partition("orders").log.advance_log_start(1)
    assert where("lag_seconds", scraped(metrics())) == 4.0
    broker.partition("orders").log.advance_log_start(2)
    assert where("lag_seconds", scraped(metrics())) == 0


def test_in_the_middle_of_a_batch_the_time_lies_between(
    broker: MemoryBroker, client: Client, metrics: GroupMetrics
) -> None:
    values = [b"v"] * 101
    write(broker, batch_of(*values))  # a millisecond apart
    commit(client, 50)
    broker.loop.advance(1000)
    assert where("lag_seconds", scraped(metrics())) == pytest.approx(0.95)


def test_a_group_without_members_is_told_of_and_has_a_state(
    client: Client, metrics: GroupMetrics
) -> None:
    commit(client, 0)
    found = scraped(metrics())
    assert found["ottla_groups", {"type": "classic", "state": "Empty"}] == 1
    assert found["ottla_group_members", {"group": "g"}] == 0


def test_what_an_open_transaction_holds_back_is_no_stable_lag(
    broker: MemoryBroker, client: Client, metrics: GroupMetrics
) -> None:
    write(broker, batch_of(b"a"))
    write(broker, transactional(b"open"))
    write(broker, batch_of(b"behind"))
    commit(client, 0)
    found = scraped(metrics())
    assert (where("lag_records", found), where("stable_lag_records", found)) == (3, 1)


def test_markers_alone_are_nothing_that_somebody_has_not_read(
    broker: MemoryBroker, client: Client, metrics: GroupMetrics
) -> None:
    write(broker, transactional(b"a"))
    marker = Marker(PRODUCER, 0, is_committed=True, coordinator_epoch=0, transaction_version=1)
    write(broker, bytearray(marker.encoded(START_MS)))
    commit(client, 1)
    broker.loop.advance(5000)
    found = scraped(metrics())
    assert where("lag_records", found) == 1  # as Kafka's tools count
    assert where("lag_seconds", found) == 0
    write(broker, batch_of(b"b", timestamp=START_MS + 1000))
    assert where("lag_seconds", scraped(metrics())) == 4.0


def test_records_that_retention_took_unread_still_count_and_time_begins_behind_them(
    broker: MemoryBroker, client: Client, metrics: GroupMetrics
) -> None:
    for second in range(3):
        write(broker, batch_of(b"a", timestamp=START_MS + second * 1000))
    commit(client, 0)
    broker.partition("orders").log.advance_log_start(2)
    broker.loop.advance(2000)
    found = scraped(metrics())
    assert (where("lag_records", found), where("lag_seconds", found)) == (3, 0.0)


def test_records_without_a_time_tell_no_lag_in_seconds(
    broker: MemoryBroker, client: Client, metrics: GroupMetrics
) -> None:
    write(broker, batch_of(b"a", timestamp=-1))
    commit(client, 0)
    found = scraped(metrics())
    assert where("lag_records", found) == 1
    assert found.all("ottla_group_lag_seconds") == {}


def test_a_disk_that_refuses_a_look_leaves_the_records_to_tell(
    broker: MemoryBroker,
    client: Client,
    metrics: GroupMetrics,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write(broker, batch_of(b"a"))
    commit(client, 0)

    def refuse(*_: object) -> int:
        raise StorageError("cannot read")

    monkeypatch.setattr("ottla.broker.metrics.lag.time_of_first_record", refuse)
    found = scraped(metrics())
    assert where("lag_records", found) == 1
    assert found.all("ottla_group_lag_seconds") == {}


def test_a_group_that_stands_still_costs_no_second_look(
    broker: MemoryBroker, client: Client, metrics: GroupMetrics
) -> None:
    write(broker, batch_of(b"a", b"b"))
    commit(client, 0)
    commit(client, 0, group="other")
    for _ in range(3):
        scraped(metrics())
    assert metrics.looks == 1
    commit(client, 1)
    scraped(metrics())
    assert metrics.looks == 2


def test_a_deleted_topic_has_no_lag_any_more(
    broker: MemoryBroker, client: Client, metrics: GroupMetrics
) -> None:
    commit(client, 0)
    broker.delete_topic("orders")
    broker.loop.settle()
    assert scraped(metrics()).all("ottla_group_lag_records") == {}


def test_beyond_the_bounds_groups_and_positions_are_counted_and_left_out(
    broker: MemoryBroker,
    client: Client,
    metrics: GroupMetrics,
    left_out: dict[str, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(groups, "METRICS_GROUPS_MAX", 2)
    monkeypatch.setattr(groups, "METRICS_GROUP_PARTITIONS_MAX", 3)
    for name in ("g", "h", "i"):
        for index in (0, 1):
            commit(client, 0, group=name, index=index)
    found = scraped(metrics())
    assert len(found.all("ottla_group_members")) == 2
    assert len(found.all("ottla_group_lag_records")) == 3
    assert left_out == {"groups": 1, "group partitions": 3}


def test_a_group_with_an_endless_name_is_counted_and_left_out(
    client: Client, metrics: GroupMetrics, left_out: dict[str, int]
) -> None:
    commit(client, 0)
    commit(client, 0, group="g" * 256)
    found = scraped(metrics())
    assert list(found.all("ottla_group_members")) == [("g",)]
    assert len(found.all("ottla_group_lag_records")) == 1
    assert left_out == {"groups": 1, "group partitions": 1}


def test_after_some_looks_at_the_disk_requests_have_their_turn(
    broker: MemoryBroker, client: Client, metrics: GroupMetrics
) -> None:
    write(broker, batch_of(*[b"v"] * 50))
    for offset in range(50):
        commit(client, offset, group=f"g{offset}")
    looks = [0, *(metrics.looks for part in metrics() if part is None)]
    assert looks[-1] >= 40
    assert max(after - before for before, after in pairwise(looks)) == METRICS_LOOKS_PER_TURN
