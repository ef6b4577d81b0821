"""Producers and their transactions."""

from __future__ import annotations

from collections.abc import Iterable

from ottla.base.errors import ErrorCode
from ottla.broker.apis.add_partitions_to_txn import SINGLE_TRANSACTION_FORM
from ottla.broker.guard import Gate, apart, guards
from ottla.security.acl import Operation
from ottla.wire.messages import describe_transactions as describing
from ottla.wire.messages.add_offsets_to_txn import AddOffsetsToTxnRequest, AddOffsetsToTxnResponse
from ottla.wire.messages.add_partitions_to_txn import (
    AddPartitionsToTxnPartitionResult,
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse,
    AddPartitionsToTxnTopic,
    AddPartitionsToTxnTopicResult,
)
from ottla.wire.messages.describe_transactions import (
    DescribeTransactionsRequest,
    DescribeTransactionsResponse,
)
from ottla.wire.messages.end_txn import EndTxnRequest, EndTxnResponse
from ottla.wire.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from ottla.wire.messages.list_transactions import ListTransactionsRequest, ListTransactionsResponse
from ottla.wire.messages.write_txn_markers import (
    WritableTxnMarkerPartitionResult,
    WritableTxnMarkerResult,
    WritableTxnMarkerTopicResult,
    WriteTxnMarkersRequest,
    WriteTxnMarkersResponse,
)

DENIED = ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
TOPIC_DENIED = ErrorCode.TOPIC_AUTHORIZATION_FAILED
CLUSTER_DENIED = ErrorCode.CLUSTER_AUTHORIZATION_FAILED
NOTHING = -1


@guards(InitProducerIdRequest)
async def init_producer_id(
    request: InitProducerIdRequest, gate: Gate[InitProducerIdRequest, InitProducerIdResponse]
) -> InitProducerIdResponse:
    """Whoever may write anything may be idempotent (KIP-679)."""
    access = gate.access
    error = ErrorCode.NONE
    if request.transactional_id is None:
        if not (
            access.to_some_topic(Operation.WRITE) or access.to_cluster(Operation.IDEMPOTENT_WRITE)
        ):
            error = CLUSTER_DENIED
    elif not access.to_transactional_id(Operation.WRITE, request.transactional_id) or (
        request.enable_2pc
        and not access.to_transactional_id(Operation.TWO_PHASE_COMMIT, request.transactional_id)
    ):
        error = DENIED
    if error:
        return InitProducerIdResponse(error_code=error, producer_id=NOTHING, producer_epoch=NOTHING)
    return await gate.serve(request)


Adding = Gate[AddPartitionsToTxnRequest, AddPartitionsToTxnResponse]


@guards(AddPartitionsToTxnRequest)
async def add_partitions_to_txn(
    request: AddPartitionsToTxnRequest, gate: Adding
) -> AddPartitionsToTxnResponse:
    """All partitions or none, so that one topic that is denied refuses them all."""
    access = gate.access
    if gate.call.version not in SINGLE_TRANSACTION_FORM:
        if access.to_cluster(Operation.CLUSTER_ACTION):
            return await gate.serve(request)
        return AddPartitionsToTxnResponse(error_code=CLUSTER_DENIED)
    topics = request.v3_and_below_topics
    if not access.to_transactional_id(Operation.WRITE, request.v3_and_below_transactional_id):
        return _not_added((topic, DENIED) for topic in topics)
    allowed, denied = apart(topics, lambda topic: access.to_topic(Operation.WRITE, topic.name))
    if not denied:
        return await gate.serve(request)
    return _not_added(
        [(topic, TOPIC_DENIED) for topic in denied]
        + [(topic, ErrorCode.OPERATION_NOT_ATTEMPTED) for topic in allowed]
    )


def _not_added(
    topics: Iterable[tuple[AddPartitionsToTxnTopic, ErrorCode]],
) -> AddPartitionsToTxnResponse:
    return AddPartitionsToTxnResponse(
        results_by_topic_v3_and_below=[
            AddPartitionsToTxnTopicResult(
                name=topic.name,
                results_by_partition=[
                    AddPartitionsToTxnPartitionResult(
                        partition_index=index, partition_error_code=error
                    )
                    for index in topic.partitions
                ],
            )
            for topic, error in topics
        ]
    )


@guards(AddOffsetsToTxnRequest)
async def add_offsets_to_txn(
    request: AddOffsetsToTxnRequest, gate: Gate[AddOffsetsToTxnRequest, AddOffsetsToTxnResponse]
) -> AddOffsetsToTxnResponse:
    if not gate.access.to_transactional_id(Operation.WRITE, request.transactional_id):
        return AddOffsetsToTxnResponse(error_code=DENIED)
    if not gate.access.to_group(Operation.READ, request.group_id):
        return AddOffsetsToTxnResponse(error_code=ErrorCode.GROUP_AUTHORIZATION_FAILED)
    return await gate.serve(request)


@guards(EndTxnRequest)
async def end_txn(
    request: EndTxnRequest, gate: Gate[EndTxnRequest, EndTxnResponse]
) -> EndTxnResponse:
    if not gate.access.to_transactional_id(Operation.WRITE, request.transactional_id):
        return EndTxnResponse(error_code=DENIED)
    return await gate.serve(request)


@guards(WriteTxnMarkersRequest)
async def write_txn_markers(
    request: WriteTxnMarkersRequest, gate: Gate[WriteTxnMarkersRequest, WriteTxnMarkersResponse]
) -> WriteTxnMarkersResponse:
    """Administrators end transactions that hang (KIP-664), brokers all of them."""
    access = gate.access
    may_end = access.quietly.to_cluster(Operation.ALTER)
    if may_end or access.to_cluster(Operation.CLUSTER_ACTION):
        return await gate.serve(request)
    return WriteTxnMarkersResponse(
        markers=[
            WritableTxnMarkerResult(
                producer_id=marker.producer_id,
                topics=[
                    WritableTxnMarkerTopicResult(
                        name=topic.name,
                        partitions=[
                            WritableTxnMarkerPartitionResult(
                                partition_index=index, error_code=CLUSTER_DENIED
                            )
                            for index in topic.partition_indexes
                        ],
                    )
                    for topic in marker.topics
                ],
            )
            for marker in request.markers
        ]
    )


@guards(DescribeTransactionsRequest)
async def describe_transactions(
    request: DescribeTransactionsRequest,
    gate: Gate[DescribeTransactionsRequest, DescribeTransactionsResponse],
) -> DescribeTransactionsResponse:
    """Topics that are hidden are left out of the others' transactions, too."""
    access = gate.access
    request.transactional_ids, refused = apart(
        request.transactional_ids,
        lambda each: access.to_transactional_id(Operation.DESCRIBE, each),
    )
    response = await gate.serve(request)
    look = access.quietly
    for state in response.transaction_states:
        state.topics = [
            topic for topic in state.topics if look.to_topic(Operation.DESCRIBE, topic.topic)
        ]
    response.transaction_states += [
        describing.TransactionState(transactional_id=each, error_code=DENIED) for each in refused
    ]
    return response


@guards(ListTransactionsRequest)
async def list_transactions(
    request: ListTransactionsRequest,
    gate: Gate[ListTransactionsRequest, ListTransactionsResponse],
) -> ListTransactionsResponse:
    response = await gate.serve(request)
    access = gate.access.quietly
    response.transaction_states = [
        state
        for state in response.transaction_states
        if access.to_transactional_id(Operation.DESCRIBE, state.transactional_id)
    ]
    return response
