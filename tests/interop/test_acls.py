"""Clients meet ACLs; and Apache Kafka, with the same ones, answers as this broker."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaError, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
)
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType

from ottla.base.errors import ErrorCode
from ottla.testing.direct_call import ask
from ottla.wire.messages.create_acls import CreateAclsResponse
from ottla.wire.messages.create_topics import (
    CreatableTopic,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from ottla.wire.messages.find_coordinator import FindCoordinatorRequest, FindCoordinatorResponse
from ottla.wire.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from ottla.wire.messages.list_groups import ListGroupsRequest, ListGroupsResponse
from ottla.wire.messages.metadata import MetadataRequest, MetadataResponse
from ottla.wire.schema import Message
from tests.conftest import BrokerFactory
from tests.interop.acl_cases import (
    CREATED,
    DELETED,
    DESCRIBED,
    PASSWORDS,
    PASSWORDS_TOLD,
    TOKENS,
    WE_REFUSE,
    Asked,
    creating,
)
from tests.interop.rights_cases import BOTH, CLOSING, KEEPING_BROKERS, LOOKING, asked, last
from tests.support.java import needs_java
from tests.support.kafka_process import KafkaProcess

pytestmark = pytest.mark.interop

SETTINGS = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "true",
    "delegation.token.secret.key": "a secret of this test",
    "offsets.topic.num.partitions": "1",
    "transaction.state.log.num.partitions": "1",
}
OPTIONS = [option for name, value in SETTINGS.items() for option in ("--set", f"{name}={value}")]
SOON_SECONDS_MAX = 30.0
PATIENCE_SECONDS = 20.0

Cases = Callable[[dict[str, bytes]], Iterator[tuple[Message, int]]]


def soon(holds: Callable[[], bool]) -> None:
    """Kafka's broker follows its controller a moment later."""
    deadline = time.monotonic() + SOON_SECONDS_MAX
    while not holds():
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.05)


class Pair:
    """Both brokers: the same is done to both, and the same is asked of both."""

    def __init__(self, theirs: tuple[str, int], ours: tuple[str, int]) -> None:
        self.theirs, self.ours = Asked(theirs), Asked(ours)
        self.count = 0
        self._ids: list[dict[str, bytes]] = []

    def differing(self, *cases: Message, version: int | None = None) -> list[object]:
        """The cases that they answer differently."""
        self.count += len(cases)
        told = [(self.theirs.told(case, version), self.ours.told(case, version)) for case in cases]
        return [
            (case, version, *both)
            for case, both in zip(cases, told, strict=True)
            if both[0] != both[1]
        ]

    def differing_on_topics(self, cases: Cases) -> list[object]:
        """The same of cases that name topics by ids, too: they are not those of the other."""
        found: list[object] = []
        theirs_ids, ours_ids = self._ids
        for theirs, ours in zip(cases(theirs_ids), cases(ours_ids), strict=True):
            self.count += 1
            answers = self.theirs.told(*theirs), self.ours.told(*ours)
            if answers[0] != answers[1]:
                found.append((*ours, *answers))
        return found

    def allow(self, *rows: tuple[int, str, int, str, str, int, int]) -> None:
        """Make entries on both, and wait until both go by them."""
        for broker in (self.theirs, self.ours):
            made = ask(broker.address, creating(*rows), CreateAclsResponse)
            assert [result.error_code for result in made.results] == [0] * len(rows)
        kept = self.ours.told(DESCRIBED[0])
        soon(lambda: self.theirs.told(DESCRIBED[0]) == kept)

    def make_topics(self) -> None:
        """Those that cases name, and the brokers' own, on both."""
        topics = [
            CreatableTopic(
                name=name, num_partitions=1, replication_factor=1, assignments=[], configs=[]
            )
            for name in BOTH
        ]
        for broker in (self.theirs, self.ours):
            made = ask(broker.address, CreateTopicsRequest(topics=topics), CreateTopicsResponse)
            assert [topic.error_code for topic in made.topics] == [0, 0]
            soon(lambda broker=broker: set(BOTH) <= _topic_ids(broker).keys())  # type: ignore[misc]  # mypy cannot infer the default's type
            soon(lambda broker=broker: _has_coordinators(broker))  # type: ignore[misc]  # as above
            self._ids.append(_topic_ids(broker))


def _topic_ids(broker: Asked) -> dict[str, bytes]:
    told = ask(broker.address, MetadataRequest(topics=None), MetadataResponse)
    return {topic.name: topic.topic_id for topic in told.topics if topic.name is not None}


def _has_coordinators(broker: Asked) -> bool:
    for key_type in (0, 1):
        finding = FindCoordinatorRequest(key_type=key_type, coordinator_keys=["warm"])
        ask(broker.address, finding, FindCoordinatorResponse)
    beginning = InitProducerIdRequest(transactional_id="warm", transaction_timeout_ms=1000)
    begun = ask(broker.address, beginning, InitProducerIdResponse, at_most=5)
    listed = ask(broker.address, ListGroupsRequest(), ListGroupsResponse)
    return not begun.error_code and not listed.error_code


@needs_java
def test_every_case_is_answered_as_apache_kafka_answers_it(
    start_broker: BrokerFactory, tmp_path: Path
) -> None:
    """First what is kept; then who may do what, as more and more is closed to us."""
    folder = tmp_path / "kafka"
    folder.mkdir()
    lines = "\n".join(f"{name}={value}" for name, value in SETTINGS.items())
    ours = start_broker(*OPTIONS)
    with KafkaProcess(folder, folder / "data", settings=lines) as kafka:
        pair = Pair(("127.0.0.1", kafka.port), (ours.host, ours.port))
        soon(lambda: pair.theirs.told(DESCRIBED[0]) == pair.ours.told(DESCRIBED[0]))
        assert pair.differing(*CREATED) == []
        soon(lambda: pair.theirs.told(DESCRIBED[0]) == pair.ours.told(DESCRIBED[0]))
        assert pair.differing(*DESCRIBED, *DELETED, *PASSWORDS) == []
        soon(lambda: pair.theirs.told(PASSWORDS_TOLD[0]) == pair.ours.told(PASSWORDS_TOLD[0]))
        assert pair.differing(*PASSWORDS_TOLD, *TOKENS) == []
        for case in WE_REFUSE:
            assert pair.theirs.told(case) == {"results": [{"error_code": -1}]}
            assert pair.ours.told(case) == {"results": [{"error_code": 42}]}
        pair.make_topics()
        for rows in (CLOSING, LOOKING, KEEPING_BROKERS):
            pair.allow(*rows)
            assert pair.differing_on_topics(asked) == []
        assert pair.differing_on_topics(last) == []
    assert pair.count > 500


# -- librdkafka ------------------------------------------------------------------------------------


def binding(name: str, operation: AclOperation, principal: str = "User:alice") -> AclBinding:
    return AclBinding(
        ResourceType.TOPIC,
        name,
        ResourcePatternType.LITERAL,
        principal,
        "*",
        operation,
        AclPermissionType.ALLOW,
    )


ALL = AclBindingFilter(
    ResourceType.ANY,
    None,  # type: ignore[arg-type]  # the stub forbids what the library wants
    ResourcePatternType.ANY,
    None,  # type: ignore[arg-type]  # the stub forbids what the library wants
    None,  # type: ignore[arg-type]  # the stub forbids what the library wants
    AclOperation.ANY,
    AclPermissionType.ANY,
)


def make(admin: AdminClient, *bindings: AclBinding) -> None:
    for future in admin.create_acls(list(bindings)).values():
        future.result(PATIENCE_SECONDS)


def found(admin: AdminClient, wanted: AclBindingFilter = ALL) -> set[AclBinding]:
    return set(admin.describe_acls(wanted).result(PATIENCE_SECONDS))


def test_librdkafka_makes_finds_and_removes_acls_and_they_survive_a_kill(
    start_broker: BrokerFactory,
) -> None:
    broker = start_broker(*OPTIONS)
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    reads, writes = binding("orders", AclOperation.READ), binding("orders", AclOperation.WRITE)
    make(admin, reads, writes)
    broker.kill()
    broker.start()
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    assert found(admin) == {reads, writes}
    writing = AclBindingFilter(
        ResourceType.TOPIC,
        "orders",
        ResourcePatternType.MATCH,
        None,  # type: ignore[arg-type]  # the stub forbids what the library wants
        None,  # type: ignore[arg-type]  # the stub forbids what the library wants
        AclOperation.WRITE,
        AclPermissionType.ANY,
    )
    (future,) = admin.delete_acls([writing]).values()
    assert set(future.result(PATIENCE_SECONDS)) == {writes}
    assert found(admin) == {reads}


def produced(bootstrap: str, topic: str) -> KafkaError | None:
    """What a producer is told of one record."""
    told: list[KafkaError | None] = []
    producer = Producer({"bootstrap.servers": bootstrap, "message.timeout.ms": 15_000})
    producer.produce(topic, b"value", on_delivery=lambda error, _: told.append(error))
    producer.flush(PATIENCE_SECONDS)
    (error,) = told
    return error


def consumed(bootstrap: str, topic: str, group: str) -> object:
    """The first record's value, or the first error's code."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest"}
    )
    try:
        consumer.subscribe([topic])
        message = consumer.poll(PATIENCE_SECONDS)
        assert message is not None, "neither a record nor an error"
        error = message.error()
        return message.value() if error is None else error.code()
    finally:
        consumer.close()


def test_librdkafka_may_what_acls_let_it_and_is_told_what_it_may_not(
    start_broker: BrokerFactory,
) -> None:
    broker = start_broker(*OPTIONS)
    Asked((broker.host, broker.port)).told(
        CreateTopicsRequest(
            topics=[
                CreatableTopic(
                    name=name, num_partitions=1, replication_factor=1, assignments=[], configs=[]
                )
                for name in ("orders", "salaries")
            ]
        )
    )
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    make(
        admin,
        binding("salaries", AclOperation.ALL),
        binding("salaries", AclOperation.DESCRIBE, "User:ANONYMOUS"),
        AclBinding(
            ResourceType.GROUP,
            "payroll",
            ResourcePatternType.LITERAL,
            "User:alice",
            "*",
            AclOperation.READ,
            AclPermissionType.ALLOW,
        ),
    )
    assert produced(broker.bootstrap, "orders") is None
    assert consumed(broker.bootstrap, "orders", "shop") == b"value"
    refused = produced(broker.bootstrap, "salaries")
    assert refused is not None
    assert refused.code() == ErrorCode.TOPIC_AUTHORIZATION_FAILED
    group_denied = consumed(broker.bootstrap, "orders", "payroll")
    assert group_denied == ErrorCode.GROUP_AUTHORIZATION_FAILED
    topic_denied = consumed(broker.bootstrap, "salaries", "shop")
    assert topic_denied == ErrorCode.TOPIC_AUTHORIZATION_FAILED
    make(admin, binding("salaries", AclOperation.WRITE, "User:ANONYMOUS"))
    assert produced(broker.bootstrap, "salaries") is None
