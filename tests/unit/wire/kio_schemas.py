"""kio's classes, one for each version, and the definitions that they were made from."""

from __future__ import annotations

import dataclasses
import types
import typing
import uuid
from importlib import import_module
from typing import Any

from kio.index import load_request_schema, load_response_schema

from ottla.wire import messages
from ottla.wire.payloads import consumer_protocol, control
from ottla.wire.schema import Versioned
from ottla.wire.versions import VersionRange

Definition = dict[str, Any]
Schemas = dict[int, Any]
"""A class for each version that has it."""

PAYLOAD_MODULES: dict[type[Versioned], str] = {
    control.EndTxnMarker: "end_txn_marker",
    control.LeaderChangeMessage: "leader_change_message",
    control.SnapshotHeaderRecord: "snapshot_header_record",
    control.SnapshotFooterRecord: "snapshot_footer_record",
    control.KRaftVersionRecord: "k_raft_version_record",
    control.VotersRecord: "voters_record",
    consumer_protocol.ConsumerProtocolSubscription: "consumer_protocol_subscription",
    consumer_protocol.ConsumerProtocolAssignment: "consumer_protocol_assignment",
}


def schema_of(cls: type[Versioned], version: int) -> Any:
    """Its class for a version of ours; UnknownEntity where it has none."""
    if cls in PAYLOAD_MODULES:
        module = import_module(f"kio.schema.{PAYLOAD_MODULES[cls]}.v{version}.data")
        return getattr(module, cls.__name__)
    if cls in messages.requests.values():
        return load_request_schema(cls.API_KEY, version)
    return load_response_schema(cls.API_KEY, version)


def definition_of(cls: type[Versioned], *, ignorable: set[str]) -> Definition:
    """In the form of Kafka's own definitions; `ignorable` are fields' names, which kio lacks."""
    schemas = {version: schema_of(cls, version) for version in cls.VERSIONS}
    return {"validVersions": str(cls.VERSIONS), "fields": _definitions(schemas, ignorable)}


def _definitions(schemas: Schemas, ignorable: set[str]) -> list[Definition]:
    names = {field.name: None for schema in schemas.values() for field in _fields(schema)}
    return [_definition(name, schemas, ignorable) for name in names]


def _definition(name: str, schemas: Schemas, ignorable: set[str]) -> Definition:
    found = {
        version: field
        for version, schema in schemas.items()
        for field in _fields(schema)
        if field.name == name
    }
    nullable = [version for version, field in found.items() if _may_be_null(field.type)]
    inner = {version: _structure_in(field.type) for version, field in found.items()}
    newest = found[max(found)]
    definition: Definition = {
        "name": _with_unit(newest),
        "versions": _range(list(found)),
        "nullableVersions": _range(nullable),
        "tag": newest.metadata.get("tag"),
        "ignorable": name in ignorable,
    }
    if newest.default is not dataclasses.MISSING:
        definition["default"] = "null" if newest.default is None else newest.default
    if all(schema is not None for schema in inner.values()):
        definition["fields"] = _definitions(inner, ignorable)
    return definition


def _fields(schema: Any) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(schema)


def _with_unit(field: dataclasses.Field[Any]) -> str:
    """It takes the unit from the names of what it reads as durations."""
    return f"{field.name}_ms" if "timedelta" in field.metadata.get("kafka_type", "") else field.name


def _may_be_null(hint: Any) -> bool:
    """A uuid may not: None is its word for the zero one."""
    return types.NoneType in typing.get_args(hint) and uuid.UUID not in typing.get_args(hint)


def _structure_in(hint: Any) -> Any:
    if dataclasses.is_dataclass(hint):
        return hint
    found = (_structure_in(each) for each in typing.get_args(hint))
    return next((each for each in found if each is not None), None)


def _range(versions: list[int]) -> str:
    """kio's versions of a field have no gaps in what is read here."""
    if not versions:
        return "none"
    found = VersionRange(min(versions), max(versions))
    assert list(found) == sorted(versions)
    return str(found)
