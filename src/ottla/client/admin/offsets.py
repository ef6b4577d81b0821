"""Offsets of partitions: where they begin and end, and what was written when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Final, Literal

from msgspec import Struct

from ottla.base.ids import NO_EPOCH, NO_OFFSET, TopicPartition
from ottla.client.admin.asking import Asking
from ottla.client.admin.by_topic import by_topic
from ottla.client.admin.errors import UnsupportedByBrokerError
from ottla.client.admin.outcomes import Answers, Outcomes, verdict
from ottla.client.admin.routes import ToLeaders
from ottla.client.connection import Connection
from ottla.client.errors import RefusedError
from ottla.wire.messages.list_offsets import (
    ListOffsetsPartition,
    ListOffsetsPartitionResponse,
    ListOffsetsRequest,
    ListOffsetsResponse,
    ListOffsetsTopic,
)

IsolationLevel = Literal["read_uncommitted", "read_committed"]

_CLIENT: Final = -1
"""In place of a replica's id."""


class OffsetSpec(IntEnum):
    """Offsets that go by a name; others are asked for by a time in milliseconds since 1970."""

    LATEST = -1
    """The next one that will be written; with `read_committed`, the end of what is decided."""
    EARLIEST = -2
    MAX_TIMESTAMP = -3
    """Of the record with the latest timestamp (KIP-734)."""
    EARLIEST_LOCAL = -4
    """The first that is on the broker's own disks (KIP-405)."""
    LATEST_TIERED = -5
    """The last that is in remote storage; there is none without (KIP-1005)."""
    EARLIEST_PENDING_UPLOAD = -6
    """The first that is not in remote storage yet (KIP-1023)."""


_SINCE: Final = {
    OffsetSpec.MAX_TIMESTAMP: 7,
    OffsetSpec.EARLIEST_LOCAL: 8,
    OffsetSpec.LATEST_TIERED: 9,
    OffsetSpec.EARLIEST_PENDING_UPLOAD: 11,
}
"""The first versions of ListOffsets that know them."""


class ListedOffset(Struct, frozen=True, kw_only=True):
    """An offset; the timestamp is that of its record, where a time or MAX_TIMESTAMP asked for it.

    Timestamp and leader epoch are -1 where they are not told.
    """

    offset: int
    timestamp_ms: int = -1
    leader_epoch: int = NO_EPOCH


class Offsets:
    """`admin.offsets`."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    async def list(
        self,
        partitions: Mapping[TopicPartition, OffsetSpec | int],
        *,
        isolation_level: IsolationLevel = "read_uncommitted",
        timeout_s: float | None = None,
    ) -> Outcomes[TopicPartition, ListedOffset | None]:
        """An offset of each partition: an `OffsetSpec`, or the first record at or after a time.

        None where there is none: nothing was written since that time.
        """
        is_committed = isolation_level == "read_committed"

        async def ask(
            node: Connection, items: Sequence[TopicPartition]
        ) -> Answers[TopicPartition, ListedOffset | None]:
            answers: dict[
                TopicPartition, ListedOffset | RefusedError | UnsupportedByBrokerError | None
            ] = {
                item: error
                for item in items
                if (error := _not_offered(node, partitions[item])) is not None
            }
            asked = [item for item in items if item not in answers]
            if not asked:
                return answers
            request = ListOffsetsRequest(
                replica_id=_CLIENT,
                isolation_level=int(is_committed),
                topics=[
                    ListOffsetsTopic(
                        name=topic,
                        partitions=[
                            ListOffsetsPartition(
                                partition_index=index,
                                timestamp=partitions[TopicPartition(topic, index)],
                            )
                            for index in indexes
                        ],
                    )
                    for topic, indexes in by_topic(asked).items()
                ],
                timeout_ms=self._asking.patience_ms,
            )
            response = await node.call(request, ListOffsetsResponse)
            for topic in response.topics:
                for told in topic.partitions:
                    item = TopicPartition(topic.name, told.partition_index)
                    answers[item] = verdict(told.error_code, None, item, _listed(told))
            return answers

        route = ToLeaders(self._asking.cluster)
        return await self._asking.each(partitions, route, ask, timeout_s=timeout_s)


def _not_offered(node: Connection, spec: OffsetSpec | int) -> UnsupportedByBrokerError | None:
    version = node.version_of(ListOffsetsRequest)
    for known, since in _SINCE.items():
        if spec == known and version < since:
            return UnsupportedByBrokerError(
                f"{node.address} takes ListOffsetsRequest up to version {version}, "
                f"{known.name} came with {since}"
            )
    return None


def _listed(told: ListOffsetsPartitionResponse) -> ListedOffset | None:
    if told.offset == NO_OFFSET:
        return None
    return ListedOffset(
        offset=told.offset, timestamp_ms=told.timestamp, leader_epoch=told.leader_epoch
    )
