"""Produce requests in a transaction: their first batch of each partition waits for the coordinator.

Batches of a transaction that is open in their partition go on at once. The others wait until the
coordinator has taken the partition into the transaction (transaction version 2), or says that it is
in it. Meanwhile their connection is held, which keeps the order of its producer, and their records
are copied, for the read buffer is used again.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from ottla.base.errors import ErrorCode
from ottla.base.ids import NO_OFFSET, TopicPartition
from ottla.broker.partition import Partition
from ottla.broker.produce import NAMES_TOPICS_BY_ID
from ottla.broker.replies import Exchange
from ottla.log.producers import Verification
from ottla.settings import coordinators as keys
from ottla.transactions.partitions import Writing
from ottla.transactions.transaction import EPOCH_PER_TRANSACTION
from ottla.transport.connection import Connection
from ottla.wire.messages.produce import (
    PartitionProduceData,
    PartitionProduceResponse,
    ProduceRequest,
    TopicProduceData,
    TopicProduceResponse,
)
from ottla.wire.records.header import HEADER_SIZE, BatchHeader, read_header

if TYPE_CHECKING:
    from ottla.broker.broker import Broker

ADDS_PARTITIONS: Final = 12
"""From this version a produce takes its partitions into the transaction by itself (KIP-890)."""
KNOWS_ABORTABLE: Final = 11
"""From this version clients know TRANSACTION_ABORTABLE."""
OPEN: Final = Verification()
"""For requests whose transactions are all open already."""
TRY_AGAIN: Final = (
    ErrorCode.CONCURRENT_TRANSACTIONS,
    ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
    ErrorCode.COORDINATOR_NOT_AVAILABLE,
    ErrorCode.NOT_COORDINATOR,
)

Producer = tuple[int, int]
"""Producer id and epoch."""
Asked = dict[Producer, dict[TopicPartition, Partition]]
Refused = dict[TopicPartition, ErrorCode]


class TransactionalProduce:
    """The requests of one broker that name a transactional id."""

    def __init__(self, broker: Broker, failed: Callable[[Connection], None]) -> None:
        """`failed` is called inside the handling of a bug of ours."""
        self._broker = broker
        self._failed = failed
        self.tasks: set[asyncio.Task[None]] = set()

    def frame(
        self,
        request: ProduceRequest,
        exchange: Exchange,
        denied: Sequence[TopicProduceResponse] = (),
    ) -> bool:
        """Stage one request; True where that could be done at once, and the next may follow.

        `denied` are the answers of what was taken out of it before.
        """
        asked = self._unverified(request, exchange)
        if not asked:
            self._broker.produce.frame(request, exchange, OPEN, denied)
            return True
        adds = exchange.version >= ADDS_PARTITIONS
        if not adds and not self._broker.settings[keys.TRANSACTION_PARTITION_VERIFICATION_ENABLE]:
            with _Verifying(asked, begins_epoch=False) as verification:
                self._broker.produce.frame(request, exchange, verification, denied)
            return True
        task = asyncio.ensure_future(self._produce_later(_copied(request), exchange, asked, denied))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return False

    def _unverified(self, request: ProduceRequest, exchange: Exchange) -> Asked:
        """The batches that begin a transaction in their partition."""
        replicas = self._broker.replicas
        asked: Asked = defaultdict(dict)
        for topic in request.topic_data:
            by_id = exchange.version >= NAMES_TOPICS_BY_ID
            for data in topic.partition_data:
                if by_id:
                    partition = replicas.find_by_id(topic.topic_id, data.index)
                else:
                    partition = replicas.find(topic.name, data.index)
                header = _transactional_header(data)
                if header is None or isinstance(partition, ErrorCode):
                    continue  # refused, or not, as any other batch
                producer = header.producer_id, header.producer_epoch
                if not partition.log.producers.states.is_in_transaction(*producer):
                    where = TopicPartition(partition.topic, partition.index)
                    asked[producer][where] = partition
        return asked

    async def _produce_later(
        self,
        request: ProduceRequest,
        exchange: Exchange,
        asked: Asked,
        denied: Sequence[TopicProduceResponse],
    ) -> None:
        adds = exchange.version >= ADDS_PARTITIONS
        try:
            with _Verifying(asked, begins_epoch=adds) as verification:
                refused = await self._ask(request, exchange.version, asked)
                accepted, refusals = self._without(request, exchange, refused)
                self._broker.produce.frame(accepted, exchange, verification, [*denied, *refusals])
                self._broker.produce.commit()
        except Exception:  # noqa: BLE001 # logged with its traceback, as any bug in a handler
            self._failed(exchange.connection)

    # -- asking the coordinator ------------------------------------------------------------------

    async def _ask(self, request: ProduceRequest, version: int, asked: Asked) -> Refused:
        assert request.transactional_id is not None
        refused: Refused = {}
        for (producer_id, epoch), partitions in asked.items():
            writing = Writing(request.transactional_id, producer_id, epoch, frozenset(partitions))
            if version >= ADDS_PARTITIONS:
                answers = dict.fromkeys(partitions, await self._add(writing))
            else:
                answers = await self._broker.transactions.verify_partitions(writing)
            for where, error in answers.items():
                if error:
                    refused[where] = told_to_producers(error, version)
        return refused

    async def _add(self, writing: Writing) -> ErrorCode:
        """Also while the transaction before still ends, for a moment: clients would wait longer."""
        settings, clock = self._broker.settings, self._broker.clock
        pause_ms = settings[keys.ADD_PARTITIONS_TO_TXN_RETRY_BACKOFF_MS]
        give_up_ms = (
            clock.monotonic_ms() + settings[keys.ADD_PARTITIONS_TO_TXN_RETRY_BACKOFF_MAX_MS]
        )
        while True:
            error = await self._broker.transactions.add_partitions(
                writing, version=EPOCH_PER_TRANSACTION
            )
            is_late = clock.monotonic_ms() + pause_ms > give_up_ms
            if error is not ErrorCode.CONCURRENT_TRANSACTIONS or is_late:
                return error
            await asyncio.sleep(pause_ms / 1000)

    # -- answering -------------------------------------------------------------------------------

    def _without(
        self, request: ProduceRequest, exchange: Exchange, refused: Refused
    ) -> tuple[ProduceRequest, list[TopicProduceResponse]]:
        """The request without the partitions that are refused, and their answers."""
        if not refused:
            return request, []
        accepted: list[TopicProduceData] = []
        refusals: list[TopicProduceResponse] = []
        for topic in request.topic_data:
            name = self._name_of(topic, exchange)
            errors = {
                data.index: refused.get(TopicPartition(name, data.index), ErrorCode.NONE)
                for data in topic.partition_data
            }
            refusals.append(_refusals(topic, errors))
            accepted.append(
                TopicProduceData(
                    name=topic.name,
                    topic_id=topic.topic_id,
                    partition_data=[
                        data for data in topic.partition_data if not errors[data.index]
                    ],
                )
            )
        rest = ProduceRequest(
            transactional_id=request.transactional_id,
            acks=request.acks,
            timeout_ms=request.timeout_ms,
            topic_data=[topic for topic in accepted if topic.partition_data],
        )
        return rest, [refusal for refusal in refusals if refusal.partition_responses]

    def _name_of(self, topic: TopicProduceData, exchange: Exchange) -> str:
        if exchange.version < NAMES_TOPICS_BY_ID:
            return topic.name
        known = self._broker.metadata.image.topics_by_id.get(topic.topic_id)
        return "" if known is None else known.name


class _Verifying:
    """As long as it lasts, the partitions remember the question; a marker makes them forget."""

    def __init__(self, asked: Asked, *, begins_epoch: bool) -> None:
        self._asked = asked
        self._verification = Verification(begins_epoch=begins_epoch)

    def __enter__(self) -> Verification:
        for (producer_id, _), partitions in self._asked.items():
            for partition in partitions.values():
                partition.log.producers.states.begin_verification(producer_id, self._verification)
        return self._verification

    def __exit__(self, *_: object) -> None:
        for (producer_id, _epoch), partitions in self._asked.items():
            for partition in partitions.values():
                partition.log.producers.states.end_verification(producer_id, self._verification)


def told_to_producers(error: ErrorCode, version: int) -> ErrorCode:
    """What a producer of this version understands, and does the right thing with."""
    if error in TRY_AGAIN:
        return ErrorCode.NOT_ENOUGH_REPLICAS
    if error is ErrorCode.PRODUCER_FENCED:
        # Lets a producer whose transaction timed out begin another (KIP-588).
        return ErrorCode.INVALID_PRODUCER_EPOCH
    if error is ErrorCode.TRANSACTION_ABORTABLE and version < KNOWS_ABORTABLE:
        return ErrorCode.INVALID_TXN_STATE
    return error


def _refusals(topic: TopicProduceData, errors: dict[int, ErrorCode]) -> TopicProduceResponse:
    return TopicProduceResponse(
        name=topic.name,
        topic_id=topic.topic_id,
        partition_responses=[
            PartitionProduceResponse(
                index=index,
                error_code=error,
                base_offset=NO_OFFSET,
                error_message=f"the transaction does not allow it: {error.name}",
            )
            for index, error in errors.items()
            if error
        ],
    )


def _transactional_header(data: PartitionProduceData) -> BatchHeader | None:
    if data.records is None or len(data.records) < HEADER_SIZE:
        return None
    header = read_header(data.records)
    return header if header.is_transactional else None


def _copied(request: ProduceRequest) -> ProduceRequest:
    """The same with records of its own."""
    for topic in request.topic_data:
        for data in topic.partition_data:
            if data.records is not None:
                data.records = memoryview(bytearray(data.records))
    return request
