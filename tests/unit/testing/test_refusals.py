"""A refusal of any request is an answer that its client can read, in every version."""

from __future__ import annotations

from typing import Any

import pytest

from ottla.base.errors import ErrorCode
from ottla.testing.refusals import can_fail, failed_metadata, refused
from ottla.wire.compiler import codec
from ottla.wire.messages import load_all
from ottla.wire.messages.add_partitions_to_txn import AddPartitionsToTxnRequest
from ottla.wire.messages.alter_replica_log_dirs import AlterReplicaLogDirsRequest
from ottla.wire.messages.api_versions import ApiVersionsRequest
from ottla.wire.messages.fetch import FetchRequest, FetchResponse
from ottla.wire.messages.find_coordinator import FindCoordinatorRequest
from ottla.wire.messages.join_group import JoinGroupRequest
from ottla.wire.messages.metadata import (
    MetadataRequest,
    MetadataResponse,
    MetadataResponseBroker,
    MetadataResponseTopic,
)
from ottla.wire.messages.offset_fetch import OffsetFetchRequest
from ottla.wire.messages.produce import ProduceRequest
from ottla.wire.schema import (
    ArrayOf,
    Field,
    Fixed,
    Message,
    Structure,
    StructureOf,
    Text,
    fields_of,
    requests,
    responses,
)

load_all()


EVERY_REQUEST = [(kind, version) for kind in requests.values() for version in kind.VERSIONS]
every_request = pytest.mark.parametrize(
    ("kind", "version"), EVERY_REQUEST, ids=[f"{k.__name__}-{v}" for k, v in EVERY_REQUEST]
)
NOT_COORDINATOR = ErrorCode.NOT_COORDINATOR
NOT_LEADER = ErrorCode.NOT_LEADER_OR_FOLLOWER


def filled(cls: type[Structure], version: int) -> Any:
    """A request with one thing in every list."""
    return cls(**{field.name: _filled_field(field, version) for field in fields_of(cls)})


def _filled_field(field: Field, version: int) -> Any:
    if version not in field.versions or field.tag is not None:
        return field.default
    return _filled_type(field.type, version)


def _filled_type(type_: Any, version: int) -> Any:
    match type_:
        case ArrayOf(element):
            return [_filled_type(element, version)]
        case StructureOf(cls):
            return filled(cls, version)
        case Fixed(format="16s"):
            return b"sixteen bytes id"
        case Fixed(format="?"):
            return False
        case Fixed():
            return 7
        case Text():
            return "told"
        case _:
            return b"blob"


def answer(request: Message, error: ErrorCode, version: int) -> Any:
    """What a client reads."""
    response, version = refused(request, error, version=version)
    made = memoryview(codec(type(response), version).encode(response))
    read, end = codec(responses[request.API_KEY], version).decode(made, 0, len(made))
    assert end == len(made)
    return read


def errors_in(told: Structure) -> list[int]:
    """Every error of an answer, the outermost first."""
    found = []
    for field in fields_of(type(told)):
        value = getattr(told, field.name)
        if field.name in ("error_code", "partition_error_code"):
            found.append(value)
        elif isinstance(value, list):
            found += [
                error for item in value if isinstance(item, Structure) for error in errors_in(item)
            ]
    return found


@every_request
def test_a_client_can_read_the_refusal_and_finds_the_error(
    kind: type[Message], version: int
) -> None:
    told = answer(filled(kind, version), NOT_COORDINATOR, version)
    assert NOT_COORDINATOR in errors_in(told)


@every_request
def test_a_request_of_nothing_is_refused_readably(kind: type[Message], version: int) -> None:
    nothing = filled(kind, version)
    for field in fields_of(kind):
        if isinstance(field.type, ArrayOf):
            setattr(nothing, field.name, [])
    answer(nothing, NOT_COORDINATOR, version)


@pytest.mark.parametrize("version", list(ProduceRequest.VERSIONS))
def test_a_refused_produce_names_its_partitions(version: int) -> None:
    (topic,) = answer(filled(ProduceRequest, version), NOT_LEADER, version).responses
    (partition,) = topic.partition_responses
    assert (topic.name or topic.topic_id) in ("told", b"sixteen bytes id")
    assert (partition.index, partition.error_code, partition.base_offset) == (7, NOT_LEADER, -1)


@pytest.mark.parametrize("version", list(FetchRequest.VERSIONS))
def test_a_refused_fetch_tells_partitions_and_not_the_session(version: int) -> None:
    told = answer(filled(FetchRequest, version), NOT_LEADER, version)
    assert told.error_code == ErrorCode.NONE
    (partition,) = told.responses[0].partitions
    assert (partition.partition_index, partition.error_code) == (7, NOT_LEADER)


def test_an_error_of_a_session_is_told_at_the_top_of_a_fetch() -> None:
    lost = ErrorCode.FETCH_SESSION_ID_NOT_FOUND
    assert answer(filled(FetchRequest, 12), lost, 12).error_code == lost


@pytest.mark.parametrize("version", [5, 9])
def test_offsets_are_refused_by_group_or_by_partition_as_the_error_is(version: int) -> None:
    request = filled(OffsetFetchRequest, version)
    whole = answer(request, NOT_COORDINATOR, version)
    parts = answer(request, ErrorCode.UNSTABLE_OFFSET_COMMIT, version)
    if version >= 8:
        (whole,), (parts,) = whole.groups, parts.groups
        assert parts.group_id == "told"
    assert whole.error_code == NOT_COORDINATOR
    assert parts.error_code == ErrorCode.NONE
    assert parts.topics[0].partitions[0].error_code == ErrorCode.UNSTABLE_OFFSET_COMMIT


def test_what_a_request_names_by_bare_names_is_named_in_the_answer() -> None:
    (coordinator,) = answer(filled(FindCoordinatorRequest, 4), NOT_COORDINATOR, 4).coordinators
    assert (coordinator.key, coordinator.node_id) == ("told", -1)
    transaction = answer(filled(AddPartitionsToTxnRequest, 5), NOT_COORDINATOR, 5)
    (partition,) = transaction.results_by_transaction[0].topic_results[0].results_by_partition
    assert partition.partition_index == 7


def test_what_is_asked_by_directory_is_answered_by_topic() -> None:
    (topic,) = answer(filled(AlterReplicaLogDirsRequest, 2), NOT_COORDINATOR, 2).results
    assert (topic.topic_name, topic.partitions[0].partition_index) == ("told", 7)


def test_lists_without_errors_stay_empty() -> None:
    told = answer(filled(JoinGroupRequest, 9), NOT_COORDINATOR, 9)
    assert told.members == []
    assert told.member_id == "told"


def test_an_unsupported_version_of_api_versions_is_told_in_the_oldest() -> None:
    _, version = refused(ApiVersionsRequest(), ErrorCode.UNSUPPORTED_VERSION, version=4)
    assert version == 0


def test_only_a_request_that_names_something_can_show_a_failure() -> None:
    assert can_fail(MetadataRequest(topics=None))
    assert not can_fail(MetadataRequest(topics=[]))
    fetch = filled(FetchRequest, 12)
    assert not can_fail(fetch)
    fetch.session_epoch = 0
    assert can_fail(fetch)


def test_failed_metadata_keeps_the_brokers() -> None:
    broker = MetadataResponseBroker(node_id=1, host="here", port=9092)
    topic = MetadataResponseTopic(name="orders", error_code=0)
    told = MetadataResponse(brokers=[broker], topics=[topic])
    failed_metadata(told, ErrorCode.LEADER_NOT_AVAILABLE)
    assert told.brokers == [broker]
    assert told.error_code == ErrorCode.NONE
    assert told.topics[0].error_code == ErrorCode.LEADER_NOT_AVAILABLE


def test_a_refused_fetch_leaves_no_session() -> None:
    request = FetchRequest(max_wait_ms=0, min_bytes=0, session_id=7, session_epoch=0, topics=[])
    answer, _ = refused(request, ErrorCode.NOT_LEADER_OR_FOLLOWER, version=13)
    assert isinstance(answer, FetchResponse)
    assert answer.session_id == 0
