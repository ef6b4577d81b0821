from __future__ import annotations

import pytest

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.wire import messages
from ottla.wire.headers import (
    RequestHeader,
    decode_request_header,
    decode_response_header,
    encode_request_header,
    response_header,
)

messages.load_all()

PRODUCE, API_VERSIONS, UNDECLARED = 0, 18, 999


def decoded(frame: bytes) -> tuple[RequestHeader, int]:
    return decode_request_header(memoryview(frame), 0, len(frame))


@pytest.mark.parametrize("client_id", ["kcat", "", None, "é" * 100])
@pytest.mark.parametrize("version", [8, 9])
def test_a_request_header_comes_back(version: int, client_id: str | None) -> None:
    header = RequestHeader(PRODUCE, version, -5, client_id)
    encoded = bytes(encode_request_header(header))
    assert decoded(encoded + b"body") == (header, len(encoded))


def test_a_flexible_header_has_an_ordinary_client_id_and_then_tags() -> None:
    header = RequestHeader(PRODUCE, 9, 7, "ab")
    assert encode_request_header(header).hex() == "00000009000000070002616200"
    older = RequestHeader(PRODUCE, 8, 7, "ab")
    assert encode_request_header(older).hex() == "000000080000000700026162"


def test_tagged_fields_of_a_header_are_skipped() -> None:
    frame = bytes.fromhex("0000000900000007ffff020001aa0500") + b"body"
    header, position = decoded(frame)
    assert header == RequestHeader(PRODUCE, 9, 7, None)
    assert frame[position:] == b"body"


def test_an_undeclared_api_still_says_who_asks_what() -> None:
    frame = bytes.fromhex("03e700050000000700026162") + b"\xff\xff\xff\xff"
    header, _ = decoded(frame)
    assert header == RequestHeader(UNDECLARED, 5, 7, "ab")


def test_an_undeclared_version_is_read_without_its_tags() -> None:
    frame = bytes.fromhex("0012006300000007ffff")  # ApiVersions 99, cut before its tags
    header, _ = decoded(frame)
    assert header == RequestHeader(API_VERSIONS, 99, 7, None)


@pytest.mark.parametrize("version", [8, 9])
def test_every_prefix_of_a_header_is_refused(version: int) -> None:
    frame = encode_request_header(RequestHeader(PRODUCE, version, 7, "client"))
    for end in range(len(frame)):
        with pytest.raises(ProtocolError) as refusal:
            decode_request_header(memoryview(frame), 0, end)
        assert refusal.value.code == ErrorCode.INVALID_REQUEST


@pytest.mark.parametrize(
    "frame",
    [
        "0000000900000007fffe00",  # a client id of length -2
        "00000009000000070002ff6100",  # no UTF-8
        "00000009000000077fff61",  # longer than the frame
        "0000000900000007ffffffffffff7f",  # a varint of more than 32 bits
        "0000000900000007ffff01007f",  # a tag longer than the frame
    ],
)
def test_a_broken_header_is_refused(frame: str) -> None:
    with pytest.raises(ProtocolError) as refusal:
        decoded(bytes.fromhex(frame))
    assert refusal.value.code == ErrorCode.INVALID_REQUEST


def test_a_client_id_that_does_not_fit_is_not_encoded() -> None:
    with pytest.raises(ValueError):
        encode_request_header(RequestHeader(PRODUCE, 9, 7, "x" * 32768))


def test_a_response_header_has_tags_where_its_api_is_flexible() -> None:
    assert response_header(PRODUCE, 8, 7).hex() == "00000007"
    assert response_header(PRODUCE, 9, 7).hex() == "0000000700"


def test_an_api_versions_response_never_has_tags_in_its_header() -> None:
    for version in range(6):
        assert response_header(API_VERSIONS, version, 7).hex() == "00000007"


@pytest.mark.parametrize("key", [PRODUCE, API_VERSIONS])
@pytest.mark.parametrize("version", [3, 9])
def test_a_response_header_comes_back(key: int, version: int) -> None:
    frame = response_header(key, version, -1) + b"body"
    correlation_id, position = decode_response_header(
        memoryview(frame), 0, len(frame), api_key=key, version=version
    )
    assert correlation_id == -1
    assert frame[position:] == b"body"


@pytest.mark.parametrize("frame", ["", "000000", "00000007", "00000007010005"])
def test_a_broken_response_header_is_refused(frame: str) -> None:
    buffer = memoryview(bytes.fromhex(frame))
    with pytest.raises(ProtocolError):
        decode_response_header(buffer, 0, len(buffer), api_key=PRODUCE, version=9)
