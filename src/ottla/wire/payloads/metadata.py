"""The records of the metadata log, `__cluster_metadata`.

Ids and fields are those of Kafka's KRaft log, so that its tools read ours and we read its. The
keys 6, 13 and 16 are not in use.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.registry import Registry
from ottla.wire.compiler import codec
from ottla.wire.primitives import MalformedError, malformed, read_uvarint
from ottla.wire.schema import (
    Array,
    Bool,
    Bytes,
    Float64,
    Int8,
    Int16,
    Int32,
    Int64,
    NullableArray,
    NullableString,
    P,
    Payload,
    String,
    Structure,
    UInt16,
    Uuid,
    payload,
    since,
    tagged,
)

FRAME_VERSION = 1
"""Stands before every record; the only one there is."""

records: Registry[int, type[Payload]] = Registry("metadata record")


def metadata_record(*, key: int, versions: str, flexible: str) -> Callable[[type[P]], type[P]]:
    """Declare one type of record."""
    return payload(key=key, versions=versions, flexible=flexible, registry=records)


def encode_metadata_record(record: Payload, version: int | None = None) -> bytes:
    """A record's value, in the newest version unless told otherwise.

    Raises ProtocolError(UNSUPPORTED_VERSION) for what the version has no place for.
    """
    if version is None:
        version = record.VERSIONS.max
    out = bytearray((FRAME_VERSION, record.API_KEY, version))
    return bytes(codec(type(record), version).write(record, out, []))


def decode_metadata_record(value: memoryview) -> Payload:
    """What `encode_metadata_record` writes, and Kafka's controllers.

    Raises ProtocolError(UNSUPPORTED_VERSION) for a type or version that is not known: a node must
    not go on without it; INVALID_REQUEST for anything else.
    """
    key, version, position = _read_frame(value)
    cls = records.get(key)
    if cls is None:
        raise ProtocolError(ErrorCode.UNSUPPORTED_VERSION, f"no metadata record has key {key}")
    record, position = codec(cls, version).decode(value, position, len(value))
    if position != len(value):
        raise ProtocolError(
            ErrorCode.INVALID_REQUEST,
            f"{cls.__name__} v{version}: {len(value) - position} bytes too many",
        )
    return record


def metadata_record_version(value: memoryview) -> int:
    """The version that a record is written in. Raises ProtocolError."""
    _, version, _ = _read_frame(value)
    return version


def _read_frame(value: memoryview) -> tuple[int, int, int]:
    """Key, version and the position of the body."""
    position = 0
    try:
        frame, position = read_uvarint(value, position)
        key, position = read_uvarint(value, position)
        version, position = read_uvarint(value, position)
    except (IndexError, MalformedError) as error:
        raise malformed("metadata record", position, error) from None
    if frame != FRAME_VERSION:
        raise ProtocolError(ErrorCode.UNSUPPORTED_VERSION, f"metadata frame version {frame}")
    return key, version, position


@metadata_record(key=0, versions="0-4", flexible="0+")
class RegisterBrokerRecord(Payload, kw_only=True):
    """A broker process has joined."""

    broker_id: Int32
    is_migrating_zk_broker: Annotated[Bool, since(2)] = False
    incarnation_id: Uuid
    """Of the process: a restart makes a new one."""
    broker_epoch: Int64
    end_points: Array[BrokerEndpoint]
    features: Array[BrokerFeature]
    rack: NullableString
    fenced: Bool = True
    in_controlled_shutdown: Annotated[Bool, since(1)] = False
    log_dirs: Annotated[Array[Uuid], since(3), tagged(0)] = []
    cordoned_log_dirs: Annotated[NullableArray[Uuid], since(4), tagged(1)] = None


class BrokerEndpoint(Structure, kw_only=True):
    """Where a broker listens."""

    name: String
    host: String
    port: UInt16
    security_protocol: Int16


class BrokerFeature(Structure, kw_only=True):
    """Levels of a feature that a broker can run."""

    name: String
    min_supported_version: Int16
    max_supported_version: Int16


@metadata_record(key=1, versions="0", flexible="0+")
class UnregisterBrokerRecord(Payload, kw_only=True):
    """A broker has left for good."""

    broker_id: Int32
    broker_epoch: Int64


@metadata_record(key=2, versions="0", flexible="0+")
class TopicRecord(Payload, kw_only=True):
    """A topic has been made; its partitions follow."""

    name: String
    topic_id: Uuid


@metadata_record(key=3, versions="0-2", flexible="0+")
class PartitionRecord(Payload, kw_only=True):
    """A partition has been made, or its whole state is told anew."""

    partition_id: Int32 = -1
    topic_id: Uuid
    replicas: Array[Int32]
    """The preferred leader first."""
    isr: Array[Int32]
    removing_replicas: Array[Int32]
    adding_replicas: Array[Int32]
    leader: Int32 = -1
    leader_epoch: Int32 = -1
    partition_epoch: Int32 = -1
    directories: Annotated[Array[Uuid], since(1)] = []
    """Of each replica, in the order of `replicas`."""
    leader_recovery_state: Annotated[Int8, tagged(0)] = 0
    """1 while recovering from an unclean election."""
    eligible_leader_replicas: Annotated[NullableArray[Int32], since(2), tagged(1)] = None
    last_known_elr: Annotated[NullableArray[Int32], since(2), tagged(2)] = None


@metadata_record(key=4, versions="0", flexible="0+")
class ConfigRecord(Payload, kw_only=True):
    """A setting of a resource has changed."""

    resource_type: Int8
    """2 topic, 4 broker, 16 client metrics, 32 group."""
    resource_name: String
    name: String
    value: NullableString
    """Null where the setting is removed."""


@metadata_record(key=5, versions="0-2", flexible="0+")
class PartitionChangeRecord(Payload, kw_only=True):
    """Parts of a partition's state have changed; what was not sent stays as it is."""

    partition_id: Int32 = -1
    topic_id: Uuid
    isr: Annotated[NullableArray[Int32], tagged(0)] = None
    leader: Annotated[Int32, tagged(1)] = -2
    """-2 unchanged, -1 none."""
    replicas: Annotated[NullableArray[Int32], tagged(2)] = None
    removing_replicas: Annotated[NullableArray[Int32], tagged(3)] = None
    adding_replicas: Annotated[NullableArray[Int32], tagged(4)] = None
    leader_recovery_state: Annotated[Int8, tagged(5)] = -1
    """-1 unchanged, 0 recovered, 1 recovering from an unclean election."""
    eligible_leader_replicas: Annotated[NullableArray[Int32], since(2), tagged(6)] = None
    last_known_elr: Annotated[NullableArray[Int32], since(2), tagged(7)] = None
    directories: Annotated[NullableArray[Uuid], since(1), tagged(8)] = None


@metadata_record(key=7, versions="0", flexible="0+")
class FenceBrokerRecord(Payload, kw_only=True):
    """A broker may lead nothing until it is unfenced; older than BrokerRegistrationChange."""

    id: Int32
    epoch: Int64


@metadata_record(key=8, versions="0", flexible="0+")
class UnfenceBrokerRecord(Payload, kw_only=True):
    """A broker may lead again; older than BrokerRegistrationChange."""

    id: Int32
    epoch: Int64


@metadata_record(key=9, versions="0", flexible="0+")
class RemoveTopicRecord(Payload, kw_only=True):
    """A topic and all its partitions are gone."""

    topic_id: Uuid


@metadata_record(key=10, versions="0", flexible="0+")
class DelegationTokenRecord(Payload, kw_only=True):
    """A delegation token has been made or renewed."""

    owner: String
    requester: String
    renewers: Array[String]
    issue_timestamp: Int64
    max_timestamp: Int64
    """No renewal goes beyond it."""
    expiration_timestamp: Int64
    token_id: String


@metadata_record(key=11, versions="0", flexible="0+")
class UserScramCredentialRecord(Payload, kw_only=True):
    """A user's SCRAM credential has been set."""

    name: String
    mechanism: Int8
    """1 SCRAM-SHA-256, 2 SCRAM-SHA-512."""
    salt: Bytes
    stored_key: Bytes
    server_key: Bytes
    iterations: Int32


@metadata_record(key=12, versions="0", flexible="0+")
class FeatureLevelRecord(Payload, kw_only=True):
    """The cluster runs a feature at this level from here on."""

    name: String
    feature_level: Int16
    """0 where the feature is off."""


@metadata_record(key=14, versions="0", flexible="0+")
class ClientQuotaRecord(Payload, kw_only=True):
    """A quota of an entity has been set or removed."""

    entity: Array[EntityData]
    key: String
    value: Float64
    remove: Bool
    """Then `value` has no meaning."""


class EntityData(Structure, kw_only=True):
    """One part of whom a quota is for."""

    entity_type: String
    entity_name: NullableString
    """Null for the default of its type."""


@metadata_record(key=15, versions="0", flexible="0+")
class ProducerIdsRecord(Payload, kw_only=True):
    """A broker has been given a block of producer ids."""

    broker_id: Int32
    broker_epoch: Int64 = -1
    next_producer_id: Int64
    """The first id that nobody has been given."""


@metadata_record(key=17, versions="0-3", flexible="0+")
class BrokerRegistrationChangeRecord(Payload, kw_only=True):
    """Parts of a broker's registration have changed."""

    broker_id: Int32
    broker_epoch: Int64
    fenced: Annotated[Int8, tagged(0)] = 0
    """-1 unfenced, 0 unchanged, 1 fenced."""
    in_controlled_shutdown: Annotated[Int8, since(1), tagged(1)] = 0
    """0 unchanged, 1 shutting down."""
    log_dirs: Annotated[Array[Uuid], since(2), tagged(2)] = []
    """Empty where unchanged."""
    cordoned_log_dirs: Annotated[NullableArray[Uuid], since(3), tagged(3)] = None
    """Null where unchanged."""


@metadata_record(key=18, versions="0", flexible="0+")
class AccessControlEntryRecord(Payload, kw_only=True):
    """An ACL has been added."""

    id: Uuid
    resource_type: Int8
    resource_name: String
    pattern_type: Int8
    principal: String
    host: String
    operation: Int8
    permission_type: Int8


@metadata_record(key=19, versions="0", flexible="0+")
class RemoveAccessControlEntryRecord(Payload, kw_only=True):
    """An ACL is gone."""

    id: Uuid


@metadata_record(key=20, versions="0", flexible="0+")
class NoOpRecord(Payload, kw_only=True):
    """Nothing: the controller writes it so that the log's end moves."""


@metadata_record(key=21, versions="0", flexible="0+")
class ZkMigrationStateRecord(Payload, kw_only=True):
    """How far a migration from ZooKeeper came; only in logs that began before Kafka 4."""

    zk_migration_state: Int8


@metadata_record(key=22, versions="0", flexible="0+")
class RemoveUserScramCredentialRecord(Payload, kw_only=True):
    """A user's SCRAM credential is gone."""

    name: String
    mechanism: Int8


@metadata_record(key=23, versions="0", flexible="0+")
class BeginTransactionRecord(Payload, kw_only=True):
    """Records from here on count together, or not at all (KIP-868)."""

    name: Annotated[NullableString, tagged(0)] = None


@metadata_record(key=24, versions="0", flexible="0+")
class EndTransactionRecord(Payload, kw_only=True):
    """The records since the beginning of the transaction count."""


@metadata_record(key=25, versions="0", flexible="0+")
class AbortTransactionRecord(Payload, kw_only=True):
    """The records since the beginning of the transaction do not count."""

    reason: Annotated[NullableString, tagged(0)] = None


@metadata_record(key=26, versions="0", flexible="0+")
class RemoveDelegationTokenRecord(Payload, kw_only=True):
    """A delegation token is gone."""

    token_id: String


@metadata_record(key=27, versions="0", flexible="0+")
class RegisterControllerRecord(Payload, kw_only=True):
    """A controller process has joined (KIP-919)."""

    controller_id: Int32
    incarnation_id: Uuid
    zk_migration_ready: Bool
    end_points: Array[ControllerEndpoint]
    features: Array[ControllerFeature]


class ControllerEndpoint(Structure, kw_only=True):
    """Where a controller listens."""

    name: String
    host: String
    port: UInt16
    security_protocol: Int16


class ControllerFeature(Structure, kw_only=True):
    """Levels of a feature that a controller can run."""

    name: String
    min_supported_version: Int16
    max_supported_version: Int16


@metadata_record(key=28, versions="0", flexible="0+")
class ClearElrRecord(Payload, kw_only=True):
    """The eligible leader replicas of a topic, or of all, are forgotten (KIP-966)."""

    topic_name: String
    """Empty for all topics."""


@metadata_record(key=29, versions="0", flexible="0+")
class UnregisterControllerRecord(Payload, kw_only=True):
    """A controller has left for good."""

    controller_id: Int32
