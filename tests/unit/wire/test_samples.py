"""What real clients and Apache Kafka 4.3.1 said to each other decodes, and encodes to its bytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ottla.wire import messages
from ottla.wire.compiler import codec
from ottla.wire.headers import (
    decode_request_header,
    decode_response_header,
    encode_request_header,
    response_header,
)
from ottla.wire.schema import Message

SAMPLES = Path(__file__).parents[2] / "golden" / "wire" / "samples.jsonl"

NOT_RECORDED = {17, 23, 34, 35, 36, 38, 39, 40, 41, 64, 71, 72}
"""Declared APIs that none of the recorded clients used."""

BYTES_TOO_MANY = {(51, "librdkafka"): 1}
"""What a client sends behind its request: one section of tagged fields more than it has."""

Sample = dict[str, Any]

messages.load_all()
every_sample = [json.loads(line) for line in SAMPLES.read_text().splitlines()]


def sample_name(sample: Sample) -> str:
    return f"{sample['api_key']}-v{sample['version']}-{sample['client']}"


each_sample = pytest.mark.parametrize("sample", every_sample, ids=sample_name)
each_declared_sample = pytest.mark.parametrize(
    "sample",
    [sample for sample in every_sample if sample["api_key"] in messages.requests],
    ids=sample_name,
)


def whole(cls: type[Message], version: int, buffer: memoryview, position: int) -> Message:
    message, position = codec(cls, version).decode(buffer, position, len(buffer))
    assert position == len(buffer)
    return message


@each_sample
def test_every_request_header_is_understood(sample: Sample) -> None:
    buffer = memoryview(bytes.fromhex(sample["request"]))
    header, position = decode_request_header(buffer, 0, len(buffer))
    assert (header.api_key, header.api_version) == (sample["api_key"], sample["version"])
    assert position <= len(buffer)


@each_declared_sample
def test_a_request_encodes_to_its_bytes(sample: Sample) -> None:
    buffer = memoryview(bytes.fromhex(sample["request"]))
    header, position = decode_request_header(buffer, 0, len(buffer))
    buffer = buffer[: len(buffer) - BYTES_TOO_MANY.get((header.api_key, sample["client"]), 0)]
    request = whole(messages.requests[header.api_key], header.api_version, buffer, position)
    body = codec(type(request), header.api_version).encode(request)
    assert encode_request_header(header) + body == buffer


@each_declared_sample
def test_a_response_encodes_to_its_bytes(sample: Sample) -> None:
    key, version = sample["api_key"], sample["version"]
    buffer = memoryview(bytes.fromhex(sample["response"]))
    correlation_id, position = decode_response_header(
        buffer, 0, len(buffer), api_key=key, version=version
    )
    response = whole(messages.responses[key], version, buffer, position)
    body = codec(type(response), version).encode(response)
    assert (response_header(key, version, correlation_id) + body).hex() == sample["response"]


def test_the_samples_reach_every_declared_api() -> None:
    assert {sample["api_key"] for sample in every_sample} >= set(messages.requests) - NOT_RECORDED
