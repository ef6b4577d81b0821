"""The data path of a broker with an authorizer: who may write to a topic, and who may read it.

A broker without one has none of this. One lookup a topic of a produce, one a partition of a fetch.
"""

from __future__ import annotations

from typing import Final

from ottla.base.errors import ErrorCode
from ottla.base.ids import NO_OFFSET
from ottla.base.world import Clock
from ottla.broker.authorizer import Access, Authorizer
from ottla.broker.fetch import NAMES_TOPICS_BY_ID as FETCHES_BY_ID
from ottla.broker.fetch import Fetch, FetchPath
from ottla.broker.fetch_sessions import FetchSessions, SessionPartition
from ottla.broker.guard import apart
from ottla.broker.partition import Partition
from ottla.broker.produce import NAMES_TOPICS_BY_ID as PRODUCES_BY_ID
from ottla.broker.replicas import LocalReplicas
from ottla.broker.replies import Exchange
from ottla.security.acl import Operation
from ottla.wire.messages.produce import (
    PartitionProduceResponse,
    ProduceRequest,
    TopicProduceData,
    TopicProduceResponse,
)
from ottla.wire.records.header import HEADER_SIZE, read_header

TOPIC_DENIED: Final = ErrorCode.TOPIC_AUTHORIZATION_FAILED
ID_DENIED: Final = ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED


def take_out_denied(
    request: ProduceRequest, exchange: Exchange, authorizer: Authorizer
) -> list[TopicProduceResponse]:
    """Leave in the request what its sender may write; the answers of what is taken out."""
    access = authorizer.access_of(exchange.connection)
    if not _may_use_transaction(request, access):
        denied, request.topic_data = request.topic_data, []
        return [_refused(topic, ID_DENIED, exchange) for topic in denied]
    by_id = exchange.version >= PRODUCES_BY_ID

    def may_write(topic: TopicProduceData) -> bool:
        name = authorizer.name_of(topic.topic_id) if by_id else topic.name
        return name is None or access.to_topic(Operation.WRITE, name)

    allowed, denied = apart(request.topic_data, may_write)
    if denied:
        request.topic_data = allowed
    return [_refused(topic, TOPIC_DENIED, exchange) for topic in denied]


def _may_use_transaction(request: ProduceRequest, access: Access) -> bool:
    """Only records of a transaction need the right to it: the id alone means nothing."""
    if request.transactional_id is None or not _is_in_transaction(request):
        return True
    return access.to_transactional_id(Operation.WRITE, request.transactional_id)


def _is_in_transaction(request: ProduceRequest) -> bool:
    return any(
        data.records is not None
        and len(data.records) >= HEADER_SIZE
        and read_header(data.records).is_transactional
        for topic in request.topic_data
        for data in topic.partition_data
    )


def _refused(topic: TopicProduceData, error: ErrorCode, exchange: Exchange) -> TopicProduceResponse:
    for _ in topic.partition_data:
        exchange.count_refusal(error)
    return TopicProduceResponse(
        name=topic.name,
        topic_id=topic.topic_id,
        partition_responses=[
            PartitionProduceResponse(index=data.index, error_code=error, base_offset=NO_OFFSET)
            for data in topic.partition_data
        ],
    )


class GuardedFetchPath(FetchPath):
    """Finds only partitions that the asker may read; whoever copies them must be a broker."""

    def __init__(
        self,
        replicas: LocalReplicas,
        sessions: FetchSessions,
        clock: Clock,
        *,
        bytes_max: int,
        authorizer: Authorizer,
    ) -> None:
        super().__init__(replicas, sessions, clock, bytes_max=bytes_max)
        self._authorizer = authorizer

    def _find(self, fetch: Fetch, asked: SessionPartition) -> Partition | ErrorCode:
        access = self._authorizer.access_of(fetch.exchange.connection)
        if fetch.follower is not None:
            allowed = access.to_cluster(Operation.CLUSTER_ACTION)
        else:
            by_id = fetch.exchange.version >= FETCHES_BY_ID
            name = self._authorizer.name_of(asked.topic_id) if by_id else asked.topic
            allowed = name is None or access.to_topic(Operation.READ, name)
        return super()._find(fetch, asked) if allowed else TOPIC_DENIED


def fetch_path(
    replicas: LocalReplicas,
    sessions: FetchSessions,
    clock: Clock,
    *,
    bytes_max: int,
    authorizer: Authorizer | None,
) -> FetchPath:
    """The fetch requests of a broker, guarded where it has an authorizer."""
    if authorizer is None:
        return FetchPath(replicas, sessions, clock, bytes_max=bytes_max)
    return GuardedFetchPath(replicas, sessions, clock, bytes_max=bytes_max, authorizer=authorizer)
