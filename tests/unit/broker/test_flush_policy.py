"""flush.messages and flush.ms: what is on the disk when a write is acknowledged."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from copy import deepcopy

import pytest
from msgspec.structs import replace

from ottla.base.errors import ErrorCode
from ottla.base.ids import NodeId
from ottla.wire.messages.fetch import FetchResponse
from ottla.wire.messages.produce import ProduceResponse
from ottla.wire.records.batch import build_batch
from ottla.wire.records.record import Record
from tests.support.data_requests import BY_NAME, fetch, fetched, partition_at, produce, produced
from tests.support.held_threads import HeldThreads
from tests.support.memory_broker import MemoryBroker
from tests.support.memory_client import Client
from tests.support.records import batch_of, values_of
from tests.support.stepped_loop import START_MS
from tests.unit.broker.conftest import Connect

ALL, LEADER, NONE = -1, 1, 0
STORED = (ErrorCode.NONE, 0)


@pytest.fixture
def threads(broker: MemoryBroker) -> Iterator[HeldThreads]:
    """Topics with several settings, and flushes that wait for the test."""
    broker.create_topic("safe", partitions=2, flush_messages="1")
    broker.create_topic("some", flush_messages="3")
    broker.create_topic("plain")
    for topic, index in (("safe", 0), ("safe", 1), ("some", 0), ("plain", 0)):
        broker.partition(topic, index).log.flush()
    broker.create_topic("fresh", flush_messages="1")
    held = HeldThreads(broker.loop)
    yield held
    broker.disk.heal()
    held.let_go()


def write(client: Client, *values: bytes, topic: str = "safe", acks: int = ALL) -> None:
    client.send(produce((topic, 0, batch_of(*values)), acks=acks), version=BY_NAME)


def outcomes(client: Client) -> list[tuple[int, int]]:
    """Error and base offset of every partition of every produce answer that has come."""
    found = []
    for response in client.answers():
        assert isinstance(response, ProduceResponse)
        found += [(answer.error_code, answer.base_offset) for answer in produced(response)]
    return found


def visible(client: Client, topic: str = "safe") -> list[bytes | None]:
    response = client.ask(fetch((topic, partition_at(0, 0))), FetchResponse, version=BY_NAME)
    return values_of(fetched(response)[0].records)


def syncs(broker: MemoryBroker) -> int:
    """Syncs of log files."""
    return broker.disk.count("sync", ".log")


@pytest.mark.parametrize("acks", [ALL, LEADER])
def test_a_write_is_neither_acknowledged_nor_seen_before_it_is_on_the_disk(
    broker: MemoryBroker, threads: HeldThreads, client: Client, connect: Connect, acks: int
) -> None:
    write(client, b"a", acks=acks)
    reader = connect(broker)
    assert outcomes(client) == []
    assert visible(reader) == []
    threads.run()
    assert outcomes(client) == [STORED]
    assert visible(reader) == [b"a"]
    machine = deepcopy(broker.disk)
    machine.crash()
    stored = machine.read_file(f"{broker.folder('safe')}/{0:020d}.log")
    assert values_of(stored) == [b"a"]


def test_writes_that_come_during_a_flush_share_the_next(
    broker: MemoryBroker, threads: HeldThreads, client: Client, connect: Connect
) -> None:
    others = [connect(broker) for _ in range(3)]
    broker.disk.forget()
    write(client, b"first")
    for number, other in enumerate(others):
        write(other, b"%d" % number, acks=ALL if number % 2 else LEADER)
    assert threads.waiting == 1
    threads.run()
    assert outcomes(client) == [STORED]
    assert [outcomes(other) for other in others] == [[], [], []]
    assert threads.waiting == 1
    threads.run()
    assert [outcomes(other) for other in others] == [[(0, 1)], [(0, 2)], [(0, 3)]]
    assert syncs(broker) == 2


def test_a_request_for_two_partitions_waits_for_both_files(
    broker: MemoryBroker, threads: HeldThreads, client: Client
) -> None:
    request = produce(
        ("safe", 0, batch_of(b"a")),
        ("safe", 1, batch_of(b"b")),
        ("plain", 0, batch_of(b"c")),
        acks=LEADER,
    )
    client.send(request, version=BY_NAME)
    assert threads.waiting == 2
    assert outcomes(client) == []
    threads.run()
    assert outcomes(client) == [STORED] * 3


def test_a_reader_that_waits_is_woken_when_the_record_is_on_the_disk(
    broker: MemoryBroker, threads: HeldThreads, client: Client, connect: Connect
) -> None:
    reader = connect(broker)
    reader.send(fetch(("safe", partition_at(0, 0)), max_wait_ms=5000), version=BY_NAME)
    write(client, b"a")
    assert reader.answers() == []
    threads.run()
    (response,) = reader.answers()
    assert isinstance(response, FetchResponse)
    assert values_of(fetched(response)[0].records) == [b"a"]


@pytest.mark.parametrize("acks", [ALL, LEADER])
def test_a_failed_sync_is_never_acknowledged_and_takes_the_partition_offline(
    broker: MemoryBroker, threads: HeldThreads, client: Client, connect: Connect, acks: int
) -> None:
    other = connect(broker)
    broker.disk.fail("sync", f"safe-0/{0:020d}.log", errno.EIO)
    write(client, b"a", acks=acks)
    write(other, b"b", acks=acks)
    threads.run()
    assert [code for code, _ in outcomes(client)] == [ErrorCode.KAFKA_STORAGE_ERROR]
    assert [code for code, _ in outcomes(other)] == [ErrorCode.KAFKA_STORAGE_ERROR]
    assert broker.partition("safe").offline_reason is not None
    broker.disk.heal()
    write(client, b"c", acks=acks)
    assert [code for code, _ in outcomes(client)] == [ErrorCode.KAFKA_STORAGE_ERROR]
    request = produce(("safe", 1, batch_of(b"d")), acks=acks)
    client.send(request, version=BY_NAME)
    threads.run()
    assert outcomes(client) == [STORED], "another partition goes on"


def test_a_flush_that_cannot_begin_is_refused_and_tried_again(
    broker: MemoryBroker, threads: HeldThreads, client: Client
) -> None:
    broker.disk.fail("open", "partition.metadata", errno.EMFILE)
    for acks in (ALL, LEADER):
        write(client, b"a", topic="fresh", acks=acks)
        assert [code for code, _ in outcomes(client)] == [ErrorCode.KAFKA_STORAGE_ERROR]
    assert broker.partition("fresh").offline_reason is None
    broker.disk.heal()
    write(client, b"b", topic="fresh")
    threads.run()
    assert outcomes(client) == [(0, 2)]


def test_a_topic_without_flush_settings_syncs_nothing(
    broker: MemoryBroker, threads: HeldThreads, client: Client
) -> None:
    write(client, b"a", topic="plain")
    write(client, b"b", topic="plain", acks=LEADER)
    assert outcomes(client) == [(0, 0), (0, 1)]
    assert threads.waiting == 0


def test_only_the_write_that_makes_it_enough_waits(
    broker: MemoryBroker, threads: HeldThreads, client: Client
) -> None:
    write(client, b"a", b"b", topic="some")
    assert outcomes(client) == [STORED]
    write(client, b"c", topic="some")
    assert outcomes(client) == []
    threads.run()
    assert outcomes(client) == [(0, 2)]
    write(client, b"d", topic="some")
    assert outcomes(client) == [(0, 3)]


@pytest.mark.parametrize("acks", [ALL, LEADER])
def test_a_batch_that_is_sent_again_during_its_flush_waits_beside_the_first(
    broker: MemoryBroker, threads: HeldThreads, client: Client, connect: Connect, acks: int
) -> None:
    again = connect(broker)
    for sequence in (0, 1):
        send_idempotent(client, sequence, acks)
    send_idempotent(again, 0, acks)
    assert outcomes(again) == []
    threads.run()
    threads.run()
    assert outcomes(client) == [(0, 0), (0, 1)]
    assert outcomes(again) == [STORED]
    assert broker.partition("safe").log.log_end_offset == 2


def send_idempotent(client: Client, sequence: int, acks: int) -> None:
    batch = build_batch(
        [Record(timestamp=START_MS, value=b"x")],
        producer_id=9,
        producer_epoch=0,
        base_sequence=sequence,
    )
    client.send(produce(("safe", 0, batch), acks=acks), version=BY_NAME)


def test_nobody_waits_for_the_flush_of_a_write_without_acknowledgement(
    broker: MemoryBroker, threads: HeldThreads, client: Client
) -> None:
    write(client, b"a", acks=NONE)
    assert threads.waiting == 1
    threads.run()
    assert visible(client) == [b"a"]


def test_a_changed_setting_holds_from_the_next_write_on(
    broker: MemoryBroker, threads: HeldThreads, client: Client
) -> None:
    partition = broker.partition("safe")
    write(client, b"a")
    plain = replace(partition.log.config, flush_messages=(1 << 63) - 1)
    partition.configure(plain, min_insync_replicas=1)
    write(client, b"b")
    assert outcomes(client) == [(0, 0), (0, 1)]
    threads.run()
    assert visible(client) == [b"a", b"b"]


def test_a_new_leader_epoch_does_not_commit_what_is_not_on_the_disk(
    broker: MemoryBroker, threads: HeldThreads, client: Client
) -> None:
    partition = broker.partition("safe")
    assert partition.state is not None
    write(client, b"a")
    again = replace(partition.state, leader_epoch=5)
    broker.in_loop(lambda: partition.lead_or_follow(again, NodeId(1)))
    assert outcomes(client) == []
    threads.run()
    assert outcomes(client) == [STORED]


def test_a_topic_that_is_deleted_during_its_flush_is_answered(
    broker: MemoryBroker, threads: HeldThreads, client: Client
) -> None:
    write(client, b"a")
    write(client, b"b", acks=LEADER)
    partition = broker.partition("safe")
    broker.in_loop(lambda: partition.take_offline("its topic was deleted"))
    assert len(outcomes(client)) == 2
    threads.run()
    assert outcomes(client) == []


def test_flush_ms_flushes_what_is_old_enough(broker: MemoryBroker, client: Client) -> None:
    broker.create_topic("timed", flush_ms="5000")
    write(client, b"a", topic="timed")
    assert outcomes(client) == [STORED]
    broker.loop.advance(1000)
    broker.disk.forget()
    for _ in range(4):
        broker.loop.advance(1000)
    assert syncs(broker) == 0
    for _ in range(2):
        broker.loop.advance(1000)
    assert syncs(broker) == 1


def test_a_stop_waits_for_the_flush_that_runs(broker: MemoryBroker, client: Client) -> None:
    broker.create_topic("safe", flush_messages="1")
    threads = HeldThreads(broker.loop)
    write(client, b"a")
    stopping = broker.loop.create_task(broker.housekeeping.stop())
    broker.loop.settle()
    assert not stopping.done()
    threads.let_go()
    broker.loop.settle()
    assert stopping.done()
    assert outcomes(client) == [STORED]
