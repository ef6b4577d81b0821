"""confluent-kafka: librdkafka from Python."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    TIMESTAMP_NOT_AVAILABLE,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from tests.clients.complaints import own_logger
from tests.clients.contract import (
    BEGINNING,
    PATIENCE_SECONDS,
    REQUEST_BYTES_MAX,
    Client,
    Headers,
    Place,
    Reader,
    Record,
    Start,
    Stored,
)

POLL_MESSAGES_MAX = 10_000


class ConfluentClient(Client):
    """librdkafka, the library behind most clients that are not Java's."""

    name = "confluent-kafka"

    def __init__(self) -> None:
        super().__init__()
        self._logger = own_logger(self.complaints)

    def producer(self, bootstrap: str, settings: Mapping[str, Any]) -> Producer:
        """A producer whose log is listened to."""
        return Producer(
            {"bootstrap.servers": bootstrap, "error_cb": self._complain, **settings},
            logger=self._logger,
        )

    def produce(
        self,
        bootstrap: str,
        topic: str,
        records: Sequence[Record],
        *,
        codec: str = "none",
        acks: str = "all",
    ) -> None:
        producer = self.producer(
            bootstrap,
            {
                "compression.type": codec,
                "acks": acks,
                "linger.ms": 10,
                "message.max.bytes": REQUEST_BYTES_MAX,
            },
        )
        errors: list[KafkaError] = []
        for record in records:
            _produce(producer, topic, record, errors)
        unsent = producer.flush(PATIENCE_SECONDS)
        if errors or unsent:
            raise RuntimeError(f"{unsent} records unsent, {len(errors)} refused: {errors[:3]}")

    def open_reader(
        self, bootstrap: str, topic: str, *, partitions: int = 1, start: Start = BEGINNING
    ) -> ConfluentReader:
        consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "a reader without a group",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "error",
                "error_cb": self._complain,
            },
            logger=self._logger,
        )
        return ConfluentReader(consumer, topic, partitions, start)

    def _complain(self, error: KafkaError) -> None:
        self.complaints.append(f"error callback: {error}")


class ConfluentReader(Reader):
    """A consumer with partitions that it was assigned by hand."""

    def __init__(self, consumer: Consumer, topic: str, partitions: int, start: Start) -> None:
        super().__init__()
        self._consumer = consumer
        self._ended: set[int] = set()
        # With the leaders known it finds its place at once and not at the next half second.
        consumer.list_topics(topic, timeout=PATIENCE_SECONDS)
        consumer.assign(self._places(topic, partitions, start))
        # A time after the last record means the end, too.
        if start.place in (Place.END, Place.TIME):
            self._wait_for_ends(partitions)

    def _places(self, topic: str, partitions: int, start: Start) -> list[TopicPartition]:
        fixed = {
            Place.BEGINNING: OFFSET_BEGINNING,
            Place.END: OFFSET_END,
            Place.OFFSET: start.number,
            Place.TIME: start.number,
        }
        places = [TopicPartition(topic, index, fixed[start.place]) for index in range(partitions)]
        if start.place is not Place.TIME:
            return places
        return self._consumer.offsets_for_times(places, timeout=PATIENCE_SECONDS)

    def _wait_for_ends(self, partitions: int) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(self._ended) < partitions:
            if time.monotonic() > deadline:
                raise TimeoutError("the ends of the partitions were not found")
            self._gathered += self.poll(0.1)

    def poll(self, seconds: float) -> list[Stored]:
        first = self._consumer.poll(seconds)
        if first is None:
            return []
        messages = [first, *self._consumer.consume(POLL_MESSAGES_MAX, 0)]
        return [_stored(message) for message in messages if not self._is_end(message)]

    def _is_end(self, message: Message) -> bool:
        error = message.error()
        if error is None:
            return False
        if error.code() != KafkaError._PARTITION_EOF:
            raise KafkaException(error)
        partition = message.partition()
        assert partition is not None
        self._ended.add(partition)
        return True

    def close(self) -> None:
        self._consumer.close()


def _produce(producer: Producer, topic: str, record: Record, errors: list[KafkaError]) -> None:
    def delivered(error: KafkaError | None, _: Message) -> None:
        if error is not None:
            errors.append(error)

    while True:
        try:
            producer.produce(
                topic,
                value=record.value,
                key=record.key,
                headers=list(record.headers),
                partition=-1 if record.partition is None else record.partition,
                timestamp=0 if record.timestamp_ms is None else record.timestamp_ms,
                on_delivery=delivered,
            )
        except BufferError:
            producer.poll(0.1)
        else:
            producer.poll(0)
            return


def _stored(message: Message) -> Stored:
    kind, timestamp_ms = message.timestamp()
    partition, offset = message.partition(), message.offset()
    assert partition is not None
    assert offset is not None
    return Stored(
        partition=partition,
        offset=offset,
        timestamp_ms=-1 if kind == TIMESTAMP_NOT_AVAILABLE else timestamp_ms,
        key=_bytes(message.key()),
        value=_bytes(message.value()),
        headers=_headers(message),
    )


def _headers(message: Message) -> Headers:
    headers = message.headers() or []
    assert isinstance(headers, list)
    return tuple((name, _bytes(value)) for name, value in headers)


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
