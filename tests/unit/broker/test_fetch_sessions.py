"""Incremental fetch sessions (KIP-227): the cache by itself, then through the broker."""

from __future__ import annotations

import pytest

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.broker.fetch_sessions import (
    EPOCH_MAX,
    EVICTABLE_AFTER_MS,
    FetchSessions,
    SessionPartition,
)
from ottla.wire.messages.fetch import FetchRequest, FetchResponse
from ottla.wire.messages.produce import ProduceResponse
from tests.support.cluster import SeededRng
from tests.support.data_requests import (
    BY_ID,
    BY_NAME,
    Topic,
    fetch,
    fetched,
    partition_at,
    produce,
    where,
)
from tests.support.memory_broker import MemoryBroker
from tests.support.memory_client import Client
from tests.support.records import batch_of, values_of
from tests.unit.broker.conftest import Connect, StartBroker

NEW = (0, 0)


def partitions(count: int) -> list[SessionPartition]:
    return [SessionPartition("orders", bytes(16), index, 0, 1000, -1, -1) for index in range(count)]


def cache(slots: int = 2) -> FetchSessions:
    return FetchSessions(slots, SeededRng())


# -- the cache -------------------------------------------------------------------------------------


def test_sessions_have_positive_ids_of_their_own() -> None:
    sessions = cache(slots=50)
    made = [sessions.create(partitions(1), 0, by_id=True) for _ in range(50)]
    ids = {session.session_id for session in made if session is not None}
    assert len(ids) == 50
    assert all(0 < session_id < 2**31 for session_id in ids)


def test_a_session_is_resumed_with_the_epoch_that_follows() -> None:
    sessions = cache()
    session = sessions.create(partitions(1), 0, by_id=True)
    assert session is not None
    for epoch in (1, 2, 3):
        assert sessions.resume(session.session_id, epoch, 0, by_id=True) is session


@pytest.mark.parametrize("epoch", [2, 7, EPOCH_MAX])
def test_another_epoch_is_refused_and_changes_nothing(epoch: int) -> None:
    sessions = cache()
    session = sessions.create(partitions(1), 0, by_id=True)
    assert session is not None
    with pytest.raises(ProtocolError, match="INVALID_FETCH_SESSION_EPOCH"):
        sessions.resume(session.session_id, epoch, 0, by_id=True)
    assert sessions.resume(session.session_id, 1, 0, by_id=True) is session


def test_after_the_largest_epoch_comes_one() -> None:
    sessions = cache()
    session = sessions.create(partitions(1), 0, by_id=True)
    assert session is not None
    session.epoch = EPOCH_MAX
    sessions.resume(session.session_id, EPOCH_MAX, 0, by_id=True)
    assert sessions.resume(session.session_id, 1, 0, by_id=True).epoch == 2


def test_a_session_keeps_to_names_or_to_ids() -> None:
    sessions = cache()
    session = sessions.create(partitions(1), 0, by_id=True)
    assert session is not None
    with pytest.raises(ProtocolError, match="FETCH_SESSION_TOPIC_ID_ERROR"):
        sessions.resume(session.session_id, 1, 0, by_id=False)


def test_a_full_cache_has_no_place_for_a_session_that_is_no_larger() -> None:
    sessions = cache(slots=2)
    assert sessions.create(partitions(2), 0, by_id=True) is not None
    assert sessions.create(partitions(2), 0, by_id=True) is not None
    assert sessions.create(partitions(2), EVICTABLE_AFTER_MS, by_id=True) is None
    assert len(sessions) == 2


def test_a_larger_session_takes_the_place_of_the_smallest() -> None:
    sessions = cache(slots=2)
    small = sessions.create(partitions(1), 0, by_id=True)
    large = sessions.create(partitions(3), 0, by_id=True)
    assert small is not None
    assert large is not None
    assert sessions.create(partitions(2), 0, by_id=True) is not None
    with pytest.raises(ProtocolError, match="FETCH_SESSION_ID_NOT_FOUND"):
        sessions.resume(small.session_id, 1, 0, by_id=True)
    assert sessions.resume(large.session_id, 1, 0, by_id=True) is large


def test_a_session_that_is_not_used_for_long_makes_room() -> None:
    sessions = cache(slots=2)
    used = sessions.create(partitions(1), 0, by_id=True)
    unused = sessions.create(partitions(9), 0, by_id=True)
    assert used is not None
    assert unused is not None
    later = EVICTABLE_AFTER_MS + 1
    sessions.resume(used.session_id, 1, later, by_id=True)
    assert sessions.create(partitions(1), later, by_id=True) is not None
    with pytest.raises(ProtocolError, match="FETCH_SESSION_ID_NOT_FOUND"):
        sessions.resume(unused.session_id, 1, later, by_id=True)


def test_a_cache_without_places_has_no_sessions() -> None:
    assert cache(slots=0).create(partitions(1), 0, by_id=True) is None


# -- through the broker ----------------------------------------------------------------------------


@pytest.fixture
def broker(broker: MemoryBroker) -> MemoryBroker:
    """With a topic "orders" of three partitions and a topic "bills" of one."""
    broker.create_topic("orders", 3)
    broker.create_topic("bills")
    return broker


def write(client: Client, topic: str, index: int, *values: bytes) -> None:
    client.ask(produce((topic, index, batch_of(*values))), ProduceResponse, version=BY_NAME)


def ask(client: Client, request: FetchRequest) -> FetchResponse:
    return client.ask(request, FetchResponse, version=BY_NAME)


def open_session(client: Client, *offsets: int) -> int:
    """A session with the first partitions of "orders"."""
    parts = [("orders", partition_at(index, offset)) for index, offset in enumerate(offsets)]
    response = ask(client, fetch(*parts, session=NEW))
    assert response.error_code == ErrorCode.NONE
    assert where(response) == [("orders", index) for index in range(len(offsets))]
    assert response.session_id > 0
    return response.session_id


def test_a_first_request_names_every_partition_and_gets_a_session(client: Client) -> None:
    assert open_session(client, 0, 0, 0)


@pytest.mark.parametrize("version", [7, BY_NAME, BY_ID, 18])
def test_sessions_work_by_name_and_by_id(
    broker: MemoryBroker, client: Client, version: int
) -> None:
    topic_id = broker.partition("orders").topic_id
    topic: Topic = topic_id if version >= BY_ID else "orders"
    first = fetch((topic, partition_at(0, 0)), (topic, partition_at(1, 0)), session=NEW)
    session_id = client.ask(first, FetchResponse, version=version).session_id
    write(client, "orders", 1, b"a")
    second = client.ask(fetch(session=(session_id, 1)), FetchResponse, version=version)
    assert where(second) == [(topic, 1)]
    assert values_of(fetched(second)[0].records) == [b"a"]


def test_versions_before_sessions_get_every_partition_every_time(client: Client) -> None:
    request = fetch(("orders", partition_at(0, 0)), ("orders", partition_at(1, 0)))
    for _ in range(2):
        response = client.ask(request, FetchResponse, version=6)
        assert len(fetched(response)) == 2


def test_without_changes_an_answer_names_nothing(client: Client) -> None:
    session_id = open_session(client, 0, 0, 0)
    response = ask(client, fetch(session=(session_id, 1)))
    assert (response.error_code, response.session_id, response.responses) == (0, session_id, [])


def test_an_answer_names_what_has_data(client: Client) -> None:
    session_id = open_session(client, 0, 0, 0)
    write(client, "orders", 1, b"a")
    response = ask(client, fetch(session=(session_id, 1)))
    assert where(response) == [("orders", 1)]


def test_data_is_told_again_until_the_client_moves_on(client: Client) -> None:
    session_id = open_session(client, 0, 0)
    write(client, "orders", 1, b"a")
    for epoch in (1, 2):
        response = ask(client, fetch(session=(session_id, epoch)))
        assert values_of(fetched(response)[0].records) == [b"a"]
    moved = fetch(("orders", partition_at(1, 1)), session=(session_id, 3))
    assert ask(client, moved).responses == []


def test_a_moved_high_watermark_is_news_once(broker: MemoryBroker, client: Client) -> None:
    write(client, "orders", 0, b"a")
    session_id = open_session(client, 1)
    log = broker.partition("orders").log
    broker.in_loop(log.advance_log_start, 1)
    response = ask(client, fetch(session=(session_id, 1)))
    assert where(response) == [("orders", 0)]
    assert fetched(response)[0].log_start_offset == 1
    assert ask(client, fetch(session=(session_id, 2))).responses == []


def test_an_error_is_told_every_time_and_its_end_is_news(
    broker: MemoryBroker, client: Client
) -> None:
    parts = [("orders", partition_at(0, 0)), ("later", partition_at(0, 0))]
    session_id = ask(client, fetch(*parts, session=NEW)).session_id
    for epoch in (1, 2):
        response = ask(client, fetch(session=(session_id, epoch)))
        assert where(response) == [("later", 0)]
        assert fetched(response)[0].error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    broker.create_topic("later")
    response = ask(client, fetch(session=(session_id, 3)))
    assert where(response) == [("later", 0)]
    assert fetched(response)[0].error_code == ErrorCode.NONE
    assert ask(client, fetch(session=(session_id, 4))).responses == []


def test_a_partition_may_be_added(client: Client) -> None:
    session_id = open_session(client, 0)
    added = fetch(("bills", partition_at(0, 0)), session=(session_id, 1))
    assert where(ask(client, added)) == [("bills", 0)]
    write(client, "bills", 0, b"a")
    assert where(ask(client, fetch(session=(session_id, 2)))) == [("bills", 0)]


def test_a_forgotten_partition_is_never_told_again(client: Client) -> None:
    session_id = open_session(client, 0, 0)
    write(client, "orders", 0, b"a")
    write(client, "orders", 1, b"b")
    forget = fetch(session=(session_id, 1), forgotten=[("orders", 0)])
    assert where(ask(client, forget)) == [("orders", 1)]
    assert where(ask(client, fetch(session=(session_id, 2)))) == [("orders", 1)]


def test_a_session_whose_partitions_are_all_forgotten_answers_at_once(client: Client) -> None:
    session_id = open_session(client, 0)
    forget = fetch(session=(session_id, 1), forgotten=[("orders", 0)], max_wait_ms=500)
    assert ask(client, forget).responses == []


def test_an_incremental_fetch_waits_as_any_other(broker: MemoryBroker, client: Client) -> None:
    session_id = open_session(client, 0, 0)
    client.send(fetch(session=(session_id, 1), max_wait_ms=500), version=BY_NAME)
    assert client.answers() == []
    broker.loop.advance(500)
    (response,) = client.answers()
    assert isinstance(response, FetchResponse)
    assert (response.session_id, response.responses) == (session_id, [])


def test_a_wrong_epoch_is_an_error_of_the_whole_request(client: Client) -> None:
    session_id = open_session(client, 0)
    response = ask(client, fetch(session=(session_id, 5)))
    assert response.error_code == ErrorCode.INVALID_FETCH_SESSION_EPOCH
    assert response.responses == []


def test_an_unknown_session_is_an_error_of_the_whole_request(client: Client) -> None:
    response = ask(client, fetch(session=(12345, 1)))
    assert response.error_code == ErrorCode.FETCH_SESSION_ID_NOT_FOUND


def test_a_session_by_name_is_no_session_by_id(client: Client) -> None:
    session_id = open_session(client, 0)
    response = client.ask(fetch(session=(session_id, 1)), FetchResponse, version=BY_ID)
    assert response.error_code == ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR


def test_a_session_belongs_to_no_connection(
    broker: MemoryBroker, client: Client, connect: Connect
) -> None:
    session_id = open_session(client, 0)
    client.disconnect()
    assert ask(connect(broker), fetch(session=(session_id, 1))).error_code == ErrorCode.NONE


def test_epoch_minus_one_closes_the_session_and_is_answered_in_full(client: Client) -> None:
    session_id = open_session(client, 0)
    final = fetch(("orders", partition_at(0, 0)), session=(session_id, -1))
    response = ask(client, final)
    assert (response.session_id, where(response)) == (0, [("orders", 0)])
    gone = ask(client, fetch(session=(session_id, 1)))
    assert gone.error_code == ErrorCode.FETCH_SESSION_ID_NOT_FOUND


def test_epoch_zero_replaces_the_session(client: Client) -> None:
    session_id = open_session(client, 0)
    again = fetch(("orders", partition_at(0, 0)), session=(session_id, 0))
    response = ask(client, again)
    assert response.session_id not in (0, session_id)
    gone = ask(client, fetch(session=(session_id, 1)))
    assert gone.error_code == ErrorCode.FETCH_SESSION_ID_NOT_FOUND


def test_where_the_cache_is_full_a_client_goes_on_without(
    start_broker: StartBroker, connect: Connect
) -> None:
    broker = start_broker(max_incremental_fetch_session_cache_slots="0")
    broker.create_topic("orders")
    response = ask(connect(broker), fetch(("orders", partition_at(0, 0)), session=NEW))
    assert (response.error_code, response.session_id) == (ErrorCode.NONE, 0)
    assert where(response) == [("orders", 0)]


def test_a_partition_that_gave_data_is_served_after_the_others(client: Client) -> None:
    for index in range(3):
        for _ in range(4):
            write(client, "orders", index, b"x" * 100)
    session_id = open_session(client, 4, 4, 4)
    changed = [
        ("orders", partition_at(index, 0, max_bytes=len(batch_of(b"x" * 100))))
        for index in range(3)
    ]
    served = []
    for epoch in range(1, 4):
        parts = changed if epoch == 1 else []
        request = fetch(*parts, session=(session_id, epoch), max_bytes=10)
        response = ask(client, request)
        served.append(
            [
                at
                for at, part in zip(where(response), fetched(response), strict=True)
                if part.records
            ]
        )
    assert served == [[("orders", 0)], [("orders", 1)], [("orders", 2)]]
