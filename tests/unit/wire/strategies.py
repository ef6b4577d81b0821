"""Hypothesis strategies made from the declarations themselves: any message of any version."""

from __future__ import annotations

import os
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from ottla.wire import messages
from ottla.wire.payloads import consumer_protocol, control, metadata
from ottla.wire.schema import (
    ArrayOf,
    Blob,
    Field,
    FieldType,
    Fixed,
    Payload,
    RecordBytes,
    Structure,
    StructureOf,
    Text,
    Versioned,
)
from ottla.wire.source import Shape

V = TypeVar("V", bound=Versioned)

DEPTH = int(os.environ.get("OTTLA_TEST_DEPTH", "1"))
"""How many times more examples than in a quick run."""

CONTROL_PAYLOADS: list[type[Payload]] = [
    control.EndTxnMarker,
    control.LeaderChangeMessage,
    control.SnapshotHeaderRecord,
    control.SnapshotFooterRecord,
    control.KRaftVersionRecord,
    control.VotersRecord,
]

CONSUMER_PROTOCOL_PAYLOADS: list[type[Payload]] = [
    consumer_protocol.ConsumerProtocolSubscription,
    consumer_protocol.ConsumerProtocolAssignment,
]

_RANGES = {
    "b": (-(2**7), 2**7 - 1),
    "h": (-(2**15), 2**15 - 1),
    "i": (-(2**31), 2**31 - 1),
    "q": (-(2**63), 2**63 - 1),
    "H": (0, 2**16 - 1),
    "I": (0, 2**32 - 1),
}

# Lengths around those where a varint grows by a byte. They are mapped, not sampled: Hypothesis
# prints strategies, and warns of long ones.
_LENGTHS = st.sampled_from([0, 1, 126, 127, 128, 20_000])
_TEXTS = st.text(max_size=5) | _LENGTHS.map(lambda length: "x" * length)
_BLOBS = st.binary(max_size=5) | _LENGTHS.map(bytes)


def examples(count: int) -> settings:
    """Settings of a quick property test; OTTLA_TEST_DEPTH multiplies the examples."""
    return settings(
        max_examples=count * DEPTH,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


def every_class() -> list[type[Versioned]]:
    messages.load_all()
    return [
        *messages.requests.values(),
        *messages.responses.values(),
        *metadata.records.values(),
        *CONTROL_PAYLOADS,
        *CONSUMER_PROTOCOL_PAYLOADS,
    ]


def every_version() -> list[tuple[type[Versioned], int]]:
    return [(cls, version) for cls in every_class() for version in cls.VERSIONS]


def version_name(value: object) -> str:
    """How pytest names a parameter."""
    return value.__name__ if isinstance(value, type) else f"v{value}"


def any_message(cls: type[V], version: int) -> st.SearchStrategy[V]:
    """Messages that the version can carry whole."""
    return _structures(Shape(cls, version, flexible=version in cls.FLEXIBLE))  # type: ignore[return-value] # of cls


def _structures(shape: Shape) -> st.SearchStrategy[Structure]:
    return st.builds(
        shape.cls,
        **{field.name: _values(shape, field) for field in [*shape.plain, *shape.tagged]},
    )


def _values(shape: Shape, field: Field) -> st.SearchStrategy[Any]:
    values = _of_type(shape, field.type, field.name)
    if shape.may_be_null(field):
        values = st.none() | values
    if field.tag is not None:
        values = st.just(field.default) | values
    return values


def _of_type(shape: Shape, type_: FieldType, name: str) -> st.SearchStrategy[Any]:
    if isinstance(type_, Fixed):
        return _fixed(type_, name)
    if isinstance(type_, Text):
        return _TEXTS
    if isinstance(type_, Blob | RecordBytes):
        return _BLOBS
    if isinstance(type_, ArrayOf):
        return _arrays(_of_type(shape, type_.element, name))
    assert isinstance(type_, StructureOf)
    return _structures(shape.of(type_.cls))


def _arrays(elements: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(elements, max_size=2)


def _fixed(type_: Fixed, name: str) -> st.SearchStrategy[Any]:
    if type_.format == "?":
        return st.booleans()
    if type_.format == "d":
        return st.floats(allow_nan=False)
    if type_.format == "16s":
        return st.just(bytes(16)) | st.binary(min_size=16, max_size=16)
    if name.endswith("error_code"):
        return st.integers(-1, 119)
    lowest, highest = _RANGES[type_.format]
    return st.integers(lowest, highest) | st.integers(max(lowest, -1), 3)
