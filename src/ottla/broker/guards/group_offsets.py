"""Offsets of groups: a right to the group, and one to each topic."""

from __future__ import annotations

from ottla.base.errors import ErrorCode
from ottla.broker.apis.offset_commit import NAMES_TOPICS_BY_ID as COMMITS_BY_ID
from ottla.broker.apis.offset_fetch import (
    NAMES_TOPICS_BY_ID,
    SINGLE_GROUP_FORM,
    only_group,
    refused_topic,
    single_form,
)
from ottla.broker.guard import Gate, apart, guards
from ottla.security.acl import Operation
from ottla.wire.messages.offset_commit import (
    OffsetCommitRequest,
    OffsetCommitRequestTopic,
    OffsetCommitResponse,
    OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
)
from ottla.wire.messages.offset_delete import (
    OffsetDeleteRequest,
    OffsetDeleteRequestTopic,
    OffsetDeleteResponse,
    OffsetDeleteResponsePartition,
    OffsetDeleteResponseTopic,
)
from ottla.wire.messages.offset_fetch import (
    OffsetFetchRequest,
    OffsetFetchRequestGroup,
    OffsetFetchRequestTopic,
    OffsetFetchRequestTopics,
    OffsetFetchResponse,
    OffsetFetchResponseGroup,
)
from ottla.wire.messages.txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitRequestTopic,
    TxnOffsetCommitResponse,
    TxnOffsetCommitResponsePartition,
    TxnOffsetCommitResponseTopic,
)

DENIED = ErrorCode.GROUP_AUTHORIZATION_FAILED
TOPIC_DENIED = ErrorCode.TOPIC_AUTHORIZATION_FAILED

# -- committing ------------------------------------------------------------------------------------

Committing = Gate[OffsetCommitRequest, OffsetCommitResponse]


@guards(OffsetCommitRequest)
async def offset_commit(request: OffsetCommitRequest, gate: Committing) -> OffsetCommitResponse:
    if not gate.access.to_group(Operation.READ, request.group_id):
        return OffsetCommitResponse(
            topics=[_not_committed(each, DENIED) for each in request.topics]
        )
    request.topics, refused = apart(request.topics, lambda topic: _may_commit(topic, gate))
    refusals = [_not_committed(topic, TOPIC_DENIED) for topic in refused]
    if refused and not request.topics:
        return OffsetCommitResponse(topics=refusals)
    response = await gate.serve(request)
    response.topics += refusals
    return response


def _may_commit(topic: OffsetCommitRequestTopic, gate: Committing) -> bool:
    name: str | None = topic.name
    if gate.call.version >= COMMITS_BY_ID:
        known = gate.broker.metadata.image.topics_by_id.get(topic.topic_id)
        name = None if known is None else known.name
    return name is None or gate.access.to_topic(Operation.READ, name)


def _not_committed(topic: OffsetCommitRequestTopic, error: ErrorCode) -> OffsetCommitResponseTopic:
    return OffsetCommitResponseTopic(
        name=topic.name,
        topic_id=topic.topic_id,
        partitions=[
            OffsetCommitResponsePartition(partition_index=asked.partition_index, error_code=error)
            for asked in topic.partitions
        ],
    )


@guards(TxnOffsetCommitRequest)
async def txn_offset_commit(
    request: TxnOffsetCommitRequest, gate: Gate[TxnOffsetCommitRequest, TxnOffsetCommitResponse]
) -> TxnOffsetCommitResponse:
    access = gate.access
    error = ErrorCode.NONE
    if not access.to_transactional_id(Operation.WRITE, request.transactional_id):
        error = ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    elif not access.to_group(Operation.READ, request.group_id):
        error = DENIED
    if error:
        return TxnOffsetCommitResponse(topics=[_not_sent(topic, error) for topic in request.topics])
    request.topics, refused = apart(
        request.topics, lambda topic: access.to_topic(Operation.READ, topic.name)
    )
    if refused and not request.topics:
        # Not even the group becomes a part of the transaction.
        return TxnOffsetCommitResponse(topics=[_not_sent(each, TOPIC_DENIED) for each in refused])
    response = await gate.serve(request)
    response.topics += [_not_sent(topic, TOPIC_DENIED) for topic in refused]
    return response


def _not_sent(topic: TxnOffsetCommitRequestTopic, error: ErrorCode) -> TxnOffsetCommitResponseTopic:
    return TxnOffsetCommitResponseTopic(
        name=topic.name,
        partitions=[
            TxnOffsetCommitResponsePartition(
                partition_index=asked.partition_index, error_code=error
            )
            for asked in topic.partitions
        ],
    )


# -- fetching --------------------------------------------------------------------------------------

Fetching = Gate[OffsetFetchRequest, OffsetFetchResponse]


@guards(OffsetFetchRequest)
async def offset_fetch(request: OffsetFetchRequest, gate: Fetching) -> OffsetFetchResponse:
    if gate.call.version in SINGLE_GROUP_FORM:
        return await _fetch_one(request, gate)
    request.groups, refused = apart(
        request.groups, lambda group: gate.access.to_group(Operation.DESCRIBE, group.group_id)
    )
    hidden = [_take_hidden(group, gate) for group in request.groups]
    response = await gate.serve(request)
    for group, topics in zip(response.groups, hidden, strict=True):
        _show_visible(group, topics, gate)
    response.groups += [
        OffsetFetchResponseGroup(group_id=group.group_id, error_code=DENIED) for group in refused
    ]
    return response


def _refused_group(group: OffsetFetchRequestGroup) -> OffsetFetchResponseGroup:
    return OffsetFetchResponseGroup(
        group_id=group.group_id,
        topics=[refused_topic(topic, DENIED) for topic in group.topics or ()],
        error_code=DENIED,
    )


def _take_hidden(group: OffsetFetchRequestGroup, gate: Fetching) -> list[OffsetFetchRequestTopics]:
    if group.topics is None:
        return []
    group.topics, hidden = apart(group.topics, lambda topic: _may_look(topic, gate))
    return hidden


def _may_look(topic: OffsetFetchRequestTopics, gate: Fetching) -> bool:
    name: str | None = topic.name
    if gate.call.version >= NAMES_TOPICS_BY_ID:
        known = gate.broker.metadata.image.topics_by_id.get(topic.topic_id)
        name = None if known is None else known.name
    return name is None or gate.access.to_topic(Operation.DESCRIBE, name)


def _show_visible(
    group: OffsetFetchResponseGroup, hidden: list[OffsetFetchRequestTopics], gate: Fetching
) -> None:
    """Where all were asked for, hidden topics are left out; where they were named, refused.

    A group that is answered with an error as a whole is not told of its topics.
    """
    if group.error_code:
        return
    access = gate.access.quietly
    group.topics = [
        topic
        for topic in group.topics
        if not topic.name or access.to_topic(Operation.DESCRIBE, topic.name)
    ]
    group.topics += [refused_topic(topic, TOPIC_DENIED) for topic in hidden]


async def _fetch_one(request: OffsetFetchRequest, gate: Fetching) -> OffsetFetchResponse:
    asked = only_group(request)
    if not gate.access.to_group(Operation.DESCRIBE, request.group_id):
        return single_form(_refused_group(asked), gate.call.version)
    hidden = _take_hidden(asked, gate)
    if request.topics is not None:
        request.topics = [
            OffsetFetchRequestTopic(name=topic.name, partition_indexes=topic.partition_indexes)
            for topic in asked.topics or ()
        ]
    response = await gate.serve(request)
    access = gate.access.quietly
    response.topics = [
        topic for topic in response.topics if access.to_topic(Operation.DESCRIBE, topic.name)
    ]
    shown = OffsetFetchResponseGroup(
        group_id="", topics=[refused_topic(topic, TOPIC_DENIED) for topic in hidden]
    )
    response.topics += single_form(shown, gate.call.version).topics
    return response


# -- deleting --------------------------------------------------------------------------------------


@guards(OffsetDeleteRequest)
async def offset_delete(
    request: OffsetDeleteRequest, gate: Gate[OffsetDeleteRequest, OffsetDeleteResponse]
) -> OffsetDeleteResponse:
    if not gate.access.to_group(Operation.DELETE, request.group_id):
        return OffsetDeleteResponse(error_code=DENIED)
    request.topics, refused = apart(
        request.topics, lambda topic: gate.access.to_topic(Operation.READ, topic.name)
    )
    response = await gate.serve(request)
    if not response.error_code:
        response.topics += [_not_deleted(topic) for topic in refused]
    return response


def _not_deleted(topic: OffsetDeleteRequestTopic) -> OffsetDeleteResponseTopic:
    return OffsetDeleteResponseTopic(
        name=topic.name,
        partitions=[
            OffsetDeleteResponsePartition(
                partition_index=asked.partition_index, error_code=TOPIC_DENIED
            )
            for asked in topic.partitions
        ],
    )
