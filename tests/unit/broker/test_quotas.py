"""Clients that use too much are told so, and not listened to for as long."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from ottla.base.errors import ErrorCode
from ottla.broker.client_quotas import QuotaKind
from ottla.metadata.client_quotas import EntityChange, QuotaChange
from ottla.metadata.kept import quota_key
from ottla.quotas.connections import Admission
from ottla.wire.messages.create_partitions import (
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    CreatePartitionsTopic,
)
from ottla.wire.messages.create_topics import CreateTopicsRequest, CreateTopicsResponse
from ottla.wire.messages.delete_topics import (
    DeleteTopicsRequest,
    DeleteTopicsResponse,
    DeleteTopicState,
)
from ottla.wire.messages.fetch import FetchRequest, FetchResponse
from ottla.wire.messages.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from ottla.wire.messages.heartbeat import HeartbeatRequest, HeartbeatResponse
from ottla.wire.messages.join_group import (
    JoinGroupRequest,
    JoinGroupRequestProtocol,
    JoinGroupResponse,
)
from ottla.wire.messages.metadata import (
    MetadataRequest,
    MetadataRequestTopic,
    MetadataResponse,
)
from ottla.wire.messages.produce import ProduceRequest, ProduceResponse
from ottla.wire.payloads.metadata import ClientQuotaRecord, EntityData
from tests.support.cluster import wanted
from tests.support.data_requests import BY_NAME, fetch, fetched, partition_at, produce
from tests.support.memory_broker import MemoryBroker
from tests.support.memory_client import Client
from tests.support.records import batch_of
from tests.unit.broker.conftest import Connect, StartBroker

BATCH = batch_of(b"x" * 1000)


def set_quota(broker: MemoryBroker, key: str, value: float | None, **entity: str | None) -> None:
    """By default for every client without a quota of its own."""
    parts = entity or {"client_id": None}
    change = EntityChange(
        frozenset((kind.replace("_", "-"), name) for kind, name in parts.items()),
        [QuotaChange(key, value)],
    )
    (result,) = broker.loop.finish(broker.broker.metadata.alter_client_quotas([change]))
    assert result.error_code == ErrorCode.NONE, result


def is_active(broker: MemoryBroker) -> bool:
    return broker.broker.quotas.active


def throttles(broker: MemoryBroker) -> dict[QuotaKind, tuple[int, int]]:
    return {
        totals.kind: (totals.throttles, totals.throttle_ms)
        for totals in broker.broker.quotas.throttle_totals()
        if totals.throttles
    }


def frame_bytes(client: Client, request: ProduceRequest) -> int:
    return len(client.frame_of(request, BY_NAME)) - 4


@pytest.fixture
def broker(broker: MemoryBroker) -> MemoryBroker:
    broker.create_topic("orders")
    return broker


def test_without_quotas_nothing_is_measured(broker: MemoryBroker, client: Client) -> None:
    set_quota(broker, "connection_creation_rate", 5, ip="10.0.0.7")
    assert not is_active(broker)
    set_quota(broker, "producer_byte_rate", 5)
    assert is_active(broker)
    set_quota(broker, "producer_byte_rate", None)
    assert not is_active(broker)


# -- produce -----------------------------------------------------------------------------------


def test_a_producer_is_answered_at_once_and_then_not_read(
    broker: MemoryBroker, client: Client
) -> None:
    request = produce(("orders", 0, BATCH))
    # Ten full windows: a quota of half a request each second allows five of them at once.
    set_quota(broker, "producer_byte_rate", frame_bytes(client, request) / 2 // 1)
    waits = [
        client.ask(request, ProduceResponse, version=BY_NAME).throttle_time_ms for _ in range(5)
    ]
    assert waits[:4] == [0, 0, 0, 0]
    answer = client.ask(request, ProduceResponse, version=BY_NAME)
    assert 1900 <= answer.throttle_time_ms <= 2100
    assert answer.responses[0].partition_responses[0].error_code == ErrorCode.NONE
    client.send(request, version=BY_NAME)
    assert client.answers() == []
    broker.loop.advance(answer.throttle_time_ms - 1)
    assert client.answers() == []
    broker.loop.advance(1)
    (later,) = client.answers()
    assert isinstance(later, ProduceResponse)
    count, ms = throttles(broker)[QuotaKind.PRODUCE]
    assert (count, ms) == (2, answer.throttle_time_ms + later.throttle_time_ms)


def test_records_sent_without_acknowledgement_count_too(
    broker: MemoryBroker, client: Client
) -> None:
    set_quota(broker, "producer_byte_rate", 50)
    client.send(produce(("orders", 0, BATCH), acks=0), version=BY_NAME)
    client.send(MetadataRequest(topics=[]))
    assert client.answers() == []
    broker.loop.advance(60_000)
    assert len(client.answers()) == 1


def test_requests_behind_one_that_was_too_much_wait(broker: MemoryBroker, client: Client) -> None:
    set_quota(broker, "consumer_byte_rate", 10)
    client.ask(produce(("orders", 0, BATCH)), ProduceResponse, version=BY_NAME)
    first = client.frame_of(poll(), BY_NAME)
    client.send_bytes(first + client.frame_of(MetadataRequest(topics=[])))
    (answer,) = client.answers()
    assert isinstance(answer, FetchResponse)
    broker.loop.advance(answer.throttle_time_ms)
    assert len(client.answers()) == 1


def test_another_client_is_not_held_up(broker: MemoryBroker, connect: Connect) -> None:
    set_quota(broker, "producer_byte_rate", 10, client_id="somebody-else")
    client = connect(broker)
    for _ in range(5):
        answer = client.ask(produce(("orders", 0, BATCH)), ProduceResponse, version=BY_NAME)
        assert answer.throttle_time_ms == 0


def test_connections_of_one_user_share_its_quota(broker: MemoryBroker, connect: Connect) -> None:
    request = produce(("orders", 0, BATCH))
    one, two = connect(broker), connect(broker)
    set_quota(broker, "producer_byte_rate", frame_bytes(one, request) // 10 + 1, user="ANONYMOUS")
    assert one.ask(request, ProduceResponse, version=BY_NAME).throttle_time_ms == 0
    assert two.ask(request, ProduceResponse, version=BY_NAME).throttle_time_ms > 9000


# -- fetch -------------------------------------------------------------------------------------


def poll(
    offset: int = 0, *, session_id: int = 0, session_epoch: int = -1, max_wait_ms: int = 0
) -> FetchRequest:
    request = fetch(("orders", partition_at(0, offset)), max_wait_ms=max_wait_ms)
    request.session_id = session_id
    request.session_epoch = session_epoch
    return request


def test_a_consumer_gets_nothing_while_its_quota_is_used_up(
    broker: MemoryBroker, client: Client, connect: Connect
) -> None:
    client.ask(produce(("orders", 0, BATCH)), ProduceResponse, version=BY_NAME)
    set_quota(broker, "consumer_byte_rate", 120)
    assert fetched(client.ask(poll(), FetchResponse, version=BY_NAME))[0].records
    answer = client.ask(poll(), FetchResponse, version=BY_NAME)
    assert answer.throttle_time_ms > 1000
    assert answer.responses == []
    # What was not sent is not counted either: whoever asks next waits no longer.
    again = connect(broker).ask(poll(), FetchResponse, version=BY_NAME)
    assert again.throttle_time_ms == answer.throttle_time_ms
    broker.loop.advance(max(11_000, answer.throttle_time_ms))
    answer = client.ask(poll(), FetchResponse, version=BY_NAME)
    assert answer.throttle_time_ms == 0
    assert fetched(answer)[0].records


def test_an_answer_holds_no_more_than_its_quota_ever_allows(
    broker: MemoryBroker, client: Client
) -> None:
    for _ in range(10):
        client.ask(produce(("orders", 0, BATCH)), ProduceResponse, version=BY_NAME)
    set_quota(broker, "consumer_byte_rate", 250)
    (partition,) = fetched(client.ask(poll(), FetchResponse, version=BY_NAME))
    assert partition.records is not None
    assert len(partition.records) == 2500


def test_a_batch_larger_than_its_quota_ever_allows_is_sent_and_waited_for(
    broker: MemoryBroker, client: Client
) -> None:
    client.ask(produce(("orders", 0, BATCH)), ProduceResponse, version=BY_NAME)
    set_quota(broker, "consumer_byte_rate", 1)
    answer = client.ask(poll(), FetchResponse, version=BY_NAME)
    assert fetched(answer)[0].records
    assert answer.throttle_time_ms > len(BATCH) * 1000 - 10_000
    assert throttles(broker) == {QuotaKind.FETCH: (1, answer.throttle_time_ms)}


def test_a_consumer_waits_for_records_also_where_no_window_is_full(
    start_broker: StartBroker, connect: Connect
) -> None:
    broker = start_broker(quota_window_num="1")
    broker.create_topic("orders")
    set_quota(broker, "consumer_byte_rate", 10**6)
    client = connect(broker)
    client.send(poll(max_wait_ms=5000), version=BY_NAME)
    assert client.answers() == []  # else it would ask again and again
    broker.loop.advance(5000)
    assert len(client.answers()) == 1


def test_a_session_goes_on_after_a_wait_and_none_begins_with_one(
    broker: MemoryBroker, client: Client, connect: Connect
) -> None:
    opened = client.ask(poll(session_epoch=0), FetchResponse, version=BY_NAME)
    assert opened.session_id
    client.ask(produce(("orders", 0, BATCH)), ProduceResponse, version=BY_NAME)
    set_quota(broker, "consumer_byte_rate", 1)
    connect(broker).ask(poll(), FetchResponse, version=BY_NAME)  # the same client uses it up
    more = FetchRequest(
        max_wait_ms=0, min_bytes=1, topics=[], session_id=opened.session_id, session_epoch=1
    )
    throttled = client.ask(more, FetchResponse, version=BY_NAME)
    assert throttled.throttle_time_ms
    assert (throttled.session_id, throttled.responses) == (opened.session_id, [])
    set_quota(broker, "consumer_byte_rate", None)
    broker.loop.advance(throttled.throttle_time_ms)
    connect(broker).ask(poll(), FetchResponse, version=BY_NAME)
    more.session_epoch = 2
    assert fetched(client.ask(more, FetchResponse, version=BY_NAME))[0].records
    set_quota(broker, "consumer_byte_rate", 1)
    connect(broker).ask(poll(), FetchResponse, version=BY_NAME)
    first = client.ask(poll(session_epoch=0), FetchResponse, version=BY_NAME)
    assert first.throttle_time_ms
    assert first.session_id == 0


def test_a_fetch_that_waited_is_measured_when_it_is_answered(
    broker: MemoryBroker, client: Client, connect: Connect
) -> None:
    set_quota(broker, "consumer_byte_rate", 1)
    client.send(poll(max_wait_ms=5000), version=BY_NAME)
    assert client.answers() == []
    connect(broker).ask(produce(("orders", 0, BATCH)), ProduceResponse, version=BY_NAME)
    (answer,) = client.answers()
    assert isinstance(answer, FetchResponse)
    assert answer.throttle_time_ms


# -- time --------------------------------------------------------------------------------------


HEARTBEAT = HeartbeatRequest(group_id="g", generation_id=1, member_id="m")


@pytest.mark.parametrize("request_", [HEARTBEAT, MetadataRequest(topics=None), poll()])
def test_every_request_takes_time_and_the_wait_is_one_window_at_most(
    broker: MemoryBroker, client: Client, request_: HeartbeatRequest | MetadataRequest
) -> None:
    version = min(type(request_).VERSIONS.max, BY_NAME)
    client.send(request_, version=min(version, 4))
    client.answers()
    set_quota(broker, "request_percentage", 1e-9)
    client.send(request_, version=version if version == BY_NAME else 4)
    (answer,) = client.answers()
    assert isinstance(answer, HeartbeatResponse | MetadataResponse | FetchResponse)
    assert answer.throttle_time_ms == 1000
    assert throttles(broker) == {QuotaKind.REQUEST: (1, 1000)}


@pytest.fixture
def _steady_time(broker: MemoryBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Serving takes no time at all; only what a test waits does."""
    for module in ("dispatch", "meter", "client_quotas"):
        monkeypatch.setattr(
            f"ottla.broker.{module}.perf_counter_ns",
            lambda: broker.clock.monotonic_ms() * 1_000_000,
        )


@pytest.mark.usefixtures("_steady_time")
def test_a_wait_for_others_is_not_time_of_the_request(
    broker: MemoryBroker, client: Client, connect: Connect
) -> None:
    set_quota(broker, "request_percentage", 1e-9)
    joining = JoinGroupRequest(
        group_id="g",
        session_timeout_ms=10_000,
        rebalance_timeout_ms=10_000,
        member_id="",
        protocol_type="consumer",
        protocols=[JoinGroupRequestProtocol(name="range", metadata=b"")],
    )
    member = connect(broker)
    member.ask(FindCoordinatorRequest(key="g"), FindCoordinatorResponse, version=3)
    broker.loop.settle()
    member.send(joining, version=3)
    client.send(poll(max_wait_ms=60_000), version=BY_NAME)
    assert [*client.answers(), *member.answers()] == []
    broker.loop.advance(60_000)
    (joined,), (fetched_nothing,) = member.answers(), client.answers()
    assert isinstance(joined, JoinGroupResponse)
    assert isinstance(fetched_nothing, FetchResponse)
    assert joined.error_code == ErrorCode.NONE
    assert (joined.throttle_time_ms, fetched_nothing.throttle_time_ms) == (0, 0)


@pytest.mark.usefixtures("_steady_time")
def test_the_time_of_writing_belongs_to_those_whose_records_are_written(
    broker: MemoryBroker, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_quota(broker, "request_percentage", 10)
    commit = broker.broker.produce.commit

    def commit_slowly() -> None:
        commit()
        broker.clock.elapsed_ms += 2000

    monkeypatch.setattr(broker.broker.produce, "commit", commit_slowly)
    client.send(*[produce(("orders", 0, BATCH))] * 2, version=BY_NAME)
    assert [answer.throttle_time_ms for answer in client.answers()] == [0, 0]  # type: ignore[attr-defined]  # produced
    answer = client.ask(produce(("orders", 0, BATCH)), ProduceResponse, version=BY_NAME)
    assert answer.throttle_time_ms == 1000


# -- changes of the cluster ----------------------------------------------------------------------


def create(client: Client, *topics: tuple[str, int], version: int = 6) -> CreateTopicsResponse:
    request = CreateTopicsRequest(topics=[wanted(name, count, 1) for name, count in topics])
    client.send(request, version=version)
    (answer,) = client.answers()
    assert isinstance(answer, CreateTopicsResponse)
    return answer


def codes(results: Sequence[object]) -> list[ErrorCode]:
    return [ErrorCode(result.error_code) for result in results]  # type: ignore[attr-defined]  # of any answer


def test_changes_beyond_the_quota_are_refused_until_it_is_there_again(
    broker: MemoryBroker, client: Client
) -> None:
    set_quota(broker, "controller_mutation_rate", 1)
    # A bucket of eleven windows: the second topic takes more than there is, the third none.
    answer = create(client, ("a", 10), ("b", 5), ("c", 1))
    assert codes(answer.topics) == [
        ErrorCode.NONE,
        ErrorCode.NONE,
        ErrorCode.THROTTLING_QUOTA_EXCEEDED,
    ]
    assert answer.throttle_time_ms == 4000
    assert "c" not in broker.broker.metadata.image.topics_by_name
    client.send(MetadataRequest(topics=[]))
    assert client.answers() == []
    broker.loop.advance(4000)
    assert len(client.answers()) == 1
    answer = create(client, ("c", 1))
    assert codes(answer.topics) == [ErrorCode.NONE]
    assert answer.throttle_time_ms == 0


def test_an_old_client_is_given_all_and_told_to_wait(broker: MemoryBroker, client: Client) -> None:
    set_quota(broker, "controller_mutation_rate", 1)
    answer = create(client, ("a", 15), ("b", 1), version=5)
    assert codes(answer.topics) == [ErrorCode.NONE, ErrorCode.NONE]
    assert answer.throttle_time_ms == 5000


def test_partitions_that_go_and_come_are_counted(
    broker: MemoryBroker, client: Client, connect: Connect
) -> None:
    create(client, ("a", 15))
    set_quota(broker, "controller_mutation_rate", 1)
    doomed = DeleteTopicsRequest(
        topics=[DeleteTopicState(name="a", topic_id=bytes(16))], timeout_ms=1000
    )
    assert client.ask(doomed, DeleteTopicsResponse).throttle_time_ms == 0
    grown = CreatePartitionsRequest(
        topics=[CreatePartitionsTopic(name="orders", count=3, assignments=None)],
        timeout_ms=1000,
        validate_only=False,
    )
    other = connect(broker)  # the same client, on a connection of its own
    answer = other.ask(grown, CreatePartitionsResponse)
    assert codes(answer.results) == [ErrorCode.THROTTLING_QUOTA_EXCEEDED]
    assert answer.throttle_time_ms == 4000
    assert len(broker.broker.metadata.image.topics_by_name["orders"].partitions) == 1


def test_topics_made_for_who_asks_about_them_are_counted(
    broker: MemoryBroker, client: Client
) -> None:
    set_quota(broker, "controller_mutation_rate", 1)
    names = [f"new-{n}" for n in range(13)]
    request = MetadataRequest(
        topics=[MetadataRequestTopic(name=name) for name in names], allow_auto_topic_creation=True
    )
    answer = client.ask(request, MetadataResponse, version=4)
    unknown = [topic.name for topic in answer.topics if topic.error_code]
    assert unknown == names[12:]


# -- connections -------------------------------------------------------------------------------


def test_quotas_of_addresses_hold_for_any_spelling(broker: MemoryBroker) -> None:
    set_quota(broker, "connection_creation_rate", 1, ip="2001:DB8:0:0::1")
    quotas = broker.broker.quotas
    assert [quotas.admit("2001:db8::1") for _ in range(10)] == [Admission(True, 0)] * 10
    assert quotas.admit("2001:db8::1") == Admission(False, 1000)
    assert quotas.admit("2001:db8::2") == Admission(True, 0)
    assert throttles(broker) == {QuotaKind.CONNECTION: (1, 1000)}


def test_all_connections_together_have_a_rate_that_may_change(start_broker: StartBroker) -> None:
    broker = start_broker(max_connection_creation_rate="1")
    quotas = broker.broker.quotas
    assert [quotas.admit("10.0.0.7") for _ in range(10)] == [Admission(True, 0)] * 10
    assert quotas.admit("10.0.0.8") == Admission(True, 1000)


def test_a_name_in_the_log_of_another_broker_has_no_effect(
    broker: MemoryBroker, caplog: pytest.LogCaptureFixture
) -> None:
    record = ClientQuotaRecord(
        entity=[EntityData(entity_type="ip", entity_name="localhost")],
        key="connection_creation_rate",
        value=1.0,
        remove=False,
    )
    image = replace(broker.broker.metadata.image, kept={quota_key(record): record})
    broker.broker.quotas.look(image)
    assert broker.broker.quotas.admit("127.0.0.1") is None
    assert "'localhost' is no IP address" in caplog.text


def test_quotas_are_in_force_after_a_restart(broker: MemoryBroker, connect: Connect) -> None:
    set_quota(broker, "producer_byte_rate", 1)
    broker.stop()
    broker.start()
    answer = connect(broker).ask(produce(("orders", 0, BATCH)), ProduceResponse, version=BY_NAME)
    assert answer.throttle_time_ms > 1000
