"""What is counted of requests: by API and version, their time, their bytes; and who is slow."""

from __future__ import annotations

import errno
import logging
from typing import Final

import pytest

from ottla.base.errors import ErrorCode
from ottla.base.limits import SLOW_REQUESTS_LOGGED_PER_SECOND_MAX
from ottla.broker import dispatch, fetch, log_rate, replies
from ottla.broker.metrics.requests import api_name
from ottla.broker.request_log import BUCKET_ENDS_SECONDS, RequestTotals
from ottla.broker.topic_reads import TopicReads
from ottla.settings.security import STANDARD_AUTHORIZER
from ottla.wire.messages.api_versions import ApiVersionsRequest
from ottla.wire.messages.create_topics import CreateTopicsRequest
from ottla.wire.messages.fetch import FetchRequest
from ottla.wire.messages.heartbeat import HeartbeatRequest
from ottla.wire.messages.join_group import JoinGroupRequest, JoinGroupRequestProtocol
from ottla.wire.messages.list_groups import ListGroupsRequest
from ottla.wire.messages.metadata import MetadataRequest
from ottla.wire.messages.produce import ProduceRequest
from tests.support import data_requests
from tests.support.data_requests import BY_NAME, partition_at, produce
from tests.support.memory_broker import MemoryBroker
from tests.support.memory_client import Client
from tests.support.records import batch_of
from tests.unit.broker.conftest import Connect, StartBroker

MS: Final = 1_000_000
SLOW_MS: Final = 40
ON: Final = {"ottla_http_listeners": "localhost:0", "ottla_slow_request_ms": str(SLOW_MS)}


class Ticks:
    """`perf_counter_ns` for a test: it says what it is told to, a little more each time."""

    def __init__(self) -> None:
        self.now_ns = 0
        self.step_ns = 0

    def __call__(self) -> int:
        self.now_ns += self.step_ns
        return self.now_ns


@pytest.fixture
def ticks(monkeypatch: pytest.MonkeyPatch) -> Ticks:
    """The clock of whatever measures."""
    ticks = Ticks()
    for module in (dispatch, fetch, log_rate, replies):
        monkeypatch.setattr(module, "perf_counter_ns", ticks)
    return ticks


@pytest.fixture
def broker(start_broker: StartBroker) -> MemoryBroker:
    """One that counts, with a topic."""
    broker = start_broker(group_initial_rebalance_delay_ms="3000", **ON)
    broker.create_topic("orders")
    return broker


def totals(broker: MemoryBroker) -> list[RequestTotals]:
    requests = broker.broker.requests
    assert requests is not None
    return list(requests.totals())


def only(broker: MemoryBroker) -> RequestTotals:
    (found,) = totals(broker)
    return found


def test_a_broker_that_nobody_reads_counts_nothing(start_broker: StartBroker) -> None:
    assert start_broker().broker.requests is None


@pytest.mark.parametrize("setting", list(ON))
def test_one_that_serves_metrics_or_logs_the_slow_counts(
    start_broker: StartBroker, setting: str
) -> None:
    assert start_broker(**{setting: ON[setting]}).broker.requests is not None


def test_every_kind_of_answer_is_counted_under_its_version(
    broker: MemoryBroker, client: Client
) -> None:
    at_once, by_task = ApiVersionsRequest(), CreateTopicsRequest(topics=[])
    unacknowledged = produce(("orders", 0, batch_of(b"a")), acks=0)
    metadata = MetadataRequest(topics=None)
    client.send_each((at_once, 3), (at_once, 0), (by_task, 7))
    client.send_each((unacknowledged, BY_NAME))
    for _ in range(2):  # the second is answered from memory
        client.send_each((metadata, 9))
    client.send_each((data_requests.fetch(("orders", partition_at(0, 0))), BY_NAME))
    counted = {(each.api_key, each.version): each.requests for each in totals(broker)}
    assert counted == {
        (ApiVersionsRequest.API_KEY, 0): 1,
        (ApiVersionsRequest.API_KEY, 3): 1,
        (CreateTopicsRequest.API_KEY, 7): 1,
        (ProduceRequest.API_KEY, BY_NAME): 1,
        (MetadataRequest.API_KEY, 9): 2,
        (FetchRequest.API_KEY, BY_NAME): 1,
    }


def test_an_unknown_version_of_api_versions_counts_as_the_oldest(
    broker: MemoryBroker, client: Client
) -> None:
    client.send_bytes(bytes.fromhex("0000000a 0012 7fff 00000001 ffff"))
    assert (only(broker).api_key, only(broker).version) == (ApiVersionsRequest.API_KEY, 0)


def test_bytes_are_those_of_whole_frames(broker: MemoryBroker, client: Client) -> None:
    asked = client.frame_of(ListGroupsRequest(), 4)
    client.send_bytes(asked)
    answer = client.raw_answer()
    assert only(broker).request_bytes == len(asked) - 4
    assert only(broker).response_bytes == len(answer) + 4


def test_an_unacknowledged_produce_has_no_bytes_of_answer(
    broker: MemoryBroker, client: Client
) -> None:
    client.send(produce(("orders", 0, batch_of(b"a")), acks=0), version=BY_NAME)
    assert only(broker).response_bytes == 0


def test_records_of_a_file_count_as_bytes_of_the_answer(
    broker: MemoryBroker, client: Client
) -> None:
    batch = batch_of(b"v" * 200_000)
    client.send(produce(("orders", 0, batch), acks=0), version=BY_NAME)
    client.send(data_requests.fetch(("orders", partition_at(0, 0))), version=BY_NAME)
    (fetched,) = (each for each in totals(broker) if each.api_key == FetchRequest.API_KEY)
    assert len(batch) < fetched.response_bytes < len(batch) + 200


@pytest.mark.parametrize(
    ("duration_ns", "bucket"),
    [(0, 0), (16_383, 0), (16_384, 1), (MS, 6), (34 * 10**9, 21)],
)
def test_a_duration_falls_below_the_end_of_its_bucket(
    broker: MemoryBroker, client: Client, ticks: Ticks, duration_ns: int, bucket: int
) -> None:
    ticks.step_ns = duration_ns
    client.send(ListGroupsRequest())
    found = only(broker)
    assert found.buckets[bucket] == 1
    assert found.duration_ns == duration_ns
    assert duration_ns / 1e9 < BUCKET_ENDS_SECONDS[bucket]
    assert not bucket or duration_ns / 1e9 >= BUCKET_ENDS_SECONDS[bucket - 1]


def test_requests_that_came_together_began_together(
    broker: MemoryBroker, client: Client, ticks: Ticks
) -> None:
    ticks.step_ns = MS
    client.send_each((ApiVersionsRequest(), 3), (ApiVersionsRequest(), 3))
    # The clock is asked when the first is seen, and when each has its answer.
    assert only(broker).duration_ns == MS + 2 * MS
    client.send_each((ApiVersionsRequest(), 3))
    assert only(broker).duration_ns == MS + 2 * MS + MS


def test_what_takes_longest_is_in_no_bucket_but_counted(
    broker: MemoryBroker, client: Client, ticks: Ticks
) -> None:
    ticks.step_ns = 1 << 40
    client.send(ListGroupsRequest())
    assert sum(only(broker).buckets) == 0
    assert only(broker).requests == 1


def test_waiting_for_data_is_no_part_of_a_fetch(
    broker: MemoryBroker, client: Client, ticks: Ticks, caplog: pytest.LogCaptureFixture
) -> None:
    poll = data_requests.fetch(("orders", partition_at(0, 0)), max_wait_ms=500)
    ticks.step_ns = 5_000
    client.send(poll, version=BY_NAME)
    ticks.now_ns += 500 * MS
    broker.loop.advance(500)
    assert len(client.answers()) == 1
    # Measured are the way to the wait, and the way from its end to the answer.
    assert only(broker).duration_ns == 2 * 5_000
    assert "slow request" not in caplog.text


def refusals(broker: MemoryBroker) -> dict[tuple[str, str], int]:
    """By API and error, as they are named."""
    requests = broker.broker.requests
    assert requests is not None
    return {
        (api_name(api_key), ErrorCode(error).name): count
        for (api_key, error), count in requests.refusals.items()
    }


def test_partitions_that_are_refused_are_counted_each(broker: MemoryBroker, client: Client) -> None:
    broker.broker.fetch.topic_reads = TopicReads()
    good, spoilt = batch_of(b"a"), batch_of(b"a")
    spoilt[-1] ^= 1
    parts = (("orders", 0, good), ("orders", 0, spoilt), ("nobody", 0, good), ("nobody", 1, good))
    client.send(produce(*parts), version=BY_NAME)
    client.send(produce(("orders", 0, good), acks=5), version=BY_NAME)
    beyond = data_requests.fetch(("orders", partition_at(0, 99)), ("orders", partition_at(0, 0)))
    client.send(beyond, version=BY_NAME)
    assert refusals(broker) == {
        ("Produce", "CORRUPT_MESSAGE"): 1,
        ("Produce", "UNKNOWN_TOPIC_OR_PARTITION"): 2,
        ("Produce", "INVALID_REQUIRED_ACKS"): 1,
        ("Fetch", "OFFSET_OUT_OF_RANGE"): 1,
    }


def test_partitions_that_may_not_be_written_or_read_are_counted_each(
    start_broker: StartBroker, connect: Connect
) -> None:
    broker = start_broker(authorizer_class_name=STANDARD_AUTHORIZER, **ON)
    broker.broker.fetch.topic_reads = TopicReads()
    client = connect(broker)
    batches = [("orders", index, batch_of(b"a")) for index in range(2)]
    client.send(produce(*batches), version=BY_NAME)
    client.send(data_requests.fetch(("orders", partition_at(0, 0))), version=BY_NAME)
    assert refusals(broker) == {
        ("Produce", "TOPIC_AUTHORIZATION_FAILED"): 2,
        ("Fetch", "TOPIC_AUTHORIZATION_FAILED"): 1,
    }


def test_what_a_disk_refuses_is_counted(broker: MemoryBroker, client: Client) -> None:
    broker.partition("orders")
    broker.disk.fail_at(1, errno.EIO, operation="append")
    client.send(produce(("orders", 0, batch_of(b"a"))), version=BY_NAME)
    assert refusals(broker) == {("Produce", "KAFKA_STORAGE_ERROR"): 1}


def test_a_whole_answer_that_is_an_error_is_counted(broker: MemoryBroker, client: Client) -> None:
    client.send(HeartbeatRequest(group_id="g", generation_id=1, member_id="m"))
    client.send(data_requests.fetch(session=(7, 3)), version=BY_NAME)
    assert refusals(broker) == {
        ("Heartbeat", "NOT_COORDINATOR"): 1,
        ("Fetch", "FETCH_SESSION_ID_NOT_FOUND"): 1,
    }


# -- slow requests ---------------------------------------------------------------------------------


def slow_lines(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.message == "slow request"]


def test_a_slow_request_is_logged_with_what_finds_its_client(
    client: Client, ticks: Ticks, caplog: pytest.LogCaptureFixture
) -> None:
    ticks.step_ns = SLOW_MS * MS
    client.send(ListGroupsRequest(), version=4)
    assert slow_lines(caplog) == []
    ticks.step_ns += MS
    client.send(ListGroupsRequest(), version=4)
    (line,) = slow_lines(caplog)
    told = vars(line)
    assert (told["api"], told["version"], told["duration_ms"]) == ("ListGroups", 4, SLOW_MS + 1)
    assert (told["client_id"], told["peer"]) == ("memory-client", "192.0.2.7:50000")
    assert told["correlation_id"] == 2
    assert told["request_bytes"] > 0
    assert told["response_bytes"] > 0


def test_metrics_alone_log_nobody(
    start_broker: StartBroker, connect: Connect, ticks: Ticks, caplog: pytest.LogCaptureFixture
) -> None:
    ticks.step_ns = 1000 * MS
    connect(start_broker(ottla_http_listeners="localhost:0")).send(ListGroupsRequest())
    assert slow_lines(caplog) == []


def test_where_everything_is_slow_the_log_stays_short_and_says_so(
    client: Client, ticks: Ticks, caplog: pytest.LogCaptureFixture
) -> None:
    too_many = SLOW_REQUESTS_LOGGED_PER_SECOND_MAX + 7
    for millisecond in range(too_many):
        slow_at(10_000 + millisecond, client, ticks)
    assert len(slow_lines(caplog)) == SLOW_REQUESTS_LOGGED_PER_SECOND_MAX
    slow_at(12_000, client, ticks)
    assert vars(slow_lines(caplog)[-1])["unlogged_before"] == 7


def slow_at(end_ms: int, client: Client, ticks: Ticks) -> None:
    """A request that is slow, and has its answer then."""
    ticks.step_ns = SLOW_MS * MS + 1
    ticks.now_ns = end_ms * MS - 3 * ticks.step_ns
    client.send(ListGroupsRequest())


def test_members_that_wait_for_each_other_are_not_slow(
    broker: MemoryBroker, client: Client, ticks: Ticks, caplog: pytest.LogCaptureFixture
) -> None:
    protocol = JoinGroupRequestProtocol(name="range", metadata=b"")
    join = JoinGroupRequest(
        group_id="g",
        session_timeout_ms=10_000,
        rebalance_timeout_ms=60_000,
        protocol_type="consumer",
        protocols=[protocol],
    )
    ticks.step_ns = 1000 * MS
    client.send(join, version=5)
    assert only(broker).api_key == JoinGroupRequest.API_KEY
    assert slow_lines(caplog) == []
