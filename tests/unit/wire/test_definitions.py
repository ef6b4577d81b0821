"""What no byte of a message shows: windows, nullability, defaults, and what may be dropped.

kafka-python carries Kafka's definitions along; every line of ours is held against them. The few
messages that it does not know are held against kio's classes.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from ottla.wire import messages
from ottla.wire.payloads import metadata
from ottla.wire.schema import ArrayOf, Field, Structure, StructureOf, Versioned, fields_of
from ottla.wire.versions import NO_VERSIONS, VersionRange, parse_versions
from tests.unit.wire import kafka_python, kio_schemas
from tests.unit.wire.strategies import CONSUMER_PROTOCOL_PAYLOADS, version_name

messages.load_all()

Definition = dict[str, Any]

NEWER_FIELDS = {("ApiVersionsRequest", "cluster_id"), ("ApiVersionsRequest", "node_id")}
"""Fields of versions that kafka-python 3.0 does not have yet."""

ONLY_IN_KIO = {
    "ConsumerGroupDescribeRequest",
    "ConsumerGroupDescribeResponse",
    "ConsumerGroupHeartbeatRequest",
    "ConsumerGroupHeartbeatResponse",
    "CreateDelegationTokenRequest",
    "CreateDelegationTokenResponse",
    "DescribeDelegationTokenRequest",
    "DescribeDelegationTokenResponse",
    "ExpireDelegationTokenRequest",
    "ExpireDelegationTokenResponse",
    "GetTelemetrySubscriptionsRequest",
    "GetTelemetrySubscriptionsResponse",
    "PushTelemetryRequest",
    "PushTelemetryResponse",
    "RenewDelegationTokenRequest",
    "RenewDelegationTokenResponse",
    "UnregisterBrokerRequest",
    "UnregisterBrokerResponse",
}
"""Messages that kafka-python 3.0 does not have."""

IGNORABLE_ONLY_IN_KIO = {"member_type"}
"""Their fields that may be dropped, by Kafka's definitions: kio keeps no such mark."""

UNSENT_METADATA: dict[tuple[str, str], Any] = {
    ("RegisterBrokerRecord", "log_dirs"): [],
    ("RegisterBrokerRecord", "cordoned_log_dirs"): None,
    ("PartitionRecord", "leader_recovery_state"): 0,
    ("PartitionRecord", "eligible_leader_replicas"): None,
    ("PartitionRecord", "last_known_elr"): None,
    ("PartitionChangeRecord", "isr"): None,
    ("PartitionChangeRecord", "leader"): -2,
    ("PartitionChangeRecord", "replicas"): None,
    ("PartitionChangeRecord", "removing_replicas"): None,
    ("PartitionChangeRecord", "adding_replicas"): None,
    ("PartitionChangeRecord", "leader_recovery_state"): -1,
    ("PartitionChangeRecord", "eligible_leader_replicas"): None,
    ("PartitionChangeRecord", "last_known_elr"): None,
    ("PartitionChangeRecord", "directories"): None,
    ("BrokerRegistrationChangeRecord", "fenced"): 0,
    ("BrokerRegistrationChangeRecord", "in_controlled_shutdown"): 0,
    ("BrokerRegistrationChangeRecord", "log_dirs"): [],
    ("BrokerRegistrationChangeRecord", "cordoned_log_dirs"): None,
    ("BeginTransactionRecord", "name"): None,
    ("AbortTransactionRecord", "reason"): None,
}
"""Tagged fields of metadata records, and the value that goes without saying."""


def definition_of(cls: type[Versioned]) -> Definition:
    if cls.__name__ in ONLY_IN_KIO:
        return kio_schemas.definition_of(cls, ignorable=IGNORABLE_ONLY_IN_KIO)
    definition: Definition = kafka_python.class_of(cls).json
    return definition


def letters(name: str) -> str:
    name = re.sub(r"^(Topic|Cluster)(?=AuthorizedOperations$)", "", name)
    return name.replace("_", "").lower()


class Line:
    """A field of ours and its definition, with the versions in which they can differ."""

    def __init__(self, field: Field, definition: Definition, within: VersionRange) -> None:
        self.field = field
        self.definition = definition
        self.within = within

    def defined(self, key: str) -> VersionRange:
        return parse_versions(self.definition.get(key, "none"))

    def clipped(self, versions: VersionRange) -> VersionRange:
        found = versions.intersection(self.within)
        return found or NO_VERSIONS

    @property
    def default(self) -> Any:
        text = self.definition.get("default", None)
        if text == "null" or isinstance(self.field.type, StructureOf):
            return None
        if isinstance(self.field.type, ArrayOf):
            return []
        kind = type(self.field.default)
        if text is None:
            return bytes(16) if kind is bytes else kind()
        if kind is bool:
            return str(text) == "true"
        return kind(int(str(text), 0)) if kind is int else kind(text)


def lines_of(
    cls: type[Structure], fields: list[Definition], within: VersionRange, common: Definition
) -> list[Line]:
    named = {letters(definition["name"]): definition for definition in fields}
    found: list[Line] = []
    for field in fields_of(cls):
        if (cls.__name__, field.name) in NEWER_FIELDS:
            continue
        definition = named.pop(letters(re.sub("^(topic|cluster)_(?=auth)", "", field.name)))
        line = Line(field, definition, within)
        found.append(line)
        type_ = field.type.element if isinstance(field.type, ArrayOf) else field.type
        if isinstance(type_, StructureOf):
            inner = definition.get("fields") or common[definition["type"].lstrip("[]")]
            found += lines_of(type_.cls, inner, line.clipped(line.defined("versions")), common)
    left = [
        each for each in named.values() if within.intersection(parse_versions(each["versions"]))
    ]
    assert not left, "defined, but not declared"
    return found


def lines_of_message(cls: type[Versioned]) -> list[Line]:
    definition = definition_of(cls)
    common = {each["name"]: each["fields"] for each in definition.get("commonStructs", [])}
    within = cls.VERSIONS.intersection(parse_versions(definition["validVersions"]))
    return lines_of(cls, definition["fields"], within, common)


each_message = pytest.mark.parametrize(
    "cls",
    [*messages.requests.values(), *messages.responses.values(), *CONSUMER_PROTOCOL_PAYLOADS],
    ids=version_name,
)


@each_message
def test_fields_stand_in_the_versions_of_the_definition(cls: type[Versioned]) -> None:
    for line in lines_of_message(cls):
        assert line.clipped(line.field.versions) == line.clipped(line.defined("versions")), (
            line.field
        )


@each_message
def test_fields_may_be_null_where_the_definition_says_so(cls: type[Versioned]) -> None:
    for line in lines_of_message(cls):
        ours = line.field.nullable.intersection(line.field.versions)
        theirs = line.defined("nullableVersions").intersection(line.defined("versions"))
        assert line.clipped(ours) == line.clipped(theirs), line.field


@each_message
def test_fields_have_the_tags_of_the_definition(cls: type[Versioned]) -> None:
    for line in lines_of_message(cls):
        assert line.field.tag == line.definition.get("tag"), line.field


@each_message
def test_values_are_dropped_only_where_the_definition_allows_it(cls: type[Versioned]) -> None:
    for line in lines_of_message(cls):
        if line.clipped(line.field.versions) != line.within:
            assert line.field.ignorable == line.definition.get("ignorable", False), line.field


@each_message
def test_what_goes_without_saying_is_what_the_definition_says(cls: type[Versioned]) -> None:
    """Where the default decides what is sent: tagged fields, and those that are refused."""
    for line in lines_of_message(cls):
        absent = line.clipped(line.field.versions) != line.within
        if line.field.tag is not None or (absent and not line.field.ignorable):
            assert line.field.default == line.default, line.field


def test_what_goes_without_saying_in_metadata_records() -> None:
    tagged = {
        (cls.__name__, field.name): field.default
        for cls in metadata.records.values()
        for field in fields_of(cls)
        if field.tag is not None
    }
    assert tagged == UNSENT_METADATA
