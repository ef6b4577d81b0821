"""Streams groups (KIP-1071), as records of `__consumer_offsets`."""

from __future__ import annotations

from typing import Annotated

from ottla.wire.payloads.coordinator import group_record_key, group_record_value
from ottla.wire.schema import (
    Array,
    Int8,
    Int16,
    Int32,
    Int64,
    NullableArray,
    NullableString,
    Payload,
    String,
    Structure,
    UInt16,
    ignorable,
    tagged,
)


@group_record_key(17)
class StreamsGroupMetadataKey(Payload, kw_only=True):
    """A group."""

    group_id: String


@group_record_value(17, versions="0", flexible="0+")
class StreamsGroupMetadataValue(Payload, kw_only=True):
    """Its epoch, and with what the last assignment was made."""

    epoch: Int32
    metadata_hash: Int64
    validated_topology_epoch: Annotated[Int32, tagged(0)] = -1
    last_assignment_configs: Annotated[NullableArray[LastAssignmentConfig], tagged(1)] = None
    stored_description_topology_epoch: Annotated[Int32, tagged(2)] = -1
    failed_description_topology_epoch: Annotated[Int32, tagged(3)] = -1


class LastAssignmentConfig(Structure, kw_only=True):
    """A setting of the assignor."""

    key: String
    value: String


@group_record_key(19)
class StreamsGroupMemberMetadataKey(Payload, kw_only=True):
    """A member of a group."""

    group_id: String
    member_id: String


@group_record_value(19, versions="0", flexible="0+")
class StreamsGroupMemberMetadataValue(Payload, kw_only=True):
    """What a member said of itself."""

    instance_id: NullableString
    rack_id: NullableString
    client_id: String
    client_host: String
    rebalance_timeout_ms: Int32 = -1
    topology_epoch: Int32
    process_id: String
    user_endpoint: Endpoint | None = None
    client_tags: Array[KeyValue]


class Endpoint(Structure, kw_only=True):
    """Where an instance answers queries of its state."""

    host: String
    port: UInt16


class KeyValue(Structure, kw_only=True):
    """A tag of a client."""

    key: String
    value: String


@group_record_key(20)
class StreamsGroupTargetAssignmentMetadataKey(Payload, kw_only=True):
    """A group."""

    group_id: String


@group_record_value(20, versions="0", flexible="0+")
class StreamsGroupTargetAssignmentMetadataValue(Payload, kw_only=True):
    """For which epoch the assignment was made."""

    assignment_epoch: Int32
    assignment_timestamp: Annotated[Int64, tagged(0), ignorable] = 0


@group_record_key(21)
class StreamsGroupTargetAssignmentMemberKey(Payload, kw_only=True):
    """A member of a group."""

    group_id: String
    member_id: String


@group_record_value(21, versions="0", flexible="0+")
class StreamsGroupTargetAssignmentMemberValue(Payload, kw_only=True):
    """The tasks that the member shall run."""

    active_tasks: Array[TargetTasks]
    standby_tasks: Array[TargetTasks]
    warmup_tasks: Array[TargetTasks]


class TargetTasks(Structure, kw_only=True):
    """Tasks of one sub-topology."""

    subtopology_id: String
    partitions: Array[Int32]


@group_record_key(22)
class StreamsGroupCurrentMemberAssignmentKey(Payload, kw_only=True):
    """A member of a group."""

    group_id: String
    member_id: String


@group_record_value(22, versions="0", flexible="0+")
class StreamsGroupCurrentMemberAssignmentValue(Payload, kw_only=True):
    """The tasks that the member runs, and those it must give back."""

    member_epoch: Int32
    previous_member_epoch: Int32
    state: Int8
    active_tasks: Array[OwnedTasks]
    standby_tasks: Array[OwnedTasks]
    warmup_tasks: Array[OwnedTasks]
    active_tasks_pending_revocation: Array[OwnedTasks]
    standby_tasks_pending_revocation: Array[OwnedTasks]
    warmup_tasks_pending_revocation: Array[OwnedTasks]


class OwnedTasks(Structure, kw_only=True):
    """Tasks of one sub-topology; `assignment_epochs`, where told, one each."""

    subtopology_id: String
    partitions: Array[Int32]
    assignment_epochs: Annotated[NullableArray[Int32], tagged(0)] = None


@group_record_key(23)
class StreamsGroupTopologyKey(Payload, kw_only=True):
    """A group."""

    group_id: String


@group_record_value(23, versions="0", flexible="0+")
class StreamsGroupTopologyValue(Payload, kw_only=True):
    """What the application is made of."""

    epoch: Int32
    subtopologies: Array[Subtopology]


class Subtopology(Structure, kw_only=True):
    """A part of the application that runs by itself; copartitioned topics by their index."""

    subtopology_id: String
    source_topics: Array[String]
    source_topic_regex: Array[String]
    state_changelog_topics: Array[TopicInfo]
    repartition_sink_topics: Array[String]
    repartition_source_topics: Array[TopicInfo]
    copartition_groups: Array[CopartitionGroup]


class TopicConfig(Structure, kw_only=True):
    """A setting of a topic that the application makes."""

    key: String
    value: String


class TopicInfo(Structure, kw_only=True):
    """A topic that the application makes for itself; 0 partitions leave the number open."""

    name: String
    partitions: Int32
    replication_factor: Int16
    topic_configs: Array[TopicConfig]


class CopartitionGroup(Structure, kw_only=True):
    """Topics that must be partitioned alike."""

    source_topics: Array[Int16]
    source_topic_regex: Array[Int16]
    repartition_source_topics: Array[Int16]
