"""Topics, and what is in their partitions."""

from __future__ import annotations

from ottla.base.errors import ErrorCode
from ottla.base.ids import NO_OFFSET, ZERO_UUID
from ottla.broker.guard import Gate, apart, guards
from ottla.security.acl import Operation
from ottla.wire.messages.create_partitions import (
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    CreatePartitionsTopicResult,
)
from ottla.wire.messages.create_topics import (
    CreatableTopicResult,
    CreateTopicsRequest,
    CreateTopicsResponse,
)
from ottla.wire.messages.delete_records import (
    DeleteRecordsPartitionResult,
    DeleteRecordsRequest,
    DeleteRecordsResponse,
    DeleteRecordsTopicResult,
)
from ottla.wire.messages.delete_topics import (
    DeletableTopicResult,
    DeleteTopicsRequest,
    DeleteTopicsResponse,
    DeleteTopicState,
)
from ottla.wire.messages.describe_producers import (
    DescribeProducersRequest,
    DescribeProducersResponse,
    PartitionResponse,
    TopicResponse,
)
from ottla.wire.messages.list_offsets import (
    ListOffsetsPartitionResponse,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopicResponse,
)
from ottla.wire.messages.offset_for_leader_epoch import (
    EpochEnd,
    OffsetForLeaderEpochRequest,
    OffsetForLeaderEpochResponse,
    OffsetForLeaderTopicResult,
)

DENIED = ErrorCode.TOPIC_AUTHORIZATION_FAILED
TOPICS_BY_NAME_ONLY = range(6)
"""Versions of DeleteTopics that cannot name ids."""


@guards(ListOffsetsRequest)
async def list_offsets(
    request: ListOffsetsRequest, gate: Gate[ListOffsetsRequest, ListOffsetsResponse]
) -> ListOffsetsResponse:
    request.topics, refused = apart(
        request.topics, lambda topic: gate.access.to_topic(Operation.DESCRIBE, topic.name)
    )
    response = await gate.serve(request)
    response.topics += [
        ListOffsetsTopicResponse(
            name=topic.name,
            partitions=[
                ListOffsetsPartitionResponse(
                    partition_index=asked.partition_index, error_code=DENIED
                )
                for asked in topic.partitions
            ],
        )
        for topic in refused
    ]
    return response


@guards(OffsetForLeaderEpochRequest)
async def offset_for_leader_epoch(
    request: OffsetForLeaderEpochRequest,
    gate: Gate[OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse],
) -> OffsetForLeaderEpochResponse:
    """Brokers ask this, too."""
    if gate.access.quietly.to_cluster(Operation.CLUSTER_ACTION):
        return await gate.serve(request)
    request.topics, refused = apart(
        request.topics, lambda topic: gate.access.to_topic(Operation.DESCRIBE, topic.topic)
    )
    response = await gate.serve(request)
    response.topics += [
        OffsetForLeaderTopicResult(
            topic=topic.topic,
            partitions=[
                EpochEnd(partition=asked.partition, error_code=DENIED) for asked in topic.partitions
            ],
        )
        for topic in refused
    ]
    return response


@guards(DeleteRecordsRequest)
async def delete_records(
    request: DeleteRecordsRequest, gate: Gate[DeleteRecordsRequest, DeleteRecordsResponse]
) -> DeleteRecordsResponse:
    request.topics, refused = apart(
        request.topics, lambda topic: gate.access.to_topic(Operation.DELETE, topic.name)
    )
    response = await gate.serve(request)
    response.topics += [
        DeleteRecordsTopicResult(
            name=topic.name,
            partitions=[
                DeleteRecordsPartitionResult(
                    partition_index=asked.partition_index,
                    low_watermark=NO_OFFSET,
                    error_code=DENIED,
                )
                for asked in topic.partitions
            ],
        )
        for topic in refused
    ]
    return response


@guards(DescribeProducersRequest)
async def describe_producers(
    request: DescribeProducersRequest,
    gate: Gate[DescribeProducersRequest, DescribeProducersResponse],
) -> DescribeProducersResponse:
    request.topics, refused = apart(
        request.topics, lambda topic: gate.access.to_topic(Operation.READ, topic.name)
    )
    response = await gate.serve(request)
    response.topics += [
        TopicResponse(
            name=topic.name,
            partitions=[
                PartitionResponse(partition_index=index, error_code=DENIED)
                for index in topic.partition_indexes
            ],
        )
        for topic in refused
    ]
    return response


@guards(CreateTopicsRequest)
async def create_topics(
    request: CreateTopicsRequest, gate: Gate[CreateTopicsRequest, CreateTopicsResponse]
) -> CreateTopicsResponse:
    """Who may create topics in the cluster may create all; settings are for who may see them."""
    access = gate.access
    look = access.quietly
    may_all = look.to_cluster(Operation.CREATE)
    request.topics, refused = apart(
        request.topics, lambda topic: may_all or access.to_topic(Operation.CREATE, topic.name)
    )
    response = await gate.serve(request)
    for result in response.topics:
        if not result.error_code and not look.to_topic(Operation.DESCRIBE_CONFIGS, result.name):
            result.topic_config_error_code = DENIED
            result.num_partitions = result.replication_factor = -1
            result.configs = []
    response.topics += [
        CreatableTopicResult(name=name, error_code=DENIED)
        for name in dict.fromkeys(topic.name for topic in refused)
    ]
    return response


@guards(CreatePartitionsRequest)
async def create_partitions(
    request: CreatePartitionsRequest,
    gate: Gate[CreatePartitionsRequest, CreatePartitionsResponse],
) -> CreatePartitionsResponse:
    request.topics, refused = apart(
        request.topics, lambda topic: gate.access.to_topic(Operation.ALTER, topic.name)
    )
    response = await gate.serve(request)
    response.results += [
        CreatePartitionsTopicResult(name=name, error_code=DENIED)
        for name in dict.fromkeys(topic.name for topic in refused)
    ]
    return response


@guards(DeleteTopicsRequest)
async def delete_topics(
    request: DeleteTopicsRequest, gate: Gate[DeleteTopicsRequest, DeleteTopicsResponse]
) -> DeleteTopicsResponse:
    """Who may delete in the cluster may delete all."""
    if gate.access.quietly.to_cluster(Operation.DELETE):
        return await gate.serve(request)
    if gate.call.version in TOPICS_BY_NAME_ONLY:
        request.topic_names, refused_names = apart(
            request.topic_names, lambda name: _may_delete(name, gate)
        )
        refusals = [
            DeletableTopicResult(name=name, error_code=DENIED)
            for name in dict.fromkeys(refused_names)
        ]
    else:
        request.topics, refused = apart(
            request.topics, lambda topic: _may_delete(_name_of(topic, gate), gate)
        )
        refusals = [_refused_deletion(topic, gate) for topic in refused]
    response = await gate.serve(request)
    response.responses += refusals
    return response


Deleting = Gate[DeleteTopicsRequest, DeleteTopicsResponse]


def _may_delete(name: str | None, gate: Deleting) -> bool:
    """Whether the handler may hear of it, if only to say that there is no such topic."""
    if name is None:
        return True
    if not gate.access.to_topic(Operation.DESCRIBE, name):
        return False  # it may be denied to whoever is allowed to delete
    exists = name in gate.broker.metadata.image.topics_by_name
    return not exists or gate.access.to_topic(Operation.DELETE, name)


def _name_of(topic: DeleteTopicState, gate: Deleting) -> str | None:
    """None for an id that nobody has: the handler says so."""
    if topic.name is not None:
        return topic.name
    known = gate.broker.metadata.image.topics_by_id.get(topic.topic_id)
    return None if known is None else known.name


def _refused_deletion(topic: DeleteTopicState, gate: Deleting) -> DeletableTopicResult:
    """Whoever may not look at a topic does not hear its name, nor its id."""
    name = _name_of(topic, gate)
    assert name is not None  # what has no name is not refused
    may_look = gate.access.quietly.to_topic(Operation.DESCRIBE, name)
    known = gate.broker.metadata.image.topics_by_name.get(name)
    topic_id = topic.topic_id
    if topic.name is not None:
        topic_id = known.topic_id if known is not None and may_look else ZERO_UUID
    return DeletableTopicResult(
        name=name if topic.name is not None or may_look else None,
        topic_id=topic_id,
        error_code=DENIED,
    )
