"""kafka-python 3."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from typing import Any

from tests.clients.complaints import listen_to
from tests.clients.contract import (
    BEGINNING,
    CODECS,
    PATIENCE_SECONDS,
    REQUEST_BYTES_MAX,
    Client,
    Place,
    Reader,
    Record,
    Start,
    Stored,
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it reads its definitions in an old way
    import kafka  # type: ignore[import-untyped]  # has no types
    import kafka.codec  # type: ignore[import-untyped]  # has no types


class KafkaPythonClient(Client):
    """The pure Python client with threads."""

    name = "kafka-python"
    codecs = frozenset(
        codec for codec in CODECS if codec == "none" or getattr(kafka.codec, f"has_{codec}")()
    )

    def __init__(self) -> None:
        super().__init__()
        self._handler = listen_to("kafka", self.complaints)
        # Its loop warns where the machine is slow, which is no complaint about a broker.
        logging.getLogger("kafka.net.selector").setLevel(logging.ERROR)

    def close(self) -> None:
        logging.getLogger("kafka").removeHandler(self._handler)

    def can_produce(self, record: Record) -> bool:
        """It takes no header without a value, and no record of nothing."""
        has_part = record.key is not None or record.value is not None
        return has_part and all(value is not None for _, value in record.headers)

    def produce(
        self,
        bootstrap: str,
        topic: str,
        records: Sequence[Record],
        *,
        codec: str = "none",
        acks: str = "all",
    ) -> None:
        producer = kafka.KafkaProducer(
            bootstrap_servers=bootstrap,
            compression_type=None if codec == "none" else codec,
            acks="all" if acks == "all" else int(acks),
            # Idempotence, its default, insists on acks=all.
            enable_idempotence=acks == "all",
            linger_ms=10,
            max_request_size=REQUEST_BYTES_MAX,
        )
        try:
            sent = [
                producer.send(
                    topic,
                    value=record.value,
                    key=record.key,
                    headers=list(record.headers),
                    partition=record.partition,
                    timestamp_ms=record.timestamp_ms,
                )
                for record in records
            ]
            producer.flush(PATIENCE_SECONDS)
            for future in sent:
                future.get(timeout=PATIENCE_SECONDS)
        finally:
            producer.close(PATIENCE_SECONDS)

    def open_reader(
        self, bootstrap: str, topic: str, *, partitions: int = 1, start: Start = BEGINNING
    ) -> KafkaPythonReader:
        consumer = kafka.KafkaConsumer(
            bootstrap_servers=bootstrap,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            max_partition_fetch_bytes=REQUEST_BYTES_MAX,
        )
        return KafkaPythonReader(consumer, topic, partitions, start)


class KafkaPythonReader(Reader):
    """A consumer with partitions that it was assigned by hand."""

    def __init__(self, consumer: Any, topic: str, partitions: int, start: Start) -> None:
        super().__init__()
        self._consumer = consumer
        places = [kafka.TopicPartition(topic, index) for index in range(partitions)]
        consumer.assign(places)
        self._seek(places, start)
        for place in places:
            consumer.position(place)

    def _seek(self, places: list[Any], start: Start) -> None:
        if start.place is Place.BEGINNING:
            self._consumer.seek_to_beginning(*places)
        elif start.place is Place.END:
            self._consumer.seek_to_end(*places)
        elif start.place is Place.OFFSET:
            for place in places:
                self._consumer.seek(place, start.number)
        else:
            self._seek_to_time(places, start.number)

    def _seek_to_time(self, places: list[Any], timestamp_ms: int) -> None:
        found = self._consumer.offsets_for_times(dict.fromkeys(places, timestamp_ms))
        for place in places:
            if found.get(place) is None:
                self._consumer.seek_to_end(place)
            else:
                self._consumer.seek(place, found[place].offset)

    def poll(self, seconds: float) -> list[Stored]:
        polled = self._consumer.poll(timeout_ms=int(seconds * 1000))
        return [_stored(record) for records in polled.values() for record in records]

    def close(self) -> None:
        self._consumer.close()


def _stored(record: Any) -> Stored:
    return Stored(
        partition=record.partition,
        offset=record.offset,
        timestamp_ms=record.timestamp,
        key=_bytes(record.key),
        value=_bytes(record.value),
        headers=tuple((name, _bytes(value)) for name, value in record.headers),
    )


def _bytes(value: Any) -> bytes | None:
    return None if value is None else bytes(value)
