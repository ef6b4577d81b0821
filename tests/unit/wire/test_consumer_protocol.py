"""Subscriptions and assignments: in recorded groups, in kafka-python, and from odd clients."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.wire import messages
from ottla.wire.compiler import codec
from ottla.wire.headers import decode_request_header
from ottla.wire.payloads.consumer_protocol import (
    PROTOCOL_TYPE,
    AssignedPartitions,
    ConsumerProtocolAssignment,
    ConsumerProtocolSubscription,
    CooperativeStickyUserData,
    OwnedPartitions,
    StickyUserData,
    decode_assignment,
    decode_cooperative_sticky_user_data,
    decode_sticky_user_data,
    decode_subscription,
    encode_consumer_protocol,
    encode_user_data,
    subscribed_topics,
)
from ottla.wire.schema import Payload
from tests.unit.wire import kafka_python
from tests.unit.wire.strategies import (
    CONSUMER_PROTOCOL_PAYLOADS,
    any_message,
    examples,
    version_name,
)

messages.load_all()

SAMPLES = Path(__file__).parents[2] / "golden" / "wire" / "samples.jsonl"
JOIN_GROUP, SYNC_GROUP = 11, 14

DECODERS = {
    ConsumerProtocolSubscription: decode_subscription,
    ConsumerProtocolAssignment: decode_assignment,
}


def recorded(key: int) -> list[Any]:
    samples = [json.loads(line) for line in SAMPLES.read_text().splitlines()]
    return [decoded_request(sample) for sample in samples if sample["api_key"] == key]


def decoded_request(sample: dict[str, Any]) -> Any:
    buffer = memoryview(bytes.fromhex(sample["request"]))
    header, position = decode_request_header(buffer, 0, len(buffer))
    request = codec(messages.requests[header.api_key], header.api_version)
    return request.decode(buffer, position, len(buffer))[0]


SUBSCRIPTIONS = [
    protocol.metadata
    for request in recorded(JOIN_GROUP)
    if request.protocol_type == PROTOCOL_TYPE
    for protocol in request.protocols
]
ASSIGNMENTS = [each.assignment for request in recorded(SYNC_GROUP) for each in request.assignments]

each_version = pytest.mark.parametrize(
    ("cls", "version"),
    [(cls, version) for cls in CONSUMER_PROTOCOL_PAYLOADS for version in cls.VERSIONS],
    ids=version_name,
)


def test_groups_were_recorded() -> None:
    assert SUBSCRIPTIONS
    assert ASSIGNMENTS


@pytest.mark.parametrize("data", SUBSCRIPTIONS, ids=bytes.hex)
def test_a_recorded_subscription_encodes_to_its_bytes(data: bytes) -> None:
    subscription = decode_subscription(data)
    assert subscription.topics == subscribed_topics(data) != []
    version = int.from_bytes(data[:2])
    assert encode_consumer_protocol(subscription, version) == data


@pytest.mark.parametrize("data", ASSIGNMENTS, ids=bytes.hex)
def test_a_recorded_assignment_encodes_to_its_bytes(data: bytes) -> None:
    assignment = decode_assignment(data)
    assert encode_consumer_protocol(assignment, int.from_bytes(data[:2])) == data


@each_version
def test_kafka_python_reads_and_writes_the_same(cls: type[Payload], version: int) -> None:
    theirs = kafka_python.class_of(cls)

    @examples(3)
    @given(any_message(cls, version))
    def check(value: Payload) -> None:
        encoded = encode_consumer_protocol(value, version)
        assert theirs.decode(encoded).encode() == encoded
        sent, _ = codec(cls, version).decode(memoryview(encoded), 2, len(encoded))
        assert DECODERS[cls](encoded) == sent

    check()


@each_version
def test_every_cut_payload_is_refused(cls: type[Payload], version: int) -> None:
    partitions = [1, 2]
    whole = encode_consumer_protocol(
        ConsumerProtocolSubscription(
            topics=["a"],
            user_data=b"u",
            owned_partitions=[OwnedPartitions(topic="a", partitions=partitions)],
        )
        if cls is ConsumerProtocolSubscription
        else ConsumerProtocolAssignment(
            assigned_partitions=[AssignedPartitions(topic="a", partitions=partitions)]
        ),
        version,
    )
    for end in range(len(whole)):
        with pytest.raises(ProtocolError) as refused:
            DECODERS[cls](whole[:end])
        assert refused.value.code is ErrorCode.INVALID_REQUEST


def test_a_newer_version_is_read_as_the_newest_that_is_known() -> None:
    subscription = ConsumerProtocolSubscription(topics=["orders"], generation_id=4, rack_id="r")
    newest = encode_consumer_protocol(subscription)
    assert newest[:2] == b"\0\3"
    newer = b"\0\4" + newest[2:] + b"whatever comes with it"
    assert decode_subscription(newer) == subscription


def test_a_version_below_zero_is_refused() -> None:
    with pytest.raises(ProtocolError):
        decode_subscription(b"\xff\xff" + bytes(20))


def test_topics_are_found_where_a_client_forgot_the_fields_of_its_version() -> None:
    subscription = ConsumerProtocolSubscription(topics=["orders"], user_data=b"u")
    broken = b"\0\1" + encode_consumer_protocol(subscription, 0)[2:]
    with pytest.raises(ProtocolError):
        decode_subscription(broken)
    assert subscribed_topics(broken) == ["orders"]


def test_what_members_tell_sticky_leaders_is_read_in_both_versions() -> None:
    told = StickyUserData(
        previous_assignment=[OwnedPartitions(topic="x", partitions=[1, 2])], generation=7
    )
    data = encode_user_data(told)
    assert data.hex() == "0000000100017800000002000000010000000200000007"
    assert decode_sticky_user_data(data) == told
    old = decode_sticky_user_data(data[:-4])
    assert (old.previous_assignment, old.generation) == (told.previous_assignment, -1)
    with pytest.raises(ProtocolError):
        decode_sticky_user_data(data[:-5])


def test_what_members_tell_cooperative_leaders_is_their_generation() -> None:
    told = CooperativeStickyUserData(generation=7)
    assert encode_user_data(told) == bytes([0, 0, 0, 7])
    assert decode_cooperative_sticky_user_data(bytes([0, 0, 0, 7])) == told
    with pytest.raises(ProtocolError):
        decode_cooperative_sticky_user_data(b"")
