"""A cluster for producers that is a model: logs as lists, and every way in which a request fails.

It checks sequences as Kafka's brokers do. `Faults` draws from a seed what goes wrong.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from typing import NamedTuple, TypeVar, cast

from ottla.base.errors import ErrorCode
from ottla.base.ids import TopicPartition
from ottla.client.errors import AnswerTimeoutError, ConnectionLostError, NodeUnreachableError
from ottla.client.metadata import ClusterMetadata
from ottla.wire.messages.add_offsets_to_txn import AddOffsetsToTxnRequest, AddOffsetsToTxnResponse
from ottla.wire.messages.add_partitions_to_txn import (
    AddPartitionsToTxnPartitionResult,
    AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse,
    AddPartitionsToTxnTopicResult,
)
from ottla.wire.messages.end_txn import EndTxnRequest, EndTxnResponse
from ottla.wire.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from ottla.wire.messages.metadata import (
    MetadataResponse,
    MetadataResponseBroker,
    MetadataResponsePartition,
    MetadataResponseTopic,
)
from ottla.wire.messages.produce import (
    PartitionProduceResponse,
    ProduceRequest,
    ProduceResponse,
    TopicProduceResponse,
)
from ottla.wire.messages.txn_offset_commit import (
    TxnOffsetCommitRequest,
    TxnOffsetCommitResponse,
    TxnOffsetCommitResponsePartition,
    TxnOffsetCommitResponseTopic,
)
from ottla.wire.records.batch import check_crc, read_header
from ottla.wire.records.record import Record, iter_records
from ottla.wire.schema import Message

R = TypeVar("R", bound=Message)

BATCHES_REMEMBERED = 5
SEQUENCES = 1 << 31


class Faults(NamedTuple):
    """One request in how many: never where 0."""

    lost_request: int = 0
    lost_answer: int = 0
    late: int = 0
    """The answer does not come in time, and the request is done long after."""
    refused: int = 0
    in_doubt: int = 0
    """Stored, and answered with an error all the same."""
    moves: int = 0
    """The leader moves before the request is done."""
    too_large: int = 0
    latency_ms: int = 5


class _Kept(NamedTuple):
    first: int
    last: int
    offset: int


class _ProducerState:
    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.batches: list[_Kept] = []


class PartitionModel:
    """One log."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.leader = 0
        self.leader_epoch = 0
        self.batches = 0
        self._producers: dict[int, _ProducerState] = {}

    def forget_producers(self) -> None:
        """As a broker whose producer state has expired."""
        self._producers.clear()

    def append(self, batch: bytes) -> tuple[ErrorCode, int]:
        """Store as a leader does; the error and the base offset."""
        header = read_header(batch)
        check_crc(batch, 0, len(batch))
        kept = None
        if header.producer_id >= 0:
            state = self._producers.get(header.producer_id)
            error, offset = self._check(state, header.producer_epoch, header.base_sequence)
            if error is not None:
                return error, offset
            kept = _Kept(header.base_sequence, header.last_sequence, len(self.records))
            if state is None or state.epoch != header.producer_epoch:
                state = self._producers[header.producer_id] = _ProducerState(header.producer_epoch)
            state.batches = [*state.batches[1 - BATCHES_REMEMBERED :], kept]
        base_offset = len(self.records)
        self.records += iter_records(batch)
        self.batches += 1
        return ErrorCode.NONE, base_offset

    def _check(
        self, state: _ProducerState | None, epoch: int, sequence: int
    ) -> tuple[ErrorCode | None, int]:
        if state is None:
            return None, -1  # a broker without state takes any sequence
        if epoch < state.epoch:
            return ErrorCode.INVALID_PRODUCER_EPOCH, -1
        if epoch > state.epoch:
            return (None if sequence == 0 else ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER), -1
        for kept in state.batches:
            if kept.first == sequence:
                return ErrorCode.NONE, kept.offset
        expected = (state.batches[-1].last + 1) % SEQUENCES
        if sequence == expected:
            return None, -1
        if sequence < expected:
            return ErrorCode.DUPLICATE_SEQUENCE_NUMBER, -1
        return ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, -1


class ModelNode:
    """A connection to one node; requests are done in the order of the calls."""

    def __init__(self, cluster: ModelCluster, node_id: int) -> None:
        self._cluster = cluster
        self._node_id = node_id
        self._last_arrival_s = 0.0
        self.is_lost = False

    def version_of(self, request: type[Message], *, at_most: int | None = None) -> int:
        return request.VERSIONS.max if at_most is None else min(request.VERSIONS.max, at_most)

    def feature_level(self, name: str) -> int:
        return self._cluster.transaction_version

    async def tell(self, request: Message, *, at_most: int | None = None) -> None:
        assert isinstance(request, ProduceRequest)
        self._cluster.produce(self._node_id, request)

    async def call(
        self,
        request: Message,
        answer: type[R],
        *,
        at_most: int | None = None,
        timeout_s: float | None = None,
    ) -> R:
        if self.is_lost:
            raise ConnectionLostError("lost before")
        if not isinstance(request, ProduceRequest):
            await asyncio.sleep(self._cluster.latency_s())
            return cast(R, self._cluster.coordinate(request))
        self._cluster.requests.append(request)
        return cast(R, await self._produce(request))

    async def _produce(self, request: ProduceRequest) -> ProduceResponse:
        cluster, faults = self._cluster, self._cluster.faults
        await self._travel()
        if cluster.draw(faults.moves):
            cluster.move_leaders()
        if cluster.draw(faults.lost_request):
            self.is_lost = True
        if self.is_lost:
            raise ConnectionLostError("lost on the way there")
        if cluster.draw(faults.late):
            delay_s = cluster.random.randrange(1, 4000) / 1000
            asyncio.get_running_loop().call_later(delay_s, cluster.produce, self._node_id, request)
            await asyncio.sleep(cluster.random.randrange(100, 1000) / 1000)
            self.is_lost |= cluster.random.random() < 0.5
            raise AnswerTimeoutError("no answer in time")
        response = cluster.produce(self._node_id, request)
        if cluster.draw(faults.lost_answer):
            self.is_lost = True
            raise ConnectionLostError("lost on the way back")
        await asyncio.sleep(cluster.latency_s())
        return response

    async def _travel(self) -> None:
        now_s = asyncio.get_running_loop().time()
        self._last_arrival_s = max(self._last_arrival_s, now_s + self._cluster.latency_s())
        await asyncio.sleep(self._last_arrival_s - now_s)


class ModelCluster:
    """A `Line` of two nodes."""

    def __init__(self, *, seed: int = 0, faults: Faults | None = None) -> None:
        self.random = random.Random(seed)
        self.faults = faults or Faults()
        self.metadata = ClusterMetadata()
        self.partitions: dict[TopicPartition, PartitionModel] = {}
        self.requests: list[ProduceRequest] = []
        self.answer_with: list[ErrorCode] = []
        """What the next batches are answered instead of being stored."""
        self.transaction_version = 2
        self.asked: list[Message] = []
        """What coordinators were asked."""
        self.coordinator_answers: dict[type[Message], list[ErrorCode]] = {}
        """What the next requests of a kind are answered instead of being done."""
        self.epoch = -1
        self.missing_topic = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        """What is told of a topic that is not there."""
        self.next_producer_id = 1000
        self.is_reachable = True

    def create(self, topic: str, partitions: int) -> None:
        for index in range(partitions):
            self.partitions[TopicPartition(topic, index)] = PartitionModel()

    def log(self, topic: str, partition: int = 0) -> PartitionModel:
        return self.partitions[TopicPartition(topic, partition)]

    def values(self, topic: str, partition: int = 0) -> list[bytes | None]:
        return [record.value for record in self.log(topic, partition).records]

    def draw(self, one_in: int) -> bool:
        return one_in > 0 and self.random.randrange(one_in) == 0

    def latency_s(self) -> float:
        return self.random.randrange(self.faults.latency_ms + 1) / 1000

    def move_leaders(self) -> None:
        for partition in self.partitions.values():
            partition.leader = 1 - partition.leader
            partition.leader_epoch += 1

    # -- as a `Line` -----------------------------------------------------------------------------

    async def refresh(self, topics: Iterable[str]) -> None:
        if not self.is_reachable:
            raise NodeUnreachableError("no node")
        await asyncio.sleep(self.latency_s())
        self.metadata.take(
            MetadataResponse(
                brokers=[
                    MetadataResponseBroker(node_id=id_, host="h", port=id_ + 1) for id_ in (0, 1)
                ],
                topics=[self._described(name) for name in topics],
            )
        )

    def _described(self, name: str) -> MetadataResponseTopic:
        partitions = [
            MetadataResponsePartition(
                partition_index=index, leader_id=model.leader, leader_epoch=model.leader_epoch
            )
            for (topic, index), model in self.partitions.items()
            if topic == name
        ]
        error = ErrorCode.NONE if partitions else self.missing_topic
        return MetadataResponseTopic(
            error_code=error,
            name=name,
            topic_id=name.encode().ljust(16, b"."),
            partitions=partitions,
        )

    async def node(self, node_id: int) -> ModelNode:
        if not self.is_reachable:
            raise NodeUnreachableError("no node")
        return ModelNode(self, node_id)

    async def any_node(self) -> ModelNode:
        return await self.node(0)

    async def coordinator(self) -> ModelNode:
        return await self.node(0)

    def forget_coordinator(self) -> None:
        """There is one."""

    async def group_coordinator(self, group_id: str) -> ModelNode:
        return await self.node(0)

    def forget_group_coordinator(self, group_id: str) -> None:
        """There is one."""

    # -- what nodes do ---------------------------------------------------------------------------

    def coordinate(self, request: Message) -> Message:
        self.asked.append(request)
        script = self.coordinator_answers.get(type(request), [])
        code = script.pop(0) if script else ErrorCode.NONE
        match request:
            case InitProducerIdRequest(transactional_id=None):
                self.next_producer_id += 1
                return InitProducerIdResponse(producer_id=self.next_producer_id, producer_epoch=0)
            case InitProducerIdRequest():
                self.epoch += code is ErrorCode.NONE
                return InitProducerIdResponse(
                    error_code=code, producer_id=1, producer_epoch=self.epoch
                )
            case AddPartitionsToTxnRequest():
                return AddPartitionsToTxnResponse(
                    results_by_topic_v3_and_below=[
                        AddPartitionsToTxnTopicResult(
                            name=topic.name,
                            results_by_partition=[
                                AddPartitionsToTxnPartitionResult(
                                    partition_index=index, partition_error_code=code
                                )
                                for index in topic.partitions
                            ],
                        )
                        for topic in request.v3_and_below_topics
                    ]
                )
            case AddOffsetsToTxnRequest():
                return AddOffsetsToTxnResponse(error_code=code)
            case TxnOffsetCommitRequest():
                answer = TxnOffsetCommitResponsePartition(partition_index=0, error_code=code)
                topic_answer = TxnOffsetCommitResponseTopic(name="x", partitions=[answer])
                return TxnOffsetCommitResponse(topics=[topic_answer])
            case EndTxnRequest() if self.transaction_version < 2 or code is not ErrorCode.NONE:
                return EndTxnResponse(error_code=code)
            case EndTxnRequest():
                self.epoch += 1
                return EndTxnResponse(producer_id=1, producer_epoch=self.epoch)
            case _:
                raise AssertionError(request)

    def produce(self, node_id: int, request: ProduceRequest) -> ProduceResponse:
        responses = []
        for topic in request.topic_data:
            answers = []
            for data in topic.partition_data:
                code, offset = self._append(
                    self.log(topic.name, data.index), node_id, cast(bytes, data.records)
                )
                answers.append(
                    PartitionProduceResponse(index=data.index, error_code=code, base_offset=offset)
                )
            responses.append(
                TopicProduceResponse(topic_id=topic.topic_id, partition_responses=answers)
            )
        return ProduceResponse(responses=responses)

    def _append(self, model: PartitionModel, node_id: int, batch: bytes) -> tuple[ErrorCode, int]:
        if node_id != model.leader:
            return ErrorCode.NOT_LEADER_OR_FOLLOWER, -1
        if self.answer_with:
            return self.answer_with.pop(0), -1
        if self.draw(self.faults.refused):
            return ErrorCode.NOT_ENOUGH_REPLICAS, -1
        if self.draw(self.faults.too_large) and read_header(batch).record_count > 1:
            return ErrorCode.MESSAGE_TOO_LARGE, -1
        code, offset = model.append(batch)
        if code is ErrorCode.NONE and self.draw(self.faults.in_doubt):
            return ErrorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND, -1
        return code, offset
