"""Keys and values of records as text: of the cluster's own topics by what they mean."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from ottla.base.errors import ProtocolError
from ottla.wire.compiler import codec
from ottla.wire.payloads import control
from ottla.wire.payloads.coordinator import RecordTypes, value_version
from ottla.wire.payloads.internal_topics import COORDINATOR_TOPICS
from ottla.wire.payloads.metadata import decode_metadata_record, metadata_record_version
from ottla.wire.payloads.plain import as_plain
from ottla.wire.records.control import ControlType, control_type
from ottla.wire.records.record import Record
from ottla.wire.schema import Payload

CLUSTER_METADATA: Final = "__cluster_metadata"
_RAFT_MESSAGES: Final[dict[ControlType, type[Payload]]] = {
    ControlType.LEADER_CHANGE: control.LeaderChangeMessage,
    ControlType.SNAPSHOT_HEADER: control.SnapshotHeaderRecord,
    ControlType.SNAPSHOT_FOOTER: control.SnapshotFooterRecord,
    ControlType.KRAFT_VERSION: control.KRaftVersionRecord,
    ControlType.KRAFT_VOTERS: control.VotersRecord,
}
_RAFT_VERSION_SIZE: Final = 2
_MARKER_PREFIX: Final = 2


class Told(NamedTuple):
    """A record's key and value as JSON values or texts; None where the record has none."""

    key: Any
    value: Any


Decoder = Callable[[Record], Told]


def decoder_for(topic: str | None) -> Decoder:
    """How the records of a topic are told; a topic that is not the cluster's own is bytes."""
    if topic == CLUSTER_METADATA:
        return _metadata
    types = COORDINATOR_TOPICS.get(topic or "")
    return _plain_bytes if types is None else lambda record: _coordinator(types, record)


def tell(record: Record, decoder: Decoder) -> Told:
    """As the decoder says; as bytes where it cannot read them."""
    try:
        return decoder(record)
    except ProtocolError as error:
        told = _plain_bytes(record)
        return Told(told.key, {"undecoded": error.message, "bytes": told.value})


def tell_control(record: Record) -> Told:
    """A control record: the type, and what its value says."""
    try:
        kind = control_type(record.key)
        return Told(kind.name, _control_value(kind, memoryview(record.value or b"")))
    except ProtocolError as error:
        told = _plain_bytes(record)
        return Told(told.key, {"undecoded": error.message, "bytes": told.value})


def _control_value(kind: ControlType, value: memoryview) -> dict[str, Any]:
    message = _RAFT_MESSAGES.get(kind)
    if message is None:
        marker, _ = codec(control.EndTxnMarker, 0).decode(value, _MARKER_PREFIX, len(value))
        return as_plain(marker, 0)
    # These repeat the version they are written in as their first field.
    version = int.from_bytes(value[:_RAFT_VERSION_SIZE], "big")
    found, _ = codec(message, version).decode(value, 0, len(value))
    return as_plain(found, version)


def _plain_bytes(record: Record) -> Told:
    return Told(as_text(record.key), as_text(record.value))


def as_text(data: bytes | None) -> str | None:
    """UTF-8 where it is text; hexadecimal digits behind `0x` where it is not."""
    if data is None:
        return None
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return f"0x{data.hex()}"
    return text if text.isprintable() or text.isspace() else f"0x{data.hex()}"


def _coordinator(types: RecordTypes, record: Record) -> Told:
    if record.key is None:
        return _plain_bytes(record)
    key = types.decode_key(record.key)
    told_key = {"type": str(key.API_KEY), "data": as_plain(key, 0)}
    if record.value is None:
        return Told(told_key, None)
    version = value_version(record.value)
    value = types.decode_value(key.API_KEY, record.value)
    return Told(told_key, {"version": str(version), "data": as_plain(value, version)})


def _metadata(record: Record) -> Told:
    value = memoryview(record.value or b"")
    found = decode_metadata_record(value)
    version = metadata_record_version(value)
    told = {
        "type": re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(found).__name__).upper(),
        "version": version,
        "data": as_plain(found, version),
    }
    return Told(as_text(record.key), told)


def shown(value: Any) -> str:
    """For a cell of a table."""
    if value is None:
        return "-"
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
