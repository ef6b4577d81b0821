"""Produce through the whole broker: places, answers, grouping, refusals."""

from __future__ import annotations

import errno

import pytest

from ottla.base.errors import ErrorCode
from ottla.wire.messages.fetch import FetchResponse
from ottla.wire.messages.produce import (
    PartitionProduceData,
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
)
from ottla.wire.records.batch import Codec, TimestampType
from tests.support.data_requests import (
    BY_ID,
    BY_NAME,
    Topic,
    fetch,
    fetched,
    partition_at,
    produce,
    produced,
)
from tests.support.memory_broker import MemoryBroker
from tests.support.memory_client import Client
from tests.support.records import batch_of, headers_of, offsets_of, records_of, values_of
from tests.support.stepped_loop import START_MS
from tests.unit.broker.conftest import Connect, StartBroker

LOG = "00000000000000000000.log"


def refusal(client: Client, request: ProduceRequest, version: int = BY_NAME) -> int:
    """The error of the only partition of a request."""
    (answer,) = produced(client.ask(request, ProduceResponse, version=version))
    assert answer.error_code != ErrorCode.NONE
    assert answer.base_offset == -1
    return answer.error_code


def place(client: Client, request: ProduceRequest, version: int = BY_NAME) -> int:
    """The base offset that the only partition of a request got."""
    (answer,) = produced(client.ask(request, ProduceResponse, version=version))
    assert answer.error_code == ErrorCode.NONE, answer
    return answer.base_offset


def read_all(client: Client, topic: Topic, index: int = 0) -> bytes:
    """All batches of a partition."""
    version = BY_NAME if isinstance(topic, str) else BY_ID
    request = fetch((topic, partition_at(index, 0)))
    (answer,) = fetched(client.ask(request, FetchResponse, version=version))
    assert answer.error_code == ErrorCode.NONE
    return bytes(answer.records)


@pytest.mark.parametrize("version", range(3, 14))
@pytest.mark.parametrize("acks", [1, -1])
def test_every_version_writes_and_tells_the_base_offset(
    broker: MemoryBroker, client: Client, version: int, acks: int
) -> None:
    topic_id = broker.create_topic("orders")
    topic: Topic = topic_id if version >= BY_ID else "orders"
    for base_offset in (0, 2):
        request = produce((topic, 0, batch_of(b"a", b"b")), acks=acks)
        response = client.ask(request, ProduceResponse, version=version)
        assert response.responses[0].name == ("orders" if version < BY_ID else "")
        (answer,) = produced(response)
        assert (answer.error_code, answer.base_offset) == (ErrorCode.NONE, base_offset)
        assert answer.log_append_time_ms == -1
        assert answer.log_start_offset == (0 if version >= 5 else -1)
    assert values_of(read_all(client, "orders")) == [b"a", b"b"] * 2


@pytest.mark.parametrize("version", [0, 1, 2])
def test_the_versions_that_are_only_advertised_close_the_connection(
    client: Client, version: int
) -> None:
    header = b"\x00\x00" + version.to_bytes(2, "big") + b"\x00\x00\x00\x07\xff\xff"
    client.send_bytes(len(header).to_bytes(4, "big") + header)
    assert client.is_closed


def test_acks_none_writes_without_an_answer(broker: MemoryBroker, client: Client) -> None:
    broker.create_topic("orders")
    client.send(produce(("orders", 0, batch_of(b"a")), acks=0), version=BY_NAME)
    assert client.answers() == []
    assert not client.is_closed
    assert values_of(read_all(client, "orders")) == [b"a"]


def test_an_error_under_acks_none_closes_the_connection(
    broker: MemoryBroker, client: Client
) -> None:
    client.send(produce(("nosuch", 0, batch_of(b"a")), acks=0), version=BY_NAME)
    assert client.answers() == []
    assert client.is_closed


@pytest.mark.parametrize("acks", [-2, 2, 3])
def test_other_acks_are_refused(broker: MemoryBroker, client: Client, acks: int) -> None:
    broker.create_topic("orders")
    request = produce(("orders", 0, batch_of(b"a")), acks=acks)
    assert refusal(client, request) == ErrorCode.INVALID_REQUIRED_ACKS
    assert broker.partition("orders").log.log_end_offset == 0


@pytest.mark.parametrize("index", [-1, 1, 2**31 - 1])
def test_a_partition_that_the_topic_does_not_have_is_refused(
    broker: MemoryBroker, client: Client, index: int
) -> None:
    broker.create_topic("orders")
    request = produce(("orders", index, batch_of(b"a")))
    assert refusal(client, request) == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION


def test_an_unknown_name_and_an_unknown_id_are_refused_each_with_its_code(client: Client) -> None:
    by_name = produce(("nosuch", 0, batch_of(b"a")))
    assert refusal(client, by_name) == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    by_id = produce((b"\x05" * 16, 0, batch_of(b"a")))
    assert refusal(client, by_id, BY_ID) == ErrorCode.UNKNOWN_TOPIC_ID


def test_each_partition_of_a_request_is_answered_for_itself(
    broker: MemoryBroker, client: Client
) -> None:
    broker.create_topic("orders", 2)
    damaged = batch_of(b"x")
    damaged[-1] ^= 1
    request = ProduceRequest(
        acks=-1,
        timeout_ms=1000,
        topic_data=[
            TopicProduceData(
                name="orders",
                partition_data=[
                    PartitionProduceData(index=0, records=batch_of(b"a")),
                    PartitionProduceData(index=7, records=batch_of(b"b")),
                    PartitionProduceData(index=1, records=damaged),
                ],
            ),
            TopicProduceData(
                name="nosuch", partition_data=[PartitionProduceData(index=0, records=batch_of(b""))]
            ),
        ],
    )
    response = client.ask(request, ProduceResponse, version=BY_NAME)
    assert [topic.name for topic in response.responses] == ["orders", "nosuch"]
    assert [(answer.index, answer.error_code) for answer in produced(response)] == [
        (0, ErrorCode.NONE),
        (7, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
        (1, ErrorCode.CORRUPT_MESSAGE),
        (0, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION),
    ]
    assert values_of(read_all(client, "orders", 0)) == [b"a"]
    assert read_all(client, "orders", 1) == b""


def test_what_one_read_event_brings_is_one_append_for_each_partition(
    broker: MemoryBroker, client: Client
) -> None:
    broker.create_topic("orders", 2)
    client.ask(produce(("orders", 0, batch_of(b"first"))), ProduceResponse, version=BY_NAME)
    client.ask(produce(("orders", 1, batch_of(b"first"))), ProduceResponse, version=BY_NAME)
    broker.disk.forget()
    client.send(
        produce(("orders", 0, batch_of(b"a", b"b"))),
        produce(("orders", 1, batch_of(b"c"))),
        produce(("orders", 0, batch_of(b"d")), ("orders", 1, batch_of(b"e", b"f"))),
        version=BY_NAME,
    )
    answers = [answer for response in client.answers() for answer in _produced(response)]
    assert [(answer.index, answer.base_offset) for answer in answers] == [
        (0, 1),
        (1, 1),
        (0, 3),
        (1, 2),
    ]
    assert broker.disk.count("append", f"orders-0/{LOG}") == 1
    assert broker.disk.count("append", f"orders-1/{LOG}") == 1
    assert values_of(read_all(client, "orders", 0)) == [b"first", b"a", b"b", b"d"]
    assert values_of(read_all(client, "orders", 1)) == [b"first", b"c", b"e", b"f"]


def _produced(response: object) -> list[PartitionProduceResponse]:
    assert isinstance(response, ProduceResponse)
    return produced(response)


def test_requests_of_different_connections_are_written_each_in_its_own_read_event(
    broker: MemoryBroker, connect: Connect
) -> None:
    broker.create_topic("orders")
    one, other = connect(broker), connect(broker)
    assert place(one, produce(("orders", 0, batch_of(b"a")))) == 0
    assert place(other, produce(("orders", 0, batch_of(b"b")))) == 1
    assert place(one, produce(("orders", 0, batch_of(b"c")))) == 2


def test_a_batch_larger_than_the_read_buffer_is_written_whole(
    broker: MemoryBroker, client: Client
) -> None:
    broker.create_topic("orders")
    large = bytes(range(256)) * 3000
    assert place(client, produce(("orders", 0, batch_of(large)))) == 0
    assert values_of(read_all(client, "orders")) == [large]


def test_a_fetch_in_the_same_read_event_sees_what_was_produced_before_it(
    broker: MemoryBroker, client: Client
) -> None:
    broker.create_topic("orders")
    client.send(
        produce(("orders", 0, batch_of(b"a"))),
        fetch(("orders", partition_at(0, 0))),
        produce(("orders", 0, batch_of(b"b"))),
        version=BY_NAME,
    )
    first, seen, second = client.answers()
    assert [answer.base_offset for answer in (*_produced(first), *_produced(second))] == [0, 1]
    assert isinstance(seen, FetchResponse)
    assert values_of(fetched(seen)[0].records) == [b"a"]


def test_a_written_batch_has_its_offset_and_the_leaders_epoch(
    broker: MemoryBroker, client: Client
) -> None:
    broker.create_topic("orders")
    for values in ([b"a", b"b", b"c"], [b"d"]):
        place(client, produce(("orders", 0, batch_of(*values))))
    data = read_all(client, "orders")
    assert [(header.base_offset, header.partition_leader_epoch) for header in headers_of(data)] == [
        (0, 0),
        (3, 0),
    ]
    assert offsets_of(data) == [0, 1, 2, 3]


def test_log_append_time_is_told_and_written(broker: MemoryBroker, client: Client) -> None:
    broker.create_topic("orders", message_timestamp_type="LogAppendTime")
    broker.loop.advance(77)
    request = produce(("orders", 0, batch_of(b"a", b"b", timestamp=5)))
    (answer,) = produced(client.ask(request, ProduceResponse, version=BY_NAME))
    assert answer.log_append_time_ms == START_MS + 77
    data = read_all(client, "orders")
    assert headers_of(data)[0].timestamp_type is TimestampType.LOG_APPEND_TIME
    assert [record.timestamp for record in records_of(data)] == [START_MS + 77] * 2


def test_a_topic_with_a_codec_of_its_own_recompresses(broker: MemoryBroker, client: Client) -> None:
    broker.create_topic("orders", compression_type="gzip")
    place(client, produce(("orders", 0, batch_of(b"a", b"b"))))
    place(client, produce(("orders", 0, batch_of(b"c", codec=Codec.GZIP))))
    place(client, produce(("orders", 0, batch_of(b"d", codec=Codec.LZ4))))
    data = read_all(client, "orders")
    assert [header.codec for header in headers_of(data)] == [Codec.GZIP] * 3
    assert values_of(data) == [b"a", b"b", b"c", b"d"]
    assert offsets_of(data) == [0, 1, 2, 3]


@pytest.mark.parametrize("codec", list(Codec))
def test_a_batch_keeps_its_producers_codec(
    broker: MemoryBroker, client: Client, codec: Codec
) -> None:
    broker.create_topic("orders")
    place(client, produce(("orders", 0, batch_of(b"a" * 500, codec=codec))))
    data = read_all(client, "orders")
    assert headers_of(data)[0].codec is codec
    assert values_of(data) == [b"a" * 500]


def test_a_batch_above_max_message_bytes_is_refused_and_one_of_that_size_is_not(
    broker: MemoryBroker, client: Client
) -> None:
    batch = batch_of(b"x" * 400)
    broker.create_topic("orders", max_message_bytes=str(len(batch)))
    too_large = produce(("orders", 0, batch_of(b"x" * 401)))
    assert refusal(client, too_large) == ErrorCode.MESSAGE_TOO_LARGE
    assert place(client, produce(("orders", 0, batch))) == 0


@pytest.mark.parametrize(
    ("timestamp", "accepted"),
    [
        (START_MS + 100, True),
        (START_MS + 101, False),
        (START_MS - 200, True),
        (START_MS - 201, False),
    ],
)
def test_timestamps_stay_within_the_topics_bounds(
    broker: MemoryBroker, client: Client, timestamp: int, accepted: bool
) -> None:
    broker.create_topic(
        "orders", message_timestamp_before_max_ms="200", message_timestamp_after_max_ms="100"
    )
    request = produce(("orders", 0, batch_of(b"a", timestamp=timestamp)))
    if accepted:
        assert place(client, request) == 0
    else:
        assert refusal(client, request) == ErrorCode.INVALID_TIMESTAMP


def test_records_without_a_key_are_named_where_the_topic_is_compacted(
    broker: MemoryBroker, client: Client
) -> None:
    broker.create_topic("orders", cleanup_policy="compact")
    request = produce(("orders", 0, batch_of(b"a", b"b", key=None)))
    (answer,) = produced(client.ask(request, ProduceResponse, version=BY_NAME))
    assert answer.error_code == ErrorCode.INVALID_RECORD
    assert [error.batch_index for error in answer.record_errors] == [0, 1]
    assert answer.error_message is not None


@pytest.mark.parametrize("records", [None, b"", b"\x00" * 30])
def test_a_partition_without_a_batch_is_refused(
    broker: MemoryBroker, client: Client, records: bytes | None
) -> None:
    broker.create_topic("orders")
    assert refusal(client, produce(("orders", 0, records))) == ErrorCode.INVALID_RECORD


def test_two_batches_for_one_partition_are_refused(broker: MemoryBroker, client: Client) -> None:
    broker.create_topic("orders")
    two = batch_of(b"a") + batch_of(b"b")
    assert refusal(client, produce(("orders", 0, two))) == ErrorCode.INVALID_RECORD


def test_a_partition_led_elsewhere_is_refused(make_broker: StartBroker, connect: Connect) -> None:
    broker = make_broker()
    broker.add_broker(2)
    broker.start()
    broker.create_topic("followed", replicas=[[2, 1]])
    broker.create_topic("foreign", replicas=[[2]])
    client = connect(broker)
    for topic in ("followed", "foreign"):
        request = produce((topic, 0, batch_of(b"a")))
        assert refusal(client, request) == ErrorCode.NOT_LEADER_OR_FOLLOWER


def test_a_topic_whose_log_cannot_be_made_is_refused_and_others_are_not(
    broker: MemoryBroker, client: Client
) -> None:
    broker.disk.fail("make_dir", "broken-0", errno.EACCES)
    broker.create_topic("broken")
    broker.create_topic("sound")
    broken = produce(("broken", 0, batch_of(b"a")))
    assert refusal(client, broken) == ErrorCode.KAFKA_STORAGE_ERROR
    assert place(client, produce(("sound", 0, batch_of(b"a")))) == 0


# -- a disk that fails -----------------------------------------------------------------------------


@pytest.mark.parametrize("acks", [1, -1])
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
def test_an_append_that_fails_refuses_exactly_the_batches_of_that_partition(
    broker: MemoryBroker, client: Client, error: int, acks: int
) -> None:
    broker.create_topic("orders", 2)
    place(client, produce(("orders", 0, batch_of(b"before"))))
    broker.disk.fail("append", f"orders-0/{LOG}", error)
    client.send(
        produce(("orders", 0, batch_of(b"a")), acks=acks),
        produce(("orders", 0, batch_of(b"b")), ("orders", 1, batch_of(b"c")), acks=acks),
        version=BY_NAME,
    )
    answers = [answer for response in client.answers() for answer in _produced(response)]
    assert [(answer.index, answer.error_code, answer.base_offset) for answer in answers] == [
        (0, ErrorCode.KAFKA_STORAGE_ERROR, -1),
        (0, ErrorCode.KAFKA_STORAGE_ERROR, -1),
        (1, ErrorCode.NONE, 0),
    ]
    broker.disk.heal()
    assert values_of(read_all(client, "orders", 0)) == [b"before"]
    assert values_of(read_all(client, "orders", 1)) == [b"c"]


def test_a_partition_goes_on_after_the_disk_has_room_again(
    broker: MemoryBroker, client: Client
) -> None:
    broker.create_topic("orders")
    place(client, produce(("orders", 0, batch_of(b"a"))))
    broker.disk.fail("append", LOG, errno.ENOSPC)
    full = produce(("orders", 0, batch_of(b"lost")))
    assert refusal(client, full) == ErrorCode.KAFKA_STORAGE_ERROR
    broker.heal_disk()
    assert place(client, produce(("orders", 0, batch_of(b"b")))) == 1
    assert values_of(read_all(client, "orders")) == [b"a", b"b"]


def test_a_half_written_append_leaves_nothing_behind(broker: MemoryBroker, client: Client) -> None:
    broker.create_topic("orders")
    place(client, produce(("orders", 0, batch_of(b"a"))))
    broker.disk.failed_append_leaves_bytes = True
    broker.disk.fail("append", LOG, errno.EIO)
    lost = produce(("orders", 0, batch_of(b"lost" * 50)))
    assert refusal(client, lost) == ErrorCode.KAFKA_STORAGE_ERROR
    broker.disk.heal()
    (answer,) = produced(
        client.ask(produce(("orders", 0, batch_of(b"b"))), ProduceResponse, version=BY_NAME)
    )
    stored = values_of(read_all(client, "orders"))
    if answer.error_code == ErrorCode.NONE:
        assert stored == [b"a", b"b"]
    else:
        assert answer.error_code == ErrorCode.KAFKA_STORAGE_ERROR
        assert stored == [b"a"]


def test_batches_written_before_a_new_segment_fails_are_acknowledged(
    broker: MemoryBroker, client: Client
) -> None:
    half = batch_of(b"x" * 600_000)
    broker.create_topic("orders", segment_bytes=str(1 << 20))
    broker.disk.fail("append", "00000000000000000001.log", errno.ENOSPC)
    client.send(produce(("orders", 0, half)), produce(("orders", 0, half)), version=BY_NAME)
    broker.heal_disk()
    answers = [answer for response in client.answers() for answer in _produced(response)]
    assert [(answer.error_code, answer.base_offset) for answer in answers] == [
        (ErrorCode.NONE, 0),
        (ErrorCode.KAFKA_STORAGE_ERROR, -1),
    ]
    assert place(client, produce(("orders", 0, half))) == 1


def test_the_records_of_a_refused_append_are_gone_after_a_restart(
    broker: MemoryBroker, client: Client, connect: Connect
) -> None:
    broker.create_topic("orders")
    place(client, produce(("orders", 0, batch_of(b"a"))))
    broker.disk.fail("append", LOG, errno.EIO)
    refusal(client, produce(("orders", 0, batch_of(b"lost"))))
    broker.disk.heal()
    place(client, produce(("orders", 0, batch_of(b"b"))))
    broker.stop_uncleanly()
    broker.start()
    assert values_of(read_all(connect(broker), "orders")) == [b"a", b"b"]
