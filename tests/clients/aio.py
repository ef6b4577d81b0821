"""aiokafka, with a loop of its own that runs while a call does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

import aiokafka  # type: ignore[import-untyped]  # has no types

from tests.clients.complaints import listen_to
from tests.clients.contract import (
    BEGINNING,
    PATIENCE_SECONDS,
    REQUEST_BYTES_MAX,
    Client,
    Place,
    Reader,
    Record,
    Start,
    Stored,
)


class AioKafkaClient(Client):
    """The asyncio client."""

    name = "aiokafka"

    def __init__(self) -> None:
        super().__init__()
        self._handler = listen_to("aiokafka", self.complaints)

    def close(self) -> None:
        logging.getLogger("aiokafka").removeHandler(self._handler)

    def can_produce(self, record: Record) -> bool:
        """It takes no record of nothing."""
        return record.key is not None or record.value is not None

    def produce(
        self,
        bootstrap: str,
        topic: str,
        records: Sequence[Record],
        *,
        codec: str = "none",
        acks: str = "all",
    ) -> None:
        asyncio.run(_produce(bootstrap, topic, records, codec, acks))

    def open_reader(
        self, bootstrap: str, topic: str, *, partitions: int = 1, start: Start = BEGINNING
    ) -> AioKafkaReader:
        return AioKafkaReader(bootstrap, topic, partitions, start)


async def _produce(
    bootstrap: str, topic: str, records: Sequence[Record], codec: str, acks: str
) -> None:
    async with aiokafka.AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        compression_type=None if codec == "none" else codec,
        acks="all" if acks == "all" else int(acks),
        linger_ms=10,
        max_request_size=REQUEST_BYTES_MAX,
    ) as producer:
        sent = [
            await producer.send(
                topic,
                value=record.value,
                key=record.key,
                headers=list(record.headers),
                partition=record.partition,
                timestamp_ms=record.timestamp_ms,
            )
            for record in records
        ]
        await asyncio.wait_for(asyncio.gather(*sent), PATIENCE_SECONDS)


class AioKafkaReader(Reader):
    """A consumer with partitions that it was assigned by hand."""

    def __init__(self, bootstrap: str, topic: str, partitions: int, start: Start) -> None:
        super().__init__()
        self._loop = asyncio.Runner()
        self._consumer: Any = None
        self._loop.run(self._open(bootstrap, topic, partitions, start))

    async def _open(self, bootstrap: str, topic: str, partitions: int, start: Start) -> None:
        consumer = self._consumer = aiokafka.AIOKafkaConsumer(
            bootstrap_servers=bootstrap,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            max_partition_fetch_bytes=REQUEST_BYTES_MAX,
        )
        await consumer.start()
        places = [aiokafka.TopicPartition(topic, index) for index in range(partitions)]
        consumer.assign(places)
        await self._seek(places, start)
        for place in places:
            await consumer.position(place)

    async def _seek(self, places: list[Any], start: Start) -> None:
        if start.place is Place.BEGINNING:
            await self._consumer.seek_to_beginning(*places)
        elif start.place is Place.END:
            await self._consumer.seek_to_end(*places)
        elif start.place is Place.OFFSET:
            for place in places:
                self._consumer.seek(place, start.number)
        else:
            await self._seek_to_time(places, start.number)

    async def _seek_to_time(self, places: list[Any], timestamp_ms: int) -> None:
        found = await self._consumer.offsets_for_times(dict.fromkeys(places, timestamp_ms))
        for place in places:
            if found.get(place) is None:
                await self._consumer.seek_to_end(place)
            else:
                self._consumer.seek(place, found[place].offset)

    def poll(self, seconds: float) -> list[Stored]:
        polled = self._loop.run(self._consumer.getmany(timeout_ms=int(seconds * 1000)))
        return [_stored(record) for records in polled.values() for record in records]

    def close(self) -> None:
        if self._consumer is not None:
            self._loop.run(self._consumer.stop())
        self._loop.close()


def _stored(record: Any) -> Stored:
    return Stored(
        partition=record.partition,
        offset=record.offset,
        timestamp_ms=record.timestamp,
        key=record.key,
        value=record.value,
        headers=tuple(record.headers),
    )
