"""Transactions: list, describe, abort one that hangs, fence producers."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from ottla.base.errors import ErrorCode
from ottla.base.ids import TopicPartition
from ottla.client.address import Address
from ottla.client.admin.asking import Asking
from ottla.client.admin.hanging import (
    MAX_TIMEOUT_MS,
    OpenTransaction,
    open_transactions,
    without_end,
)
from ottla.client.admin.outcomes import Answers, Outcomes, check, refusal, verdict
from ottla.client.admin.producers import Producers
from ottla.client.admin.routes import ToCoordinators, ToLeaders
from ottla.client.admin.topics import Topics
from ottla.client.admin.transaction_descriptions import (
    AbortSpec,
    FencedProducer,
    TransactionDescription,
    TransactionListing,
    TransactionState,
    described,
)
from ottla.client.connection import Connection
from ottla.client.coordinators import CoordinatorKind
from ottla.client.errors import RefusedError
from ottla.transport.clock import SystemClock
from ottla.wire.messages.describe_transactions import (
    DescribeTransactionsRequest,
    DescribeTransactionsResponse,
)
from ottla.wire.messages.init_producer_id import InitProducerIdRequest, InitProducerIdResponse
from ottla.wire.messages.list_transactions import (
    ListTransactionsRequest,
    ListTransactionsResponse,
)
from ottla.wire.messages.write_txn_markers import (
    WritableTxnMarker,
    WritableTxnMarkerTopic,
    WriteTxnMarkersRequest,
    WriteTxnMarkersResponse,
)


class Transactions:
    """`admin.transactions`."""

    def __init__(self, asking: Asking, topics: Topics, producers: Producers) -> None:
        self._asking = asking
        self._topics = topics
        self._producers = producers

    async def list(
        self,
        *,
        states: Collection[TransactionState] = (),
        producer_ids: Collection[int] = (),
        open_longer_than_ms: int = -1,
        pattern: str | None = None,
        timeout_s: float | None = None,
    ) -> tuple[TransactionListing, ...]:
        """All transactional ids that pass every filter (Kafka 2.8), in order.

        `open_longer_than_ms` needs Kafka 3.8, `pattern` (for whole ids, in RE2's syntax) 4.1.
        Raises the error of the first broker that could not be asked; `list_by_broker` tells what
        the others have said.
        """
        told = await self.list_by_broker(
            states=states,
            producer_ids=producer_ids,
            open_longer_than_ms=open_longer_than_ms,
            pattern=pattern,
            timeout_s=timeout_s,
        )
        found = {each.transactional_id: each for listed in told.all().values() for each in listed}
        return tuple(found[name] for name in sorted(found))

    async def list_by_broker(
        self,
        *,
        states: Collection[TransactionState] = (),
        producer_ids: Collection[int] = (),
        open_longer_than_ms: int = -1,
        pattern: str | None = None,
        timeout_s: float | None = None,
    ) -> Outcomes[int, tuple[TransactionListing, ...]]:
        """Those that each broker coordinates, by the broker's id."""
        request = ListTransactionsRequest(
            state_filters=[state.value for state in states],
            producer_id_filters=[*producer_ids],
            duration_filter=open_longer_than_ms,
            transactional_id_pattern=pattern,
        )

        async def ask(node: Connection) -> tuple[TransactionListing, ...]:
            response = await node.call(request, ListTransactionsResponse)
            check(response.error_code, None, f"the transactions of {node.address}")
            return tuple(
                TransactionListing(
                    transactional_id=told.transactional_id,
                    producer_id=told.producer_id,
                    state=TransactionState(told.transaction_state),
                )
                for told in response.transaction_states
            )

        return await self._asking.at_brokers(None, ask, timeout_s=timeout_s)

    async def describe(
        self, *transactional_ids: str, timeout_s: float | None = None
    ) -> Outcomes[str, TransactionDescription]:
        """What coordinators know, by id (Kafka 2.8); TRANSACTIONAL_ID_NOT_FOUND otherwise."""

        async def ask(
            node: Connection, items: Sequence[str]
        ) -> Answers[str, TransactionDescription]:
            request = DescribeTransactionsRequest(transactional_ids=[*items])
            response = await node.call(request, DescribeTransactionsResponse)
            return {
                told.transactional_id: verdict(
                    told.error_code,
                    None,
                    f"transactional id {told.transactional_id!r}",
                    described(told),
                )
                for told in response.transaction_states
            }

        route = ToCoordinators[str](self._asking.cluster, CoordinatorKind.TRANSACTION)
        return await self._asking.each(transactional_ids, route, ask, timeout_s=timeout_s)

    async def fence(
        self, *transactional_ids: str, timeout_s: float | None = None
    ) -> Outcomes[str, FencedProducer]:
        """Let whoever uses these ids write no more; what it has open is aborted. By id."""

        async def ask(node: Connection, items: Sequence[str]) -> Answers[str, FencedProducer]:
            return {item: await self._fence(node, item) for item in items}

        route = ToCoordinators[str](
            self._asking.cluster, CoordinatorKind.TRANSACTION, together=False
        )
        return await self._asking.each(transactional_ids, route, ask, timeout_s=timeout_s)

    async def _fence(
        self, node: Connection, transactional_id: str
    ) -> FencedProducer | RefusedError:
        request = InitProducerIdRequest(
            transactional_id=transactional_id, transaction_timeout_ms=self._asking.patience_ms
        )
        response = await node.call(request, InitProducerIdResponse)
        return verdict(
            response.error_code,
            None,
            f"transactional id {transactional_id!r}",
            FencedProducer(
                producer_id=response.producer_id, producer_epoch=response.producer_epoch
            ),
        )

    # -- transactions without an end -------------------------------------------------------------

    async def abort(
        self, *specs: AbortSpec, timeout_s: float | None = None
    ) -> Outcomes[TopicPartition, None]:
        """Write markers that abort open transactions, past their coordinators; by partition.

        Only for transactions that hang: `find_hanging`. An epoch that is not the current one is
        refused with INVALID_PRODUCER_EPOCH, an older coordinator's with
        TRANSACTION_COORDINATOR_FENCED.
        """
        wanted = {spec.partition: spec for spec in specs}
        turns: defaultdict[Address, asyncio.Lock] = defaultdict(asyncio.Lock)

        async def ask(
            node: Connection, items: Sequence[TopicPartition]
        ) -> Answers[TopicPartition, None]:
            (item,) = items
            request = WriteTxnMarkersRequest(markers=[_marker(wanted[item])])
            # One at a time: a connection that breaks leaves only its last marker in doubt.
            async with turns[node.address]:
                response = await node.call(request, WriteTxnMarkersResponse)
            codes = [
                told.error_code
                for marker in response.markers
                for topic in marker.topics
                for told in topic.partitions
            ]
            return {item: next((refusal(code, None, item) for code in codes if code), None)}

        # Each by itself: one that was answered is not asked again with another, since its producer
        # may have begun anew, under the same epoch.
        route = ToLeaders(self._asking.cluster, together=False)
        return await self._asking.each(wanted, route, ask, timeout_s=timeout_s)

    async def abort_at(
        self, partition: TopicPartition, start_offset: int, *, timeout_s: float | None = None
    ) -> None:
        """Abort the transaction that begins at this offset of a partition.

        Raises RefusedError, with INVALID_TXN_STATE where none that is open begins there.
        """
        told = await self._producers.describe(partition, timeout_s=timeout_s)
        for found in open_transactions(told.all()):
            if found.producer.transaction_start_offset == start_offset:
                (await self.abort(found.abort_spec, timeout_s=timeout_s)).all()
                return
        raise RefusedError(
            ErrorCode.INVALID_TXN_STATE,
            f"no open transaction of {partition} begins at {start_offset}",
        )

    async def find_hanging(
        self,
        *partitions: TopicPartition,
        topic: str | None = None,
        broker_id: int | None = None,
        max_transaction_timeout_ms: int = MAX_TIMEOUT_MS,
        timeout_s: float | None = None,
    ) -> tuple[OpenTransaction, ...]:
        """Transactions that are open in partitions, and whose coordinator knows nothing of them.

        Of these partitions, of a topic, of what a broker holds, or without any of them of all
        topics. Those that wrote within `max_transaction_timeout_ms`, the most that brokers allow,
        cannot be told from others yet. Raises the first error of what has to be asked;
        `timeout_s` bounds each of its questions, one after the other.
        """
        if not partitions:
            partitions = await self._partitions(topic, broker_id, timeout_s)
        told = await self._producers.describe(*partitions, broker_id=broker_id, timeout_s=timeout_s)
        wrote_before_ms = SystemClock().now_ms() - max_transaction_timeout_ms
        candidates = [
            found
            for found in open_transactions(told.all())
            if found.producer.last_timestamp_ms < wrote_before_ms
        ]
        if not candidates:
            return ()
        listed = await self.list(
            producer_ids={found.producer.producer_id for found in candidates}, timeout_s=timeout_s
        )
        names = {each.producer_id: each.transactional_id for each in listed}
        descriptions = await self._known(names.values(), timeout_s)
        return tuple(without_end(candidates, names, descriptions))

    async def _partitions(
        self, topic: str | None, broker_id: int | None, timeout_s: float | None
    ) -> tuple[TopicPartition, ...]:
        """All of a topic or of all topics; with `broker_id`, those that have a replica there."""
        names = [topic] if topic is not None else []
        if topic is None:
            listed = await self._topics.list(internal=True, timeout_s=timeout_s)
            names = [each.name for each in listed]
        described = await self._topics.describe(*names, timeout_s=timeout_s)
        return tuple(
            TopicPartition(name, partition.index)
            for name, each in described.all().items()
            for partition in each.partitions
            if broker_id is None or broker_id in partition.replicas
        )

    async def _known(
        self, transactional_ids: Iterable[str], timeout_s: float | None
    ) -> dict[str, TransactionDescription]:
        """What coordinators say; ids that are gone meanwhile are left out."""
        told = await self.describe(*transactional_ids, timeout_s=timeout_s)
        for error in told.errors.values():
            if not isinstance(error, RefusedError):
                raise error
            if error.code is not ErrorCode.TRANSACTIONAL_ID_NOT_FOUND:
                raise error
        return dict(told.done)


def _marker(spec: AbortSpec) -> WritableTxnMarker:
    return WritableTxnMarker(
        producer_id=spec.producer_id,
        producer_epoch=spec.producer_epoch,
        transaction_result=False,
        topics=[
            WritableTxnMarkerTopic(
                name=spec.partition.topic, partition_indexes=[spec.partition.partition]
            )
        ],
        coordinator_epoch=spec.coordinator_epoch,
    )
