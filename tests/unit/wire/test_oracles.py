"""The codecs against two independent readings of the protocol: kio and kafka-python.

Both decode what we encode, must find in it what we put in, and must encode it to the same bytes.
Known faults and gaps of an oracle are listed here, each with its reason; nothing else is excused.
"""

from __future__ import annotations

import datetime as dt
import enum
import io
import re
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from hypothesis import given
from kio.index import UnknownEntity
from kio.serial import entity_reader, entity_writer

from ottla.wire import messages
from ottla.wire.compiler import codec
from ottla.wire.messages.api_versions import ApiVersionsRequest, ApiVersionsResponse
from ottla.wire.messages.consumer_group_describe import (
    ConsumerGroupDescribeRequest,
    ConsumerGroupDescribeResponse,
)
from ottla.wire.messages.consumer_group_heartbeat import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
)
from ottla.wire.messages.create_delegation_token import (
    CreateDelegationTokenRequest,
    CreateDelegationTokenResponse,
)
from ottla.wire.messages.describe_delegation_token import (
    DescribeDelegationTokenRequest,
    DescribeDelegationTokenResponse,
)
from ottla.wire.messages.describe_transactions import DescribeTransactionsResponse
from ottla.wire.messages.expire_delegation_token import (
    ExpireDelegationTokenRequest,
    ExpireDelegationTokenResponse,
)
from ottla.wire.messages.get_telemetry_subscriptions import (
    GetTelemetrySubscriptionsRequest,
    GetTelemetrySubscriptionsResponse,
)
from ottla.wire.messages.metadata import OPERATIONS_NOT_ASKED
from ottla.wire.messages.offset_commit import OffsetCommitRequest
from ottla.wire.messages.produce import ProduceResponse
from ottla.wire.messages.push_telemetry import PushTelemetryRequest, PushTelemetryResponse
from ottla.wire.messages.renew_delegation_token import (
    RenewDelegationTokenRequest,
    RenewDelegationTokenResponse,
)
from ottla.wire.messages.sasl_authenticate import SaslAuthenticateResponse
from ottla.wire.messages.unregister_broker import UnregisterBrokerRequest, UnregisterBrokerResponse
from ottla.wire.schema import Payload, Structure, Versioned, fields_of
from tests.unit.wire import kafka_python, kio_schemas
from tests.unit.wire.strategies import (
    CONSUMER_PROTOCOL_PAYLOADS,
    CONTROL_PAYLOADS,
    any_message,
    every_version,
    examples,
    version_name,
)

Class = type[Versioned]

KIO_LACKS = {(ApiVersionsRequest, 5), (ApiVersionsResponse, 5)}
"""Versions of Kafka 4.4 that kio does not have yet."""

KAFKA_PYTHON_LACKS = {(ApiVersionsRequest, 5), (ApiVersionsResponse, 5)}
"""Nor has kafka-python 3.0."""

KAFKA_PYTHON_HAS_NOT_AT_ALL = {
    ConsumerGroupDescribeRequest,
    ConsumerGroupDescribeResponse,
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
    CreateDelegationTokenRequest,
    CreateDelegationTokenResponse,
    DescribeDelegationTokenRequest,
    DescribeDelegationTokenResponse,
    ExpireDelegationTokenRequest,
    ExpireDelegationTokenResponse,
    GetTelemetrySubscriptionsRequest,
    GetTelemetrySubscriptionsResponse,
    PushTelemetryRequest,
    PushTelemetryResponse,
    RenewDelegationTokenRequest,
    RenewDelegationTokenResponse,
    UnregisterBrokerRequest,
    UnregisterBrokerResponse,
}
"""kafka-python 3.0 knows nothing of the consumer protocol (KIP-848), of delegation tokens, nor of
clients' metrics (KIP-714)."""

OF_TOKENS = (
    CreateDelegationTokenRequest,
    CreateDelegationTokenResponse,
    ExpireDelegationTokenRequest,
    ExpireDelegationTokenResponse,
    RenewDelegationTokenRequest,
    RenewDelegationTokenResponse,
)

TIMESTAMP_MS_MAX = 253_402_300_799_000
"""The end of the year 9999; kio turns timestamps into `datetime`."""

DURATION_MS_MAX = 2**53 // 1000
"""kio turns durations into `timedelta`, and back by way of seconds in a float."""

API_VERSIONS = [(cls, version) for cls, version in every_version() if not issubclass(cls, Payload)]
PAYLOAD_VERSIONS = [
    (cls, version)
    for cls in [*CONTROL_PAYLOADS, *CONSUMER_PROTOCOL_PAYLOADS]
    for version in cls.VERSIONS
]

messages.load_all()


def kio_can_take(message: Versioned) -> bool:
    """kio has no timestamps after the year 9999, nor before 1970 but for Produce's -1, which means
    none; and durations are `timedelta`."""
    if isinstance(message, ProduceResponse):
        return all(
            -1 <= partition.log_append_time_ms <= TIMESTAMP_MS_MAX
            for topic in message.responses
            for partition in topic.partition_responses
        )
    if isinstance(message, DescribeTransactionsResponse):
        return all(
            0 <= state.transaction_start_time_ms <= TIMESTAMP_MS_MAX
            for state in message.transaction_states
        )
    if isinstance(message, (*OF_TOKENS, SaslAuthenticateResponse)):
        return _has_times_of_kio(message)
    if isinstance(message, DescribeDelegationTokenResponse):
        return all(map(_has_times_of_kio, message.tokens))
    if isinstance(message, OffsetCommitRequest):
        return abs(message.retention_time_ms) <= DURATION_MS_MAX
    return True


def _has_times_of_kio(structure: Structure) -> bool:
    """Whether its times are after 1970 and its durations no longer than a float can tell."""
    return all(
        0 <= getattr(structure, name) <= TIMESTAMP_MS_MAX
        if name.endswith("_timestamp")
        else abs(getattr(structure, name)) <= DURATION_MS_MAX
        for name in structure.__struct_fields__
        if name.endswith(("_timestamp", "_ms"))
    )


def kafka_python_can_take(message: Versioned) -> bool:
    """kafka-python reads every ApiVersions answer with an error as if it were of version 0."""
    return not isinstance(message, ApiVersionsResponse) or message.error_code == 0


def plain(value: Any) -> Any:
    """What a value of ours or of an oracle comes down to."""
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, uuid.UUID):
        return value.bytes
    if isinstance(value, dt.timedelta):
        return round(value / dt.timedelta(milliseconds=1))
    if isinstance(value, dt.datetime):
        epoch = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
        return round((value - epoch) / dt.timedelta(milliseconds=1))
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if isinstance(value, set):  # kafka-python's bit fields
        return int.from_bytes(sum(1 << bit for bit in value).to_bytes(4), signed=True)
    return value


def letters(name: str) -> str:
    """A name without what readings differ in: underscores, units, and whose operations."""
    return re.sub(r"_ms$|^(topic|cluster)_(?=authorized_operations$)", "", name).replace("_", "")


def assert_same(ours: Structure, version: int, theirs: Any, their_names: Iterable[str]) -> None:
    """Every field that the version has holds the same on both sides."""
    named = {letters(name): name for name in their_names}
    for field in fields_of(type(ours)):
        if version in field.versions:
            other = getattr(theirs, named[letters(field.name)])
            assert_same_value(getattr(ours, field.name), version, other, field.name)


def assert_same_value(ours: Any, version: int, theirs: Any, name: str) -> None:
    if isinstance(ours, Structure):
        assert_same(ours, version, theirs, names_of(theirs))
    elif isinstance(ours, list):
        assert len(ours) == len(theirs), name
        for mine, other in zip(ours, theirs, strict=True):
            assert_same_value(mine, version, other, name)
    elif ours is None and theirs is not None:  # a tagged structure that was not sent
        assert all(plain(getattr(theirs, each)) == -1 for each in names_of(theirs)), name
    else:
        assert equal(ours, plain(theirs)), name


def equal(ours: Any, theirs: Any) -> bool:
    # kio has None for the zero uuid and for no timestamp, kafka-python for no bit field.
    nothing = {bytes(16), -1, OPERATIONS_NOT_ASKED}
    return bool(ours == theirs or (theirs is None and ours in nothing))


def names_of(theirs: Any) -> Iterable[str]:
    fields: Mapping[str, Any] = getattr(theirs, "__dataclass_fields__", None) or theirs.fields
    return [name for name in fields if not name.startswith("__")]


@pytest.mark.parametrize(
    ("cls", "version"),
    [pair for pair in [*API_VERSIONS, *PAYLOAD_VERSIONS] if pair not in KIO_LACKS],
    ids=version_name,
)
def test_kio_reads_and_writes_the_same(cls: Class, version: int) -> None:
    schema = kio_schemas.schema_of(cls, version)
    read, write = entity_reader(schema), entity_writer(schema)

    @examples(3)
    @given(any_message(cls, version).filter(kio_can_take))
    def check(message: Versioned) -> None:
        encoded = bytes(codec(cls, version).encode(message))
        theirs, size = read(encoded, 0)
        assert size == len(encoded)
        sent, _ = codec(cls, version).decode(memoryview(encoded), 0, len(encoded))
        assert_same(sent, version, theirs, names_of(theirs))
        out = io.BytesIO()
        write(out, theirs)
        assert out.getvalue() == encoded

    check()


@pytest.mark.parametrize(
    ("cls", "version"),
    [
        (cls, version)
        for cls, version in API_VERSIONS
        if (cls, version) not in KAFKA_PYTHON_LACKS and cls not in KAFKA_PYTHON_HAS_NOT_AT_ALL
    ],
    ids=version_name,
)
def test_kafka_python_reads_and_writes_the_same(cls: Class, version: int) -> None:
    schema = kafka_python.class_of(cls)

    @examples(3)
    @given(any_message(cls, version).filter(kafka_python_can_take))
    def check(message: Versioned) -> None:
        encoded = bytes(codec(cls, version).encode(message))
        theirs = schema.decode(encoded, version=version)
        sent, _ = codec(cls, version).decode(memoryview(encoded), 0, len(encoded))
        assert_same(sent, version, theirs, names_of(theirs))
        theirs._header = None  # its decoder leaves it unset, and its encoder asks for it
        assert theirs.encode(version=version) == encoded

    check()


@pytest.mark.parametrize(("cls", "version"), sorted(KIO_LACKS, key=str), ids=version_name)
def test_what_kio_lacks_is_still_missing(cls: Class, version: int) -> None:
    with pytest.raises(UnknownEntity):
        kio_schemas.schema_of(cls, version)


@pytest.mark.parametrize(("cls", "version"), sorted(KAFKA_PYTHON_LACKS, key=str), ids=version_name)
def test_what_kafka_python_lacks_is_still_missing(cls: Class, version: int) -> None:
    assert version > kafka_python.class_of(cls).max_version


@pytest.mark.parametrize("cls", sorted(KAFKA_PYTHON_HAS_NOT_AT_ALL, key=str), ids=version_name)
def test_what_kafka_python_does_not_know_is_still_unknown(cls: Class) -> None:
    with pytest.raises(StopIteration):
        kafka_python.class_of(cls)


def test_api_versions_5_adds_the_cluster_and_node_that_the_client_means() -> None:
    """No oracle has it yet (KIP-1242)."""
    request = ApiVersionsRequest(
        client_software_name="o", client_software_version="1", cluster_id="c", node_id=2
    )
    expected = "026f023102630000000200"
    assert codec(ApiVersionsRequest, 5).encode(request).hex() == expected
    response = ApiVersionsResponse(error_code=129)
    expected = "0081010000000000"
    assert codec(ApiVersionsResponse, 5).encode(response).hex() == expected
