"""A cluster of scripted nodes that hold logs: what a consumer asks for, and what goes wrong.

Sessions are kept as brokers keep them, and refused where they do not fit. `Faults` draws from a
seed. Answers take some milliseconds, so that a consumer that finds nothing lets time pass.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import count
from typing import Any, NamedTuple

from ottla.base.errors import ErrorCode
from ottla.base.ids import TopicPartition
from ottla.client.consumer import Consumer
from ottla.wire.messages.fetch import (
    AbortedTransaction,
    FetchableTopicResponse,
    FetchPartition,
    FetchRequest,
    FetchResponse,
    LeaderIdAndEpoch,
    NodeEndpoint,
    PartitionData,
)
from ottla.wire.messages.list_offsets import (
    ListOffsetsPartition,
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
from ottla.wire.records.batch import build_batch, patch_placement
from ottla.wire.records.compression import Codec
from ottla.wire.records.control import ControlType, control_key
from ottla.wire.records.record import Record
from ottla.wire.versions import VersionRange
from tests.support.scripted_broker import ScriptedBroker
from tests.support.scripted_cluster import KAFKA_2_1, ScriptedCluster, address_of

ANSWER_MS = 3

OLD = {
    **KAFKA_2_1,
    FetchRequest: VersionRange(0, 10),
    ListOffsetsRequest: VersionRange(0, 4),
    OffsetForLeaderEpochRequest: VersionRange(0, 2),
}
"""What Apache Kafka 2.1 speaks."""


class Faults(NamedTuple):
    """One request in how many: never where 0."""

    lost_answer: int = 0
    moves: int = 0
    lost_sessions: int = 0
    refused: int = 0
    truncates: int = 0


NO_FAULTS = Faults()


class ModelBatch(NamedTuple):
    base_offset: int
    next_offset: int
    timestamp_ms: int
    data: bytes


class ModelLog:
    """One partition's log, the same at every node; `truncate` is what an unclean leader does."""

    def __init__(self, leader: int) -> None:
        self.leader = leader
        self.epoch = 0
        self.epochs = [(0, 0)]
        self.batches: list[ModelBatch] = []
        self.start = 0
        self.aborted: list[tuple[int, int, int]] = []
        """Producer, first offset, offset of the marker."""
        self.open: dict[int, int] = {}
        self.near: dict[str, int] = {}
        """The replica that the leader names to consumers of a rack."""
        self.near_end: int | None = None
        """Where the replicas that do not lead end; None for where the leader does."""

    @property
    def end(self) -> int:
        return self.batches[-1].next_offset if self.batches else self.start

    @property
    def stable_end(self) -> int:
        return min(self.open.values(), default=self.end)

    def values(self) -> list[tuple[int, bytes]]:
        """What a reader of everything must see."""
        return [
            (offset, b"%d:%d" % (offset, batch.timestamp_ms))
            for batch in self.batches
            for offset in range(batch.base_offset, batch.next_offset)
            if offset >= self.start
        ]

    def append(
        self,
        records: int,
        *,
        timestamp_ms: int = 0,
        codec: Codec = Codec.NONE,
        producer_id: int = -1,
    ) -> None:
        """Values say their offset and their time."""
        end = self.end
        made = [
            Record(index, timestamp_ms, None, b"%d:%d" % (end + index, timestamp_ms))
            for index in range(records)
        ]
        data = build_batch(
            made,
            codec=codec,
            producer_id=producer_id,
            producer_epoch=0 if producer_id >= 0 else -1,
            base_sequence=0 if producer_id >= 0 else -1,
            transactional=producer_id >= 0,
        )
        if producer_id >= 0:
            self.open.setdefault(producer_id, end)
        self._keep(bytearray(data), records, timestamp_ms)

    def end_transaction(self, producer_id: int, kind: ControlType) -> None:
        marker = build_batch(
            [Record(0, 0, control_key(kind), bytes(6))],
            producer_id=producer_id,
            producer_epoch=0,
            transactional=True,
            control=True,
        )
        first = self.open.pop(producer_id)
        if kind is ControlType.ABORT:
            self.aborted.append((producer_id, first, self.end))
        self._keep(bytearray(marker), 1, 0)

    def _keep(self, data: bytearray, records: int, timestamp_ms: int) -> None:
        end = self.end
        patch_placement(data, 0, end, self.epoch)
        self.batches.append(ModelBatch(end, end + records, timestamp_ms, bytes(data)))

    def move(self, leader: int) -> None:
        self.leader = leader
        self.epoch += 1
        self.epochs.append((self.epoch, self.end))

    def truncate(self, batches: int) -> None:
        """Lose the last batches; another leader goes on without them."""
        del self.batches[len(self.batches) - batches :]
        self.epochs = [(epoch, min(start, self.end)) for epoch, start in self.epochs]
        self.move(self.leader)

    def end_of_epoch(self, epoch: int) -> tuple[int, int]:
        known = [found for found, _ in self.epochs if found <= epoch]
        if not known:
            return -1, -1
        later = [start for found, start in self.epochs if found > known[-1]]
        return known[-1], later[0] if later else self.end

    def read(self, offset: int, bytes_max: int) -> bytes:
        data = b""
        for batch in self.batches:
            if batch.next_offset > offset:
                if data and len(data) + len(batch.data) > bytes_max:
                    break
                data += batch.data
        return data

    def aborted_from(self, offset: int) -> list[AbortedTransaction]:
        return [
            AbortedTransaction(producer_id=producer_id, first_offset=first)
            for producer_id, first, last in self.aborted
            if last >= offset
        ]


class _Session:
    def __init__(self) -> None:
        self.epoch = 1
        self.partitions: dict[TopicPartition, FetchPartition] = {}


class ConsumerCluster(ScriptedCluster):
    """Topics are made by `make`; `logs` by partition."""

    def __init__(
        self,
        nodes: int = 3,
        *,
        versions: Mapping[Any, VersionRange] = {},
        faults: Faults = NO_FAULTS,
        seed: int = 0,
    ) -> None:
        super().__init__(nodes, versions=versions)
        self.random = random.Random(seed)
        self.faults = faults
        self.hints = not versions  # which older answers cannot carry
        self.logs: dict[TopicPartition, ModelLog] = {}
        self.refusals: list[int] = []
        """What the next requests of partitions are answered with."""
        self.sent: list[tuple[TopicPartition, int]] = []
        """Bytes that fetches brought."""
        self.sessions: dict[int, dict[int, _Session]] = {}
        self._session_ids = count(1)
        self.waits = False
        """Whether an answer of a session that has nothing new comes after the time to wait."""
        self.answer_ms = ANSWER_MS
        self._held_ms = 0
        self.network.delay_ms = self._delay_ms
        for node_id, old in list(self.brokers.items()):
            answers: dict[Any, Any] = {
                **old._answers,
                FetchRequest: partial(self._fetch, node_id),
                ListOffsetsRequest: partial(self._offsets, node_id),
                OffsetForLeaderEpochRequest: partial(self._epochs, node_id),
            }
            self.brokers[node_id] = ScriptedBroker(
                answers, versions=versions, api_versions=old._api_versions
            )
        self.listen()

    def make(self, topic: str, partitions: int = 1) -> list[ModelLog]:
        nodes = sorted(self.brokers)
        self.create(topic, *[(nodes[index % len(nodes)], 0) for index in range(partitions)])
        made = [ModelLog(nodes[index % len(nodes)]) for index in range(partitions)]
        self.logs.update({TopicPartition(topic, index): log for index, log in enumerate(made)})
        return made

    def tell_leaders(self) -> None:
        """Let the metadata say who leads now."""
        for topic, (id_, leaders) in list(self.view.topics.items()):
            told = [self.logs[TopicPartition(topic, index)] for index in range(len(leaders))]
            self.view.topics[topic] = (id_, [(log.leader, log.epoch) for log in told])

    def consumer(self, **settings: Any) -> Consumer:
        """One that is started on a client of its own; close it with `run(consumer.close())`."""
        settings = {"auto_offset_reset": "earliest", **settings}
        consumer = Consumer("unused:1", **settings)
        self.loop.finish(consumer.start_on(self.client()))
        return consumer

    def _delay_ms(self) -> int:
        """What is sent next is an answer that was just made, or a request, which is not held."""
        held_ms, self._held_ms = self._held_ms, 0
        return held_ms or self.answer_ms

    def draw(self, one_in: int) -> bool:
        return one_in > 0 and self.random.randrange(one_in) == 0

    # -- answers ---------------------------------------------------------------------------------

    def _misbehave(self) -> None:
        faults = self.faults
        log = self.random.choice(list(self.logs.values()))
        if self.draw(faults.moves):
            log.move(self.random.choice(sorted(self.brokers)))
        if self.draw(faults.truncates) and log.batches:
            log.truncate(1)
        if self.draw(3):
            self.tell_leaders()
        if self.draw(faults.lost_sessions):
            self.sessions.clear()

    def _wrong(self, node_id: int, log: ModelLog | None, epoch: int) -> int:
        if log is None:
            return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        if self.refusals:
            return self.refusals.pop(0)
        if self.draw(self.faults.refused):
            return ErrorCode.KAFKA_STORAGE_ERROR
        if log.leader != node_id and node_id not in log.near.values():
            return ErrorCode.NOT_LEADER_OR_FOLLOWER
        if 0 <= epoch < log.epoch:
            return ErrorCode.FENCED_LEADER_EPOCH
        return ErrorCode.UNKNOWN_LEADER_EPOCH if epoch > log.epoch else ErrorCode.NONE

    def _fetch(self, node_id: int, request: FetchRequest) -> FetchResponse | None:
        self._misbehave()
        sessions = self.sessions.setdefault(node_id, {})
        if request.session_epoch == -1 and not request.session_id:
            return self._fetch_alone(node_id, request)
        if request.session_epoch == -1:
            sessions.pop(request.session_id, None)
            return FetchResponse()
        if request.session_epoch == 0:
            sessions.pop(request.session_id, None)
            session_id, session = next(self._session_ids), _Session()
            sessions[session_id] = session
        else:
            session_id, found = request.session_id, sessions.get(request.session_id)
            if found is None:
                return FetchResponse(error_code=ErrorCode.FETCH_SESSION_ID_NOT_FOUND)
            if found.epoch != request.session_epoch:
                return FetchResponse(error_code=ErrorCode.INVALID_FETCH_SESSION_EPOCH)
            session = found
            session.epoch += 1
        self._learn(session, request)
        is_full = request.session_epoch == 0
        answer = self._read(node_id, session, request, is_full=is_full)
        if self.draw(self.faults.lost_answer):
            return None
        response = answer(session_id)
        if self.waits and not any(_has_news(topic) for topic in response.responses):
            self._held_ms = request.max_wait_ms
        return response

    def _fetch_alone(self, node_id: int, request: FetchRequest) -> FetchResponse | None:
        """Outside of every session."""
        session = _Session()
        self._learn(session, request)
        answer = self._read(node_id, session, request, is_full=True)
        return None if self.draw(self.faults.lost_answer) else answer(0)

    def _learn(self, session: _Session, request: FetchRequest) -> None:
        for topic in request.forgotten_topics_data:
            for index in topic.partitions:
                del session.partitions[self._named(topic.topic, topic.topic_id, index)]
        for wanted in request.topics:
            for asked in wanted.partitions:
                partition = self._named(wanted.topic, wanted.topic_id, asked.partition)
                session.partitions[partition] = asked

    def _named(self, name: str, topic_id: bytes, index: int) -> TopicPartition:
        if not name:
            (name,) = [name for name, (id_, _) in self.view.topics.items() if id_ == topic_id]
        return TopicPartition(name, index)

    def _read(
        self, node_id: int, session: _Session, request: FetchRequest, *, is_full: bool
    ) -> partial[FetchResponse]:
        room = request.max_bytes
        found: dict[str, list[PartitionData]] = {}
        for partition, asked in session.partitions.items():
            data = self._read_one(node_id, partition, asked, request, room)
            room -= len(data.records or b"")
            if is_full or _is_news(data):
                found.setdefault(partition.topic, []).append(data)
        responses = [
            FetchableTopicResponse(
                topic=topic, topic_id=self.view.topics[topic][0], partitions=partitions
            )
            for topic, partitions in found.items()
        ]
        endpoints = [
            NodeEndpoint(node_id=id_, host=address_of(id_).host, port=address_of(id_).port)
            for id_ in self.brokers
        ]
        return partial(_response, responses, endpoints if self.hints else [])

    def _read_one(
        self,
        node_id: int,
        partition: TopicPartition,
        asked: FetchPartition,
        request: FetchRequest,
        room: int,
    ) -> PartitionData:
        log = self.logs.get(partition)
        data = PartitionData(partition_index=partition.partition, high_watermark=-1)
        data.error_code = self._wrong(node_id, log, asked.current_leader_epoch)
        if log is None or data.error_code:
            if log is not None and self.hints:
                data.current_leader = LeaderIdAndEpoch(leader_id=log.leader, leader_epoch=log.epoch)
            return data
        end = log.end if node_id == log.leader or log.near_end is None else log.near_end
        if not log.start <= asked.fetch_offset <= end:
            data.error_code = ErrorCode.OFFSET_OUT_OF_RANGE
            return data
        data.high_watermark, data.last_stable_offset = log.end, log.stable_end
        data.log_start_offset = log.start
        near = log.near.get(request.rack_id, node_id) if node_id == log.leader else node_id
        if near != node_id and (log.near_end is None or asked.fetch_offset <= log.near_end):
            data.preferred_read_replica = near
            return data
        if room > 0 or room == request.max_bytes:
            data.records = log.read(asked.fetch_offset, min(asked.partition_max_bytes, room))
            if data.records:
                self.sent.append((partition, len(data.records)))
        if request.isolation_level:
            data.aborted_transactions = log.aborted_from(asked.fetch_offset)
        return data

    def _offsets(self, node_id: int, request: ListOffsetsRequest) -> ListOffsetsResponse | None:
        self._misbehave()
        if self.draw(self.faults.lost_answer):
            return None
        return ListOffsetsResponse(
            topics=[
                ListOffsetsTopicResponse(
                    name=topic.name,
                    partitions=[
                        self._offset(
                            node_id, topic.name, p, is_committed=bool(request.isolation_level)
                        )
                        for p in topic.partitions
                    ],
                )
                for topic in request.topics
            ]
        )

    def _offset(
        self, node_id: int, topic: str, asked: ListOffsetsPartition, *, is_committed: bool
    ) -> ListOffsetsPartitionResponse:
        log = self.logs.get(TopicPartition(topic, asked.partition_index))
        answer = ListOffsetsPartitionResponse(partition_index=asked.partition_index)
        answer.error_code = self._wrong(node_id, log, asked.current_leader_epoch)
        if log is None or answer.error_code:
            return answer
        times = [batch for batch in log.batches if batch.timestamp_ms >= asked.timestamp]
        match asked.timestamp:
            case -1:
                answer.offset = log.stable_end if is_committed else log.end
            case -2:
                answer.offset = log.start
            case _ if times:
                answer.offset = times[0].base_offset
                answer.timestamp = times[0].timestamp_ms
                answer.leader_epoch = log.epoch
        return answer

    def _epochs(
        self, node_id: int, request: OffsetForLeaderEpochRequest
    ) -> OffsetForLeaderEpochResponse | None:
        if self.draw(self.faults.lost_answer):
            return None
        topics = []
        for topic in request.topics:
            ends = []
            for asked in topic.partitions:
                log = self.logs[TopicPartition(topic.topic, asked.partition)]
                code = self._wrong(node_id, log, asked.current_leader_epoch)
                epoch, end = log.end_of_epoch(asked.leader_epoch)
                ends.append(
                    EpochEnd(error_code=code, partition=asked.partition)
                    if code
                    else EpochEnd(partition=asked.partition, leader_epoch=epoch, end_offset=end)
                )
            topics.append(OffsetForLeaderTopicResult(topic=topic.topic, partitions=ends))
        return OffsetForLeaderEpochResponse(topics=topics)


def _has_news(topic: FetchableTopicResponse) -> bool:
    return any(_is_news(data) for data in topic.partitions)


def _is_news(data: PartitionData) -> bool:
    return bool(data.records or data.error_code or data.preferred_read_replica >= 0)


def _response(
    responses: Sequence[FetchableTopicResponse], endpoints: list[NodeEndpoint], session_id: int
) -> FetchResponse:
    return FetchResponse(session_id=session_id, responses=list(responses), node_endpoints=endpoints)
