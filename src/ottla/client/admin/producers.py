"""Producers that partitions remember."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from ottla.base.ids import NO_OFFSET, TopicPartition
from ottla.client.admin.asking import Asking
from ottla.client.admin.by_topic import by_topic
from ottla.client.admin.outcomes import Answers, Outcomes, verdict
from ottla.client.admin.routes import Route, ToBrokers, ToLeaders
from ottla.client.connection import Connection
from ottla.wire.messages.describe_producers import (
    DescribeProducersRequest,
    DescribeProducersResponse,
    PartitionResponse,
    TopicRequest,
)


class ProducerState(Struct, frozen=True, kw_only=True):
    """One producer, as of its last batch in a partition."""

    producer_id: int
    producer_epoch: int
    last_sequence: int
    last_timestamp_ms: int
    coordinator_epoch: int | None
    """Of the last marker; None where there was none."""
    transaction_start_offset: int | None
    """Of the transaction that is open here; None for none."""


class Producers:
    """`admin.producers`."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    async def describe(
        self,
        *partitions: TopicPartition,
        broker_id: int | None = None,
        timeout_s: float | None = None,
    ) -> Outcomes[TopicPartition, tuple[ProducerState, ...]]:
        """Who writes to partitions (Kafka 2.8); as their leaders know it, or one broker."""

        async def ask(
            node: Connection, items: Sequence[TopicPartition]
        ) -> Answers[TopicPartition, tuple[ProducerState, ...]]:
            request = DescribeProducersRequest(
                topics=[
                    TopicRequest(name=topic, partition_indexes=indexes)
                    for topic, indexes in by_topic(items).items()
                ]
            )
            response = await node.call(request, DescribeProducersResponse)
            return {
                (item := TopicPartition(topic.name, told.partition_index)): verdict(
                    told.error_code, told.error_message, item, _states(told)
                )
                for topic in response.topics
                for told in topic.partitions
            }

        return await self._asking.each(partitions, self._route(broker_id), ask, timeout_s=timeout_s)

    def _route(self, broker_id: int | None) -> Route[TopicPartition]:
        if broker_id is None:
            return ToLeaders(self._asking.cluster)
        return ToBrokers(self._asking.cluster, lambda _: broker_id)


def _states(told: PartitionResponse) -> tuple[ProducerState, ...]:
    return tuple(
        ProducerState(
            producer_id=each.producer_id,
            producer_epoch=each.producer_epoch,
            last_sequence=each.last_sequence,
            last_timestamp_ms=each.last_timestamp,
            coordinator_epoch=None if each.coordinator_epoch < 0 else each.coordinator_epoch,
            transaction_start_offset=None
            if each.current_txn_start_offset == NO_OFFSET
            else each.current_txn_start_offset,
        )
        for each in told.active_producers
    )
