"""Questions about the offsets of any partitions, assigned or not: they move nothing.

Each leader is asked once for all of its partitions; what it refuses for now is asked again, of
whom the metadata then names.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

from ottla.base.errors import ErrorCode
from ottla.base.ids import TopicPartition
from ottla.client.cluster import Cluster
from ottla.client.consumer.offset_requests import OffsetQuestion, list_offsets_request, offsets_of
from ottla.client.consumer.options import ConsumerOptions
from ottla.client.errors import NodeError, RefusedError
from ottla.client.metadata import Node
from ottla.client.remedies import Remedy, known_error, remedy_of
from ottla.wire.messages.list_offsets import ListOffsetsPartitionResponse, ListOffsetsResponse


class OffsetAndTimestamp(NamedTuple):
    """A record's place: the first one that is not earlier than what was asked for."""

    offset: int
    timestamp_ms: int
    leader_epoch: int


Found = dict[TopicPartition, ListOffsetsPartitionResponse]


class OffsetQueries:
    """Asks, until `timeout_s` is over; raises DeadlineError then, RefusedError for good reasons."""

    def __init__(self, cluster: Cluster, options: ConsumerOptions) -> None:
        self._cluster = cluster
        self._options = options

    async def offsets(
        self, wanted: Mapping[TopicPartition, int], *, timeout_s: float | None
    ) -> dict[TopicPartition, int]:
        """The offset for LATEST or EARLIEST of each."""
        found = await self._ask(wanted, timeout_s)
        return {partition: found[partition].offset for partition in wanted}

    async def for_times(
        self, wanted: Mapping[TopicPartition, int], *, timeout_s: float | None
    ) -> dict[TopicPartition, OffsetAndTimestamp | None]:
        """The first record of each that is not earlier than its time; None for none."""
        found = await self._ask(wanted, timeout_s)
        return {partition: _place_of(found[partition]) for partition in wanted}

    async def _ask(self, wanted: Mapping[TopicPartition, int], timeout_s: float | None) -> Found:
        found: Found = {}

        async def attempt() -> Found:
            left = {name: time for name, time in wanted.items() if name not in found}
            by_node = await self._by_leader(left)
            parts = await asyncio.gather(
                *(self._ask_leader(node, asked, found) for node, asked in by_node.items()),
                return_exceptions=True,
            )
            for problem in sorted((part for part in parts if part is not None), key=_is_passing):
                await self._refresh(left)
                raise problem
            return found

        if not wanted:
            return found
        names = ", ".join(sorted({partition.topic for partition in wanted}))
        return await self._cluster.retry(
            attempt, failed=f"no offsets of {names} were found", timeout_s=timeout_s
        )

    async def _by_leader(
        self, wanted: Mapping[TopicPartition, int]
    ) -> dict[Node, dict[TopicPartition, OffsetQuestion]]:
        by_node: dict[Node, dict[TopicPartition, OffsetQuestion]] = {}
        creates = self._options.allow_auto_create_topics
        for partition, timestamp in wanted.items():
            leader = await self._cluster.leader_of(*partition, creates=creates)
            by_node.setdefault(leader.node, {})[partition] = OffsetQuestion(timestamp, leader.epoch)
        return by_node

    async def _ask_leader(
        self, node: Node, asked: Mapping[TopicPartition, OffsetQuestion], found: Found
    ) -> None:
        connection = await self._cluster.connection(node)
        request = list_offsets_request(
            asked, self._options, timeout_ms=self._cluster.options.request_timeout_ms
        )
        answers = offsets_of(await connection.call(request, ListOffsetsResponse))
        refused: list[RefusedError] = []
        for partition in asked:
            answer = answers.get(partition)
            code = ErrorCode.UNKNOWN_SERVER_ERROR if answer is None else answer.error_code
            if answer is None or code:
                refused.append(RefusedError(known_error(code), f"offsets of {partition}"))
            else:
                found[partition] = answer
        for error in sorted(refused, key=_is_passing):
            raise error

    async def _refresh(self, wanted: Mapping[TopicPartition, int]) -> None:
        """The next attempt asks whom the metadata names then."""
        try:
            await self._cluster.refresh({partition.topic for partition in wanted})
        except NodeError:
            return  # the next attempt tells, or finds a node that answers


def _is_passing(error: BaseException) -> bool:
    """What will never succeed comes first."""
    if isinstance(error, RefusedError):
        return remedy_of(error.code) is not Remedy.GIVE_UP
    return isinstance(error, NodeError)


def _place_of(answer: ListOffsetsPartitionResponse) -> OffsetAndTimestamp | None:
    if answer.offset < 0:
        return None
    return OffsetAndTimestamp(answer.offset, answer.timestamp, answer.leader_epoch)
