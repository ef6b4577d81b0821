from __future__ import annotations

import struct
from typing import Any

import pytest

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.wire.compiler import codec
from ottla.wire.frames import COPIED_RECORDS_BYTES_MAX, request_frame, response_frame
from ottla.wire.headers import (
    RequestHeader,
    decode_request_header,
    decode_response_header,
    response_header,
)
from ottla.wire.messages.api_versions import ApiVersionsResponse
from ottla.wire.messages.fetch import FetchableTopicResponse, FetchResponse, PartitionData
from ottla.wire.messages.produce import PartitionProduceData, ProduceRequest, TopicProduceData

FETCH, API_VERSIONS = 1, 18
LARGE = COPIED_RECORDS_BYTES_MAX + 1


class Region:
    """A part of a file: a length, and no bytes to copy."""

    def __init__(self, length: int) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length


def fetch_response(*records: Any) -> FetchResponse:
    partitions = [
        PartitionData(partition_index=index, high_watermark=9, records=each)
        for index, each in enumerate(records)
    ]
    return FetchResponse(responses=[FetchableTopicResponse(topic="t", partitions=partitions)])


def produce_request(records: bytes) -> ProduceRequest:
    partition = PartitionProduceData(index=3, records=records)
    topic = TopicProduceData(name="topic", partition_data=[partition])
    return ProduceRequest(acks=-1, timeout_ms=1000, topic_data=[topic])


def size_of(segments: list[Any]) -> int:
    (size,) = struct.unpack_from(">i", segments[0])
    assert size == sum(map(len, segments)) - 4
    return int(size)


@pytest.mark.parametrize("version", [11, 12])
def test_an_answer_without_records_is_one_bytearray(version: int) -> None:
    (frame,) = response_frame(FETCH, version, 42, fetch_response(None))
    size_of([frame])
    view = memoryview(frame)
    correlation_id, position = decode_response_header(
        view, 4, len(frame), api_key=FETCH, version=version
    )
    response, position = codec(FetchResponse, version).decode(view, position, len(frame))
    assert correlation_id == 42
    assert position == len(frame)
    assert response == fetch_response(None)


def test_small_records_are_copied_beside_their_neighbours() -> None:
    (frame,) = response_frame(FETCH, 12, 42, fetch_response(b"small", memoryview(b"smaller")))
    size_of([frame])
    body = codec(FetchResponse, 12).encode(fetch_response(b"small", b"smaller"))
    assert frame[4:] == response_header(FETCH, 12, 42) + body


def test_large_records_stay_a_segment() -> None:
    records = memoryview(bytes(LARGE))
    segments = response_frame(FETCH, 12, 42, fetch_response(b"small", records))
    assert len(segments) == 3
    assert segments[1] is records
    size_of(segments)


def test_a_region_stays_a_segment_however_small() -> None:
    region = Region(1)
    segments = response_frame(FETCH, 12, 42, fetch_response(region))
    assert segments[1] is region
    size_of(segments)


def test_records_of_the_caller_are_never_written_to() -> None:
    mine = bytearray(b"mine")
    response_frame(FETCH, 12, 42, fetch_response(mine, b"other"))
    assert mine == b"mine"


def test_an_api_versions_answer_has_no_tags_in_its_header() -> None:
    (frame,) = response_frame(API_VERSIONS, 3, 42, ApiVersionsResponse())
    assert frame.hex() == "0000000c0000002a0000010000000000"


def test_an_answer_that_the_version_cannot_carry_is_refused() -> None:
    with pytest.raises(ProtocolError) as refusal:
        response_frame(FETCH, 6, 42, FetchResponse(session_id=1))
    assert refusal.value.code == ErrorCode.UNSUPPORTED_VERSION


@pytest.mark.parametrize("records", [b"small", bytes(LARGE)])
def test_a_request_is_one_piece_with_its_records(records: bytes) -> None:
    request = produce_request(records)
    frame = request_frame(request, version=9, correlation_id=5, client_id="me")
    size_of([frame])
    view = memoryview(frame)
    header, position = decode_request_header(view, 4, len(frame))
    found, position = codec(ProduceRequest, 9).decode(view, position, len(frame))
    assert header == RequestHeader(0, 9, 5, "me")
    assert position == len(frame)
    assert found == request
