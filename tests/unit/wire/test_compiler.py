"""What codecs do beyond giving messages back, on a few messages."""

from __future__ import annotations

import traceback
from typing import Any

import pytest

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.wire.compiler import codec
from ottla.wire.messages.fetch import FetchableTopicResponse, FetchResponse, PartitionData
from ottla.wire.messages.metadata import MetadataRequest, MetadataRequestTopic
from ottla.wire.messages.produce import (
    LeaderIdAndEpoch,
    PartitionProduceData,
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
    TopicProduceData,
    TopicProduceResponse,
)


def produce_request(records: Any) -> ProduceRequest:
    partition = PartitionProduceData(index=3, records=records)
    topic = TopicProduceData(name="topic", partition_data=[partition])
    return ProduceRequest(acks=-1, timeout_ms=1000, topic_data=[topic])


def fetch_response(*records: Any) -> FetchResponse:
    partitions = [
        PartitionData(partition_index=index, high_watermark=9, records=each)
        for index, each in enumerate(records)
    ]
    return FetchResponse(responses=[FetchableTopicResponse(topic="t", partitions=partitions)])


def produce_response(leader: LeaderIdAndEpoch | None) -> ProduceResponse:
    partition = PartitionProduceResponse(index=0, base_offset=7, current_leader=leader)
    topic = TopicProduceResponse(name="t", partition_responses=[partition])
    return ProduceResponse(responses=[topic])


def test_bytes_of_a_produce_request() -> None:
    expected = (
        "00ffff000003e8"  # no transaction, acks all, 1000 ms
        "0206746f70696302"  # one topic, "topic", one partition
        "000000030562617463"  # partition 3, four bytes of records
        "000000"  # no tagged fields of partition, topic and request
    )  # fmt: skip
    assert codec(ProduceRequest, 9).encode(produce_request(b"batc")).hex() == expected


def test_bytes_of_an_older_produce_request() -> None:
    expected = (
        "ffffffff000003e8"
        "000000010005746f70696300000001"
        "000000030000000462617463"
    )  # fmt: skip
    assert codec(ProduceRequest, 7).encode(produce_request(b"batc")).hex() == expected


@pytest.mark.parametrize("version", [7, 9])
def test_decoded_records_are_a_view_of_the_frame(version: int) -> None:
    frame = codec(ProduceRequest, version).encode(produce_request(b"batch"))
    request, _ = codec(ProduceRequest, version).decode(memoryview(frame), 0, len(frame))
    records = request.topic_data[0].partition_data[0].records
    assert isinstance(records, memoryview)
    assert records.obj is frame
    records[:5] = b"BATCH"
    assert b"BATCH" in frame


class Region:
    """As a file region is: it has a length, and no bytes to copy."""

    def __len__(self) -> int:
        return 1000


@pytest.mark.parametrize("version", [11, 12])
def test_records_become_segments_of_their_own(version: int) -> None:
    region, view = Region(), memoryview(bytes(10))
    segments: list[Any] = []
    codec(FetchResponse, version).encode_into(fetch_response(region, view), segments)
    assert segments[1] is region
    assert segments[3] is view
    assert {type(segment) for segment in segments[::2]} == {bytearray}


def test_the_pieces_joined_are_the_message() -> None:
    response = fetch_response(b"first", bytearray(b"second"))
    segments: list[Any] = []
    codec(FetchResponse, 12).encode_into(response, segments)
    assert b"".join(segments) == codec(FetchResponse, 12).encode(response)


@pytest.mark.parametrize("records", [None, b"", memoryview(b"")])
@pytest.mark.parametrize("version", [11, 12])
def test_no_records_make_no_segment(version: int, records: Any) -> None:
    segments: list[Any] = []
    codec(FetchResponse, version).encode_into(fetch_response(records), segments)
    assert len(segments) == 1


def test_null_records_and_empty_records_differ() -> None:
    for version in (11, 12):
        null = codec(FetchResponse, version).encode(fetch_response(None))
        empty = codec(FetchResponse, version).encode(fetch_response(b""))
        assert null != empty


def test_a_tagged_field_at_its_default_is_not_sent() -> None:
    nothing = codec(ProduceResponse, 10).encode(produce_response(None))
    default = codec(ProduceResponse, 10).encode(produce_response(LeaderIdAndEpoch()))
    leader = LeaderIdAndEpoch(leader_id=1, leader_epoch=2)
    assert default == nothing
    assert len(codec(ProduceResponse, 10).encode(produce_response(leader))) == len(nothing) + 11


def test_null_where_the_version_has_none_is_refused() -> None:
    with pytest.raises(ProtocolError, match="topics: null") as refusal:
        codec(MetadataRequest, 0).encode(MetadataRequest(topics=None))
    assert refusal.value.code == ErrorCode.UNSUPPORTED_VERSION
    named = MetadataRequest(topics=[MetadataRequestTopic(name=None)])
    with pytest.raises(ProtocolError, match="name: null"):
        codec(MetadataRequest, 9).encode(named)
    codec(MetadataRequest, 10).encode(named)


@pytest.mark.parametrize("frame", ["fffffffe", "80000000"])
def test_a_negative_count_is_refused(frame: str) -> None:
    buffer = bytes.fromhex(frame)
    with pytest.raises(ProtocolError, match="negative"):
        codec(MetadataRequest, 1).decode(memoryview(buffer), 0, len(buffer))


@pytest.mark.parametrize(("version", "frame"), [(0, "ffffffff"), (0, "00000001ffff")])
def test_null_is_refused_where_it_is_not_allowed(version: int, frame: str) -> None:
    buffer = bytes.fromhex(frame)
    with pytest.raises(ProtocolError, match="null"):
        codec(MetadataRequest, version).decode(memoryview(buffer), 0, len(buffer))


@pytest.mark.parametrize(("version", "frame"), [(0, "000000010002ff61"), (9, "0203ff610000000000")])
def test_bytes_that_are_no_utf8_are_refused(version: int, frame: str) -> None:
    buffer = bytes.fromhex(frame)
    with pytest.raises(ProtocolError, match="utf-8"):
        codec(MetadataRequest, version).decode(memoryview(buffer), 0, len(buffer))


def test_a_compact_string_of_more_than_32767_bytes_is_refused() -> None:
    name = b"x" * 32768
    frame = b"\x02" + b"\x81\x80\x02" + name + b"\x00" + bytes(4)
    with pytest.raises(ProtocolError, match="32768 bytes"):
        codec(MetadataRequest, 9).decode(memoryview(frame), 0, len(frame))
    fitting = b"\x02" + b"\x80\x80\x02" + name[1:] + b"\x00" + bytes(4)
    codec(MetadataRequest, 9).decode(memoryview(fitting), 0, len(fitting))


@pytest.mark.parametrize("version", [8, 9])
def test_a_string_of_more_than_32767_bytes_is_not_encoded(version: int) -> None:
    request = MetadataRequest(topics=[MetadataRequestTopic(name="x" * 32768)])
    with pytest.raises(Exception, match=r"format requires|at most 32767") as refusal:
        codec(MetadataRequest, version).encode(request)
    assert not isinstance(refusal.value, ProtocolError)


def test_a_tagged_field_of_another_size_than_it_says_is_refused() -> None:
    leader = LeaderIdAndEpoch(leader_id=1, leader_epoch=2)
    frame = bytes(codec(ProduceResponse, 10).encode(produce_response(leader)))
    sized = bytes.fromhex("010009")  # one tagged field, number 0, nine bytes
    assert frame.count(sized) == 1
    for size in (8, 10):
        broken = frame.replace(sized, bytes([1, 0, size]))
        with pytest.raises(ProtocolError, match="another size"):
            codec(ProduceResponse, 10).decode(memoryview(broken), 0, len(broken))


def test_a_version_that_is_not_declared_has_no_codec() -> None:
    for version in (2, 14, -1):
        with pytest.raises(ProtocolError) as refusal:
            codec(ProduceRequest, version)
        assert refusal.value.code == ErrorCode.UNSUPPORTED_VERSION


def test_codecs_are_made_once() -> None:
    assert codec(ProduceRequest, 9) is codec(ProduceRequest, 9)
    assert codec(ProduceRequest, 9).decode is codec(ProduceRequest, 9).decode


def test_the_generated_source_can_be_read() -> None:
    source = codec(ProduceRequest, 9).decode_source
    assert "acks, timeout_ms, n = unpack_hiB(buffer, p)" in source
    assert "PartitionProduceData(index=index, records=records)" in source
    assert "    topic_data.append(TopicProduceData(" in source


def test_a_traceback_shows_generated_lines() -> None:
    with pytest.raises(AttributeError) as failure:
        codec(ProduceRequest, 9).encode(ProduceRequest(acks=1, timeout_ms=1, topic_data=[None]))  # type: ignore[list-item] # the fault under test
    lines = "".join(traceback.format_exception(failure.value))
    assert "<write ProduceRequest v9>" in lines
    assert ".name.encode()" in lines
