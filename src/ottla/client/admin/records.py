"""Records: delete those before an offset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ottla.base.ids import TopicPartition
from ottla.client.admin.asking import Asking
from ottla.client.admin.by_topic import by_topic
from ottla.client.admin.outcomes import Answers, Outcomes, verdict
from ottla.client.admin.routes import ToLeaders
from ottla.client.connection import Connection
from ottla.wire.messages.delete_records import (
    DeleteRecordsPartition,
    DeleteRecordsRequest,
    DeleteRecordsResponse,
    DeleteRecordsTopic,
)

ALL_RECORDS: Final = -1
"""As the offset: everything that consumers can see goes."""


class Records:
    """`admin.records`."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    async def delete(
        self, before: Mapping[TopicPartition, int], *, timeout_s: float | None = None
    ) -> Outcomes[TopicPartition, int]:
        """Delete all records before an offset; each partition's first offset is then the result.

        `ALL_RECORDS` deletes what is there. Later ones are refused with OFFSET_OUT_OF_RANGE.
        """

        async def ask(
            node: Connection, items: Sequence[TopicPartition]
        ) -> Answers[TopicPartition, int]:
            request = DeleteRecordsRequest(
                topics=[
                    DeleteRecordsTopic(
                        name=topic,
                        partitions=[
                            DeleteRecordsPartition(
                                partition_index=index, offset=before[TopicPartition(topic, index)]
                            )
                            for index in indexes
                        ],
                    )
                    for topic, indexes in by_topic(items).items()
                ],
                timeout_ms=self._asking.patience_ms,
            )
            response = await node.call(request, DeleteRecordsResponse)
            return {
                (item := TopicPartition(topic.name, told.partition_index)): verdict(
                    told.error_code, None, item, told.low_watermark
                )
                for topic in response.topics
                for told in topic.partitions
            }

        route = ToLeaders(self._asking.cluster)
        return await self._asking.each(before, route, ask, timeout_s=timeout_s)
