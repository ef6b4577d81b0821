"""Groups of the consumer protocol (KIP-848), as records of `__consumer_offsets`.

A group is many records, each about one thing: the group, one member, the assignment that is aimed
at, and what each member really has.
"""

from __future__ import annotations

from typing import Annotated

from ottla.wire.payloads.coordinator import group_record_key, group_record_value
from ottla.wire.schema import (
    Array,
    Bytes,
    Int8,
    Int32,
    Int64,
    NullableArray,
    NullableString,
    Payload,
    String,
    Structure,
    Uuid,
    ignorable,
    nullable,
    tagged,
)


@group_record_key(3)
class ConsumerGroupMetadataKey(Payload, kw_only=True):
    """A group."""

    group_id: String


@group_record_value(3, versions="0", flexible="0+")
class ConsumerGroupMetadataValue(Payload, kw_only=True):
    """Its epoch, which grows with every change that needs a new assignment."""

    epoch: Int32
    metadata_hash: Annotated[Int64, tagged(0)] = 0


@group_record_key(4)
class ConsumerGroupPartitionMetadataKey(Payload, kw_only=True):
    """A group."""

    group_id: String


@group_record_value(4, versions="0", flexible="0+")
class ConsumerGroupPartitionMetadataValue(Payload, kw_only=True):
    """The topics as the group last saw them; no longer written since Kafka 4.1."""

    topics: Array[TopicMetadata]


class TopicMetadata(Structure, kw_only=True):
    """A topic and how many partitions it had."""

    topic_id: Uuid
    topic_name: String
    num_partitions: Int32
    partition_metadata: Array[PartitionMetadata]


class PartitionMetadata(Structure, kw_only=True):
    """The racks of a partition; not used since Kafka 4.0."""

    partition: Int32
    racks: Array[String]


@group_record_key(5)
class ConsumerGroupMemberMetadataKey(Payload, kw_only=True):
    """A member of a group."""

    group_id: String
    member_id: String


@group_record_value(5, versions="0", flexible="0+")
class ConsumerGroupMemberMetadataValue(Payload, kw_only=True):
    """What a member said of itself."""

    instance_id: NullableString
    rack_id: NullableString
    client_id: String
    client_host: String
    subscribed_topic_names: Array[String]
    subscribed_topic_regex: NullableString
    rebalance_timeout_ms: Int32 = -1
    server_assignor: NullableString
    classic_member_metadata: Annotated[
        ClassicMemberMetadata | None, tagged(0), nullable(since=0)
    ] = None


class ClassicMemberMetadata(Structure, kw_only=True):
    """What a member of the classic protocol offers; such members may be in these groups too."""

    session_timeout_ms: Int32
    supported_protocols: Array[ClassicProtocol]


class ClassicProtocol(Structure, kw_only=True):
    """An assignor that the member can use, with its subscription."""

    name: String
    metadata: Bytes


@group_record_key(6)
class ConsumerGroupTargetAssignmentMetadataKey(Payload, kw_only=True):
    """A group."""

    group_id: String


@group_record_value(6, versions="0", flexible="0+")
class ConsumerGroupTargetAssignmentMetadataValue(Payload, kw_only=True):
    """For which epoch of the group the assignment that is aimed at was made."""

    assignment_epoch: Int32
    assignment_timestamp: Annotated[Int64, tagged(0), ignorable] = 0


@group_record_key(7)
class ConsumerGroupTargetAssignmentMemberKey(Payload, kw_only=True):
    """A member of a group."""

    group_id: String
    member_id: String


@group_record_value(7, versions="0", flexible="0+")
class ConsumerGroupTargetAssignmentMemberValue(Payload, kw_only=True):
    """The partitions that the member shall have."""

    topic_partitions: Array[TargetPartitions]


class TargetPartitions(Structure, kw_only=True):
    """Partitions of one topic."""

    topic_id: Uuid
    partitions: Array[Int32]


@group_record_key(8)
class ConsumerGroupCurrentMemberAssignmentKey(Payload, kw_only=True):
    """A member of a group."""

    group_id: String
    member_id: String


@group_record_value(8, versions="0", flexible="0+")
class ConsumerGroupCurrentMemberAssignmentValue(Payload, kw_only=True):
    """The partitions that the member has, and those it must give back."""

    member_epoch: Int32
    previous_member_epoch: Int32
    state: Int8
    assigned_partitions: Array[OwnedPartitions]
    partitions_pending_revocation: Array[OwnedPartitions]


class OwnedPartitions(Structure, kw_only=True):
    """Partitions of one topic; `assignment_epochs`, where told, one each."""

    topic_id: Uuid
    partitions: Array[Int32]
    assignment_epochs: Annotated[NullableArray[Int32], tagged(0)] = None


@group_record_key(16)
class ConsumerGroupRegularExpressionKey(Payload, kw_only=True):
    """A group and an expression that some member subscribed to."""

    group_id: String
    regular_expression: String


@group_record_value(16, versions="0", flexible="0+")
class ConsumerGroupRegularExpressionValue(Payload, kw_only=True):
    """The topics that the expression stood for, and when."""

    topics: Array[String]
    version: Int64
    timestamp: Int64
