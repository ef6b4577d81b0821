"""InitProducerId: an id is given once in the life of a cluster."""

from __future__ import annotations

import errno

import pytest

from ottla.base.errors import ErrorCode
from ottla.metadata.producer_ids import BLOCK_LENGTH
from ottla.wire.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from tests.support.memory_broker import MemoryBroker
from tests.support.memory_client import Client
from tests.unit.broker.conftest import Connect

IDEMPOTENT = InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=0)


def new_id(client: Client, *, version: int = 5) -> int:
    response = client.ask(IDEMPOTENT, InitProducerIdResponse, version=version)
    assert (response.error_code, response.producer_epoch) == (ErrorCode.NONE, 0)
    return response.producer_id


@pytest.mark.parametrize("version", range(6))
def test_every_version_gives_an_id_with_epoch_0(client: Client, version: int) -> None:
    assert new_id(client, version=version) >= 0


def test_ids_never_repeat_over_restarts(broker: MemoryBroker, connect: Connect) -> None:
    client = connect(broker)
    seen = [new_id(client) for _ in range(3)]
    broker.stop()
    client = connect(broker.start())
    seen += [new_id(client) for _ in range(3)]
    broker.stop_uncleanly()
    client = connect(broker.start())
    seen += [new_id(client) for _ in range(3)]
    assert len(set(seen)) == 9


def test_the_next_block_follows_when_one_is_used_up(client: Client) -> None:
    client.send(*[IDEMPOTENT] * (BLOCK_LENGTH + 10))
    ids = []
    for answer in client.answers():
        assert isinstance(answer, InitProducerIdResponse)
        ids.append(answer.producer_id)
    assert len(set(ids)) == BLOCK_LENGTH + 10


def test_one_block_is_one_record_of_the_metadata_log(broker: MemoryBroker, client: Client) -> None:
    new_id(client)
    end = broker.broker.metadata.image.next_offset
    new_id(client)
    assert broker.broker.metadata.image.next_offset == end


@pytest.mark.parametrize(
    ("transactional_id", "error"),
    [("", ErrorCode.INVALID_REQUEST), ("tx", ErrorCode.NOT_COORDINATOR)],
)
def test_transactional_producers_are_sent_away(
    client: Client, transactional_id: str, error: ErrorCode
) -> None:
    request = InitProducerIdRequest(transactional_id=transactional_id, transaction_timeout_ms=1000)
    response = client.ask(request, InitProducerIdResponse)
    assert (response.error_code, response.producer_id, response.producer_epoch) == (error, -1, -1)


def test_no_id_is_given_while_the_metadata_log_cannot_be_written(
    broker: MemoryBroker, client: Client
) -> None:
    broker.disk.fail("append", "__cluster_metadata-0", errno.ENOSPC)
    response = client.ask(IDEMPOTENT, InitProducerIdResponse)
    assert (response.error_code, response.producer_id) == (ErrorCode.KAFKA_STORAGE_ERROR, -1)
    broker.disk.heal()
    assert new_id(client) == 0
