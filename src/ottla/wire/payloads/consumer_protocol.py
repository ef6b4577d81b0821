"""What members of protocol type "consumer" write into JoinGroup and SyncGroup.

For a coordinator of classic groups these are bytes: clients alone make and read them. A broker
looks into a subscription to know which topics a group reads, and into both when a group changes to
the consumer protocol (KIP-848). A version stands before each.

Versions: 1 partitions that the member still owns (KIP-429) · 2 of which generation · 3 the rack
(KIP-881). Versions only add to the end, so one that is not known is read as the newest that is.
"""

from __future__ import annotations

import struct
from typing import Annotated, TypeVar

from ottla.base.errors import ErrorCode, ProtocolError
from ottla.base.world import Buffer
from ottla.wire.compiler import codec
from ottla.wire.schema import (
    Array,
    Int32,
    NullableBytes,
    NullableString,
    Payload,
    String,
    Structure,
    ignorable,
    payload,
    since,
)

P = TypeVar("P", bound=Payload)

PROTOCOL_TYPE = "consumer"
"""The protocol type of groups whose members write these."""

_VERSION = struct.Struct(">h")
_TOPICS_ONLY_VERSION = 0


@payload(versions="0-3", flexible="none")
class ConsumerProtocolSubscription(Payload, kw_only=True):
    """What a member wants to read, and what it holds from the last generation."""

    topics: Array[String] = []
    user_data: NullableBytes = None
    """What the member's own assignor tells that of the leader."""
    owned_partitions: Annotated[Array[OwnedPartitions], since(1), ignorable] = []
    generation_id: Annotated[Int32, since(2), ignorable] = -1
    """In which it got what it owns; -1 where it does not know."""
    rack_id: Annotated[NullableString, since(3), ignorable] = None


class OwnedPartitions(Structure, kw_only=True):
    """Partitions of one topic that the member holds."""

    topic: String
    partitions: Array[Int32] = []


@payload(versions="0-3", flexible="none")
class ConsumerProtocolAssignment(Payload, kw_only=True):
    """What a member shall read."""

    assigned_partitions: Array[AssignedPartitions] = []
    user_data: NullableBytes = None


class AssignedPartitions(Structure, kw_only=True):
    """Partitions of one topic that the member shall read."""

    topic: String
    partitions: Array[Int32] = []


@payload(versions="0-1", flexible="none")
class StickyUserData(Payload, kw_only=True):
    """What a member tells the assignor "sticky": what it was given last (KIP-54, KIP-341).

    Written without a version before it; the generation is what tells version 1.
    """

    previous_assignment: Array[OwnedPartitions] = []
    generation: Annotated[Int32, since(1), ignorable] = -1


@payload(versions="0", flexible="none")
class CooperativeStickyUserData(Payload, kw_only=True):
    """What a member tells the assignor "cooperative-sticky", for leaders before version 2."""

    generation: Int32 = -1


def encode_user_data(value: StickyUserData | CooperativeStickyUserData) -> bytes:
    """In the newest version, which has no number before it."""
    return bytes(codec(type(value), value.VERSIONS.max).encode(value))


def decode_sticky_user_data(data: Buffer) -> StickyUserData:
    """Raises ProtocolError."""
    view = memoryview(data)
    try:
        return codec(StickyUserData, 1).decode(view, 0, len(view))[0]
    except ProtocolError:
        return codec(StickyUserData, 0).decode(view, 0, len(view))[0]


def decode_cooperative_sticky_user_data(data: Buffer) -> CooperativeStickyUserData:
    """Raises ProtocolError."""
    view = memoryview(data)
    return codec(CooperativeStickyUserData, 0).decode(view, 0, len(view))[0]


def encode_consumer_protocol(value: Payload, version: int | None = None) -> bytes:
    """A subscription or an assignment behind its version, the newest unless told otherwise."""
    if version is None:
        version = value.VERSIONS.max
    return _VERSION.pack(version) + bytes(codec(type(value), version).encode(value))


def version_of(data: Buffer) -> int | None:
    """The version that stands before a subscription or an assignment; None where none does."""
    if len(data) < _VERSION.size:
        return None
    version: int = _VERSION.unpack_from(data)[0]
    return version if version >= 0 else None


def decode_subscription(data: Buffer) -> ConsumerProtocolSubscription:
    """All of a subscription. Raises ProtocolError."""
    return _decode(ConsumerProtocolSubscription, data, ConsumerProtocolSubscription.VERSIONS.max)


def decode_assignment(data: Buffer) -> ConsumerProtocolAssignment:
    """Raises ProtocolError, also for no bytes at all: that is a member without an assignment."""
    return _decode(ConsumerProtocolAssignment, data, ConsumerProtocolAssignment.VERSIONS.max)


def subscribed_topics(data: Buffer) -> list[str]:
    """The topics of a subscription, from whatever client. Raises ProtocolError.

    Old Go clients write version 1 without the field that came with it, so no more is read than
    what stands in every version.
    """
    return _decode(ConsumerProtocolSubscription, data, _TOPICS_ONLY_VERSION).topics


def _decode(cls: type[P], data: Buffer, version_max: int) -> P:
    """Bytes behind the last known field belong to a version that is newer than `version_max`."""
    view = memoryview(data)
    if len(view) < _VERSION.size:
        raise ProtocolError(ErrorCode.INVALID_REQUEST, f"{cls.__name__}: no version")
    version: int = _VERSION.unpack_from(view)[0]
    if version not in range(cls.VERSIONS.min, 2**15):
        raise ProtocolError(ErrorCode.INVALID_REQUEST, f"{cls.__name__} has no version {version}")
    found, _ = codec(cls, min(version, version_max)).decode(view, _VERSION.size, len(view))
    return found
