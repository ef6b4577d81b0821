"""Behind an authorizer every API asks whether its sender may; without one, none does."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from ottla.base.errors import ErrorCode, UserError
from ottla.base.registry import Registry
from ottla.broker.discovery import load_handlers
from ottla.broker.guard import guard_of
from ottla.broker.guarding import EXEMPT, guarded_apis, load_guards
from ottla.broker.handlers import Handler, handlers
from ottla.wire.messages.alter_client_quotas import (
    AlterClientQuotasRequest,
    EntityData,
    EntryData,
)
from ottla.wire.messages.elect_leaders import ElectLeadersRequest, TopicPartitions
from ottla.wire.messages.fetch import FetchRequest
from ottla.wire.messages.list_groups import ListGroupsRequest
from ottla.wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestPartition,
    OffsetCommitRequestTopic,
)
from ottla.wire.messages.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestTopic,
)
from ottla.wire.messages.produce import ProduceRequest
from ottla.wire.messages.txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequestPartition,
    TxnOffsetCommitRequestTopic,
)
from ottla.wire.schema import Message, requests, responses
from tests.support.data_requests import fetch, partition_at, produce
from tests.support.memory_broker import MemoryBroker
from tests.support.records import batch_of
from tests.unit.broker.conftest import Connect, StartBroker
from tests.unit.broker.test_apis import MINIMAL

load_handlers()

EVERY_API = {"ottla_http_listeners": "localhost:0"}
"""Clients are asked for metrics only where somebody reads them."""
load_guards()

AUTHORIZER = "org.apache.kafka.metadata.authorizer.StandardAuthorizer"
DATA_PATH = {ProduceRequest.API_KEY, FetchRequest.API_KEY}
DENIALS = {
    ErrorCode.TOPIC_AUTHORIZATION_FAILED,
    ErrorCode.GROUP_AUTHORIZATION_FAILED,
    ErrorCode.CLUSTER_AUTHORIZATION_FAILED,
    ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
}
BY_ID = 13
TELLS_ONLY_WHAT_IS_ALLOWED = {
    "ListGroupsRequest": "groups that are hidden are left out",
    "ListTransactionsRequest": "transactions that are hidden are left out",
    "DescribeClusterRequest": "everybody may know the brokers; what one may do is told",
    "MetadataRequest": "all topics are asked for: those that are hidden are left out",
}
TOO_OLD_TO_SAY = {("DescribeLogDirsRequest", 1)}
"""Versions that answer with nothing: they have no place for the error."""


def without_anything() -> dict[type[Message], Message]:
    """Requests that name something, where the minimal one names nothing that could be refused."""
    partition = OffsetCommitRequestPartition(
        partition_index=0, committed_offset=1, committed_metadata=None
    )
    in_transaction = TxnOffsetCommitRequestPartition(
        partition_index=0, committed_offset=1, committed_metadata=None
    )
    entity = EntityData(entity_type="user", entity_name="alice")
    return {
        AlterClientQuotasRequest: AlterClientQuotasRequest(
            entries=[EntryData(entity=[entity], ops=[])], validate_only=False
        ),
        ElectLeadersRequest: ElectLeadersRequest(
            topic_partitions=[TopicPartitions(topic="orders", partitions=[0])]
        ),
        OffsetCommitRequest: OffsetCommitRequest(
            group_id="group",
            topics=[OffsetCommitRequestTopic(name="orders", partitions=[partition])],
        ),
        TxnOffsetCommitRequest: TxnOffsetCommitRequest(
            transactional_id="t",
            group_id="group",
            producer_id=1,
            producer_epoch=0,
            topics=[TxnOffsetCommitRequestTopic(name="orders", partitions=[in_transaction])],
        ),
    }


def asking(request_type: type[Message], version: int) -> Message:
    named = without_anything().get(request_type)
    if named is not None:
        return named
    if request_type is OffsetFetchRequest and version < 8:
        topic = OffsetFetchRequestTopic(name="orders", partition_indexes=[0])
        return OffsetFetchRequest(group_id="group", topics=[topic])
    return MINIMAL[request_type](version)


def errors_in(value: object) -> Iterator[ErrorCode]:
    """Every error code in a message, however deep."""
    if isinstance(value, list):
        for item in value:
            yield from errors_in(item)
    elif isinstance(value, msgspec.Struct):
        for field in msgspec.structs.fields(value):
            found: Any = getattr(value, field.name)
            if field.name.endswith("error_code"):
                yield ErrorCode(found)
            else:
                yield from errors_in(found)


def denied(
    broker: MemoryBroker, connect: Connect, handler: Handler, version: int
) -> set[ErrorCode]:
    client = connect(broker)
    topic_id = broker.create_topic("orders")
    request = asking(handler.request_type, version)
    if isinstance(request, ProduceRequest) and version >= BY_ID:
        request = produce((topic_id, 0, batch_of(b"a")))
    if isinstance(request, FetchRequest) and version >= BY_ID:
        request = fetch((topic_id, partition_at(0, 0)))
    if isinstance(request, OffsetCommitRequest) and version >= 10:
        request.topics[0].topic_id = topic_id
    response = client.ask(request, responses[handler.api_key], version=version)
    return set(errors_in(response)) & DENIALS


def denials(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    """What was logged of refusals."""
    return [vars(record) for record in caplog.records if record.message == "denied"]


OLDEST_AND_NEWEST = [
    (handler, version)
    for handler in handlers.values()
    for version in sorted({handler.versions.min, handler.versions.max})
]
NEWEST = [(handler, handler.versions.max) for handler in handlers.values()]


def test_every_api_has_a_guard_or_a_reason_to_have_none() -> None:
    for handler in handlers.values():
        places = [
            handler.api_key in guard_of,
            handler.api_key in EXEMPT,
            handler.api_key in DATA_PATH,
        ]
        assert places.count(True) == 1, handler.request_type.__name__


def test_reasons_name_the_apis_that_they_are_about() -> None:
    for key, reason in EXEMPT.items():
        if key in requests:
            assert reason.startswith(requests[key].__name__.removesuffix("Request") + ":")


@pytest.mark.parametrize(
    ("handler", "version"),
    OLDEST_AND_NEWEST,
    ids=[f"{each.request_type.__name__}-{version}" for each, version in OLDEST_AND_NEWEST],
)
def test_who_is_allowed_nothing_is_refused_by_every_api(
    start_broker: StartBroker,
    connect: Connect,
    handler: Handler,
    version: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Those that only tell, or are exempt, say so in the table here, or in EXEMPT.

    Refusals are logged; who is told less is not.
    """
    caplog.set_level(logging.INFO, "ottla.broker.denial_log")
    broker = start_broker(authorizer_class_name=AUTHORIZER, **EVERY_API)
    found = denied(broker, connect, handler, version)
    tells = handler.request_type.__name__ in TELLS_ONLY_WHAT_IS_ALLOWED
    says_nothing = (handler.request_type.__name__, version) in TOO_OLD_TO_SAY
    if handler.api_key in EXEMPT or tells or says_nothing:
        assert found == set()
        assert bool(denials(caplog)) == says_nothing
    else:
        assert found != set()
        assert denials(caplog)


@pytest.mark.parametrize(
    ("handler", "version"), NEWEST, ids=[each.request_type.__name__ for each, _ in NEWEST]
)
@pytest.mark.parametrize(
    "settings",
    [
        {"super_users": "User:bob; User:ANONYMOUS"},
        {"allow_everyone_if_no_acl_found": "true"},
    ],
    ids=["super users", "everybody"],
)
def test_who_is_allowed_all_is_refused_nothing(
    start_broker: StartBroker,
    connect: Connect,
    handler: Handler,
    version: int,
    settings: dict[str, str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "ottla.broker.denial_log")
    broker = start_broker(authorizer_class_name=AUTHORIZER, **EVERY_API, **settings)
    assert denied(broker, connect, handler, version) == set()
    assert denials(caplog) == []


def test_a_broker_with_an_authorizer_does_not_start_with_an_api_that_has_no_guard(
    start_broker: StartBroker,
) -> None:
    authorizer = start_broker(authorizer_class_name=AUTHORIZER).broker.authorizer
    assert authorizer is not None
    unknown: Registry[int, Handler] = Registry("handler")
    unguarded = msgspec.structs.replace(handlers[ListGroupsRequest.API_KEY], api_key=999)
    unknown.add(999, unguarded)
    with pytest.raises(UserError, match="ListGroupsRequest has no guard"):
        guarded_apis(unknown, authorizer)


def test_without_an_authorizer_handlers_are_served_as_they_are(broker: MemoryBroker) -> None:
    assert broker.broker.authorizer is None
    assert type(broker.broker.fetch).__name__ == "FetchPath"
    routes = broker.dispatcher._routes
    assert all(routes.handler(key) in {handlers[key], None} for key in handlers)
