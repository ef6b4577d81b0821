"""Topics are made, grow and go, from the request to the folder on the disk."""

from __future__ import annotations

import errno

import pytest

from ottla.base.errors import ErrorCode
from ottla.base.ids import ZERO_UUID
from ottla.wire.messages.create_partitions import (
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    CreatePartitionsTopic,
)
from ottla.wire.messages.create_topics import (
    CreatableTopicResult,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from ottla.wire.messages.delete_topics import (
    DeletableTopicResult,
    DeleteTopicsRequest,
    DeleteTopicsResponse,
    DeleteTopicState,
)
from ottla.wire.messages.fetch import FetchResponse
from ottla.wire.messages.produce import ProduceResponse
from tests.support.cluster import wanted
from tests.support.data_requests import BY_NAME, fetch, fetched, partition_at, produce, produced
from tests.support.memory_broker import MemoryBroker
from tests.support.memory_client import Client
from tests.support.records import batch_of, values_of
from tests.unit.broker.conftest import Connect, StartBroker

MINUTE_MS = 60_000
DELETED = "-delete"


def create(client: Client, *names: str, partitions: int = 1) -> list[CreatableTopicResult]:
    topics = [wanted(name, partitions, 1) for name in names]
    return client.ask(CreateTopicsRequest(topics=topics), CreateTopicsResponse).topics


def delete(
    client: Client, *names: str, topic_ids: tuple[bytes, ...] = ()
) -> list[DeletableTopicResult]:
    topics = [DeleteTopicState(name=name, topic_id=ZERO_UUID) for name in names]
    topics += [DeleteTopicState(name=None, topic_id=topic_id) for topic_id in topic_ids]
    request = DeleteTopicsRequest(topics=topics, timeout_ms=1000)
    return client.ask(request, DeleteTopicsResponse).responses


def grow(client: Client, name: str, count: int) -> int:
    topic = CreatePartitionsTopic(name=name, count=count, assignments=None)
    request = CreatePartitionsRequest(topics=[topic], timeout_ms=1000, validate_only=False)
    (result,) = client.ask(request, CreatePartitionsResponse).results
    return result.error_code


def write(client: Client, topic: str, *values: bytes, index: int = 0) -> int:
    """The base offset, or minus the error."""
    request = produce((topic, index, batch_of(*values)))
    (answer,) = produced(client.ask(request, ProduceResponse, version=BY_NAME))
    return -answer.error_code if answer.error_code else answer.base_offset


def stored(client: Client, topic: str, index: int = 0) -> list[bytes | None]:
    request = fetch((topic, partition_at(index, 0)))
    (answer,) = fetched(client.ask(request, FetchResponse, version=BY_NAME))
    assert answer.error_code == ErrorCode.NONE
    return values_of(answer.records)


def test_a_new_topic_can_be_written_at_once(client: Client) -> None:
    (result,) = create(client, "orders")
    assert (result.error_code, result.num_partitions) == (ErrorCode.NONE, 1)
    assert write(client, "orders", b"a") == 0


def test_a_topic_of_many_partitions_is_answered_before_its_files_are_made_and_works(
    broker: MemoryBroker, client: Client
) -> None:
    (result,) = create(client, "orders", partitions=200)
    assert result.error_code == ErrorCode.NONE
    assert write(client, "orders", b"a", index=199) == 0
    assert len(broker.folders()) == 200


def test_a_folder_says_whose_it_is(broker: MemoryBroker, client: Client) -> None:
    (result,) = create(client, "orders")
    assert broker.partition("orders").log.topic_id == result.topic_id
    assert broker.disk.exists(f"{broker.folder('orders')}/partition.metadata")


def test_topics_and_what_is_in_them_survive_an_orderly_stop(
    broker: MemoryBroker, client: Client, connect: Connect
) -> None:
    create(client, "orders", partitions=2)
    write(client, "orders", b"a", index=1)
    topic_id = broker.partition("orders").topic_id
    broker.stop()
    again = connect(broker.start())
    assert broker.partition("orders").topic_id == topic_id
    assert stored(again, "orders", 1) == [b"a"]
    assert write(again, "orders", b"b", index=1) == 1


def test_more_partitions_can_be_written_at_once_and_the_old_ones_stay(
    broker: MemoryBroker, client: Client
) -> None:
    create(client, "orders")
    write(client, "orders", b"a")
    assert grow(client, "orders", 3) == ErrorCode.NONE
    assert write(client, "orders", b"b", index=2) == 0
    assert stored(client, "orders", 0) == [b"a"]
    assert broker.folders() == ["orders-0", "orders-1", "orders-2"]
    assert grow(client, "orders", 3) == ErrorCode.INVALID_PARTITIONS


# -- deletion --------------------------------------------------------------------------------------


def test_a_deleted_topic_is_gone_at_once(broker: MemoryBroker, client: Client) -> None:
    create(client, "orders", "kept")
    write(client, "orders", b"a")
    (result,) = delete(client, "orders")
    assert (result.error_code, result.name) == (ErrorCode.NONE, "orders")
    assert write(client, "orders", b"b") == -ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert write(client, "kept", b"b") == 0


def test_a_topic_is_deleted_by_its_id(broker: MemoryBroker, client: Client) -> None:
    (made,) = create(client, "orders")
    (result,) = delete(client, topic_ids=(made.topic_id,))
    assert (result.error_code, result.name) == (ErrorCode.NONE, "orders")
    assert write(client, "orders", b"b") == -ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


def test_the_disk_is_free_after_file_delete_delay_ms(broker: MemoryBroker, client: Client) -> None:
    create(client, "orders", partitions=2)
    write(client, "orders", b"a")
    delete(client, "orders")
    waiting = broker.folders()
    assert len(waiting) == 2
    assert all(name.endswith(DELETED) for name in waiting)
    broker.loop.advance(MINUTE_MS - 2000)
    assert broker.folders() == waiting
    for _ in range(4):
        broker.loop.advance(1000)
    assert broker.folders() == []


def test_a_topic_may_want_its_disk_back_sooner(broker: MemoryBroker, client: Client) -> None:
    broker.create_topic("orders", file_delete_delay_ms="3000")
    write(client, "orders", b"a")
    delete(client, "orders")
    for _ in range(5):
        broker.loop.advance(1000)
    assert broker.folders() == []


def test_a_name_is_free_for_a_new_topic_at_once(broker: MemoryBroker, client: Client) -> None:
    (old,) = create(client, "orders")
    write(client, "orders", b"old")
    delete(client, "orders")
    (new,) = create(client, "orders")
    assert (new.error_code, new.topic_id != old.topic_id) == (ErrorCode.NONE, True)
    assert stored(client, "orders") == []
    assert write(client, "orders", b"new") == 0
    for _ in range(62):
        broker.loop.advance(1000)
    assert broker.folders() == ["orders-0"]
    assert stored(client, "orders") == [b"new"]


def test_a_topic_with_the_longest_name_can_be_deleted(broker: MemoryBroker, client: Client) -> None:
    name = "x" * 249
    create(client, name)
    assert delete(client, name)[0].error_code == ErrorCode.NONE
    assert all(len(folder) <= 255 for folder in broker.folders())


def test_what_an_earlier_run_could_not_remove_is_removed_by_the_next(
    broker: MemoryBroker, client: Client
) -> None:
    create(client, "orders")
    delete(client, "orders")
    broker.stop_uncleanly()
    broker.start()
    broker.loop.advance(1000)
    broker.loop.advance(1000)
    assert broker.folders() == []


def test_a_folder_of_a_deleted_topic_that_kept_its_name_does_not_disturb_the_new_one(
    broker: MemoryBroker, client: Client
) -> None:
    create(client, "orders")
    write(client, "orders", b"old")
    broker.disk.fail("rename", "orders-0", errno.EIO)
    assert delete(client, "orders")[0].error_code == ErrorCode.NONE
    broker.disk.heal()
    assert broker.folders() == ["orders-0"]
    create(client, "orders")
    assert write(client, "orders", b"new") == 0
    assert stored(client, "orders") == [b"new"]


def test_a_deletion_that_the_disk_refuses_does_not_stop_the_others(
    broker: MemoryBroker, client: Client
) -> None:
    create(client, "stuck", "orders")
    broker.disk.fail("rename", "stuck-0", errno.EIO)
    results = delete(client, "stuck", "orders")
    assert [result.error_code for result in results] == [ErrorCode.NONE] * 2
    assert not client.is_closed
    assert "orders-0" not in broker.folders()
    create(client, "later")
    assert write(client, "later", b"a") == 0


# -- a metadata log that cannot be written ---------------------------------------------------------


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
def test_nothing_is_made_or_deleted_while_the_metadata_log_cannot_be_written(
    broker: MemoryBroker, client: Client, error: int
) -> None:
    create(client, "orders")
    broker.disk.fail("append", "__cluster_metadata-0", error)
    assert create(client, "new")[0].error_code == ErrorCode.KAFKA_STORAGE_ERROR
    assert delete(client, "orders")[0].error_code == ErrorCode.KAFKA_STORAGE_ERROR
    assert grow(client, "orders", 2) == ErrorCode.KAFKA_STORAGE_ERROR
    # A full disk takes no records either.
    assert (write(client, "orders", b"a") == 0) == (error == errno.EIO)
    broker.heal_disk()
    assert create(client, "new")[0].error_code == ErrorCode.NONE
    assert grow(client, "orders", 2) == ErrorCode.NONE
    assert delete(client, "orders")[0].error_code == ErrorCode.NONE


def test_early_versions_are_told_of_it_by_name(broker: MemoryBroker, client: Client) -> None:
    create(client, "orders")
    broker.disk.fail("append", "__cluster_metadata-0", errno.EIO)
    request = DeleteTopicsRequest(topic_names=["orders"], timeout_ms=1000)
    (result,) = client.ask(request, DeleteTopicsResponse, version=5).responses
    assert (result.name, result.error_code) == ("orders", ErrorCode.KAFKA_STORAGE_ERROR)


def test_a_decision_survives_a_restart_whether_it_was_orderly_or_not(
    start_broker: StartBroker, connect: Connect
) -> None:
    broker = start_broker()
    client = connect(broker)
    create(client, "kept", "gone")
    delete(client, "gone")
    broker.stop_uncleanly()
    client = connect(broker.start())
    assert write(client, "kept", b"a") == 0
    assert write(client, "gone", b"a") == -ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
