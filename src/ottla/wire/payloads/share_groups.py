"""Share groups (KIP-932), as records of `__consumer_offsets`."""

from __future__ import annotations

from typing import Annotated

from ottla.wire.payloads.coordinator import group_record_key, group_record_value
from ottla.wire.schema import (
    Array,
    Int8,
    Int32,
    Int64,
    NullableString,
    Payload,
    String,
    Structure,
    Uuid,
    ignorable,
    tagged,
)


@group_record_key(10)
class ShareGroupMemberMetadataKey(Payload, kw_only=True):
    """A member of a group."""

    group_id: String
    member_id: String


@group_record_value(10, versions="0", flexible="0+")
class ShareGroupMemberMetadataValue(Payload, kw_only=True):
    """What a member said of itself."""

    rack_id: NullableString
    client_id: String
    client_host: String
    subscribed_topic_names: Array[String]


@group_record_key(11)
class ShareGroupMetadataKey(Payload, kw_only=True):
    """A group."""

    group_id: String


@group_record_value(11, versions="0", flexible="0+")
class ShareGroupMetadataValue(Payload, kw_only=True):
    """Its epoch."""

    epoch: Int32
    metadata_hash: Int64


@group_record_key(12)
class ShareGroupTargetAssignmentMetadataKey(Payload, kw_only=True):
    """A group."""

    group_id: String


@group_record_value(12, versions="0", flexible="0+")
class ShareGroupTargetAssignmentMetadataValue(Payload, kw_only=True):
    """For which epoch the assignment was made."""

    assignment_epoch: Int32
    assignment_timestamp: Annotated[Int64, tagged(0), ignorable] = 0


@group_record_key(13)
class ShareGroupTargetAssignmentMemberKey(Payload, kw_only=True):
    """A member of a group."""

    group_id: String
    member_id: String


@group_record_value(13, versions="0", flexible="0+")
class ShareGroupTargetAssignmentMemberValue(Payload, kw_only=True):
    """The partitions that the member shall share in."""

    topic_partitions: Array[SharedPartitions]


class SharedPartitions(Structure, kw_only=True):
    """Partitions of one topic."""

    topic_id: Uuid
    partitions: Array[Int32]


@group_record_key(14)
class ShareGroupCurrentMemberAssignmentKey(Payload, kw_only=True):
    """A member of a group."""

    group_id: String
    member_id: String


@group_record_value(14, versions="0", flexible="0+")
class ShareGroupCurrentMemberAssignmentValue(Payload, kw_only=True):
    """The partitions that the member shares in."""

    member_epoch: Int32
    previous_member_epoch: Int32
    state: Int8
    assigned_partitions: Array[SharedPartitions]


@group_record_key(15)
class ShareGroupStatePartitionMetadataKey(Payload, kw_only=True):
    """A group."""

    group_id: String


@group_record_value(15, versions="0", flexible="0+")
class ShareGroupStatePartitionMetadataValue(Payload, kw_only=True):
    """Of which partitions the share coordinator keeps, prepares or removes state."""

    initializing_topics: Array[TopicPartitionsInfo]
    initialized_topics: Array[TopicPartitionsInfo]
    deleting_topics: Array[TopicInfo]


class TopicPartitionsInfo(Structure, kw_only=True):
    """Partitions of a topic, with its name."""

    topic_id: Uuid
    topic_name: String
    partitions: Array[Int32]


class TopicInfo(Structure, kw_only=True):
    """A topic with the partitions that the state is of."""

    topic_id: Uuid
    topic_name: String
